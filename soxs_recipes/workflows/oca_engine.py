"""What OCA rules make of frames: classification, groups, associations."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from soxs_recipes.workflows.oca_parser import (
    Action,
    Association,
    Comparison,
    Condition,
    Constant,
    Junction,
    Key,
    Kind,
    Not,
    Operand,
    RuleSet,
)

Keys = Mapping[str, Any]
_COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Execution:
    """One run of an action.

    Attributes
    ----------
    action : str
        Name of the action.
    recipe : str
        Recipe it runs.
    frames : tuple of mapping
        Keywords of the frames that trigger it.
    associated : mapping of str to tuple
        Keywords of the associated frames, by tag.
    complete : bool
        Whether every association has as many frames as it needs.
    """

    action: str
    recipe: str
    frames: tuple[Keys, ...]
    associated: Mapping[str, tuple[Keys, ...]]
    complete: bool


def frame_keys(header: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of a header in OCA spelling; blank texts count as undefined."""
    keys = {}
    for keyword, value in header.items():
        content = value.strip() if isinstance(value, str) else value
        if content is not None and content != "":
            keys[keyword.removeprefix("ESO ").replace(" ", ".")] = content
    return keys


def classify(rules: RuleSet, header: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of a frame, with those that the classification rules set; the last rule wins."""
    keys = frame_keys(header)
    for rule in rules.classifications:
        if holds(rule.condition, keys):
            values = {name: _value(value, keys, {}) for name, value in rule.assignments}
            keys.update(values)
    return keys


def holds(condition: Condition, keys: Keys, input_keys: Keys | None = None) -> bool:
    """Whether a frame fulfils a condition.

    Parameters
    ----------
    condition : Condition
        Of a classification, selection or association.
    keys : mapping
        Keywords of the frame.
    input_keys : mapping, optional
        Keywords of the frame that is associated to (``inputFile``).
    """
    match condition:
        case Constant(value):
            return value
        case Not(inner):
            return not holds(inner, keys, input_keys)
        case Junction(word, parts):
            test = all if word == "and" else any
            return test(holds(part, keys, input_keys) for part in parts)
        case Kind(key, kind):
            found = keys.get(key.name)
            return isinstance(found, str) if kind == "string" else found is None
        case Comparison(word, left, right):
            return _compare(word, *(_value(item, keys, input_keys or {}) for item in (left, right)))
    raise TypeError(f"{condition!r} is not an OCA condition")


def organise(rules: RuleSet, headers: Sequence[Mapping[str, Any]]) -> list[Execution]:
    """Group frames into executions and associate to each what it needs.

    The products that an execution will make can be associated to executions of the selections
    that follow in the file. Of several candidates the nearest in time are taken.

    Parameters
    ----------
    rules : RuleSet
        The OCA file.
    headers : sequence of mapping
        Primary headers of the frames.
    """
    frames = [classify(rules, header) for header in headers]
    actions = {action.name: action for action in rules.actions}
    promised: list[Keys] = []
    executions = []
    for selection in rules.selections:
        action = actions[selection.action]
        chosen = [keys for keys in frames if holds(selection.condition, keys)]
        for group in _groups(chosen, selection.group_by):
            executions.append(_execution(action, group, frames, [*frames, *promised]))
            promised += _products(action, group[0])
    return executions


def _groups(frames: Sequence[Keys], keywords: Sequence[str]) -> list[list[Keys]]:
    groups: dict[tuple, list[Keys]] = {}
    for keys in frames:
        groups.setdefault(tuple(keys.get(word) for word in keywords), []).append(keys)
    return list(groups.values())


def _execution(
    action: Action, group: Sequence[Keys], frames: Sequence[Keys], calibrations: Sequence[Keys]
) -> Execution:
    found = {
        item.tag: _associated(item, group[0], calibrations if "calib" in item.source else frames)
        for item in action.associations
    }
    complete = all(len(found[item.tag]) >= item.minimum for item in action.associations)
    return Execution(action.name, action.recipe, tuple(group), found, complete)


def _associated(rule: Association, main: Keys, candidates: Sequence[Keys]) -> tuple[Keys, ...]:
    fitting = [keys for keys in candidates if holds(rule.condition, keys, main)]
    fitting.sort(key=lambda keys: abs(keys.get("MJD-OBS", 0.0) - main.get("MJD-OBS", 0.0)))
    return tuple(fitting[: rule.maximum])


def _products(action: Action, main: Keys) -> list[Keys]:
    inherited = {name: value for name, value in main.items() if not name.startswith("DPR.")}
    return [
        inherited | {name: _value(value, main, {}) for name, value in product.assignments}
        for product in action.products
    ]


def _value(operand: Operand, keys: Keys, input_keys: Keys) -> Any:
    if isinstance(operand, Key):
        return (input_keys if operand.of_input else keys).get(operand.name)
    return operand


def _compare(word: str, left: Any, right: Any) -> bool:
    """Compare two values; nothing is true of an undefined one, or of a text and a number."""
    if left is None or right is None:
        return False
    if word == "like":
        return isinstance(left, str) and _like(left, right)
    if isinstance(left, str) != isinstance(right, str):
        return False
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(_COMPARE[word](left, right))


def _like(text: str, pattern: str) -> bool:
    wildcards = {"%": ".*", "_": "."}
    expression = "".join(wildcards.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None

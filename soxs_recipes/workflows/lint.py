"""Faults of a workflow that Kepler or EsoReflex would only tell at run time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from xml.etree import ElementTree

from soxs_recipes.workflows.moml import COMPOSITE
from soxs_recipes.workflows.oca_parser import Comparison, Condition, Junction, Key, Not, RuleSet
from soxs_recipes.workflows.raw_rules import UNDEFINED

CATEGORY_KEY = "REFLEX.CATG"
SYSTEM_NAMES = frozenset({"CWD", "HOME", "TMPDIR", "KEPLER"})
_REFERENCE = re.compile(r"\$\$|\$[({]?([A-Za-z_]\w*)")
_EXECUTER = "org.eso.RecipeExecuter"
_ROUTER = "org.eso.FitsRouter"


def lint(xml: str, rules: RuleSet, recipes: Collection[str], statics: Collection[str]) -> list[str]:
    """Describe every fault of a workflow.

    Parameters
    ----------
    xml : str
        MoML text.
    rules : RuleSet
        OCA rules that it is used with.
    recipes : collection of str
        Names of the recipes that exist.
    statics : collection of str
        Categories of static calibrations: no action makes them, their own header names them.

    Returns
    -------
    list of str
        One line per fault; empty for a workflow without any.
    """
    root = ElementTree.fromstring(xml)
    known = classified(rules) | set(statics)
    faults = [*_links(root, root.get("name", "")), *_references(root, SYSTEM_NAMES)]
    faults += _recipes(root, set(recipes))
    faults += _categories(root, known)
    faults += _rules(rules, set(recipes), known)
    return faults


def classified(rules: RuleSet) -> set[str]:
    """Categories that the rules give to raw frames or to the products of an action."""
    blocks = [item.assignments for item in rules.classifications]
    blocks += [product.assignments for action in rules.actions for product in action.products]
    values = (value for block in blocks for key, value in block if key == CATEGORY_KEY)
    return {value for value in values if isinstance(value, str)} - {UNDEFINED}


def _links(composite: ElementTree.Element, path: str) -> Iterator[str]:
    """Faults of the links of a composite and of those inside it."""
    ports = _ports(composite)
    relations = [item.get("name") for item in composite.findall("relation")]
    yield from _repeated(composite, path)
    counts: Counter[str] = Counter()
    for link in composite.findall("link"):
        port, relation = link.get("port", ""), link.get("relation", "")
        if port not in ports:
            yield f"{path}: link to the port '{port}', which does not exist"
        if relation not in relations:
            yield f"{path}: link to the relation '{relation}', which does not exist"
        counts[port] += 1
    for port, count in counts.items():
        if count > 1 and not ports.get(port, True):
            yield f"{path}: {count} links to the single port '{port}'"
    linked = Counter(link.get("relation") for link in composite.findall("link"))
    for relation in relations:
        if linked[relation] < 2:
            yield f"{path}: the relation '{relation}' links fewer than two ports"
    for actor in composite.findall("entity"):
        if actor.get("class") == COMPOSITE:
            yield from _links(actor, f"{path}.{actor.get('name')}")


def _ports(composite: ElementTree.Element) -> dict[str, bool]:
    """Ports that links of a composite may name, and whether each takes several links."""
    found = {}
    owners = [("", composite), *((f"{e.get('name')}.", e) for e in composite.findall("entity"))]
    for prefix, owner in owners:
        for port in owner.findall("port"):
            flags = {item.get("name") for item in port.findall("property")}
            found[f"{prefix}{port.get('name')}"] = "multiport" in flags
    return found


def _repeated(composite: ElementTree.Element, path: str) -> Iterator[str]:
    for kind in ("entity", "relation", "port", "property"):
        names = Counter(item.get("name") for item in composite.findall(kind))
        for name, count in names.items():
            if count > 1:
                yield f"{path}: {count} times {kind} '{name}'"


def _references(element: ElementTree.Element, scope: Collection[str]) -> Iterator[str]:
    """``$NAME`` in a value that no parameter of the element or around it defines."""
    names = {item.get("name") for item in element.findall("property")}
    inner = {*scope, *names}
    for child in element:
        if child.tag == "property" and child.get("name") != "script":
            for name in _REFERENCE.findall(child.get("value", "")):
                if name and name not in inner:
                    yield (f"{element.get('name')}.{child.get('name')}: ${name} is not defined")
        if child.tag in ("entity", "property"):
            yield from _references(child, inner)


def _recipes(root: ElementTree.Element, recipes: set[str]) -> Iterator[str]:
    for actor in root.iter("entity"):
        if actor.get("class") == _EXECUTER:
            name = actor.get("name", "")
            if name.rpartition("_")[0] not in recipes:
                yield f"{name}: no recipe has this name"


def _categories(root: ElementTree.Element, known: set[str]) -> Iterator[str]:
    for actor in root.iter("entity"):
        for item in actor.findall("property"):
            name = item.get("name", "")
            routed = actor.get("class") == _ROUTER and name.endswith("_config")
            if routed or name in ("Input Files Category", "Output Files Category"):
                tags = item.get("value", "").strip('"').split(",")
                for tag in tags:
                    if tag not in known:
                        yield f"{actor.get('name')}.{name}: nothing has the category '{tag}'"


def _rules(rules: RuleSet, recipes: set[str], known: set[str]) -> Iterator[str]:
    actions = Counter(action.name for action in rules.actions)
    for name, count in actions.items():
        if count > 1:
            yield f"action {name}: defined {count} times"
    for selection in rules.selections:
        if selection.action not in actions:
            yield f"select execute({selection.action}): no such action"
        yield from _unknown(selection.condition, known, f"select execute({selection.action})")
    for action in rules.actions:
        if action.recipe not in recipes:
            yield f"action {action.name}: no recipe has the name '{action.recipe}'"
        for item in action.associations:
            yield from _unknown(item.condition, known, f"action {action.name}")


def _unknown(condition: Condition, known: set[str], where: str) -> Iterator[str]:
    """Categories that a condition asks for and nothing has."""
    match condition:
        case Junction(_, parts):
            for part in parts:
                yield from _unknown(part, known, where)
        case Not(inner):
            yield from _unknown(inner, known, where)
        case Comparison("==", Key(name), str(value)) if name in (CATEGORY_KEY, "PRO.CATG"):
            if value not in known:
                yield f"{where}: nothing has the category '{value}'"

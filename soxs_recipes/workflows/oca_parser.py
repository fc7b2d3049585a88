"""OCA rules (organisation, classification, association) read into a syntax tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from soxs_recipes.errors import SoxsError


class OcaSyntaxError(SoxsError):
    """A text is not in the OCA language; says at which line and column."""


@dataclass(frozen=True)
class Key:
    """A keyword in OCA spelling; `of_input` if it is that of the frame that is associated to."""

    name: str
    of_input: bool = False


Operand = Key | str | float | bool


@dataclass(frozen=True)
class Constant:
    """The condition that always holds."""

    value: bool


@dataclass(frozen=True)
class Comparison:
    """Two operands compared: ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``like``."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Kind:
    """Whether a keyword ``is string`` or ``is undefined``."""

    key: Key
    kind: str


@dataclass(frozen=True)
class Not:
    """A condition that must not hold."""

    condition: Condition


@dataclass(frozen=True)
class Junction:
    """Conditions joined by ``and`` or ``or``."""

    operator: str
    conditions: tuple[Condition, ...]


Condition = Constant | Comparison | Kind | Not | Junction
Assignments = tuple[tuple[str, Operand], ...]


@dataclass(frozen=True)
class Classification:
    """Keywords that a frame gets if a condition holds."""

    condition: Condition
    assignments: Assignments


@dataclass(frozen=True)
class Selection:
    """Frames that trigger an action, and what they are grouped by."""

    action: str
    source: str
    condition: Condition
    group_by: tuple[str, ...]


@dataclass(frozen=True)
class Association:
    """Frames that an action needs beside those that trigger it."""

    tag: str
    source: str
    condition: Condition
    minimum: int
    maximum: int


@dataclass(frozen=True)
class ProductRule:
    """A product of an action and the keywords it will have."""

    tag: str
    assignments: Assignments


@dataclass(frozen=True)
class Action:
    """A recipe with what it needs and makes."""

    name: str
    recipe: str
    associations: tuple[Association, ...]
    products: tuple[ProductRule, ...]


@dataclass(frozen=True)
class RuleSet:
    """An OCA file."""

    classifications: tuple[Classification, ...]
    selections: tuple[Selection, ...]
    actions: tuple[Action, ...]


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_TOKENS = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)
    |(?P<string>"[^"\n]*")
    |(?P<number>[+-]?\d+(\.\d*)?([eE][+-]?\d+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*([.-][A-Za-z0-9_]+)*)
    |(?P<symbol>==|!=|<=|>=|[=<>{}();,])""",
    re.VERBOSE,
)
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_SOURCES = ("inputFiles", "calibFiles", "rawFiles")


def parse(text: str) -> RuleSet:
    """Read an OCA file.

    Parameters
    ----------
    text : str
        Its content.

    Raises
    ------
    OcaSyntaxError
        If it breaks the grammar.
    """
    return _Parser(text).rule_set()


class _Parser:
    """Recursive descent, one method per construct of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenise()
        self._next = 0

    def rule_set(self) -> RuleSet:
        classifications, selections, actions = [], [], []
        while self._token.kind != "end":
            if self._accept("if"):
                classifications.append(self._classification())
            elif self._accept("select"):
                selections.append(self._selection())
            elif self._accept("action"):
                actions.append(self._action())
            else:
                raise self._error("'if', 'select' or 'action'")
        return RuleSet(tuple(classifications), tuple(selections), tuple(actions))

    def _classification(self) -> Classification:
        condition = self._condition()
        self._expect("then")
        return Classification(condition, self._block())

    def _selection(self) -> Selection:
        self._expect("execute")
        self._expect("(")
        action = self._take("word")
        self._expect(")")
        source, condition = self._source_and_condition()
        group_by = self._group_by() if self._accept("group") else ()
        self._expect(";")
        return Selection(action, source, condition, group_by)

    def _group_by(self) -> tuple[str, ...]:
        self._expect("by")
        keys = [self._take("word")]
        while self._accept(","):
            keys.append(self._take("word"))
        if self._accept("as"):
            self._expect("(")
            self._take("word")
            self._expect(",")
            self._take("word")
            self._expect(")")
        return tuple(keys)

    def _action(self) -> Action:
        name, recipe = self._take("word"), ""
        associations, products = [], []
        bounds = {"minRet": 1, "maxRet": 1}
        self._expect("{")
        while not self._accept("}"):
            word = self._take("word")
            if word in bounds:
                self._expect("=")
                bounds[word] = int(self._take("number"))
                self._expect(";")
            elif word == "select":
                associations.append(self._association(bounds["minRet"], bounds["maxRet"]))
            elif word == "recipe":
                recipe = self._take("word")
                self._expect(";")
            elif word == "product":
                products.append(ProductRule(self._take("word"), self._block()))
            else:
                raise self._error("'minRet', 'maxRet', 'select', 'recipe' or 'product'")
        return Action(name, recipe, tuple(associations), tuple(products))

    def _association(self, minimum: int, maximum: int) -> Association:
        self._expect("file")
        self._expect("as")
        tag = self._take("word")
        source, condition = self._source_and_condition()
        self._expect(";")
        return Association(tag, source, condition, minimum, maximum)

    def _source_and_condition(self) -> tuple[str, Condition]:
        self._expect("from")
        source = self._take("word")
        if source not in _SOURCES:
            raise self._error(" or ".join(_SOURCES))
        self._expect("where")
        return source, self._condition()

    def _block(self) -> Assignments:
        assignments = []
        self._expect("{")
        while not self._accept("}"):
            key = self._take("word")
            self._expect("=")
            assignments.append((key, self._operand()))
            self._expect(";")
        return tuple(assignments)

    def _condition(self) -> Condition:
        return self._junction("or", lambda: self._junction("and", self._simple))

    def _junction(self, operator: str, part) -> Condition:
        parts = [part()]
        while self._accept(operator):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(operator, tuple(parts))

    def _simple(self) -> Condition:
        if self._accept("not"):
            return Not(self._simple())
        if self._accept("("):
            inner = self._condition()
            self._expect(")")
            return inner
        left = self._operand()
        if self._accept("is"):
            return self._kind(left)
        if self._accept("like"):
            return Comparison("like", left, self._take("string")[1:-1])
        for operator in _COMPARISONS:
            if self._accept(operator):
                return Comparison(operator, left, self._operand())
        if isinstance(left, bool):
            return Constant(left)
        raise self._error("a comparison")

    def _kind(self, operand: Operand) -> Kind:
        kind = self._take("word")
        if kind not in ("string", "undefined") or not isinstance(operand, Key):
            raise self._error("'KEYWORD is string' or 'KEYWORD is undefined'")
        return Kind(operand, kind)

    def _operand(self) -> Operand:
        token = self._token
        if token.kind == "string":
            return self._take("string")[1:-1]
        if token.kind == "number":
            return float(self._take("number"))
        word = self._take("word")
        if word in ("T", "F"):
            return word == "T"
        name = word.removeprefix("inputFile.")
        return Key(name, of_input=name != word)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _accept(self, text: str) -> bool:
        if self._token.text != text or self._token.kind == "string":
            return False
        self._next += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._error(f"'{text}'")

    def _take(self, kind: str) -> str:
        token = self._token
        if token.kind != kind:
            raise self._error(f"a {kind}")
        self._next += 1
        return token.text

    def _tokenise(self) -> list[_Token]:
        tokens, position = [], 0
        while position < len(self._text):
            match = _TOKENS.match(self._text, position)
            if match is None:
                raise self._error("a word, number, text or symbol", position)
            if match.lastgroup != "skip":
                tokens.append(_Token(str(match.lastgroup), match.group(), position))
            position = match.end()
        return [*tokens, _Token("end", "", position)]

    def _error(self, expected: str, position: int | None = None) -> OcaSyntaxError:
        at = self._token.position if position is None else position
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        return OcaSyntaxError(
            f"The OCA rules break off at line {line}, column {column}",
            expected=expected,
            found=repr(self._text[at : at + 20]) if at < len(self._text) else "the end",
        )

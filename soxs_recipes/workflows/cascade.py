"""The calibration cascade: which recipe needs the products of which, from the declarations alone.

A *step* is a recipe in one arm and, where the recipe keeps science, flux and telluric standards
apart, one role. A step that starts from raw frames starts an *action*; a step whose main input is
a product belongs to the actions that lead to this product. A *stage* is a place on the canvas: a
recipe once, or once behind each recipe that makes its main input. Steps that end their action have
a stage of their own there, for the purpose of a file changes at the end of an action.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import chain

from soxs_recipes.errors import SoxsError
from soxs_recipes.instrument.classification import OVERRIDE_STEMS
from soxs_recipes.recipes.declarations import Declaration, Input, Kind, Product
from soxs_recipes.recipes.roles import role_of
from soxs_recipes.workflows.raw_rules import raw_tags

SCIENCE_STEMS = ("OBJECT_", "IMG_OBJECT_")


class CascadeError(SoxsError):
    """The declarations of the recipes do not fit each other."""


def known_to_headers(tag: str, arm: str) -> bool:
    """Whether a raw tag can be told from a header, or only by a user.

    Raises
    ------
    CascadeError
        If no rule gives the tag and it is not one that users may give.
    """
    if tag in raw_tags():
        return True
    if tag.removesuffix(f"_{arm}") in OVERRIDE_STEMS:
        return False
    raise CascadeError(
        f"No classification rule gives the raw tag {tag}",
        expected="a tag of the classification table",
        remedy="correct the declaration of the recipe, or add a rule",
    )


@dataclass(frozen=True, eq=False)
class Step:
    """A recipe in one arm and role."""

    declaration: Declaration
    arm: str
    role: str

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        return self.declaration.name

    @property
    def name(self) -> str:
        """Name of the action that it starts."""
        stem = self.recipe.removeprefix("soxs_").upper()
        return "_".join(part for part in (stem, self.role, self.arm) if part)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """Inputs of this arm and role whose tags a header can give; no alternatives."""
        return tuple(
            item
            for item in self.declaration.inputs_of(self.arm)
            if self._takes(item)
            and not item.alternative
            and (item.kind is not Kind.RAW or known_to_headers(item.tag_of(self.arm), self.arm))
        )

    @cached_property
    def main(self) -> tuple[Input, ...]:
        """Inputs that trigger the step: the first, or those of its role."""
        if not self.role:
            return self.inputs[:1]
        ours = [item for item in self.inputs if role_of(item) == self.role]
        return tuple(item for item in ours if item.kind is ours[0].kind) if ours else ()

    @property
    def associated(self) -> tuple[Input, ...]:
        """Inputs beside the main one."""
        return tuple(item for item in self.inputs if item not in self.main)

    @property
    def products(self) -> tuple[str, ...]:
        """Tags of its products."""
        return tuple(
            item.tag_of(self.arm)
            for item in self.declaration.products
            if self._takes(item) and not item.on_request
        )

    @property
    def starts_from_raw(self) -> bool:
        """Whether raw frames trigger it."""
        return self.main[0].kind is Kind.RAW

    def tags(self, items: Iterable[Input]) -> tuple[str, ...]:
        """Tags of inputs in the step's arm."""
        return tuple(item.tag_of(self.arm) for item in items)

    def _takes(self, item: Input | Product) -> bool:
        return not self.role or role_of(item) in ("", self.role)


@dataclass(frozen=True, eq=False)
class Stage:
    """A recipe at one place of the canvas.

    Attributes
    ----------
    name : str
        Unique; that of the recipe if it stands once.
    steps : tuple of Step
        What it does there.
    origin : Stage or None
        The stage whose product is its main input; None if it starts from raw frames.
    ends_action : bool
        Whether its products are only needed by other actions, if at all.
    """

    name: str
    steps: tuple[Step, ...]
    origin: Stage | None
    ends_action: bool

    @property
    def declaration(self) -> Declaration:
        """Declaration of its recipe."""
        return self.steps[0].declaration

    @property
    def root(self) -> Stage:
        """First stage of its chain of main inputs."""
        return self if self.origin is None else self.origin.root


@dataclass(frozen=True)
class Edge:
    """Products of one stage are input of another; `main` if they trigger it."""

    source: Stage
    target: Stage
    main: bool


class Cascade:
    """Steps, stages and edges of a set of recipes.

    Parameters
    ----------
    declarations : iterable of Declaration
        The recipes.

    Raises
    ------
    CascadeError
        If required inputs make a circle, or an input has an unknown raw tag.
    """

    def __init__(self, declarations: Iterable[Declaration]) -> None:
        self.declarations = tuple(declarations)
        self._makers: dict[str, list[Step]] = {}
        steps = {item.name: tuple(_steps_of(item)) for item in self.declarations}
        for step in chain.from_iterable(steps.values()):
            for tag in step.products:
                self._makers.setdefault(tag, []).append(step)
        self._needs = self._recipe_needs(steps)
        order = _stable_order(self._needs)
        self.steps = tuple(step for recipe in order for step in steps[recipe])
        self.stages = tuple(self._stages())
        self.edges = tuple(self._edges())

    def makers(self, step: Step, items: Iterable[Input]) -> list[Step]:
        """Steps of earlier recipes that make inputs of a step."""
        found = dict.fromkeys(chain.from_iterable(self._made(step, item) for item in items))
        earlier = self._needs[step.recipe]
        return [maker for maker in found if maker.recipe in earlier]

    def _made(self, step: Step, item: Input) -> Sequence[Step]:
        return self._makers.get(item.tag_of(step.arm), ()) if item.kind is Kind.CALIB else ()

    def actions(self, step: Step) -> tuple[Step, ...]:
        """Steps that start the actions which a step belongs to."""
        origins = [] if step.starts_from_raw else self.makers(step, step.main)
        found = [action for origin in origins for action in self.actions(origin)]
        return tuple(dict.fromkeys(found)) or (step,)

    def steps_in(self, action: Step) -> tuple[Step, ...]:
        """Steps of an action, in order, the one that starts it first."""
        return tuple(step for step in self.steps if action in self.actions(step))

    @cached_property
    def starts(self) -> tuple[Step, ...]:
        """Steps that start an action, those first whose products other actions need."""
        done: dict[Step, None] = {}
        seen: set[Step] = set()

        def visit(action: Step) -> None:
            if action in seen:
                return
            seen.add(action)
            for step in self.steps_in(action):
                for maker in self.makers(step, step.inputs):
                    for needed in self.actions(maker):
                        visit(needed)
            done[action] = None

        for step in self.steps:
            if self.actions(step) == (step,):
                visit(step)
        return tuple(done)

    @cached_property
    def targets(self) -> frozenset[str]:
        """Raw tags that make a data set: science if any recipe takes it, else all final frames."""
        triggers = {tag for step in self.starts for tag in step.tags(step.main)}
        science = {tag for tag in triggers if tag.startswith(SCIENCE_STEMS)}
        if science:
            return frozenset(science)
        used = {maker for step in self.steps for maker in self.makers(step, step.inputs)}
        final = [step for step in self.starts if step not in used]
        return frozenset(tag for step in final for tag in step.tags(step.main))

    def ends_action(self, step: Step) -> bool:
        """Whether no later step of the same actions takes the products of a step."""
        actions = set(self.actions(step))
        return not any(
            actions & set(self.actions(other)) and step in self.makers(other, other.inputs)
            for other in self.steps
        )

    def _recipe_needs(self, steps: Mapping[str, Sequence[Step]]) -> dict[str, set[str]]:
        """Recipes that must come before each recipe; optional inputs never close a circle."""
        needs: dict[str, set[str]] = {recipe: set() for recipe in steps}
        optional: list[tuple[str, str]] = []
        for step in chain.from_iterable(steps.values()):
            for item in step.inputs:
                makers = {maker.recipe for maker in self._made(step, item)} - {step.recipe}
                if item.minimum or item in step.main:
                    needs[step.recipe] |= makers
                else:
                    optional += [(step.recipe, maker) for maker in sorted(makers)]
        _check_circles(needs)
        for consumer, maker in optional:
            if consumer not in _ancestors(maker, needs):
                needs[consumer].add(maker)
        return needs

    def _stages(self) -> Iterator[Stage]:
        made: list[Stage] = []
        for recipe in dict.fromkeys(step.recipe for step in self.steps):
            steps = tuple(step for step in self.steps if step.recipe == recipe)
            made += self._stages_of(steps, made)
        yield from made

    def _stages_of(self, steps: tuple[Step, ...], made: Sequence[Stage]) -> Iterator[Stage]:
        places: dict[tuple[Stage | None, bool], list[Step]] = {}
        for step in steps:
            makers = set() if step.starts_from_raw else set(self.makers(step, step.main))
            for origin in [stage for stage in made if makers & set(stage.steps)]:
                places.setdefault((origin, self.ends_action(step)), []).append(step)
            if not makers:
                places.setdefault((None, False), []).append(step)
        origins = {origin for origin, _ in places}
        for (origin, ends), ours in places.items():
            mode = "" if origin is None else origin.root.name.removeprefix("soxs")
            name = ours[0].recipe + (mode if len(origins) > 1 else "")
            if ends and (origin, False) in places:
                name += "".join(dict.fromkeys(f"_{step.role or step.arm}".lower() for step in ours))
            yield Stage(name, tuple(ours), origin, all(map(self.ends_action, ours)))

    def _edges(self) -> Iterator[Edge]:
        for target in self.stages:
            if target.origin is not None:
                yield Edge(target.origin, target, main=True)
            for source in self._associated_sources(target):
                yield Edge(source, target, main=False)

    def _associated_sources(self, target: Stage) -> Iterator[Stage]:
        """Stages that make an input beside the main one: within an action only the chain's own."""
        pairs = {
            (step, maker) for step in target.steps for maker in self.makers(step, step.associated)
        }
        for source in self.stages:
            ours = [(step, maker) for step, maker in pairs if maker in source.steps]
            foreign = [
                pair for pair in ours if not set(self.actions(pair[0])) & set(self.actions(pair[1]))
            ]
            if source in (target, target.origin):
                continue
            if foreign or (ours and source.root is target.root):
                yield source


def _steps_of(declaration: Declaration) -> Iterator[Step]:
    roles = list(dict.fromkeys(role_of(item) for item in declaration.products))
    distinct = [role for role in roles if role]
    for arm in declaration.arms:
        for role in distinct if len(distinct) > 1 else [""]:
            step = Step(declaration, arm, role)
            if step.main:
                yield step


def _check_circles(needs: Mapping[str, set[str]]) -> None:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        raise CascadeError(
            "Recipes need each other's products",
            found=" -> ".join(error.args[1]),
            remedy="make one of the inputs optional",
        ) from error


def _ancestors(start: str, needs: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = [start]
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += needs[current]
    return found


def _stable_order(needs: Mapping[str, set[str]]) -> Iterator[str]:
    """Topological order that otherwise keeps the order of the declarations."""
    waiting = list(needs)
    done: set[str] = set()
    while waiting:
        ready = next(item for item in waiting if needs[item] <= done)
        waiting.remove(ready)
        done.add(ready)
        yield ready

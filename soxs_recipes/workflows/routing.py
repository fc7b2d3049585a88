"""Which files of a data set go to which recipes: the output ports of the router."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from soxs_recipes.recipes.declarations import Input, Kind
from soxs_recipes.workflows.cascade import Cascade, Stage

CALIBRATIONS_PORT = "CALIBRATIONS"

Wanted = Mapping[Stage, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Route:
    """An output port of the router: its categories and the stages they go to.

    Attributes
    ----------
    port : str
        Name of the port.
    categories : tuple of str
        Frame tags that leave through it.
    triggered, informed : tuple of Stage
        Stages that start from these frames, and stages that use them beside their main input.
    """

    port: str
    categories: tuple[str, ...]
    triggered: tuple[Stage, ...]
    informed: tuple[Stage, ...]


@dataclass(frozen=True)
class Selection:
    """Some of the products of a stage, sent through a port of their own."""

    port: str
    categories: tuple[str, ...]


def routes_of(cascade: Cascade) -> tuple[Route, ...]:
    """Ports of the router: every category leaves through exactly one.

    There is one port per kind of frame that triggers a recipe or is raw, whatever its arm, and
    one for all calibrations and static tables that are found on disk. Kinds of frames that
    trigger the same stage share a port: a combiner keeps the purposes that all its main inputs
    have in common, and frames of different roles have none, so they must come as one set.
    """
    triggers = _wanted(cascade, lambda stage, step: step.main if stage.origin is None else ())
    others = _wanted(cascade, lambda _, step: step.associated)
    names = _port_names(triggers)
    raw = {_stem(item) for step in cascade.steps for item in step.inputs if item.kind is Kind.RAW}

    def port_of(stem: str) -> str:
        return names.get(stem) or (stem if stem in raw else CALIBRATIONS_PORT)

    ports: dict[str, list[str]] = {}
    for stem, tags in _all_tags((triggers, others)):
        ports.setdefault(port_of(stem), []).extend(tags)
    found = (
        Route(
            port,
            tuple(dict.fromkeys(tags)),
            _users(triggers, port, port_of),
            _users(others, port, port_of),
        )
        for port, tags in ports.items()
    )
    return tuple(sorted(found, key=lambda route: _rank(route, cascade)))


def _rank(route: Route, cascade: Cascade) -> tuple[bool, int, bool]:
    """Order of the ports: that of the stages they serve, the calibrations last."""
    first = min(cascade.stages.index(stage) for stage in (*route.triggered, *route.informed))
    return route.port == CALIBRATIONS_PORT, first, not route.triggered


def main_categories(stage: Stage) -> tuple[str, ...]:
    """Categories that trigger a stage."""
    return tuple(dict.fromkeys(tag for step in stage.steps for tag in step.tags(step.main)))


def selections(cascade: Cascade, stage: Stage) -> dict[Stage, Selection]:
    """Products of a stage that trigger others, where these do not take all of them.

    A recipe must not be run on the purpose of frames of which none triggers it: so it gets no
    others from the stage that its main input comes from.

    Returns
    -------
    dict of Stage to Selection
        By the stage that is triggered.
    """
    products = {tag for step in stage.steps for tag in step.products}
    found = {}
    for edge in cascade.edges:
        if edge.source is stage and edge.main:
            tags = tuple(tag for tag in main_categories(edge.target) if tag in products)
            stems = dict.fromkeys(_stem(item) for step in edge.target.steps for item in step.main)
            if set(tags) != products:
                found[edge.target] = Selection("_".join(stems), tags)
    return found


def _wanted(cascade: Cascade, inputs_of) -> dict[Stage, dict[str, list[str]]]:
    """Tags of some inputs of every stage by their stems, the names without the arm."""
    wanted: dict[Stage, dict[str, list[str]]] = {}
    for stage in cascade.stages:
        stems = wanted.setdefault(stage, {})
        for step in stage.steps:
            for item in inputs_of(stage, step):
                stems.setdefault(_stem(item), []).append(item.tag_of(step.arm))
    return wanted


def _all_tags(tables: Iterable[Wanted]) -> Iterator[tuple[str, Sequence[str]]]:
    for table in tables:
        for stems in table.values():
            yield from stems.items()


def _users(wanted: Wanted, port: str, port_of) -> tuple[Stage, ...]:
    return tuple(stage for stage, stems in wanted.items() if port in map(port_of, stems))


def _port_names(triggers: Wanted) -> dict[str, str]:
    """Port of each triggering stem; stems that occur together in a stage share one."""
    groups: list[tuple[Stage, set[str]]] = []
    for stage, stems in triggers.items():
        if not stems:
            continue
        touching = [group for group in groups if group[1] & set(stems)]
        merged = set(stems).union(*(known for _, known in touching))
        owner = touching[0][0] if touching else stage
        groups = [group for group in groups if group not in touching] + [(owner, merged)]
    return {
        stem: stem if len(stems) == 1 else owner.declaration.name.removeprefix("soxs_").upper()
        for owner, stems in groups
        for stem in stems
    }


def _stem(item: Input) -> str:
    return item.tag.replace("_{arm}", "")

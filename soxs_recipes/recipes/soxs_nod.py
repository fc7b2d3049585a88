"""soxs_nod: exposures at two positions in the slit, without their sky."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.recipes.base import Result, Run, SoxsRecipe
from soxs_recipes.recipes.declarations import SAME_READOUT, Declaration, Input, Parameter, Qc
from soxs_recipes.recipes.science_inputs import (
    SKY_CALIBRATIONS,
    SKY_PARAMETERS,
    SKY_PRODUCTS,
    SKY_QC,
    observations,
)

if TYPE_CHECKING:
    from soxs_recipes.algorithms.nodding import NodPositions
    from soxs_recipes.recipes.frames import InputFrame
    from soxs_recipes.recipes.sky_exposures import Setup

EXPOSURES = observations("NOD", "exposures nodded along the slit, of one role")
TOLD = {
    name: Input(
        f"OBJECT_NOD_{name}_{{arm}}",
        f"exposures of a target at position {name}, whatever their headers say",
        minimum=0,
        match=SAME_READOUT,
    )
    for name in "AB"
}
SKY = Parameter(
    "nod-sky",
    "model",
    "Whether each exposure keeps the sky fitted in it, or exposures at A and B are subtracted",
    choices=("model", "difference"),
)

DECLARATION = Declaration(
    name="soxs_nod",
    synopsis="Sky subtraction of exposures nodded along the slit",
    description="""
Exposures are told apart as positions A and B by their cumulative offset along the slit, split at
the middle of its range: the larger is A, jitter is allowed, zero is a position like any other.
Tags OBJECT_NOD_A and OBJECT_NOD_B overrule the headers. By default the sky is fitted in each
exposure as by soxs_stare: against the difference of exposures this spares the noise of the other
position, and no change of the airglow matters. With --nod-sky=difference exposures are paired, the
closest in time first, and subtracted; what sky is left is fitted in the difference, which holds
the object twice, once negative. An exposure without a partner keeps its own sky. Nothing is
resampled: the extraction combines positions.
""",
    arms=("VIS", "NIR"),
    inputs=(*EXPOSURES.values(), *TOLD.values(), *SKY_CALIBRATIONS),
    products=SKY_PRODUCTS,
    parameters=(SKY, *SKY_PARAMETERS),
    qc=(*SKY_QC, Qc("NOD THROW", "arcsec", "distance of A and B")),
    example=(
        ("OBJECT_NOD_NIR", 2),
        ("DISP_TAB_2D_NIR", 1),
        ("ORDER_TAB_EDGES_NIR", 1),
        ("MASTER_DARK_NIR", 1),
    ),
)


class SoxsNod(SoxsRecipe):
    """Sky subtraction of exposures nodded along the slit."""

    declaration = DECLARATION

    def process(self, run: Run) -> Iterator[Result]:
        """Fit and subtract the sky of every exposure, or of every difference."""
        from soxs_recipes.recipes.sky_exposures import observed, read_setup
        from soxs_recipes.recipes.sky_results import without_their_sky

        inputs = {name: (item,) for name, item in EXPOSURES.items()}
        role, frames = observed(run, {**inputs, "SCI": (*inputs["SCI"], *TOLD.values())})
        offsets = [frame.header.get(kw.CUMOFF_Y_ARCSEC) for frame in frames]
        positions = _positions(run, frames, offsets)
        setup = read_setup(run, frames[0])
        pairs = _pairs(run, positions, frames) if run.settings.nod_sky == "difference" else []
        throw = {"NOD THROW": _throw(positions, offsets)}
        for pair in pairs:
            yield from _difference(run, setup, role, [frames[k] for k in pair], throw)
        paired = {k for pair in pairs for k in pair}
        alone = [frame for number, frame in enumerate(frames) if number not in paired]
        yield from without_their_sky(run, setup, role, alone, throw)


def _positions(
    run: Run, frames: Sequence[InputFrame], offsets: Sequence[float | None]
) -> NodPositions:
    from soxs_recipes.algorithms.nodding import OnePositionError, nod_positions

    tags = {item.tag_of(run.arm.name): name for name, item in TOLD.items()}
    told = [tags.get(frame.tag, "") for frame in frames]
    try:
        positions = nod_positions(offsets, told)
    except OnePositionError as error:
        listed = ", ".join(
            f"{frame.path.name}: {'none' if offset is None else format(offset, 'g')}"
            for frame, offset in zip(frames, offsets, strict=True)
        )
        raise InputError(
            "Positions A and B of a nodding sequence cannot be told apart",
            expected=f"two positions of {kw.CUMOFF_Y_ARCSEC}, further apart than they scatter",
            found=f"{error} ({listed})",
            remedy="add the exposures of the other position, give tags OBJECT_NOD_A and "
            "OBJECT_NOD_B, or reduce a single position with soxs_stare",
        ) from error
    for name, numbers in (("A", positions.a), ("B", positions.b)):
        run.info(f"Position {name}: " + ", ".join(frames[k].path.name for k in numbers))
    return positions


def _pairs(
    run: Run, positions: NodPositions, frames: Sequence[InputFrame]
) -> list[tuple[int, int]]:
    pairs = positions.pairs([float(frame.header.get(kw.MJD_OBS, 0)) for frame in frames])
    left = set(range(len(frames))) - {k for pair in pairs for k in pair}
    for number in sorted(left):
        run.warning(f"{frames[number].path.name} has no partner: the sky fitted in it is taken")
    return pairs


def _difference(
    run: Run,
    setup: Setup,
    role: str,
    pair: Sequence[InputFrame],
    qc: Mapping[str, float | None],
) -> list[Result]:
    """Products of the difference of a pair."""
    from soxs_recipes.algorithms.parallel import in_parallel
    from soxs_recipes.recipes.sky_exposures import (
        difference,
        fitted_sky,
        for_differences,
        prepare,
    )
    from soxs_recipes.recipes.sky_results import sky_results

    exact = for_differences(setup)
    exposure = difference(run, setup, *in_parallel(partial(prepare, run, exact), pair))
    return sky_results(role, exposure, fitted_sky(run, exposure), qc=qc)


def _throw(positions: NodPositions, offsets: Sequence[float | None]) -> float | None:
    means = []
    for numbers in (positions.a, positions.b):
        known = [offsets[k] for k in numbers if offsets[k] is not None]
        if not known:
            return None
        means.append(sum(known) / len(known))
    return means[0] - means[1]

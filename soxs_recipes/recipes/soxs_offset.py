"""soxs_offset: exposures of a target and of the sky beside it, or of a map, without sky."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError, ParameterError
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
    from soxs_recipes.recipes.frames import InputFrame
    from soxs_recipes.recipes.sky_exposures import Setup, SkyBeside

EXPOSURES = observations("OFFSET", "exposures of the target and of the sky beside it, of one role")
MAP = Input(
    "OBJECT_MAP_{arm}",
    "exposures at several positions, for --mode=map",
    minimum=0,
    match=SAME_READOUT,
)
SKY_EXPOSURES = Input(
    "OBJECT_OFFSET_SKY_{arm}",
    "exposures of the sky beside the target, whatever their headers say",
    minimum=0,
    match=SAME_READOUT,
)
MODE = Parameter(
    "mode",
    "offset",
    "Whether some exposures show the sky alone, or each a position of a map",
    choices=("offset", "map"),
)
SKY = Parameter(
    "offset-sky",
    "both",
    "Sky of the exposures beside the target, scaled to the lines (frames: the object may fill the "
    "slit), fitted in the exposure itself (model), or the mean of the two (both)",
    choices=("both", "frames", "model"),
)
TARGET = Parameter(
    "on-target",
    "auto",
    "Numbers of the exposures on target in order of time, such as 1,3,5; auto: by the offsets",
)

DECLARATION = Declaration(
    name="soxs_offset",
    synopsis="Sky subtraction with offset exposures, and of maps",
    description="""
Exposures of the target are told from those of the sky by the distance from the target's own
position, never by the sign of an offset: from pointings that differ, else from offsets of which
one is zero, else from the running sum of the moves. The tag OBJECT_OFFSET_SKY and --on-target
overrule this. The sky of the exposures beside the target is fitted as by soxs_stare, and its lines
are scaled to those of the exposure on target. By default the mean of it and of the sky fitted
together with the objects is subtracted, each wavelength weighted by its error. An object that fills
the slit leaves no sky to fit: with --offset-sky=frames that of the others, interpolated in time, is
taken alone; its level is then as good as the zero levels of the exposures. With --mode=map every
exposure is a position of a map and keeps the sky fitted in it; the position is in the header.
""",
    arms=("VIS", "NIR"),
    inputs=(*EXPOSURES.values(), SKY_EXPOSURES, MAP, *SKY_CALIBRATIONS),
    products=SKY_PRODUCTS,
    parameters=(MODE, SKY, TARGET, *SKY_PARAMETERS),
    qc=(*SKY_QC, Qc("N SKY FRAMES", "", "exposures of the sky beside the target", int)),
    example=(
        ("OBJECT_OFFSET_NIR", 2),
        ("DISP_TAB_2D_NIR", 1),
        ("ORDER_TAB_EDGES_NIR", 1),
        ("MASTER_DARK_NIR", 1),
    ),
)


class SoxsOffset(SoxsRecipe):
    """Sky subtraction of exposures offset to the sky, and of maps."""

    declaration = DECLARATION

    def process(self, run: Run) -> Iterator[Result]:
        """Subtract the sky of every exposure on target, or of every position of a map."""
        from soxs_recipes.recipes.sky_exposures import SkyBeside, observed, prepare, read_setup

        inputs = {name: (item,) for name, item in EXPOSURES.items()}
        role, frames = observed(run, {**inputs, "SCI": (*inputs["SCI"], SKY_EXPOSURES, MAP)})
        is_map = run.settings.mode == "map"
        on = [True] * len(frames) if is_map else _on_target(run, frames)
        setup = read_setup(run, frames[0])
        skies = [frame for frame, is_on in zip(frames, on, strict=True) if not is_on]
        if run.settings.offset_sky == "model":
            skies = []
        beside = [SkyBeside.fitted(run, prepare(run, setup, frame)) for frame in skies]
        for frame, is_on in zip(frames, on, strict=True):
            if is_on:
                yield from _reduced(run, setup, role, frame, beside)


def _on_target(run: Run, frames: Sequence[InputFrame]) -> list[bool]:
    """Which exposures show the target: as told, else by their offsets."""
    from soxs_recipes.algorithms.sky_offsets import AmbiguousOffsetsError, on_target

    is_map = MAP.tag_of(run.arm.name)
    stray = [frame for frame in frames if frame.tag == is_map]
    if stray:
        raise InputError(
            "A map is no offset to the sky",
            file=stray[0].path,
            expected="exposures of the target and of the sky",
            found=is_map,
            remedy="set --mode=map",
        )
    sky_tag = SKY_EXPOSURES.tag_of(run.arm.name)
    told = [frame.tag == sky_tag for frame in frames]
    if run.settings.on_target != "auto":
        numbers = _numbers(run.settings.on_target, len(frames))
        on = [number + 1 in numbers and not sky for number, sky in enumerate(told)]
    elif any(told):
        on = [not sky for sky in told]
    else:
        try:
            found = on_target(_offsets(frames), [_pointing(frame) for frame in frames])
            on = [bool(value) for value in found]
        except AmbiguousOffsetsError as error:
            raise _ambiguous(frames, str(error)) from error
    if all(on) or not any(on):
        what = "sky" if all(on) else "target"
        raise _ambiguous(frames, f"no exposure of the {what}")
    names = {True: "target", False: "sky"}
    for frame, is_on in zip(frames, on, strict=True):
        run.info(f"{frame.path.name}: {names[is_on]}")
    return on


def _ambiguous(frames: Sequence[InputFrame], found: str) -> InputError:
    listed = ", ".join(
        f"{frame.path.name}: {offset}"
        for frame, offset in zip(frames, _offsets(frames), strict=True)
    )
    return InputError(
        "Exposures of the target and of the sky cannot be told apart",
        expected=f"at least one of each by {kw.FIXOFF_RA_ARCSEC} and {kw.FIXOFF_DEC_ARCSEC}",
        found=f"{found} ({listed})",
        remedy="add what is missing, tag sky exposures OBJECT_OFFSET_SKY, or give the numbers of "
        "the others by --on-target; without sky exposures use soxs_stare",
    )


def _numbers(text: str, count: int) -> set[int]:
    try:
        numbers = {int(part) for part in text.split(",")}
    except ValueError:
        numbers = set()
    if not numbers or not numbers <= set(range(1, count + 1)):
        raise ParameterError(
            "Parameter --on-target has an impossible value",
            expected=f"numbers from 1 to {count}, separated by commas, or auto",
            found=repr(text),
        )
    return numbers


def _offsets(frames: Sequence[InputFrame]) -> list[tuple[float, float] | None]:
    cards = (kw.FIXOFF_RA_ARCSEC, kw.FIXOFF_DEC_ARCSEC)
    values = [tuple(frame.header.get(card) for card in cards) for frame in frames]
    return [None if None in pair else (float(pair[0]), float(pair[1])) for pair in values]


def _pointing(frame: InputFrame) -> tuple[float, float]:
    return float(frame.header.get("RA", 0.0)), float(frame.header.get("DEC", 0.0))


def _position(frame: InputFrame) -> dict[str, object]:
    """Cards that tell where an exposure of a map stands."""
    from soxs_recipes.recipes.sky_exposures import target_slit_arcsec

    ra, dec = _pointing(frame)
    along = target_slit_arcsec(frame)
    return {
        "MAPRA": (ra, "[deg] pointing"),
        "MAPDEC": (dec, "[deg] pointing"),
        "MAPSLIT": (along, "[arcsec] offset along the slit"),
    }


def _reduced(
    run: Run, setup: Setup, role: str, frame: InputFrame, beside: Sequence[SkyBeside]
) -> list[Result]:
    """Products of an exposure on target or of a map."""
    from soxs_recipes.recipes.sky_exposures import fitted_sky, prepare, sky_from_others
    from soxs_recipes.recipes.sky_results import sky_results

    exposure = prepare(run, setup, frame)
    if beside:
        with_own = run.settings.offset_sky == "both"
        model = sky_from_others(run, exposure, beside, with_own)
    else:
        model = fitted_sky(run, exposure)
    cards = _position(frame) if run.settings.mode == "map" else {}
    return sky_results(role, exposure, model, cards, {"N SKY FRAMES": len(beside)})

"""What recipes that measure arc lines take from headers and static calibrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.errors import HeaderError, SettingMismatchError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.classification import SLIT_KEYWORDS, slit_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soxs_recipes.algorithms.arc_lines import ArcLines
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame


def burning_lamps(frame: InputFrame) -> tuple[str, ...]:
    """Arc lamps that burn in a frame, by its header."""
    cards = {lamp: str(frame.header.get(card) or "") for lamp, card in kw.ARC_LAMPS.items()}
    return tuple(lamp for lamp, name in cards.items() if name.strip())


def burning_lines(run: Run, frame: InputFrame) -> ArcLines:
    """Lines of the arm's list that the lamps of a frame emit.

    Raises
    ------
    HeaderError
        If no lamp of the list burns.
    """
    from soxs_recipes.products.arc_line_lists import UNIDENTIFIED, of_lamps, read_arc_lines
    from soxs_recipes.recipes.statics import ARC_LINES, static_path

    lines = read_arc_lines(static_path(run, ARC_LINES))
    known = set(lines.lamp.tolist()) - {UNIDENTIFIED}
    burning = burning_lamps(frame)
    if not known & set(burning):
        raise HeaderError(
            "The frame shows no arc lamp of its arm",
            file=frame.path,
            expected="burning: " + ", ".join(sorted(known)),
            found="burning: " + (", ".join(burning) or "none"),
            remedy="give a frame taken with the arc lamps of the arm",
        )
    return of_lamps(lines, set(burning))


def check_same_lamps(frames: Sequence[InputFrame]) -> None:
    """Refuse arcs of different lamps in one set, for they are averaged.

    Raises
    ------
    SettingMismatchError
        If the lamps differ.
    """
    first = burning_lamps(frames[0])
    for frame in frames:
        if burning_lamps(frame) != first:
            raise SettingMismatchError(
                "Arcs of one set burn different lamps",
                file=frame.path,
                expected=f"{', '.join(first) or 'none'}, as in {frames[0].path.name}",
                found=", ".join(burning_lamps(frame)) or "none",
                remedy="keep frames of the same lamps in the set",
            )


def check_mask(frame: InputFrame, kind: str) -> None:
    """Refuse a frame whose header names another slit mask than the one needed.

    Raises
    ------
    HeaderError
        If it is another one; a header without a name passes.
    """
    name = str(frame.header.get(SLIT_KEYWORDS[frame.arm.name]) or "").strip()
    if name and slit_kind(name) != kind:
        raise HeaderError(
            "The frame was taken through another mask",
            file=frame.path,
            expected=f"{SLIT_KEYWORDS[frame.arm.name]} that names a {kind.lower()}",
            found=name,
            remedy=f"give a frame taken through the {kind.lower()}",
        )


def expected_format(run: Run, frame: InputFrame) -> DispersionSolution:
    """Spectral format of the arm, in pixels of a frame."""
    from soxs_recipes.instrument.spectral_format import read_spectral_format
    from soxs_recipes.recipes.statics import SPECTRAL_FORMAT, static_path

    packaged = read_spectral_format(static_path(run, SPECTRAL_FORMAT))
    return packaged.binned(*frame.readout.binning)

"""When and from which raw files a product was observed, carried from product to product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soxs_recipes.instrument import keywords as kw
from soxs_recipes.products.phase3_observation import raw_files

if TYPE_CHECKING:
    from soxs_recipes.recipes.frames import InputFrame

Card = tuple[float | str, str]

SECONDS_PER_DAY = 86400.0


def observed_cards(frames: Sequence[InputFrame]) -> dict[str, Card]:
    """Cards that tell when a product was observed, and from which raw files.

    Parameters
    ----------
    frames : sequence of InputFrame
        Raw frames that it was made from, or products that were made from such.

    Returns
    -------
    dict
        Empty if the headers do not tell. A raw file that several of the frames go back to counts
        once.
    """
    known = [frame.header for frame in frames if _is_timed(frame.header)]
    if not known:
        return {}
    raw = {name: share for header in known for name, share in _raw_times(header)}
    total = sum(raw.values())
    weights = [_total_s(header) for header in known]
    middle = sum(w * _middle(header) for w, header in zip(weights, known, strict=True))
    kinds = sorted({kind for header in known if (kind := _kind(header))})
    cards: dict[str, Card] = {
        "MJD-END": (max(map(_end, known)), "[d] End of the last exposure"),
        "MJD-MID": (middle / sum(weights), "[d] Middle of the exposures"),
        "TEXPTIME": (total, "[s] Total time of all exposures"),
    }
    if kinds:
        cards["OBSTYPE"] = (kinds[0], "DPR TYPE of the raw frames")
    names = [name for name in raw if name]
    cards |= {f"PROV{n}": (name, "Raw file") for n, name in enumerate(names, 1)}
    return cards


def _is_timed(header: Mapping[str, Any]) -> bool:
    return all(header.get(key) is not None for key in (kw.MJD_OBS, kw.EXPTIME)) and (
        float(header[kw.EXPTIME]) > 0
    )


def _total_s(header: Mapping[str, Any]) -> float:
    return float(header.get("TEXPTIME", header[kw.EXPTIME]))


def _end(header: Mapping[str, Any]) -> float:
    alone = float(header[kw.MJD_OBS]) + float(header[kw.EXPTIME]) / SECONDS_PER_DAY
    return float(header.get("MJD-END", alone))


def _middle(header: Mapping[str, Any]) -> float:
    return float(header.get("MJD-MID", (float(header[kw.MJD_OBS]) + _end(header)) / 2))


def _kind(header: Mapping[str, Any]) -> str:
    return str(header.get(kw.DPR_TYPE, header.get("OBSTYPE", ""))).strip()


def _raw_times(header: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Raw files behind a header, each with its share of the exposure time."""
    names = raw_files(header) or ("",)
    return [(name, _total_s(header) / len(names)) for name in names]

"""What ESO's science data products tell of an observation, gathered from headers of products."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from soxs_recipes import __version__
from soxs_recipes.errors import HeaderError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.spectrograph import slit_width_of_name

Header = Mapping[str, Any]
Card = tuple[bool | int | float | str, str]

SECONDS_PER_DAY = 86400.0
_LONGEST_STRING = 68
_RAW_NAME = re.compile(r"ESO PRO REC\d+ RAW\d+ NAME")
_PROVENANCE = re.compile(r"PROV[1-9]\d*")
_RAW_SUFFIXES = (".fits", ".fits.Z", ".fits.gz", ".fits.fz")
# Raw frames that show the target, by the tag they had.
_TARGET_TAGS = ("OBJECT_", "STD_", "IMG_OBJECT_", "IMG_STD_")


@dataclass(frozen=True)
class Observation:
    """When, where and how a product was observed.

    Attributes
    ----------
    target : str
        Name of the target.
    ra_deg, dec_deg : float
        Its position.
    radesys : str
        'FK5' or 'ICRS'.
    mjd_start, mjd_end : float
        Start of the first and end of the last exposure.
    exptime_s : float
        Exposure time per bin; of several arms the median.
    total_exptime_s : float
        Exposure time of all exposures of the arm that has most.
    prog_id : str
        ESO programme; empty if the headers do not tell.
    ob_ids : tuple of int
        Observation blocks.
    technique : str
        Technique of observation.
    raw_files : tuple of str
        Names of the raw science files without suffix.
    slit_arcsec : float
        Slit width.
    telescope, instrument, origin : str
        As in the headers.
    part : str
        What tells products of one observation apart, such as the arm; part of the title.
    """

    target: str
    ra_deg: float
    dec_deg: float
    radesys: str
    mjd_start: float
    mjd_end: float
    exptime_s: float
    total_exptime_s: float
    prog_id: str
    ob_ids: tuple[int, ...]
    technique: str
    raw_files: tuple[str, ...]
    slit_arcsec: float
    telescope: str = "ESO-NTT"
    instrument: str = "SOXS"
    origin: str = "ESO-LASILLA"
    part: str = ""

    @property
    def elapsed_s(self) -> float:
        """Time from the first to the last moment on target."""
        return (self.mjd_end - self.mjd_start) * SECONDS_PER_DAY

    @property
    def mjd_middle(self) -> float:
        """Middle of the observation."""
        return (self.mjd_start + self.mjd_end) / 2

    @property
    def title(self) -> str:
        """Title that no other dataset has: target, observation block, start, part."""
        from astropy.time import Time

        start = Time(self.mjd_start, format="mjd", precision=3).isot
        block = str(self.ob_ids[0]) if self.ob_ids else "0"
        rest = "_".join(filter(None, [block, start, self.part]))
        # A string must not run on to another card; target names that long are cut.
        target = self.target[: _LONGEST_STRING - len(rest) - 1]
        return f"{target}_{rest}".replace(" ", "_")

    def cards(self) -> dict[str, Card]:
        """Cards that every kind of science product has in its primary header."""
        cards: dict[str, Card] = {
            "DATE": (f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", "Date of this file"),
            "ORIGIN": (self.origin, "European Southern Observatory"),
            "TELESCOP": (self.telescope, "ESO telescope"),
            "INSTRUME": (self.instrument, "Instrument used"),
            "OBJECT": (self.target, "Target designation"),
            "RA": (self.ra_deg, "[deg] Target position"),
            "DEC": (self.dec_deg, "[deg] Target position"),
            "RADESYS": (self.radesys, "Coordinate system"),
            "EQUINOX": (2000.0, "Equinox of the position"),
            "EXPTIME": (self.exptime_s, "[s] Exposure time per bin"),
            "TEXPTIME": (self.total_exptime_s, "[s] Total time of all exposures"),
            "MJD-OBS": (_mjd(self.mjd_start), "[d] Start of observations"),
            "MJD-END": (_mjd(self.mjd_end), "[d] End of observations"),
            "PROG_ID": (self.prog_id, "ESO programme identification"),
            "NCOMBINE": (len(self.raw_files), "Number of combined raw science files"),
            "OBSTECH": (self.technique, "Technique of observation"),
            "PROCSOFT": (f"soxs_recipes/{__version__}", "Data reduction software"),
            "REFERENC": ("", "Bibliographic reference"),
        }
        for number, block in enumerate(self.ob_ids, 1):
            cards[f"OBID{number}"] = (block, "Observation block ID")
        for number, name in enumerate(self.raw_files, 1):
            cards[f"PROV{number}"] = (name, "Originating raw science file")
        return cards


def observation_of(headers: Sequence[Header], prog_id: str = "") -> Observation:
    """Observation behind products of one or several arms.

    Parameters
    ----------
    headers : sequence of mapping
        Primary headers, one per arm.
    prog_id : str
        Programme, where headers do not tell it.

    Raises
    ------
    HeaderError
        If a card is missing that has no substitute.
    """
    first = headers[0]
    spans = [_span(header) for header in headers]
    raw = dict.fromkeys(name for header in headers for name in raw_files(header))
    blocks = dict.fromkeys(header["ESO OBS ID"] for header in headers if "ESO OBS ID" in header)
    times = sorted(total for *_, total in spans)
    middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
    end = max(end for _, end, _ in spans)
    start = min(start for start, _, _ in spans)
    total = min(max(total for *_, total in spans), (end - start) * SECONDS_PER_DAY + 0.005)
    return Observation(
        target=str(_card(first, "OBJECT")).strip(),
        ra_deg=float(_card(first, "RA")),
        dec_deg=float(_card(first, "DEC")),
        radesys=str(first.get("RADESYS", first.get("RADECSYS", "FK5"))).strip(),
        mjd_start=start,
        mjd_end=end,
        exptime_s=min(middle, total),
        total_exptime_s=total,
        prog_id=str(first.get("ESO OBS PROG ID", "")).strip() or prog_id,
        ob_ids=tuple(int(block) for block in blocks),
        technique=str(first.get(kw.PRO_TECH) or first.get(kw.DPR_TECH) or "ECHELLE,SLIT"),
        raw_files=tuple(raw),
        slit_arcsec=max(slit_width_arcsec(header) for header in headers),
        telescope=str(first.get("TELESCOP", "ESO-NTT")).strip(),
        instrument=str(first.get("INSTRUME", "SOXS")).strip(),
        origin=str(first.get("ORIGIN", "ESO-LASILLA")).strip(),
    )


def raw_files(header: Header) -> tuple[str, ...]:
    """Raw frames of the target that a product goes back to, without suffix; its own if none."""
    names = [str(header[key]) for key in header if _PROVENANCE.fullmatch(key)]
    if names:
        return tuple(names)
    for key in header:
        if _RAW_NAME.fullmatch(key):
            tag = str(header.get(key.replace("NAME", "CATG"), ""))
            if tag.startswith(_TARGET_TAGS):
                names.append(_without_suffix(str(header[key])))
    own = str(header.get(kw.ARCFILE, ""))
    return tuple(dict.fromkeys(names)) or ((_without_suffix(own),) if own else ())


def slit_width_arcsec(header: Header) -> float:
    """Width of the slit from its name; 1 arcsec if the header has none."""
    for keyword in (kw.VIS_SLIT, kw.NIR_SLIT):
        width = slit_width_of_name(str(header.get(keyword, "")))
        if width is not None:
            return width
    return 1.0


def _span(header: Header) -> tuple[float, float, float]:
    """Start and end (MJD) of the exposures of one arm, and their summed exposure time."""
    start = float(_card(header, kw.MJD_OBS))
    number = max(len(raw_files(header)), 1)
    total = float(header.get("TEXPTIME") or float(_card(header, kw.EXPTIME)) * number)
    if "MJD-END" in header:
        return start, float(header["MJD-END"]), total
    middle = header.get("MJD-MID")
    if middle is not None and float(middle) > start:
        end = start + 2 * (float(middle) - start)
        return start, end, min(total, (end - start) * SECONDS_PER_DAY)
    return start, start + total / SECONDS_PER_DAY, total


def _card(header: Header, keyword: str) -> Any:
    if header.get(keyword) is None:
        raise HeaderError(
            f"A product lacks {keyword}",
            expected=keyword,
            found="none",
            remedy="reduce the observation from its raw frames",
        )
    return header[keyword]


def _without_suffix(name: str) -> str:
    base = name.rpartition("/")[2]
    return next((base.removesuffix(end) for end in _RAW_SUFFIXES if base.endswith(end)), base)


def _mjd(value: float) -> float:
    """Eight decimals, as the standard asks for."""
    return round(value, 8)

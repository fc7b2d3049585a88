"""From the header of a frame to its arm and its frame tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.detector import Header

VIS, NIR, ACQ = "VIS", "NIR", "ACQ"
ALL_ARMS = (VIS, NIR, ACQ)
SPECTROGRAPHS = (VIS, NIR)

SLIT_KEYWORDS = {VIS: kw.VIS_SLIT, NIR: kw.NIR_SLIT}
SLIT_SIMULATED_KEYWORDS = {VIS: kw.VIS_SLIT_SIMULATED, NIR: kw.NIR_SLIT_SIMULATED}

ARC_TYPES = frozenset({"LAMP,WAVE", "WAVE,LAMP"})
FLAT_TYPES = frozenset({"LAMP,FLAT", "FLAT,LAMP"})
OBJECT_TYPES = frozenset({"OBJECT", "OBJECT,ASYNC"})
FLUX_STANDARD_TYPES = frozenset({"STD,FLUX", "STD"})
TELLURIC_STANDARD_TYPES = frozenset({"STD,TELLURIC", "STD,SKY"})

# The mapping technique and the ones with the kind of slit first are assumptions: no raw frame
# that carries them is public.
STARE = frozenset({"ECHELLE,SLIT,STARE"})
NOD = frozenset({"ECHELLE,SLIT,NODDING"})
OFFSET = frozenset({"ECHELLE,SLIT,OFFSET"})
MAPPING = frozenset({"ECHELLE,SLIT,MAPPING"})
SLIT = frozenset({"ECHELLE,SLIT"})
PINHOLE = frozenset({"ECHELLE,PINHOLE"})
MULTI_PINHOLE = frozenset({"ECHELLE,MULTI-PINHOLE"})


class RawRule(NamedTuple):
    """One row of the table of raw tags; None stands for any value."""

    stem: str
    arms: tuple[str, ...]
    types: frozenset[str]
    techs: frozenset[str] | None = None


RAW_RULES = (
    RawRule("BIAS", (VIS, ACQ), frozenset({"BIAS"})),
    RawRule("DARK", ALL_ARMS, frozenset({"DARK"})),
    RawRule("DETLIN_ON", ALL_ARMS, frozenset({"LAMP,ON"})),
    RawRule("DETLIN_OFF", ALL_ARMS, frozenset({"LAMP,OFF"})),
    RawRule("PINHOLE_ARC", SPECTROGRAPHS, ARC_TYPES, PINHOLE),
    RawRule("MULTI_PINHOLE_ARC", SPECTROGRAPHS, ARC_TYPES, MULTI_PINHOLE),
    RawRule("SLIT_ARC", SPECTROGRAPHS, ARC_TYPES, SLIT),
    RawRule("PINHOLE_FLAT", SPECTROGRAPHS, FLAT_TYPES, PINHOLE),
    RawRule("FLAT", SPECTROGRAPHS, FLAT_TYPES, SLIT),
    RawRule("FLAT_DOME", SPECTROGRAPHS, frozenset({"DOME,FLAT"}), SLIT),
    RawRule("OBJECT_STARE", SPECTROGRAPHS, OBJECT_TYPES, STARE),
    RawRule("OBJECT_NOD", SPECTROGRAPHS, OBJECT_TYPES, NOD),
    RawRule("OBJECT_OFFSET", SPECTROGRAPHS, OBJECT_TYPES, OFFSET),
    RawRule("OBJECT_MAP", SPECTROGRAPHS, OBJECT_TYPES, MAPPING),
    RawRule("STD_FLUX_STARE", SPECTROGRAPHS, FLUX_STANDARD_TYPES, STARE),
    RawRule("STD_FLUX_NOD", SPECTROGRAPHS, FLUX_STANDARD_TYPES, NOD),
    RawRule("STD_FLUX_OFFSET", SPECTROGRAPHS, FLUX_STANDARD_TYPES, OFFSET),
    RawRule("STD_TELLURIC_STARE", SPECTROGRAPHS, TELLURIC_STANDARD_TYPES, STARE),
    RawRule("STD_TELLURIC_NOD", SPECTROGRAPHS, TELLURIC_STANDARD_TYPES, NOD),
    RawRule("STD_TELLURIC_OFFSET", SPECTROGRAPHS, TELLURIC_STANDARD_TYPES, OFFSET),
)

OFF_STEMS = {
    ("WAVE", "PINHOLE"): "PINHOLE_ARC_OFF",
    ("WAVE", "MULTI-PINHOLE"): "MULTI_PINHOLE_ARC_OFF",
    ("WAVE", "SLIT"): "SLIT_ARC_OFF",
    ("FLAT", "PINHOLE"): "PINHOLE_FLAT_OFF",
    ("FLAT", "SLIT"): "FLAT_OFF",
}

# A user may say through these tags what the header leaves open.
OVERRIDE_STEMS = ("OBJECT_NOD_A", "OBJECT_NOD_B", "OBJECT_OFFSET_SKY")


@dataclass(frozen=True)
class Classification:
    """The tag of a frame, or None and the reason why it has none."""

    tag: str | None
    reason: str = ""


def arm_name(header: Header) -> str | None:
    """VIS, NIR or ACQ, None if the header names no SOXS camera."""
    arm = _text(header, kw.ARM)
    if arm in SPECTROGRAPHS:
        return arm
    if not arm and _text(header, kw.ACQ_CAMERA) == ACQ:
        return ACQ
    return None


def classify(header: Header) -> Classification:
    """Tag of a raw frame or product from its header.

    Parameters
    ----------
    header : mapping
        The primary header.

    Returns
    -------
    Classification
        The tag, or the reason why the frame cannot be told.
    """
    if _text(header, kw.INSTRUMENT) != kw.INSTRUMENT_NAME:
        return _none(f"{kw.INSTRUMENT} is '{_text(header, kw.INSTRUMENT)}', not SOXS")
    product = _text(header, kw.PRO_CATG)
    if product:
        return Classification(product)
    arm = arm_name(header)
    if arm is None:
        return _none(f"neither {kw.ARM} nor {kw.ACQ_CAMERA} names a SOXS camera")
    if not _text(header, kw.DPR_TYPE):
        return _none(f"{kw.DPR_TYPE} is missing or empty")
    if arm == ACQ:
        return _classify_camera(header)
    return _classify_spectrograph(header, arm)


def slit_kind(name: str) -> str | None:
    """PINHOLE, MULTI-PINHOLE or SLIT from the name of the slit mask, None for anything else."""
    name = name.upper()
    kinds = (("MULT", "MULTI-PINHOLE"), ("PINHOLE", "PINHOLE"), ("SLIT", "SLIT"))
    return next((kind for part, kind in kinds if part in name), None)


def _classify_camera(header: Header) -> Classification:
    dpr_type = _text(header, kw.DPR_TYPE)
    if dpr_type in ("BIAS", "DARK"):
        return Classification(f"{dpr_type}_ACQ")
    if dpr_type in ("LAMP,ON", "LAMP,OFF"):
        return Classification(f"DETLIN_{dpr_type[5:]}_ACQ")
    kind = dpr_type.split(",")[0]
    if kind in ("FLAT", "STD"):
        return Classification(f"IMG_{kind}_ACQ")
    catg = _text(header, kw.DPR_CATG)
    if catg in ("SCIENCE", "ACQUISITION"):
        return Classification("IMG_OBJECT_ACQ")
    return _none(f"no tag for an ACQ frame with {kw.DPR_CATG} '{catg}', {kw.DPR_TYPE} '{dpr_type}'")


def _classify_spectrograph(header: Header, arm: str) -> Classification:
    if header.get(SLIT_SIMULATED_KEYWORDS[arm]) is True:
        return _none(f"the slit mechanism was simulated ({SLIT_SIMULATED_KEYWORDS[arm]} = T)")
    dpr_type, tech = _text(header, kw.DPR_TYPE), _text(header, kw.DPR_TECH)
    if arm == NIR and tech == "IMAGE" and dpr_type in ARC_TYPES | FLAT_TYPES:
        return _classify_lamp_off(header, dpr_type)
    for rule in RAW_RULES:
        known_tech = rule.techs is None or tech in rule.techs
        if arm in rule.arms and dpr_type in rule.types and known_tech:
            return _with_lamp(header, arm, rule.stem)
    return _none(
        f"no tag for a {arm} frame with {kw.DPR_TYPE} '{dpr_type}', {kw.DPR_TECH} '{tech}'"
    )


def _classify_lamp_off(header: Header, dpr_type: str) -> Classification:
    """Tag of a NIR lamp-off twin: the mask from the slit name, else from the template."""
    lamp = "WAVE" if dpr_type in ARC_TYPES else "FLAT"
    slit, template = _text(header, kw.NIR_SLIT), _text(header, kw.TPL_ID)
    mask = slit_kind(slit) or _template_mask(template)
    stem = OFF_STEMS.get((lamp, mask or ""))
    if stem is None:
        return _none(
            f"the mask of a lamp-off frame ({kw.DPR_TYPE} '{dpr_type}') cannot be told from "
            f"{kw.NIR_SLIT} '{slit}' or {kw.TPL_ID} '{template}'"
        )
    return Classification(f"{stem}_NIR")


def _template_mask(template: str) -> str | None:
    """Mask that a calibration template uses, by its name."""
    name = template.upper()
    if "MULTIPLEPINHOLE" in name or "MULTIPINHOLE" in name:
        return "MULTI-PINHOLE"
    if "PINHOLE" in name:
        return "PINHOLE"
    return "SLIT" if "LAMPFLAT" in name or "ARCS" in name else None


def _with_lamp(header: Header, arm: str, stem: str) -> Classification:
    """Tell quartz from deuterium flats; any other frame keeps its stem."""
    if stem != "FLAT":
        return Classification(f"{stem}_{arm}")
    deuterium = bool(_text(header, kw.LAMP_DEUTERIUM))
    if deuterium and _text(header, kw.LAMP_QTH):
        return _none("both flat lamps (QTH and deuterium) were on")
    if deuterium and arm != VIS:
        return _none(f"a deuterium flat has no use in {arm}")
    return Classification(f"FLAT_D2_{arm}" if deuterium else f"FLAT_{arm}")


def _text(header: Header, keyword: str) -> str:
    value = header.get(keyword)
    return value.strip() if isinstance(value, str) else ""


def _none(reason: str) -> Classification:
    return Classification(None, reason)

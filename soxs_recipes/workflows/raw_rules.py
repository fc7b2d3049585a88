"""Classification of raw frames as OCA conditions, from the project's table of raw tags.

A later rule of an OCA file overrides an earlier one; so the table is written last row first,
and exceptions follow what they are exceptions of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from soxs_recipes.instrument import classification as raw
from soxs_recipes.instrument import keywords as kw

UNDEFINED = "UNDEFINED"

# Names of masks and of calibration templates, each pattern stronger than those before it.
MASK_PATTERNS = (
    ("SLIT", ("%SLIT%",)),
    ("PINHOLE", ("%PINHOLE%",)),
    ("MULTI-PINHOLE", ("%MULT%",)),
)
TEMPLATE_PATTERNS = (
    ("SLIT", ("%LampFlat%", "%Arcs%")),
    ("PINHOLE", ("%Pinhole%",)),
    ("MULTI-PINHOLE", ("%MultiplePinhole%", "%MultiPinhole%")),
)
LAMP_TYPES = (("WAVE", raw.ARC_TYPES), ("FLAT", raw.FLAT_TYPES))


class TagRule(NamedTuple):
    """A frame tag and the OCA condition under which a raw frame has it."""

    tag: str
    condition: str


def oca_key(keyword: str) -> str:
    """OCA spelling of a header keyword: no ``ESO``, dots for blanks."""
    return keyword.removeprefix("ESO ").replace(" ", ".")


def equals(keyword: str, value: str) -> str:
    """Condition that a card has a text."""
    return f'{oca_key(keyword)}=="{value}"'


def one_of(keyword: str, values: Iterable[str]) -> str:
    """Condition that a card has one of several texts."""
    return any_of(equals(keyword, value) for value in sorted(values))


def any_of(conditions: Iterable[str]) -> str:
    """Join conditions of which one must hold."""
    parts = list(conditions)
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


def all_of(*conditions: str) -> str:
    """Join conditions that must all hold."""
    return " and ".join(conditions)


SOXS = equals(kw.INSTRUMENT, kw.INSTRUMENT_NAME)


def raw_rules() -> tuple[TagRule, ...]:
    """Every rule of the raw frames, in the order in which they must be applied."""
    return (
        *_table_rules(),
        *_lamp_off_rules(),
        *_deuterium_rules(),
        *_simulated_rules(),
        *_camera_rules(),
    )


def raw_tags() -> frozenset[str]:
    """Every tag that a header alone can give a raw frame."""
    return frozenset(rule.tag for rule in raw_rules()) - {UNDEFINED}


def _of_arm(arm: str) -> str:
    return all_of(SOXS, equals(kw.ARM, arm))


def _table_condition(rule: raw.RawRule, arm: str) -> str:
    parts = [_of_arm(arm), one_of(kw.DPR_TYPE, rule.types)]
    if rule.techs is not None:
        parts.append(one_of(kw.DPR_TECH, rule.techs))
    return all_of(*parts)


def _table_rules() -> Iterator[TagRule]:
    for rule in reversed(raw.RAW_RULES):
        for arm in raw.SPECTROGRAPHS:
            if arm in rule.arms:
                yield TagRule(f"{rule.stem}_{arm}", _table_condition(rule, arm))


def _lamp_off_rules() -> Iterator[TagRule]:
    """Lamp-off twins of the NIR arm: the mask by the template, or stronger, by the slit name."""
    sources = ((kw.TPL_ID, TEMPLATE_PATTERNS), (kw.NIR_SLIT, MASK_PATTERNS))
    for lamp, types in LAMP_TYPES:
        frame = all_of(_of_arm(raw.NIR), one_of(kw.DPR_TYPE, types), equals(kw.DPR_TECH, "IMAGE"))
        for keyword, table in sources:
            for mask, patterns in table:
                stem = raw.OFF_STEMS.get((lamp, mask))
                like = any_of(f'{oca_key(keyword)} like "{pattern}"' for pattern in patterns)
                yield TagRule(f"{stem}_{raw.NIR}" if stem else UNDEFINED, all_of(frame, like))


def _deuterium_rules() -> Iterator[TagRule]:
    deuterium = f"{oca_key(kw.LAMP_DEUTERIUM)} is string"
    quartz = f"{oca_key(kw.LAMP_QTH)} is string"
    flat = next(rule for rule in raw.RAW_RULES if rule.stem == "FLAT")
    for arm in flat.arms:
        lit = all_of(_table_condition(flat, arm), deuterium)
        yield TagRule(f"FLAT_D2_{arm}" if arm == raw.VIS else UNDEFINED, lit)
        yield TagRule(UNDEFINED, all_of(lit, quartz))


def _simulated_rules() -> Iterator[TagRule]:
    for arm, keyword in raw.SLIT_SIMULATED_KEYWORDS.items():
        yield TagRule(UNDEFINED, all_of(_of_arm(arm), f"{oca_key(keyword)}==T"))


def _camera_rules() -> Iterator[TagRule]:
    """Acquisition frames: they carry no arm, but the name of the camera."""
    camera = all_of(SOXS, f"{oca_key(kw.ARM)} is undefined", equals(kw.ACQ_CAMERA, raw.ACQ))
    dpr_type = oca_key(kw.DPR_TYPE)
    told = one_of(kw.DPR_CATG, ("ACQUISITION", "SCIENCE"))
    yield TagRule("IMG_OBJECT_ACQ", all_of(camera, told, f"{dpr_type} is string"))
    for kind in ("FLAT", "STD"):
        like = f'({equals(kw.DPR_TYPE, kind)} or {dpr_type} like "{kind},%")'
        yield TagRule(f"IMG_{kind}_ACQ", all_of(camera, like))
    for value, stem in (
        ("LAMP,ON", "DETLIN_ON"),
        ("LAMP,OFF", "DETLIN_OFF"),
        ("BIAS", "BIAS"),
        ("DARK", "DARK"),
    ):
        yield TagRule(f"{stem}_ACQ", all_of(camera, equals(kw.DPR_TYPE, value)))

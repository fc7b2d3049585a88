"""The OCA rules classify as the package does: by a table of headers, and by random headers."""

from __future__ import annotations

import pytest
from fake_recipes import CHAIN, WHOLE
from hypothesis import given, settings
from hypothesis import strategies as st

from soxs_recipes.instrument.classification import classify
from soxs_recipes.workflows import oca_engine
from soxs_recipes.workflows.cascade import Cascade
from soxs_recipes.workflows.oca import rules
from soxs_recipes.workflows.oca_parser import parse
from soxs_recipes.workflows.raw_rules import UNDEFINED, raw_tags

RULES = parse(rules(Cascade(CHAIN)))
WHOLE_RULES = parse(rules(Cascade(WHOLE)))

QTH = {"ESO INS QTH NAME": "Qth_Lamp"}
D2 = {"ESO INS DEUT NAME": "Deut_Lamp"}
SLITS = {"VIS": "ESO INS VISE NAME", "NIR": "ESO INS NISE NAME"}


def header(arm, dpr_type, tech, catg="CALIB", **more):
    cards = {"INSTRUME": "SOXS", "ESO DPR CATG": catg, "ESO DPR TYPE": dpr_type}
    cards |= {"ESO DPR TECH": tech}
    cards |= {"ESO DET3 CAM NAME": "ACQ"} if arm == "ACQ" else {"ESO SEQ ARM": arm}
    if "slit" in more:
        cards[SLITS[arm]] = more.pop("slit")
    if "template" in more:
        cards["ESO TPL ID"] = more.pop("template")
    return cards | more.pop("cards", {})


PINHOLE, MULTI, SLIT = "ECHELLE,PINHOLE", "ECHELLE,MULTI-PINHOLE", "ECHELLE,SLIT"
BOTH = [
    ("DARK", "IMAGE", "CALIB", "DARK"),
    ("LAMP,WAVE", PINHOLE, "CALIB", "PINHOLE_ARC"),
    ("WAVE,LAMP", PINHOLE, "CALIB", "PINHOLE_ARC"),
    ("LAMP,FLAT", PINHOLE, "CALIB", "PINHOLE_FLAT"),
    ("FLAT,LAMP", PINHOLE, "CALIB", "PINHOLE_FLAT"),
    ("LAMP,FLAT", SLIT, "CALIB", "FLAT"),
    ("DOME,FLAT", SLIT, "CALIB", "FLAT_DOME"),
    ("LAMP,WAVE", MULTI, "CALIB", "MULTI_PINHOLE_ARC"),
    ("LAMP,WAVE", SLIT, "CALIB", "SLIT_ARC"),
    ("STD,FLUX", SLIT + ",STARE", "CALIB", "STD_FLUX_STARE"),
    ("STD", SLIT + ",NODDING", "CALIB", "STD_FLUX_NOD"),
    ("STD,FLUX", SLIT + ",OFFSET", "CALIB", "STD_FLUX_OFFSET"),
    ("STD,TELLURIC", SLIT + ",STARE", "CALIB", "STD_TELLURIC_STARE"),
    ("STD,SKY", SLIT + ",NODDING", "CALIB", "STD_TELLURIC_NOD"),
    ("STD,TELLURIC", SLIT + ",OFFSET", "CALIB", "STD_TELLURIC_OFFSET"),
    ("OBJECT", SLIT + ",STARE", "SCIENCE", "OBJECT_STARE"),
    ("OBJECT,ASYNC", SLIT + ",STARE", "SCIENCE", "OBJECT_STARE"),
    ("OBJECT,ASYNC", SLIT + ",NODDING", "SCIENCE", "OBJECT_NOD"),
    ("OBJECT", SLIT + ",OFFSET", "SCIENCE", "OBJECT_OFFSET"),
    ("OBJECT", SLIT + ",MAPPING", "SCIENCE", "OBJECT_MAP"),
    ("LAMP,ON", "IMAGE", "TECHNICAL", "DETLIN_ON"),
    ("LAMP,OFF", "IMAGE", "TECHNICAL", "DETLIN_OFF"),
]
TABLE = [
    (header(arm, dpr_type, tech, catg), f"{stem}_{arm}")
    for arm in ("VIS", "NIR")
    for dpr_type, tech, catg, stem in BOTH
]
TABLE += [
    (header("VIS", "BIAS", "IMAGE"), "BIAS_VIS"),
    (header("NIR", "BIAS", "IMAGE"), None),
    (header("UVB", "BIAS", "IMAGE"), None),
    (header("VIS", "LAMP,FLAT", SLIT, cards=QTH), "FLAT_VIS"),
    (header("VIS", "LAMP,FLAT", SLIT, cards=D2), "FLAT_D2_VIS"),
    (header("VIS", "LAMP,FLAT", SLIT, cards=QTH | D2), None),
    (header("NIR", "LAMP,FLAT", SLIT, cards=D2), None),
    (header("NIR", "LAMP,FLAT", SLIT, cards=QTH), "FLAT_NIR"),
    (header("VIS", "LAMP,FLAT", PINHOLE, cards=D2), "PINHOLE_FLAT_VIS"),
    (header("NIR", "LAMP,WAVE", "IMAGE", slit="PINHOLE"), "PINHOLE_ARC_OFF_NIR"),
    (header("NIR", "LAMP,WAVE", "IMAGE", slit="MULTPIN"), "MULTI_PINHOLE_ARC_OFF_NIR"),
    (header("NIR", "WAVE,LAMP", "IMAGE", slit="SLIT0.5"), "SLIT_ARC_OFF_NIR"),
    (header("NIR", "LAMP,FLAT", "IMAGE", slit="PINHOLE"), "PINHOLE_FLAT_OFF_NIR"),
    (header("NIR", "LAMP,FLAT", "IMAGE", slit="SLIT5.0"), "FLAT_OFF_NIR"),
    (header("NIR", "LAMP,FLAT", "IMAGE", slit="MULTPIN"), None),
    (header("NIR", "LAMP,FLAT", "IMAGE", slit="BLANK"), None),
    (header("NIR", "LAMP,FLAT", "IMAGE"), None),
    (header("VIS", "LAMP,FLAT", "IMAGE", slit="SLIT5.0"), None),
    (
        header("NIR", "LAMP,WAVE", "IMAGE", template="SOXS_slt_cal_NIRArcsMultiplePinhole"),
        "MULTI_PINHOLE_ARC_OFF_NIR",
    ),
    (
        header("NIR", "LAMP,WAVE", "IMAGE", template="SOXS_slt_cal_NIRArcsPinhole", slit="BLANK"),
        "PINHOLE_ARC_OFF_NIR",
    ),
    (
        header("NIR", "LAMP,FLAT", "IMAGE", template="SOXS_slt_cal_NIRLampFlatPinhole"),
        "PINHOLE_FLAT_OFF_NIR",
    ),
    (
        header("NIR", "LAMP,FLAT", "IMAGE", template="SOXS_slt_cal_NIRLampFlatAtt"),
        "FLAT_OFF_NIR",
    ),
    (
        header("NIR", "LAMP,FLAT", "IMAGE", template="SOXS_slt_cal_NIRLampFlat", slit="PINHOLE"),
        "PINHOLE_FLAT_OFF_NIR",
    ),
    (header("VIS", "DARK", "IMAGE", cards={"ESO INS VISE SWSIM": True}), None),
    (header("VIS", "DARK", "IMAGE", cards={"ESO INS NISE SWSIM": True}), "DARK_VIS"),
    (header("NIR", "DARK", "IMAGE", cards={"ESO INS NISE SWSIM": True}), None),
    (header("NIR", "DARK", "IMAGE", cards={"ESO INS NISE SWSIM": False}), "DARK_NIR"),
    (header("ACQ", "BIAS", "IMAGE"), "BIAS_ACQ"),
    (header("ACQ", "DARK", "IMAGE"), "DARK_ACQ"),
    (header("ACQ", "LAMP,ON", "IMAGE"), "DETLIN_ON_ACQ"),
    (header("ACQ", "LAMP,OFF", "IMAGE"), "DETLIN_OFF_ACQ"),
    (header("ACQ", "FLAT,SKY", "IMAGE"), "IMG_FLAT_ACQ"),
    (header("ACQ", "FLAT", "IMAGE"), "IMG_FLAT_ACQ"),
    (header("ACQ", "STD,PHOT", "IMAGE", "SCIENCE"), "IMG_STD_ACQ"),
    (header("ACQ", "OBJECT", "IMAGE", "SCIENCE"), "IMG_OBJECT_ACQ"),
    (header("ACQ", "OBJECT", "IMAGE", "ACQUISITION"), "IMG_OBJECT_ACQ"),
    (header("ACQ", "OBJECT", "IMAGE", "CALIB"), None),
    (header("VIS", "BIAS", "IMAGE") | {"INSTRUME": "XSHOOTER"}, None),
    ({"INSTRUME": "SOXS", "ESO PRO CATG": "MASTER_BIAS_VIS"}, "MASTER_BIAS_VIS"),
    ({"INSTRUME": "XSHOOTER", "ESO PRO CATG": "MASTER_BIAS_VIS"}, None),
    ({"INSTRUME": "SOXS"}, None),
    ({}, None),
]


def category(cards):
    found = oca_engine.classify(RULES, cards)["REFLEX.CATG"]
    return None if found == UNDEFINED else found


def test_table_covers_every_raw_tag():
    assert raw_tags() <= {tag for _, tag in TABLE}


@pytest.mark.parametrize(("cards", "tag"), TABLE, ids=lambda value: str(value)[:60])
def test_table(cards, tag):
    assert classify(cards).tag == tag
    assert category(cards) == tag


def one_of(*values):
    return st.sampled_from((*values, "", "  ", "NONSENSE"))


TEMPLATES = [
    f"SOXS_slt_cal_NIR{name}"
    for name in ("Arcs", "ArcsPinhole", "ArcsMultiplePinhole", "LampFlat", "LampFlatPinhole")
]
TYPES = {dpr_type for dpr_type, *_ in BOTH} | {"BIAS", "FLAT,SKY", "STD,PHOT", "FLAT"}
TECHS = {tech for _, tech, *_ in BOTH}
OPTIONAL = {
    "ESO DPR CATG": one_of("CALIB", "SCIENCE", "ACQUISITION", "TECHNICAL"),
    "ESO DPR TECH": one_of(*sorted(TECHS), "IMAGE"),
    "ESO DET3 CAM NAME": one_of("ACQ"),
    "ESO INS VISE NAME": one_of("SLIT1.0", "PINHOLE", "MULTPIN", "PIN", "BLANK"),
    "ESO INS NISE NAME": one_of("SLIT1.0", "PINHOLE", "MULTPIN", "PIN", "BLANK"),
    "ESO INS VISE SWSIM": st.booleans(),
    "ESO INS NISE SWSIM": st.booleans(),
    "ESO INS QTH NAME": one_of("Qth_Lamp"),
    "ESO INS DEUT NAME": one_of("Deut_Lamp"),
    "ESO TPL ID": one_of(*TEMPLATES),
    "ESO PRO CATG": one_of("MASTER_BIAS_VIS", "SKY_LINES"),
}
HEADERS = st.fixed_dictionaries(
    {
        "INSTRUME": st.sampled_from(["SOXS"] * 8 + ["XSHOOTER", "SOXS  "]),
        "ESO SEQ ARM": st.sampled_from(["VIS", "NIR", "VIS ", "", "UVB"]),
        "ESO DPR TYPE": one_of(*sorted(TYPES)),
    },
    optional=OPTIONAL,
)


@settings(max_examples=600, deadline=None)
@given(HEADERS)
def test_any_header_gets_the_tag_of_the_package(cards):
    assert category(cards) == classify(cards).tag


@settings(max_examples=600, deadline=None)
@given(HEADERS)
def test_any_raw_frame_gets_the_tag_of_the_package(cards):
    cards = {name: value for name, value in cards.items() if name != "ESO PRO CATG"}
    cards |= {"INSTRUME": "SOXS"}
    assert category(cards) == classify(cards).tag


def test_only_science_makes_a_data_set():
    targets = {
        tag
        for cards, tag in TABLE
        if oca_engine.classify(WHOLE_RULES, cards).get("REFLEX.TARGET") == "T"
    }
    assert targets == {
        f"OBJECT_{mode}_{arm}" for mode in ("STARE", "NOD") for arm in ("VIS", "NIR")
    }


def test_every_lamp_off_frame_gets_the_tag_of_the_package():
    slits = ["SLIT0.5", "PINHOLE", "MULTPIN", "PIN", "BLANK", "UNDEFINED", ""]
    for dpr_type in ("LAMP,WAVE", "WAVE,LAMP", "LAMP,FLAT", "FLAT,LAMP"):
        for slit in slits:
            for template in (*TEMPLATES, "SOXS_gen_cal_NIRDark", ""):
                cards = header("NIR", dpr_type, "IMAGE", slit=slit, template=template)
                assert category(cards) == classify(cards).tag, (dpr_type, slit, template)

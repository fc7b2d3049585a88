"""Classification against the table of raw frames, written out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.instrument import classification
from soxs_recipes.instrument.classification import arm_name, classify


def header(arm, dpr_type, tech, catg="CALIB", **cards):
    head = {
        "INSTRUME": "SOXS",
        "ESO DPR CATG": catg,
        "ESO DPR TYPE": dpr_type,
        "ESO DPR TECH": tech,
    }
    if arm == "ACQ":
        head["ESO DET3 CAM NAME"] = "ACQ"
    else:
        head["ESO SEQ ARM"] = arm
    return head | {"ESO " + key.replace("_", " "): value for key, value in cards.items()}


QTH = {"INS_QTH_NAME": "Qth_Lamp"}
D2 = {"INS_DEUT_NAME": "Deut_Lamp"}

CASES = [
    ("VIS", "BIAS", "IMAGE", {}, "BIAS_VIS"),
    ("ACQ", "BIAS", "IMAGE", {}, "BIAS_ACQ"),
    ("NIR", "DARK", "IMAGE", {"INS_NISE_NAME": "BLANK"}, "DARK_NIR"),
    ("VIS", "DARK", "IMAGE", {}, "DARK_VIS"),
    ("ACQ", "DARK", "IMAGE", {}, "DARK_ACQ"),
    ("VIS", "LAMP,WAVE", "ECHELLE,PINHOLE", {}, "PINHOLE_ARC_VIS"),
    ("NIR", "WAVE,LAMP", "ECHELLE,PINHOLE", {}, "PINHOLE_ARC_NIR"),
    ("NIR", "LAMP,WAVE", "IMAGE", {"INS_NISE_NAME": "PINHOLE"}, "PINHOLE_ARC_OFF_NIR"),
    (
        "NIR",
        "LAMP,WAVE",
        "IMAGE",
        {"TPL_ID": "SOXS_slt_cal_NIRArcsPinhole"},
        "PINHOLE_ARC_OFF_NIR",
    ),
    ("NIR", "LAMP,WAVE", "IMAGE", {"INS_NISE_NAME": "MULTPIN"}, "MULTI_PINHOLE_ARC_OFF_NIR"),
    (
        "NIR",
        "LAMP,WAVE",
        "IMAGE",
        {"INS_NISE_NAME": "UNDEFINED", "TPL_ID": "SOXS_slt_cal_NIRArcsMultiplePinhole"},
        "MULTI_PINHOLE_ARC_OFF_NIR",
    ),
    ("NIR", "LAMP,WAVE", "IMAGE", {"INS_NISE_NAME": "SLIT1.0"}, "SLIT_ARC_OFF_NIR"),
    ("VIS", "LAMP,FLAT", "ECHELLE,PINHOLE", QTH, "PINHOLE_FLAT_VIS"),
    ("NIR", "FLAT,LAMP", "ECHELLE,PINHOLE", QTH, "PINHOLE_FLAT_NIR"),
    ("NIR", "LAMP,FLAT", "IMAGE", {"INS_NISE_NAME": "PINHOLE"}, "PINHOLE_FLAT_OFF_NIR"),
    ("VIS", "LAMP,FLAT", "ECHELLE,SLIT", QTH, "FLAT_VIS"),
    ("VIS", "LAMP,FLAT", "ECHELLE,SLIT", D2, "FLAT_D2_VIS"),
    ("VIS", "LAMP,FLAT", "ECHELLE,SLIT", QTH | D2, None),
    ("NIR", "LAMP,FLAT", "ECHELLE,SLIT", QTH, "FLAT_NIR"),
    ("NIR", "LAMP,FLAT", "ECHELLE,SLIT", D2, None),
    ("NIR", "LAMP,FLAT", "IMAGE", {"INS_NISE_NAME": "SLIT5.0"}, "FLAT_OFF_NIR"),
    ("NIR", "LAMP,FLAT", "IMAGE", {"TPL_ID": "SOXS_slt_cal_NIRLampFlatAtt"}, "FLAT_OFF_NIR"),
    ("NIR", "LAMP,FLAT", "IMAGE", {"INS_NISE_NAME": "BLANK"}, None),
    ("NIR", "LAMP,FLAT", "IMAGE", {"INS_NISE_NAME": "MULTPIN"}, None),
    ("VIS", "LAMP,FLAT", "IMAGE", {"INS_VISE_NAME": "SLIT1.0"}, None),
    ("VIS", "DOME,FLAT", "ECHELLE,SLIT", {}, "FLAT_DOME_VIS"),
    ("VIS", "LAMP,WAVE", "ECHELLE,MULTI-PINHOLE", {}, "MULTI_PINHOLE_ARC_VIS"),
    ("NIR", "LAMP,WAVE", "ECHELLE,SLIT", {}, "SLIT_ARC_NIR"),
    ("VIS", "STD,FLUX", "ECHELLE,SLIT,STARE", {}, "STD_FLUX_STARE_VIS"),
    ("NIR", "STD", "ECHELLE,SLIT,NODDING", {}, "STD_FLUX_NOD_NIR"),
    ("NIR", "STD,FLUX", "ECHELLE,SLIT,OFFSET", {}, "STD_FLUX_OFFSET_NIR"),
    ("VIS", "STD,TELLURIC", "ECHELLE,SLIT,NODDING", {}, "STD_TELLURIC_NOD_VIS"),
    ("NIR", "STD,SKY", "ECHELLE,SLIT,STARE", {}, "STD_TELLURIC_STARE_NIR"),
    ("NIR", "STD,SKY", "ECHELLE,SLIT,OFFSET", {}, "STD_TELLURIC_OFFSET_NIR"),
    ("VIS", "OBJECT", "ECHELLE,SLIT,STARE", {}, "OBJECT_STARE_VIS"),
    ("NIR", "OBJECT,ASYNC", "ECHELLE,SLIT,NODDING", {}, "OBJECT_NOD_NIR"),
    ("NIR", "OBJECT,ASYNC", "ECHELLE,SLIT,OFFSET", {}, "OBJECT_OFFSET_NIR"),
    ("VIS", "OBJECT", "ECHELLE,SLIT,MAPPING", {}, "OBJECT_MAP_VIS"),
    ("VIS", "LAMP,ON", "IMAGE", {}, "DETLIN_ON_VIS"),
    ("NIR", "LAMP,OFF", "IMAGE", {}, "DETLIN_OFF_NIR"),
    ("NIR", "BIAS", "IMAGE", {}, None),
    ("VIS", "OBJECT", "IMAGE", {}, None),
    ("VIS", "", "IMAGE", {}, None),
    ("ACQ", "FLAT,SKY", "IMAGE", {}, "IMG_FLAT_ACQ"),
    ("ACQ", "STD,FLUX", "IMAGE", {}, "IMG_STD_ACQ"),
    ("ACQ", "LAMP,ON", "IMAGE", {}, "DETLIN_ON_ACQ"),
    ("ACQ", "OBJECT", "IMAGE", {}, None),
]


@pytest.mark.parametrize(("arm", "dpr_type", "tech", "cards", "tag"), CASES)
def test_table(arm, dpr_type, tech, cards, tag):
    told = classify(header(arm, dpr_type, tech, **cards))
    assert told.tag == tag
    assert bool(told.reason) == (tag is None)


@pytest.mark.parametrize("catg", ["SCIENCE", "ACQUISITION"])
def test_camera_object(catg):
    assert classify(header("ACQ", "OBJECT", "IMAGE", catg)).tag == "IMG_OBJECT_ACQ"


def test_every_raw_tag_is_reached_by_a_case():
    stems = {rule.stem for rule in classification.RAW_RULES} | set(
        classification.OFF_STEMS.values()
    )
    reached = {tag.rpartition("_")[0] for *_, tag in CASES if tag}
    assert stems <= reached


def test_arm_of_the_camera_is_told_by_its_name():
    assert arm_name(header("ACQ", "BIAS", "IMAGE")) == "ACQ"
    assert arm_name({"ESO SEQ ARM": "UVB"}) is None
    assert arm_name({}) is None


def test_a_product_keeps_its_category():
    head = header("VIS", "BIAS", "IMAGE", PRO_CATG="MASTER_BIAS_VIS")
    assert classify(head).tag == "MASTER_BIAS_VIS"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"INSTRUME": "XSHOOTER"}, "XSHOOTER"),
        ({"ESO SEQ ARM": "UVB"}, "ESO SEQ ARM"),
        ({"ESO DPR TYPE": "SKY"}, "'SKY'"),
        ({"ESO INS VISE SWSIM": True}, "simulated"),
    ],
)
def test_the_reason_names_what_is_wrong(change, words):
    told = classify(header("VIS", "LAMP,FLAT", "ECHELLE,SLIT") | change)
    assert told.tag is None
    assert words in told.reason


WORDS = st.sampled_from(
    ["", "BIAS", "DARK", "LAMP,FLAT", "LAMP,WAVE", "STD", "OBJECT", "IMAGE", "ECHELLE,SLIT", "X"]
)


@given(
    st.fixed_dictionaries(
        {"INSTRUME": st.sampled_from(["SOXS", "", None])},
        optional={
            "ESO SEQ ARM": st.sampled_from(["VIS", "NIR", "ACQ", "", 1]),
            "ESO DET3 CAM NAME": st.sampled_from(["ACQ", ""]),
            "ESO DPR TYPE": WORDS,
            "ESO DPR TECH": WORDS | st.integers(),
            "ESO DPR CATG": WORDS,
            "ESO INS NISE NAME": st.text(max_size=8) | st.none(),
        },
    )
)
def test_any_header_gets_a_tag_or_a_reason(head):
    told = classify(head)
    assert (told.tag is None) == bool(told.reason)


def test_no_header_fits_two_rules():
    for i, one in enumerate(classification.RAW_RULES):
        for other in classification.RAW_RULES[i + 1 :]:
            shared = set(one.arms) & set(other.arms) and one.types & other.types
            techs = one.techs is None or other.techs is None or one.techs & other.techs
            assert not (shared and techs), (one, other)

"""What the generated rules make of a night: groups, associations, promised products."""

from __future__ import annotations

import pytest
from fake_recipes import CHAIN, WHOLE

from soxs_recipes.workflows.cascade import Cascade
from soxs_recipes.workflows.oca import rules
from soxs_recipes.workflows.oca_engine import organise
from soxs_recipes.workflows.oca_parser import parse

RULES = parse(rules(Cascade(CHAIN)))
WHOLE_RULES = parse(rules(Cascade(WHOLE)))


def frames(arm, dpr_type, tech, mjd, count=3, **more):
    common = {
        "INSTRUME": "SOXS",
        "ESO SEQ ARM": arm,
        "ESO DPR CATG": more.pop("catg", "CALIB"),
        "ESO DPR TYPE": dpr_type,
        "ESO DPR TECH": tech,
        "ESO TPL START": f"template at {mjd}",
        "MJD-OBS": mjd,
        "EXPTIME": 10.0,
    }
    if arm == "VIS":
        common |= {"ESO DET BINX": 1, "ESO DET BINY": 1, "ESO DET READ CURNAME": "Slow High Gain"}
        common["ESO INS VISE NAME"] = more.pop("slit", "SLIT1.0")
    else:
        common |= {"ESO DET SEQ1 DIT": 10.0, "ESO INS NISE NAME": more.pop("slit", "SLIT1.0")}
    common |= more.pop("cards", {})
    return [common | {"ARCFILE": f"{dpr_type} {mjd} {number}"} for number in range(count)]


PINHOLE, SLIT = "ECHELLE,PINHOLE", "ECHELLE,SLIT"
STARE = SLIT + ",STARE"


def vis_night(day=0.0):
    return [
        *frames("VIS", "BIAS", "IMAGE", day + 1.0),
        *frames("VIS", "DARK", "IMAGE", day + 1.1),
        *frames("VIS", "LAMP,WAVE", PINHOLE, day + 1.2, 1),
        *frames("VIS", "LAMP,FLAT", PINHOLE, day + 1.3, 1),
        *frames("VIS", "LAMP,FLAT", SLIT, day + 1.4, 5),
        *frames("VIS", "LAMP,WAVE", "ECHELLE,MULTI-PINHOLE", day + 1.5, 1),
        *frames("VIS", "OBJECT,ASYNC", STARE, day + 1.6, 2, catg="SCIENCE"),
    ]


def by_action(headers, rule_set=RULES):
    found = {}
    for execution in organise(rule_set, headers):
        found.setdefault(execution.action, []).append(execution)
    return found


def tags(execution):
    return {tag for tag, keys in execution.associated.items() if keys}


def test_a_night_reduces_to_the_object():
    found = by_action(vis_night())
    assert all(item.complete for group in found.values() for item in group)
    (science,) = found["STARE_SCI_VIS"]
    assert len(science.frames) == 2
    assert tags(science) == {
        "MASTER_BIAS_VIS",
        "MASTER_DARK_VIS",
        "MASTER_FLAT_VIS",
        "DISP_IMAGE_VIS",
        "ORDER_TAB_EDGES_VIS",
        "BLAZE_TAB_VIS",
    }
    assert science.recipe == "soxs_stare"
    (arc,) = found["DISP_SOLUTION_VIS"]
    assert arc.associated["MASTER_BIAS_VIS"][0]["TPL.START"] == "template at 1.0"


def test_without_flats_the_object_is_incomplete():
    night = [item for item in vis_night() if item["ESO DPR TYPE"] != "LAMP,FLAT"]
    (science,) = by_action(night)["STARE_SCI_VIS"]
    assert not science.complete


def test_the_nearest_night_is_taken():
    found = by_action(vis_night() + vis_night(30.0))
    first, second = found["STARE_SCI_VIS"]
    assert first.associated["MASTER_FLAT_VIS"][0]["MJD-OBS"] == pytest.approx(1.4)
    assert second.associated["MASTER_FLAT_VIS"][0]["MJD-OBS"] == pytest.approx(31.4)
    assert len(second.associated["MASTER_FLAT_VIS"]) == 1


def test_settings_must_match():
    other = {"ESO DET BINX": 2}
    night = [
        *frames("VIS", "BIAS", "IMAGE", 1.0, cards=other),
        *frames("VIS", "DARK", "IMAGE", 1.1),
    ]
    (dark,) = by_action(night)["MDARK_VIS"]
    assert dark.complete
    assert not tags(dark)
    flats = frames("VIS", "LAMP,FLAT", SLIT, 1.4, 5, slit="SLIT5.0")
    night = [item for item in vis_night() if item["ESO DPR TECH"] != SLIT] + flats
    (science,) = by_action(night)["STARE_SCI_VIS"]
    assert not science.associated["MASTER_FLAT_VIS"]
    assert not science.complete


def test_groups_are_cut_by_setting_and_template():
    night = [
        *frames("VIS", "DARK", "IMAGE", 1.0),
        *frames("VIS", "DARK", "IMAGE", 1.0, cards={"EXPTIME": 20.0}),
        *frames("VIS", "DARK", "IMAGE", 2.0),
        *frames("NIR", "DARK", "IMAGE", 1.0, cards={"EXPTIME": 7.0}),
        *frames("NIR", "DARK", "IMAGE", 1.0, cards={"EXPTIME": 8.0}),
    ]
    found = by_action(night)
    assert [len(item.frames) for item in found["MDARK_VIS"]] == [3, 3, 3]
    # A NIR exposure is known by its DIT.
    assert [len(item.frames) for item in found["MDARK_NIR"]] == [6]


def test_lamp_off_frames_come_from_the_same_template():
    night = [
        *frames("NIR", "LAMP,WAVE", PINHOLE, 1.0, 2),
        *frames("NIR", "LAMP,WAVE", "IMAGE", 1.0, 2, slit="PINHOLE"),
        *frames("NIR", "LAMP,WAVE", "IMAGE", 1.01, 4, slit="PINHOLE"),
        *frames("NIR", "LAMP,WAVE", PINHOLE, 2.0, 1),
    ]
    with_twin, without = by_action(night)["DISP_SOLUTION_NIR"]
    assert len(with_twin.associated["PINHOLE_ARC_OFF_NIR"]) == 2
    assert with_twin.complete
    assert not without.complete


def test_a_response_of_another_mode_reaches_the_object():
    standard = frames("VIS", "STD,FLUX", SLIT + ",NODDING", 1.55, 2)
    found = by_action(vis_night() + standard, WHOLE_RULES)
    (flux,) = found["NOD_FLUX_VIS"]
    assert flux.complete
    (science,) = found["STARE_SCI_VIS"]
    (response,) = science.associated["RESP_TAB_VIS"]
    assert response["TPL.START"] == "template at 1.55"
    assert response["PRO.CATG"] == "RESP_TAB_VIS"


def test_masters_on_disk_are_used():
    master = frames("VIS", "X", "X", 1.59, 1, cards={"ESO PRO CATG": "MASTER_FLAT_VIS"})[0]
    del master["ESO DPR TYPE"]
    (science,) = by_action([*vis_night(), master])["STARE_SCI_VIS"]
    (flat,) = science.associated["MASTER_FLAT_VIS"]
    assert flat["ARCFILE"] == master["ARCFILE"]

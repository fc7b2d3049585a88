"""Headers of every kind of frame against a table written by hand from the description of SOXS."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from soxs_simulator.calibrations import detector_set, detlin_set
from soxs_simulator.exposure import parse_start
from soxs_simulator.headers import frame_cards
from soxs_simulator.observations import lamp_set
from soxs_simulator.schedule import Observation, Planner, Target
from soxs_simulator.sky_track import NightSky

START = parse_start("2026-03-16T01:00:00")
STAR = Target("LTT3218", 130.3956, -32.9428)

# kind: (arm, CATG, TYPE, TECH, TPL ID, cards that must have this value)
LAMPS = {
    ("pinhole_arc", "VIS"): (
        "LAMP,WAVE",
        "ECHELLE,PINHOLE",
        "SOXS_slt_cal_VISArcsPinhole",
        {"INS VISE NAME": "PINHOLE", "INS THAR NAME": "ThAr_Lamp"},
    ),
    ("pinhole_arc", "NIR"): (
        "LAMP,WAVE",
        "ECHELLE,PINHOLE",
        "SOXS_slt_cal_NIRArcsPinhole",
        {
            "INS NISE NAME": "PINHOLE",
            "INS ARGO NAME": "Argo_Lamp",
            "INS NEON NAME": "Neon_Lamp",
            "INS MERC NAME": "Merc_Lamp",
            "INS XENO NAME": "Xeno_Lamp",
        },
    ),
    ("multi_pinhole_arc", "VIS"): (
        "LAMP,WAVE",
        "ECHELLE,MULTI-PINHOLE",
        "SOXS_slt_cal_VISArcsMultiplePinhole",
        {"INS VISE NAME": "MULTPIN"},
    ),
    ("multi_pinhole_arc", "NIR"): (
        "LAMP,WAVE",
        "ECHELLE,MULTI-PINHOLE",
        "SOXS_slt_cal_NIRArcsMultiplePinhole",
        {"INS NISE NAME": "MULTPIN"},
    ),
    ("pinhole_flat", "VIS"): (
        "LAMP,FLAT",
        "ECHELLE,PINHOLE",
        "SOXS_slt_cal_VISLampFlatPinhole",
        {"INS QTH NAME": "Qth_Lamp"},
    ),
    ("pinhole_flat", "NIR"): (
        "LAMP,FLAT",
        "ECHELLE,PINHOLE",
        "SOXS_slt_cal_NIRLampFlatPinhole",
        {"INS QTH NAME": "Qth_Lamp"},
    ),
    ("slit_flat", "VIS"): (
        "LAMP,FLAT",
        "ECHELLE,SLIT",
        "SOXS_slt_cal_VISLampFlat",
        {"INS VISE NAME": "SLIT1.0", "INS QTH NAME": "Qth_Lamp"},
    ),
    ("slit_flat", "NIR"): (
        "LAMP,FLAT",
        "ECHELLE,SLIT",
        "SOXS_slt_cal_NIRLampFlat",
        {"INS NISE NAME": "SLIT1.0", "INS QTH NAME": "Qth_Lamp"},
    ),
    ("slit_arc", "VIS"): (
        "LAMP,WAVE",
        "ECHELLE,SLIT",
        "SOXS_slt_cal_VISArcs",
        {"INS VISE NAME": "SLIT1.0", "INS THAR NAME": "ThAr_Lamp"},
    ),
    ("slit_arc", "NIR"): (
        "LAMP,WAVE",
        "ECHELLE,SLIT",
        "SOXS_slt_cal_NIRArcs",
        {"INS NISE NAME": "SLIT1.0", "INS NEON NAME": "Neon_Lamp"},
    ),
}
OBSERVATIONS = {
    "object_stare": ("SCIENCE", "OBJECT", "ECHELLE,SLIT,STARE", "SOXS_slt_obs_StareSynchro"),
    "object_nod": ("SCIENCE", "OBJECT", "ECHELLE,SLIT,NODDING", "SOXS_slt_obs_AutoNodOnSlit"),
    "object_offset": ("SCIENCE", "OBJECT", "ECHELLE,SLIT,OFFSET", "SOXS_slt_obs_AutoOffsetOnSlit"),
    "object_async_nod": (
        "SCIENCE",
        "OBJECT,ASYNC",
        "ECHELLE,SLIT,NODDING",
        "SOXS_slt_obs_AutoNodOnSlit",
    ),
    "object_async_map": ("SCIENCE", "OBJECT,ASYNC", "ECHELLE,SLIT,MAPPING", None),
    "std_flux_nod": ("CALIB", "STD,FLUX", "ECHELLE,SLIT,NODDING", "SOXS_slt_cal_SpecphotStdNod"),
    "std_flux_stare": ("CALIB", "STD,FLUX", "ECHELLE,SLIT,STARE", "SOXS_slt_cal_SpecphotStdStare"),
    "std_flux_offset": ("CALIB", "STD,FLUX", "ECHELLE,SLIT,OFFSET", None),
    "std_telluric_nod": (
        "CALIB",
        "STD,TELLURIC",
        "ECHELLE,SLIT,NODDING",
        "SOXS_slt_cal_TelluricStdNod",
    ),
    "std_telluric_stare": (
        "CALIB",
        "STD,TELLURIC",
        "ECHELLE,SLIT,STARE",
        "SOXS_slt_cal_TelluricStdStare",
    ),
}
EVERY_FRAME = (
    "INSTRUME OBJECT RA DEC MJD-OBS DATE-OBS BUNIT ARCFILE ORIGFILE|"
    "DPR CATG|DPR TYPE|DPR TECH|OBS ID|OBS NAME|OBS TARG NAME|OBS NTPL|OBS TPLNO|OBS START|"
    "TPL ID|TPL NAME|TPL START|TPL EXPNO|TPL NEXP|TEL AIRM START|TEL AIRM END|TEL PARANG START|"
    "TEL PARANG END|TEL AZ|TEL ALT|TEL AMBI FWHM START|TEL AMBI FWHM END|ADA ABSROT END|"
    "INS ACFW ID|INS ACQS ID|INS TEMP217 VAL|INS TEMP104 VAL|INS TEMP301 VAL|DET CHIP RON|"
    "DET CHIP PSZX|DET CHIP PSZY|DET OUT1 GAIN|DET READ CURID|DET READ CURNAME"
)
SPECTROGRAPH = "SEQ ARM|INS AFC1 POS1|INS AFC1 POS2|INS AFC2 POS1|INS AFC2 POS2|INS COMB LAMPS"
ONLY_VIS = "DET BINX|DET BINY|DET UIT1|DET EXP TYPE|DET OUT1 CONAD|INS VISE NAME|INS VISE SWSIM"
ONLY_NIR = "DET SEQ1 DIT|DET NDIT|INS NISE NAME|INS NISE SWSIM"
LAMP_CARDS = [
    f"INS {lamp} NAME" for lamp in ["QTH", "DEUT", "ARGO", "NEON", "MERC", "XENO", "THAR"]
]


def header(plan):
    cards = [fits.Card(*card) for card in frame_cards(plan, 1)]
    return {
        card.keyword.removeprefix("HIERARCH ").removeprefix("ESO "): card.value for card in cards
    }


def planner(flexure=0.25):
    return Planner(START, NightSky(1, START), 1, flexure)


def lamp_plans(kind, arm, **options):
    plan = planner()
    plan.calibrate(lamp_set(kind, arm, 2, 20.0, **options))
    return plan.exposures


def observed(kind, **options):
    plan = planner()
    plan.observe(Observation(kind, STAR, "SLIT1.0", 120.0, 60.0, 2, **options))
    return plan.exposures


def names(*groups):
    return [
        name
        for group in groups
        for part in group.split("|")
        for name in (part.split() if "INSTRUME" in part else [part])
    ]


def assert_complete(cards, arm):
    if arm == "ACQ":
        wanted, absent = names(EVERY_FRAME, "DET3 CAM NAME|DET3 EXPO TIME"), names(ONLY_NIR)
        absent += ["SEQ ARM", "EXPTIME", "DET BINX"]
    else:
        own, other = (ONLY_VIS, ONLY_NIR) if arm == "VIS" else (ONLY_NIR, ONLY_VIS)
        wanted, absent = names(EVERY_FRAME, SPECTROGRAPH, own, "EXPTIME"), names(other)
        assert cards["SEQ ARM"] == arm
    assert not [name for name in wanted if name not in cards]
    assert not [name for name in absent if name in cards]
    assert cards["INSTRUME"] == "SOXS"
    assert isinstance(cards["INS ACFW ID"], str)


@pytest.mark.parametrize(("kind", "arm"), LAMPS)
def test_lamp_frames(kind, arm):
    dpr_type, tech, template, values = LAMPS[kind, arm]
    on = header(lamp_plans(kind, arm)[0])
    assert_complete(on, arm)
    assert (on["DPR CATG"], on["DPR TYPE"], on["DPR TECH"]) == ("CALIB", dpr_type, tech)
    assert on["TPL ID"] == template
    assert {key: on.get(key) for key in values} == values
    assert on["INS VISE SWSIM" if arm == "VIS" else "INS NISE SWSIM"] is False


@pytest.mark.parametrize("kind", [kind for kind, arm in LAMPS if arm == "NIR"])
def test_lamp_off_twins_of_the_nir(kind):
    plans = lamp_plans(kind, "NIR")
    cards = [header(plan) for plan in plans]
    assert [card["TPL EXPNO"] for card in cards] == [1, 2, 3, 4]
    assert {card["TPL NEXP"] for card in cards} == {4}
    for on, off in zip(cards[:2], cards[2:], strict=True):
        assert off["DPR TYPE"] == on["DPR TYPE"]
        assert off["DPR TECH"] == "IMAGE"
        assert off["INS NISE NAME"] == on["INS NISE NAME"]
        assert any(card in on for card in LAMP_CARDS)
        assert not any(card in off for card in LAMP_CARDS)
    assert len(lamp_plans(kind, "VIS")) == 2


def test_deuterium_flat_and_attenuated_flat():
    cards = header(lamp_plans("slit_flat", "VIS", lamps=("D2",))[0])
    assert cards["INS DEUT NAME"] == "Deut_Lamp"
    assert "INS QTH NAME" not in cards
    attenuated = header(lamp_plans("slit_flat", "NIR", lamp_scale=0.3)[0])
    assert attenuated["TPL ID"] == "SOXS_slt_cal_NIRLampFlatAtt"


@pytest.mark.parametrize("kind", OBSERVATIONS)
@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_observations(kind, arm):
    catg, dpr_type, tech, template = OBSERVATIONS[kind]
    cards = header(next(plan for plan in observed(kind) if plan.arm == arm))
    assert_complete(cards, arm)
    assert (cards["DPR CATG"], cards["DPR TYPE"], cards["DPR TECH"]) == (catg, dpr_type, tech)
    assert template is None or cards["TPL ID"] == template
    assert cards["OBJECT"] == cards["OBS TARG NAME"] == "LTT3218"
    assert cards["EXPTIME"] == 120.0
    assert not any(card in cards for card in LAMP_CARDS)


@pytest.mark.parametrize(
    ("kind", "arm", "template"),
    [
        ("bias", "VIS", "SOXS_gen_cal_VISBias"),
        ("bias", "ACQ", "SOXS_img_cal_Bias"),
        ("dark", "VIS", "SOXS_gen_cal_VISDark"),
        ("dark", "NIR", "SOXS_gen_cal_NIRDark"),
        ("dark", "ACQ", "SOXS_img_cal_Dark"),
    ],
)
def test_bias_and_dark(kind, arm, template):
    plans = detector_set(kind, arm, 0.0 if kind == "bias" else 10.0, 3)
    cards = [header(plan) for plan in plans]
    assert_complete(cards[0], arm)
    assert cards[0]["TPL ID"] == template
    assert cards[0]["DPR TYPE"] == kind.upper()
    assert (cards[0]["DPR CATG"], cards[0]["DPR TECH"]) == ("CALIB", "IMAGE")
    assert [card["TPL EXPNO"] for card in cards] == [1, 2, 3]
    assert {card["TPL NEXP"] for card in cards} == {3}
    wheel = {"VIS": "INS VISE NAME", "NIR": "INS NISE NAME"}.get(arm)
    assert wheel is None or cards[0][wheel] == "BLANK"


@pytest.mark.parametrize(
    ("kind", "catg", "dpr_type"),
    [
        ("img_flat", "CALIB", "FLAT,SKY"),
        ("img_std", "CALIB", "STD"),
        ("img_object", "SCIENCE", "OBJECT"),
        ("acquisition", "ACQUISITION", "OBJECT"),
    ],
)
def test_camera_frames(kind, catg, dpr_type):
    plan = planner()
    plan.acquire(STAR, "g", 7.0, kind)
    cards = header(plan.exposures[0])
    assert_complete(cards, "ACQ")
    assert (cards["DPR CATG"], cards["DPR TYPE"], cards["DPR TECH"]) == (catg, dpr_type, "IMAGE")
    assert (cards["DET3 CAM NAME"], cards["DET3 EXPO TIME"]) == ("ACQ", 7.0)
    assert cards["INS ACFW ID"] == "g"


def test_gains_and_read_modes():
    slow = header(detector_set("bias", "VIS", 0.0, 1)[0])
    assert (slow["DET OUT1 GAIN"], slow["DET OUT1 CONAD"], slow["DET CHIP RON"]) == (
        0.909,
        1.1,
        3.3,
    )
    assert (slow["DET READ CURID"], slow["DET READ CURNAME"]) == (1, "Slow High Gain")
    for option in ("slow-low", "fast-high", "fast-low"):
        cards = header(detector_set("bias", "VIS", 0.0, 1, "2x1", option)[0])
        assert cards["DET OUT1 GAIN"] * cards["DET OUT1 CONAD"] == pytest.approx(1, abs=2e-3)
        assert cards["DET READ CURNAME"].lower().split()[:2] == option.split("-")
        assert (cards["DET BINX"], cards["DET BINY"]) == (2, 1)
    nir = header(detector_set("dark", "NIR", 30.0, 1, ndit=3)[0])
    assert (nir["DET OUT1 GAIN"], nir["DET CHIP RON"], nir["DET READ CURID"]) == (1.0, 0.0, 3)
    assert (nir["DET SEQ1 DIT"], nir["DET NDIT"], nir["EXPTIME"]) == (10.0, 3, 30.0)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_detector_linearity_series(arm):
    plans = detlin_set(arm, (10.0, 20.0, 30.0))
    kinds = [header(plan)["DPR TYPE"] for plan in plans]
    if arm == "VIS":
        assert kinds == ["BIAS"] * 3 + ["LAMP,ON"] * 6
        assert header(plans[-1])["OCS DET2 IMGNAME"] == "SOXS_GEN_FLAT_VIS_DETLIN_SHG_UIT30"
    else:
        assert kinds == ["LAMP,OFF", "LAMP,OFF", "LAMP,ON", "LAMP,ON"] * 3
        assert "OCS DET1 IMGNAME" in header(plans[0])
    lit = [plan for plan in plans if plan.kind == "detlin_on"]
    assert [plan.exptime_s for plan in lit] == [10.0, 10.0, 20.0, 20.0, 30.0, 30.0]
    assert header(lit[0])["TPL ID"] == f"SOXS_gen_tec_{arm}DetLin"
    assert "INS QTH NAME" in header(lit[0])
    assert len({plan.file_name for plan in plans}) == len(plans)


def test_nodding_offsets_and_jitter():
    plans = observed("object_nod", cycles=2, nod_throw_arcsec=4.0)
    offsets = [header(plan)["SEQ CUMOFF Y"] for plan in plans if plan.arm == "VIS"]
    assert offsets == [2.0, -2.0, -2.0, 2.0]
    cards = header(plans[0])
    assert (cards["SEQ CUMOFF X"], cards["SEQ NOD THROW"], cards["SEQ JITTER WIDTH"]) == (0, 4, 0)
    jittered = observed("object_nod", cycles=8, nod_throw_arcsec=4.0, jitter_arcsec=1.0)
    offsets = np.array([plan.nod.cumulative_y for plan in jittered if plan.arm == "NIR"])
    a, b = offsets[offsets > 0], offsets[offsets < 0]
    assert np.unique(a).size == np.unique(b).size == 8
    assert np.all(np.abs(a - 2) <= 0.5)
    assert np.all(np.abs(b + 2) <= 0.5)


def test_offset_cards_tell_on_from_off():
    plans = [plan for plan in observed("object_offset", cycles=2) if plan.arm == "VIS"]
    sums = [header(plan)["SEQ FIXOFF RA"] + header(plan)["SEQ FIXOFF DEC"] for plan in plans]
    assert [plan.on_target for plan in plans] == [True, False, True, False]
    assert [value < 0 for value in sums] == [True, False, True, False]


def test_arms_expose_together():
    for kind in ("object_stare", "object_async_nod"):
        plans = observed(kind, cycles=2)
        for vis, nir in zip(plans[::2], plans[1::2], strict=True):
            assert (vis.arm, nir.arm) == ("VIS", "NIR")
            assert 0 < nir.start_ms - vis.start_ms < 1000
            assert vis.exptime_s == nir.exptime_s
            assert header(vis)["OBS ID"] == header(nir)["OBS ID"]
            starts = [np.datetime64(header(plan)["TPL START"]) for plan in (vis, nir)]
            assert starts[1] - starts[0] == np.timedelta64(1, "s")
            assert starts[1] <= np.datetime64(vis.start_ms, "ms")


def test_times_and_names_agree():
    for plan in observed("std_flux_nod"):
        cards = header(plan)
        assert plan.file_name == f"SOXS.{cards['DATE-OBS']}.fits" == cards["ARCFILE"]
        assert Time(cards["DATE-OBS"]).mjd == pytest.approx(cards["MJD-OBS"], abs=2e-8)
    assert header(detector_set("dark", "NIR", 10.0, 1)[0])["ORIGFILE"] == (
        "SOXS_GEN_DARK_NIR_074_0001.fits"
    )

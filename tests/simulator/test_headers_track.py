"""Tracks of targets over the sky and plans of nights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers

from soxs_simulator.exposure import parse_start
from soxs_simulator.frames import Run
from soxs_simulator.headers import frame_cards
from soxs_simulator.night import night_plan
from soxs_simulator.schedule import Observation, Planner, Target
from soxs_simulator.sky_track import NightSky, airmass, horizon

START = parse_start("2026-03-16T01:00:00")
STAR = Target("LTT3218", 130.3956, -32.9428)


@pytest.mark.parametrize("hours", [0.0, 2.5, 5.0])
def test_track_against_astropy(hours):
    when = START + round(hours * 3.6e6)
    with iers.conf.set_temp("auto_download", False):
        site = EarthLocation.from_geodetic(-70.7377 * u.deg, -29.2567 * u.deg, 2375 * u.m)
        time = Time(when / 1000, format="unix")
        star = SkyCoord(STAR.ra_deg * u.deg, STAR.dec_deg * u.deg)
        expected = star.transform_to(AltAz(obstime=time, location=site))
    altitude, azimuth, parallactic = horizon(STAR.ra_deg, STAR.dec_deg, time.mjd)
    assert altitude == pytest.approx(expected.alt.deg, abs=0.4)  # precession is left out
    apart = (azimuth + 180 - expected.az.deg + 180) % 360 - 180
    assert apart * np.cos(np.radians(altitude)) == pytest.approx(0, abs=0.4)
    assert airmass(altitude) == pytest.approx(float(expected.secz), rel=0.012)
    # The parallactic angle by sines: sin q = sin(azimuth) cos(latitude) / cos(declination).
    sine = np.sin(np.radians(azimuth)) * np.cos(np.radians(29.2567))
    sine /= np.cos(np.radians(STAR.dec_deg))
    assert np.sin(np.radians(parallactic)) == pytest.approx(sine, abs=1e-6)


def test_pointing_and_flexure_follow_the_track():
    planner = Planner(START, NightSky(1, START), 1, flexure=0.25)
    planner.observe(Observation("object_stare", STAR, "SLIT1.0", 120.0, 60.0, 2, cycles=30))
    plans = [plan for plan in planner.exposures if plan.arm == "VIS"]
    shifts = np.array([plan.flexure_px for plan in plans])
    sag = np.array([np.cos(np.radians(plan.pointing.altitude_deg)) for plan in plans])
    assert np.allclose(np.hypot(*shifts.T), 0.25 * sag)
    cards = [{card[0][13:]: card[1] for card in frame_cards(plan, 1)} for plan in plans]
    assert len({card["INS AFC1 POS1"] for card in cards}) > 25
    seeing = [card["TEL AMBI FWHM START"] for card in cards]
    assert 0.5 < min(seeing) < max(seeing) < 1.4
    assert cards[0]["TEL AIRM END"] == pytest.approx(cards[1]["TEL AIRM START"], abs=0.01)


@pytest.mark.parametrize(("small", "least"), [(True, 25), (False, 46)])
def test_plan_of_a_night(small, least):
    plans = night_plan(Run(), small)
    assert len(plans) >= least
    assert len({plan.file_name for plan in plans}) == len(plans)
    assert {plan.arm for plan in plans} == {"VIS", "NIR", "ACQ"}
    for arm in ("VIS", "NIR", "ACQ"):
        own = [plan for plan in plans if plan.arm == arm]
        assert sorted(plan.number for plan in own) == list(range(1, len(own) + 1))
        busy = sorted((plan.start_ms, plan.start_ms + 1000 * plan.exptime_s) for plan in own)
        assert all(end <= start for (_, end), (start, _) in pairwise(busy))
    templates = {}
    for plan in plans:
        key = (plan.arm, plan.frame_kind.template[plan.arm], plan.template_start_ms, plan.lamps)
        templates.setdefault(key, []).append(plan)
    for group in templates.values():
        assert [plan.expno for plan in group] == list(range(1, group[0].nexp + 1))
    airmasses = [plan.pointing.airmass[0] for plan in plans if plan.frame_kind.on_sky]
    assert max(airmasses) < 2.0
    assert Run().seed == 1
    assert [p.file_name for p in night_plan(Run(seed=2), small)] != [p.file_name for p in plans]

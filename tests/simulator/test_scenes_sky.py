"""Scenes on the sky against arithmetic of their own, and their truth against the images."""

import json
import tracemalloc
from dataclasses import asdict, replace
from importlib.resources import files

import numpy as np
import pytest
from astropy.io import fits

from soxs_simulator.bounds import NoisyImage, sn_bounds
from soxs_simulator.contract import SceneRequest
from soxs_simulator.format import nominal_format
from soxs_simulator.optics_slit import SLIT_GRID, slit_fraction
from soxs_simulator.optics_throughput import efficiency
from soxs_simulator.scenes import OpticsScenes
from soxs_simulator.scenes_truth import (
    exposure_bounds,
    exposure_truth,
    object_image,
    read_exposure_truth,
    request_of,
)
from soxs_simulator.sources import UnknownTargetError, find_target
from soxs_simulator.spectra import high_resolution_grid

STANDARD = SceneRequest("NIR", "std_flux", "SLIT5.0", target="EG274", mode="STARE", airmass=1.2)


@pytest.fixture(scope="module")
def ideal():
    return OpticsScenes(seed=3, ideal=True, drift=0.0)


@pytest.fixture(scope="module")
def source():
    return OpticsScenes(seed=6)


def on_minus_off(source, request):
    """Image of the object alone: on target less blank sky."""
    rates = [
        source.scene(replace(request, on_target=on)).rate_e_per_s.astype(float)
        for on in (True, False)
    ]
    return rates[0] - rates[1]


@pytest.mark.parametrize(
    ("arm", "order", "wave"), [("VIS", 1, 605.0), ("VIS", 3, 500.0), ("NIR", 20, 985.0)]
)
def test_counts_of_a_standard(ideal, arm, order, wave):
    """Electrons = flux / photon energy x extinction x area x slit x efficiency x dispersion."""
    request = replace(STANDARD, arm=arm, parallactic_deg=0.0, seeing_arcsec=0.8)
    image = on_minus_off(ideal, request)
    fmt = nominal_format(arm)
    disp, cross = fmt.split(*fmt.orders[order].to_pixel(np.array([wave, wave + 0.01])))
    image = image if fmt.disp_axis == "x" else image.T
    columns = round(float(disp[0])) + np.arange(-20, 21)
    rows = round(float(cross[0])) + np.arange(-24, 25)
    found = image[np.ix_(rows, columns)].sum() / columns.size
    with fits.open(str(files("soxs_recipes.calib") / "flux_standards.fits")) as hdus:
        table = hdus["FLUX"].data
        nm_per_px = 0.01 / abs(disp[1] - disp[0])
        near = np.abs(table["WAVE"] - wave) < 20 * nm_per_px
        flux = table["EG274"][near].mean()
    photons = flux * 1e-7 / (6.62607015e-34 * 2.99792458e8 / (wave * 1e-9)) * 1e4 * 10
    magnitude = float(ideal.arm(arm).atmosphere.extinction_mag(wave))
    disc = 0.8 * (wave / 500.0) ** -0.2
    through = slit_fraction(np.array([disc]), 5.0, np.array([0.0]))[0]
    area = np.pi / 4 * (3.58**2 - 0.875**2)
    expected = photons * 10 ** (-0.4 * 1.2 * magnitude) * area * through
    expected *= efficiency(arm, order, wave) * nm_per_px
    # 1 % for the light lost at the ends of the slit, the pedestal and the slope of the spectrum.
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_truth_is_the_light_in_the_image(source, arm):
    """Sum across each order at the place of the star, against the truth's electrons."""
    request = SceneRequest(
        arm, "object", "SLIT1.0", target="SN2026XYZ", nod_arcsec=2.0, airmass=1.4,
        flexure_px=(0.3, -0.4), parallactic_deg=50.0,
    )  # fmt: skip
    truth = exposure_truth(source, request)
    scene = source.arm(arm)
    geometry, _ = scene.shifted_geometry(request.flexure_px)
    image = object_image(scene, request, geometry)
    for number, order in truth.orders.items():
        fmt = truth.format.orders[number]
        place, trace = truth.format.split(*fmt.to_pixel(order.wave_nm, 2.0))
        columns = np.arange(len(place))
        expected = np.interp(columns, place, order.object_e_per_s / np.gradient(place))
        near = np.rint(np.interp(columns, place, trace)).astype(int)[:, None] + np.arange(-22, 23)
        frame = image if truth.format.disp_axis == "x" else image.T
        usable = np.all((near >= 0) & (near < len(frame)), axis=1)
        sums = frame[np.clip(near, 0, len(frame) - 1), columns[:, None]].sum(axis=1)
        usable &= (order.wave_nm > fmt.use_nm[0]) & (order.wave_nm < fmt.use_nm[1])
        usable[:40] = usable[-40:] = False
        assert sums[usable].sum() == pytest.approx(expected[usable].sum(), rel=0.006)
        strong = np.flatnonzero(usable & (expected > 0.5 * expected[usable].max()))
        assert np.median(np.abs(sums[strong] / expected[strong] - 1)) < 0.006


def test_truth_flux_is_the_spectrum_above_the_atmosphere(ideal):
    truth = exposure_truth(ideal, STANDARD)
    with fits.open(str(files("soxs_recipes.calib") / "flux_standards.fits")) as hdus:
        table = hdus["FLUX"].data
    for number in (12, 17, 21):
        order = truth.orders[number]
        expected = np.interp(order.wave_nm, table["WAVE"], table["EG274"])
        inside = slice(100, -100)
        assert order.flux_erg[inside] == pytest.approx(expected[inside], rel=0.02)
        ratio = order.flux_erg[inside].mean() / expected[inside].mean()
        assert ratio == pytest.approx(1.0, abs=2e-3)


def test_star_is_at_the_nod_position(source):
    for nod in (-2.5, 2.5):
        request = replace(STANDARD, arm="VIS", nod_arcsec=nod, slit="SLIT1.0")
        image = on_minus_off(source, request)
        fmt = source.arm("VIS").format.orders[4]
        x, y = fmt.to_pixel(750.0, nod)
        row = image[round(float(y)), round(float(x)) - 12 : round(float(x)) + 13]
        centroid = (row * np.arange(-12, 13)).sum() / row.sum() + round(float(x))
        assert centroid == pytest.approx(x, abs=0.1)


def test_nir_star_is_refracted_and_vis_star_is_not(source):
    requests = [replace(STANDARD, arm=arm, airmass=2.0) for arm in ("NIR", "VIS")]
    nir, vis = (exposure_truth(source, request).orders for request in requests)
    blue, red = nir[23].centre_arcsec[1000], nir[10].centre_arcsec[1000]
    assert 0.3 < blue - red < 0.7
    assert np.ptp(np.concatenate([o.centre_arcsec for o in vis.values()])) == 0.0


def test_sky_lines_have_the_tilt_of_the_format(source):
    image = source.scene(replace(STANDARD, slit="SLIT0.5", on_target=False)).rate_e_per_s
    fmt = source.arm("NIR").format.orders[13]
    wave = 1505.144  # an isolated OH doublet, air
    tops = [fmt.to_pixel(wave, s) for s in (-4.5, 4.5)]
    rows = np.arange(round(float(tops[0][1])), round(float(tops[1][1])))
    middle = round(float(np.mean([tops[0][0], tops[1][0]])))
    strip = image[rows, middle - 12 : middle + 13].astype(float)
    strip -= np.percentile(strip, 10, axis=1)[:, None]
    columns = strip.argmax(axis=1)[:, None] + np.arange(-3, 4)
    core = np.take_along_axis(strip, columns, axis=1)
    centroid = (core * columns).sum(axis=1) / core.sum(axis=1) + middle - 12
    slope = np.polyfit(rows, centroid, 1)[0]
    expected = (tops[1][0] - tops[0][0]) / (tops[1][1] - tops[0][1])
    assert slope == pytest.approx(expected, abs=0.02)
    assert centroid.mean() == pytest.approx(np.mean([tops[0][0], tops[1][0]]), abs=0.15)


def test_sky_in_electrons(ideal):
    """A broad NIR band of sky: photons of the table x area x slit x efficiency."""
    image = ideal.scene(replace(STANDARD, on_target=False, airmass=1.1)).rate_e_per_s
    fmt = nominal_format("NIR").orders[20]
    x, _ = fmt.to_pixel(np.array([965.0, 985.0]), 0.0)
    columns = np.arange(round(float(x[0])), round(float(x[1])))
    wave = np.interp(
        columns, fmt.to_pixel(np.linspace(960, 990, 300))[0], np.linspace(960, 990, 300)
    )
    _, trace = fmt.to_pixel(wave, 0.0)
    _, top = fmt.to_pixel(wave, 1.0)
    rows = np.rint(trace).astype(int)[:, None] + np.arange(-6, 7)
    found = image[rows, columns[:, None]].astype(float).sum(axis=1) / (13 / (top - trace))
    with fits.open(str(files("soxs_recipes.calib") / "sky_emission.fits.gz")) as hdus:
        sky = hdus["SKY"].data
    inside = (sky["WAVE_AIR"] > 965.0) & (sky["WAVE_AIR"] < 985.0)
    per_nm = sky["FLUX"][inside].astype(float) / 1000.0
    area = np.pi / 4 * (3.58**2 - 0.875**2)
    photons = np.sum(per_nm * efficiency("NIR", 20, sky["WAVE_AIR"][inside])) * 1.5e-5 * 975.0
    wave_factor = 1 + 0.15 * np.sin(
        2 * np.pi * STANDARD.mjd / (1.8 / 24) + ideal.arm("NIR").sky.phase
    )
    assert found.sum() == pytest.approx(photons * area * 5.0 * wave_factor, rel=0.08)


def test_ideal_has_no_departures(ideal, source):
    target, plain = (
        find_target("EG274", 6, ideal=flag).points[0].photons for flag in (False, True)
    )
    rms = np.std(target / plain)
    assert 0.003 < rms < 0.02
    assert ideal.arm("VIS").atmosphere.line_shift == 0.0
    with pytest.raises(UnknownTargetError, match="flux standard"):
        source.scene(replace(STANDARD, target="NOBODY"))


@pytest.mark.parametrize(
    "name", ["LTT 3218", "CD-325613", "HIP12345", "A0V_7.5", "PL_19.5", "BB9000_18"]
)
def test_targets_by_name(name):
    photons = find_target(name, 1).points[0].photons
    assert photons.shape == high_resolution_grid().vacuum_nm.shape
    assert np.all(np.isfinite(photons)) and np.all(photons >= 0)


def test_a_galaxy_or_a_star_beside_a_target():
    wave = high_resolution_grid().air_nm
    alone, host, pair = (find_target(f"PL_18.0{kind}", 1) for kind in ("", "_HOST_2.0", "_NEXT_5"))
    own = np.interp(550.0, wave, alone.points[0].photons)
    (galaxy,) = host.extended
    along = 2 * galaxy.scale_arcsec * np.interp(550.0, wave, galaxy.photons)
    assert along == pytest.approx(2 * own, rel=0.01) and galaxy.slit_arcsec == 1.0
    assert np.array_equal(host.points[0].photons, alone.points[0].photons)
    second = np.interp(550.0, wave, pair.points[1].photons)
    assert second == pytest.approx(5 * own, rel=1e-3) and pair.points[1].slit_arcsec == 2.0


def test_magnitude_is_as_asked():
    wave = high_resolution_grid().air_nm
    photons = np.interp(550.0, wave, find_target("PL_20.0", 1).points[0].photons)
    flux = photons * 6.62607015e-34 * 2.99792458e8 / 550e-9 * 1e9  # W m-2 m-1
    jansky = flux * (550e-9) ** 2 / 2.99792458e8 / 1e-26
    assert -2.5 * np.log10(jansky / 3631.0) == pytest.approx(20.0, abs=0.001)


def test_same_seed_same_bytes_other_seed_other_light():
    request = replace(STANDARD, arm="VIS")
    a, b, c = (OpticsScenes(seed).scene(request).rate_e_per_s for seed in (8, 8, 9))
    assert a.tobytes() == b.tobytes() and a.tobytes() != c.tobytes()


def test_truth_is_read_back_from_a_manifest(source, tmp_path):
    scene = source.scene(STANDARD)
    manifest = {
        "optics": dict(source.truth()),
        "frames": {"a.fits": {"scene": dict(scene.truth)}},
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest))
    again = read_exposure_truth(path, "a.fits")
    expected = exposure_truth(source, STANDARD)
    assert again.request == STANDARD == request_of(json.loads(json.dumps(asdict(STANDARD))))
    table = again.to_table()
    assert len(table) == 15 * 2040
    sample = table[(table["order"] == 17) & (table["pixel"] == 900)][0]
    assert sample["object_e_per_s"] == expected.orders[17].object_e_per_s[900]


def test_truth_of_a_night_is_read_back(small_night):
    path = next(path for path, tag in small_night if tag == "OBJECT_NOD_VIS")
    truth = read_exposure_truth(path.parent / "truth" / "manifest.json", path.name)
    assert truth.request.arm == "VIS"
    assert truth.request.mode == "NODDING"
    assert truth.orders[3].object_e_per_s.max() > 0


def test_bounds_against_least_squares(ideal):
    """One pixel of dispersion: the covariance of an explicit fit of object and sky."""
    geometry = ideal.arm("NIR").geometry
    order, column, rng = geometry.orders[15], 1000, np.random.default_rng(5)
    shape = geometry.format.shape
    star = rng.uniform(5, 50, shape).astype(np.float32)
    variance = rng.uniform(50, 90, shape).astype(np.float32)
    along = (np.abs(SLIT_GRID) < 5.5).astype(float)
    bounds = sn_bounds(geometry, [NoisyImage(star, variance)], along)[15]
    columns = np.arange(2040)[:, None]
    mine = (np.rint(columns + order.q) == column) & (order.area > 0)
    index = order.index[mine]
    even = order.area[mine] * np.interp(order.s[mine], SLIT_GRID, along)
    design = np.stack([star.ravel()[index], even, even * order.s[mine]], axis=1).astype(float)
    normal = design.T @ (design / variance.ravel()[index][:, None])
    assert bounds.sky_known[column] == pytest.approx(np.sqrt(normal[0, 0]), rel=1e-4)
    fitted = 1 / np.sqrt(np.linalg.inv(normal)[0, 0])
    assert bounds.sky_fitted[column] == pytest.approx(fitted, rel=1e-3)


def test_bounds_of_an_exposure(source):
    request = replace(STANDARD, arm="VIS", slit="SLIT1.0", exptime_s=60.0)
    rate = source.scene(request).rate_e_per_s
    bounds = exposure_bounds(source, request, rate, ron_e=8.0)
    noisier = exposure_bounds(source, request, rate, ron_e=8.0, master_variance_e2=64.0)
    inside = slice(200, -200)
    electrons = exposure_truth(source, request).orders
    for number in (3, 4):
        known, fitted = bounds[number].sky_known[inside], bounds[number].sky_fitted[inside]
        assert np.all(fitted <= known) and np.median(fitted / known) > 0.9
        assert np.all(noisier[number].sky_known[inside] <= known)
        photons = electrons[number].object_e_per_s[inside] * 60.0
        assert np.all(known < np.sqrt(photons) * 1.02)


def test_shared_sky_helps_a_nodding_pair(ideal):
    geometry = ideal.arm("VIS").geometry
    requests = [replace(STANDARD, arm="VIS", nod_arcsec=n) for n in (-2.5, 2.5)]
    noise = np.full(geometry.format.shape, 30.0, np.float32)
    pair = [
        NoisyImage(object_image(ideal.arm("VIS"), request, geometry), noise) for request in requests
    ]
    along = ideal.arm("VIS").transmission_along("SLIT5.0")
    own, shared = (sn_bounds(geometry, pair, along, shared_sky=flag)[4] for flag in (False, True))
    middle = slice(500, 3500)
    assert np.all(shared.sky_fitted[middle] >= own.sky_fitted[middle])
    assert np.allclose(shared.sky_known, own.sky_known)


def test_a_scene_is_small(source):
    request = replace(STANDARD, target="SN2026XYZ", slit="SLIT1.0", kind="object")
    source.scene(request)
    tracemalloc.start()
    try:
        source.scene(request)
        assert tracemalloc.get_traced_memory()[1] < 400e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_clouds_dim_the_target_and_leave_the_sky(source, arm):
    clear = replace(STANDARD, arm=arm)
    cloudy = replace(clear, transparency=0.7)
    assert np.allclose(on_minus_off(source, cloudy), 0.7 * on_minus_off(source, clear), atol=0.02)
    sky, same = (source.scene(replace(one, on_target=False)) for one in (clear, cloudy))
    assert np.array_equal(sky.rate_e_per_s, same.rate_e_per_s)
    truth = exposure_truth(source, cloudy)
    for number, order in exposure_truth(source, clear).orders.items():
        assert np.allclose(truth.orders[number].object_e_per_s, 0.7 * order.object_e_per_s)

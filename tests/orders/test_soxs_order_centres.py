"""soxs_order_centres on simulated raw frames, against the truth of their night."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.tracing import NoOrdersError, NotPinholeError
from soxs_recipes.errors import ArmMismatchError, SettingMismatchError
from soxs_recipes.instrument.spectral_format import read_spectral_format
from soxs_recipes.products.dispersion_tables import dispersion_tables
from soxs_recipes.products.order_tables import read_order_table
from soxs_recipes.products.writing import Extension, write_product
from soxs_recipes.recipes.soxs_order_centres import SoxsOrderCentres

SHAPE = {"VIS": (4096, 808), "NIR": (2040, 2040)}
AXIS = {"VIS": "y", "NIR": "x"}


def sets(pinhole):
    """Sets of frames with their tags: the lamp-off twin comes last."""
    on = [(pinhole.files[:1], f"PINHOLE_FLAT_{pinhole.arm}")]
    return on + ([(pinhole.files[1:], "PINHOLE_FLAT_OFF_NIR")] if len(pinhole.files) > 1 else [])


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_order_centres_against_the_truth(arm, lamps, run_recipe):
    pinhole = lamps("pinhole_flat", arm, 1, 60.0)
    products = run_recipe(SoxsOrderCentres, *sets(pinhole))
    path = products[f"ORDER_TAB_{arm}"]
    table = read_order_table(path, SHAPE[arm], AXIS[arm])
    truth = pinhole.curves()
    assert table.orders.tolist() == sorted(truth)
    pixel = np.arange(table.length)
    error = np.concatenate(
        [
            (table.centre(n, pixel) - truth[n][0])[~table.extrapolated(n, pixel)]
            for n in table.orders
        ]
    )
    assert np.sqrt(np.mean(error**2)) < 0.005
    header, axis = fits.getheader(path), {"VIS": "X", "NIR": "Y"}[arm]
    assert header["ESO QC N ORDERS"] == len(truth)
    assert header["ESO QC SAMPLES DET FRAC"] > 0.9
    samples = fits.getdata(path, "SAMPLES")
    kept = samples[samples["KEPT"] == 1]
    assert header["ESO QC SAMPLES DET NUM"] == len(samples)
    assert header["ESO QC SAMPLES CLIP NUM"] == np.count_nonzero(samples["KEPT"] == 0)
    rms = np.sqrt(np.mean(kept["RESIDUAL"] ** 2))
    assert header[f"ESO QC {axis} RES RMS"] == pytest.approx(rms, rel=1e-3)
    mean = np.mean(np.abs(kept["RESIDUAL"]))
    assert header[f"ESO QC {axis} RES MEDIAN"] == pytest.approx(mean, rel=1e-3)
    assert rms < 0.02


def test_samples_hold_the_measured_centres(lamps, run_recipe):
    pinhole = lamps("pinhole_flat", "VIS", 1, 60.0)
    path = run_recipe(SoxsOrderCentres, *sets(pinhole))["ORDER_TAB_VIS"]
    samples, truth = fits.getdata(path, "SAMPLES"), pinhole.curves()
    pixel = np.arange(SHAPE["VIS"][0])
    for order in (1, 4):
        rows = samples[(samples["ORDER"] == order) & (samples["KEPT"] == 1)]
        error = rows["CENTRE"] - np.interp(rows["PIXEL"], pixel, truth[order][0])
        assert np.median(np.abs(error)) < 0.01


def test_frames_without_a_pinhole_are_refused(lamps, run_recipe):
    slit = lamps("slit_flat", "NIR", 3, 10.0)
    on, off = slit.files[:1], slit.files[3:4]
    with pytest.raises((NotPinholeError, NoOrdersError), match="pinhole") as caught:
        run_recipe(SoxsOrderCentres, (on, "PINHOLE_FLAT_NIR"), (off, "PINHOLE_FLAT_OFF_NIR"))
    assert on[0].name in str(caught.value)


def test_dark_frames_are_refused(lamps, run_recipe):
    off = lamps("slit_flat", "NIR", 3, 10.0).files[3:]
    with pytest.raises(NoOrdersError, match="no orders"):
        run_recipe(
            SoxsOrderCentres, (off[:1], "PINHOLE_FLAT_NIR"), (off[1:], "PINHOLE_FLAT_OFF_NIR")
        )


def test_the_other_arm_is_refused(lamps, run_recipe):
    vis = lamps("pinhole_flat", "VIS", 1, 60.0)
    with pytest.raises(ArmMismatchError):
        run_recipe(SoxsOrderCentres, (vis.files, "PINHOLE_FLAT_NIR"))


def test_mixed_binning_is_refused(lamps, run_recipe):
    one = lamps("pinhole_flat", "VIS", 1, 60.0).files
    other = lamps("pinhole_flat", "VIS", 1, 60.0, binning=(2, 1)).files
    with pytest.raises(SettingMismatchError, match="binning"):
        run_recipe(SoxsOrderCentres, ([*one, *other], "PINHOLE_FLAT_VIS"))


def test_binned_frames(lamps, run_recipe):
    pinhole = lamps("pinhole_flat", "VIS", 1, 60.0, binning=(2, 1))
    path = run_recipe(SoxsOrderCentres, (pinhole.files, "PINHOLE_FLAT_VIS"))["ORDER_TAB_VIS"]
    table, truth = read_order_table(path, (4096, 404), "y"), pinhole.curves((2, 1))
    pixel = np.arange(table.length)
    for n in table.orders:
        error = (table.centre(n, pixel) - truth[n][0])[~table.extrapolated(n, pixel)]
        assert np.sqrt(np.mean(error**2)) < 0.01


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_a_dispersion_solution_tells_where_orders_are(arm, lamps, run_recipe, tmp_path):
    """With one that is 40 px off the format, the orders of a frame so shifted are found."""
    pinhole = lamps("pinhole_flat", arm, 1, 60.0)
    axis = 1 if arm == "VIS" else 0
    files = []
    for path in pinhole.files:
        with fits.open(path) as hdus:
            area = hdus[0].data[:, 50:] if arm == "VIS" else hdus[0].data[4:-4, 4:-4]
            area[...] = np.roll(area, 40, axis=axis)
            hdus.writeto(tmp_path / path.name)
        files.append(tmp_path / path.name)
    name = str(resources.files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json")
    shift = (40.0, 0.0) if arm == "VIS" else (0.0, 40.0)
    solution = read_spectral_format(Path(name)).shifted(*shift)
    tables = dispersion_tables(replace(solution, fitted_nm=solution.range_nm))
    header = fits.getheader(files[0])
    header["HIERARCH ESO PRO CATG"] = f"DISP_TAB_{arm}"
    write_product(tmp_path / "disp.fits", header, [Extension(*item) for item in tables.items()])
    moved = [(files[:1], f"PINHOLE_FLAT_{arm}")]
    moved += [(files[1:], "PINHOLE_FLAT_OFF_NIR")] if arm == "NIR" else []
    if arm == "VIS":
        # In the NIR, orders are so close that one would be taken for its neighbour.
        with pytest.raises(NoOrdersError):
            run_recipe(SoxsOrderCentres, *moved)
    given = ([tmp_path / "disp.fits"], f"DISP_TAB_{arm}")
    product = run_recipe(SoxsOrderCentres, *moved, given)[f"ORDER_TAB_{arm}"]
    table = read_order_table(product, SHAPE[arm], AXIS[arm])
    pixel = np.arange(300, 1700)
    for order, (centre, *_) in pinhole.curves().items():
        if order in table.orders:
            assert np.abs(table.centre(order, pixel) - centre[pixel] - 40).max() < 0.05
    assert len(table.orders) >= len(pinhole.curves()) - 1

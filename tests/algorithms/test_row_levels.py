"""Levels of rows between the orders, against levels that were put in."""

import numpy as np
from scipy.ndimage import uniform_filter1d

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.row_levels import row_levels

ROWS, COLUMNS, NOISE, DRIFT = 600, 800, 13.0, 2.5


def scene(seed=1, drift=DRIFT):
    """Curved orders on smooth stray light, drifting rows, cosmic rays; truth beside."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(float)
    phase = (y - 60 * ((x - 400) / 400) ** 2) % 60
    orders = phase < 40
    stray = 20 + 10 * np.sin(y / 150) + 8 * np.cos(x / 200)
    levels = drift * rng.standard_normal(ROWS)
    light = np.where(orders, 300.0, 0.0)
    flux = stray + light + levels[:, None] + NOISE * rng.standard_normal(y.shape)
    struck = rng.random(y.shape) < 2e-3
    flux[struck] += 500.0
    return DetectorFrame.from_variance(flux, np.full(y.shape, NOISE**2)), ~orders, levels, stray


def test_levels_are_found_to_their_error():
    frame, dark, levels, _ = scene()
    found = row_levels(frame, dark)
    # Of white drift, the running mean over 41 rows takes its share.
    around = uniform_filter1d(levels, 41)
    residual = (found.level - (levels - around))[40:-40]
    assert np.std(residual) < 0.4 * DRIFT
    assert 0.8 < np.std(residual / found.error[40:-40]) < 1.3


def test_light_is_kept_and_errors_grow_by_that_of_the_level():
    frame, dark, levels, stray = scene()
    found = row_levels(frame, dark)
    clean = found.removed_from(frame)
    rows = np.nanmean(np.where(dark, np.clip(clean.flux - stray, -50, 50), np.nan), axis=1)
    assert abs(np.mean(rows)) < 0.4
    assert np.allclose(clean.variance, frame.variance + found.error[:, None] ** 2, rtol=1e-4)
    before = np.std(levels)
    assert np.std(rows - np.mean(rows)) < 0.5 * before


def test_nothing_is_made_of_noise():
    frame, dark, *_ = scene(drift=0.0)
    found = row_levels(frame, dark)
    assert np.std(found.level) < 1.6 * np.median(found.error)


def test_rows_without_dark_pixels_and_flagged_pixels_are_left_alone():
    frame, dark, *_ = scene()
    dark[100:110] = False
    hot = np.zeros(frame.shape, bool)
    hot[200, :] = True
    frame = frame.flag(hot, Quality.HOT)
    found = row_levels(frame, dark)
    assert not found.level[100:110].any()
    assert not found.error[100:110].any()
    assert found.level[200] == 0


def test_the_mean_between_the_orders_is_known():
    frame, dark, levels, stray = scene()
    truth = np.mean((stray + levels[:, None])[dark])
    assert abs(row_levels(frame, dark).mean_e - truth) < 4 * NOISE / np.sqrt(dark.sum())

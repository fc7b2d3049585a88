"""Orders on one scale: an even lamp's blaze and an object of the same spectrum leave no step."""

from types import SimpleNamespace

import numpy as np
import pytest

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.recipes.extraction_results import combined_orders, with_blaze

STEP_PX = 0.25


def lamp(wave_nm):
    """Photons per nm and arcsec, alike for lamp and object; any efficiency cancels."""
    return 100 + 0.01 * (wave_nm - 1000)


def efficiency(order, place, count):
    """Of one order: it peaks in its middle and differs from order to order."""
    return (0.6 + 0.02 * (order % 5)) * np.exp(-4 * (place / count - 0.5) ** 2)


def order_pixels(solution, order, moved_px):
    """Bins of one order on a detector that has moved, and what a lamp had put in its pixels."""
    wave = np.linspace(*solution.range_nm[solution.index(order)], 4000)
    x, y = solution.to_pixel(order, wave)
    along, across = solution.along(x, y), solution.across(x, y)
    rising = np.argsort(along)
    length = solution.shape[1] if solution.dispersion_axis == "x" else solution.shape[0]
    first = max(int(np.ceil(along.min() + moved_px)) + 2, int(np.ceil(moved_px)))
    last = min(int(np.floor(along.max())) - 2, length)
    bins = np.arange(first, last)
    blaze = np.full(length, np.nan)
    blaze[bins] = lamp_light(solution, order, bins, along[rising], wave[rising], across[rising])
    place = bins - moved_px
    at_wave = np.interp(place, along[rising], wave[rising])
    return SimpleNamespace(order=order, place=place, wave_nm=at_wave), blaze


def lamp_light(solution, order, bins, along, wave, across):
    """Light of the lamp per pixel at the slit centre."""
    at_wave, at_across = np.interp(bins, along, wave), np.interp(bins, along, across)

    def sky(du, dv):
        place = (bins + du, at_across + dv)
        pixel = place if solution.dispersion_axis == "x" else place[::-1]
        return np.stack(solution.to_sky(order, *pixel))

    # Size of a pixel on the sky, by differences: nm times arcsec.
    du = sky(STEP_PX, 0) - sky(-STEP_PX, 0)
    dv = sky(0, STEP_PX) - sky(0, -STEP_PX)
    size = np.abs(du[0] * dv[1] - du[1] * dv[0]) / (2 * STEP_PX) ** 2
    return lamp(at_wave) * size * efficiency(order, bins, solution.shape[0])


def long_form(solution, all_pixels):
    columns = {"order": [], "wave_nm": [], "width_nm": [], "flux_e": []}
    for pixels in all_pixels:
        width = np.abs(np.gradient(pixels.wave_nm))
        share = efficiency(pixels.order, pixels.place, solution.shape[0])
        flux = lamp(pixels.wave_nm) * width * share
        rising = np.argsort(pixels.wave_nm)
        columns["order"].append(np.full(len(pixels.place), pixels.order))
        for name, value in (("wave_nm", pixels.wave_nm), ("width_nm", width), ("flux_e", flux)):
            columns[name].append(value[rising])
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    flux, number = arrays["flux_e"], len(arrays["order"])
    return OrderSpectra(
        **arrays,
        error_e=0.005 * flux,
        quality=np.zeros(number, "u2"),
        sky_e=np.zeros(number),
        boxcar_e=flux,
        boxcar_error_e=0.005 * flux,
        blaze=np.full(number, np.nan),
        covariance={pixels.order: 1.0 for pixels in all_pixels},
        exptime_s=10.0,
    )


@pytest.mark.parametrize("moved_px", [0.0, 2.5])
@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_no_step_where_orders_meet(arm, moved_px, sky):
    """Also when flexure has moved the spectra since the flat: blaze goes by wavelength."""
    solution = sky.solution(arm)
    pairs = [order_pixels(solution, int(order), moved_px) for order in solution.orders]
    all_pixels = [pixels for pixels, _ in pairs]
    blaze = {pixels.order: values for pixels, values in pairs}
    spectra = with_blaze(long_form(solution, all_pixels), solution, blaze)
    assert np.nanmax(spectra.blaze) == 1
    known = np.isfinite(spectra.blaze)
    assert known.mean() > 0.99
    ratio = (spectra.flux_e / spectra.blaze)[known]
    assert np.ptp(ratio) / ratio.mean() < 2e-3
    run = SimpleNamespace(settings=SimpleNamespace(wave_step=0.0, velocity_step=15.0))
    merged = combined_orders(run, spectra)
    inside = (merged["QUAL"] == 0) & np.isfinite(merged["FLUX"])
    flux = np.asarray(merged["FLUX"])[inside][5:-5]
    assert np.ptp(flux) / flux.mean() < 0.005
    # On the scale of electrons where the arm sees most.
    best = np.nanargmax(spectra.blaze / spectra.width_nm)
    assert flux.mean() == pytest.approx(
        spectra.flux_e[best] / spectra.width_nm[best] / 10, rel=0.01
    )

"""From extracted objects to the products of soxs_extract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.combine_spectra import combine, linear_grid, log_grid
from soxs_recipes.algorithms.object_extraction import ExtractedObject, SlitView
from soxs_recipes.algorithms.object_trace import CurveFit
from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.spectrum_pieces import SpectrumPiece
from soxs_recipes.products.object_tables import object_tables
from soxs_recipes.products.spectrum_tables import spectrum_tables
from soxs_recipes.products.table_rows import table_rows
from soxs_recipes.recipes.base import Result, Run, temperatures
from soxs_recipes.recipes.extraction_products import OBJECT_TAB, SPECTRUM_1D, SPECTRUM_ORDERS
from soxs_recipes.recipes.seeing import seeing_arcsec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.declarations import Product
    from soxs_recipes.recipes.frames import InputFrame

# Orders in which the median signal-to-noise ratio is above this hold the object.
_LIT_SNR = 1.0
# Fainter parts of the blaze are no scale.
_LEAST_BLAZE = 1e-3


def with_blaze(
    spectra: OrderSpectra, solution: DispersionSolution, blaze: Mapping[int, NDArray[np.float64]]
) -> OrderSpectra:
    """Return spectra with the blaze at their wavelengths, of light summed along the slit.

    A pixel of a lamp flat sees the more of the slit the fewer pixels an arcsec has; this changes
    from order to order and along them, and the spectrum of an object knows nothing of it.

    Parameters
    ----------
    spectra : OrderSpectra
        Orders of an object.
    solution : DispersionSolution
        That of the lamp flat, without the flexure of the exposures: blaze and filters go by
        wavelength, and move on the detector with the light.
    blaze : mapping
        Order to signal of the lamp in each pixel along dispersion, NaN where it is not known.
    """
    values = np.full(len(spectra.order), np.nan)
    for order in set(spectra.orders) & set(blaze):
        here = spectra.of(order)
        wave_nm = spectra.wave_nm[here]
        place = solution.along(*solution.to_pixel(order, wave_nm))
        # Beyond the detector, by the flexure at most, the last pixel's value holds.
        light = np.interp(place, np.arange(len(blaze[order])), blaze[order])
        values[here] = light * _px_per_arcsec(solution, order, wave_nm)
    most = np.nanmax(values) if np.isfinite(values).any() else 1.0
    return replace(spectra, blaze=values / most)


def _px_per_arcsec(
    solution: DispersionSolution, order: int, wave_nm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pixels per arcsec of slit at one wavelength, counted where lines are not tilted."""
    x_wave, y_wave, x_slit, y_slit = solution.jacobian(order, wave_nm, 0.0)
    return np.abs((x_wave * y_slit - x_slit * y_wave) / solution.along(x_wave, y_wave))


def extraction_results(
    run: Run,
    role: str,
    view: SlitView,
    extracted: ExtractedObject,
    frames: Sequence[InputFrame],
    number: int,
) -> list[Result]:
    """Spectrum of every order, their combination, and the table of objects.

    Parameters
    ----------
    run : Run
        Settings of the grid.
    role : str
        SCI, FLUX or TELL.
    view : SlitView
        The exposures.
    extracted : ExtractedObject
        The object, its blaze known.
    frames : sequence of InputFrame
        The exposures' frames.
    number : int
        From the second object on, files are told apart by it.
    """
    spectra = extracted.spectra
    qc = {**quality_control(run, view, extracted, frames[0]), **temperatures(frames)}
    share = qc["BACKGROUND FRAC"]
    if share:
        run.info(
            f"Light of neighbours or of a galaxy under the object, {100 * share:.1f} % of its own, "
            "was fitted with it and is not in its spectrum, whose level this makes uncertain by "
            f"{100 * qc['BACKGROUND ERR']:.1f} %; --background=no leaves it in"
        )
    contents = {
        SPECTRUM_ORDERS[role]: spectrum_tables(spectra),
        SPECTRUM_1D[role]: {"SPECTRUM": combined_orders(run, spectra)},
        OBJECT_TAB[role]: object_tables(view, extracted.found, extracted),
    }
    steps = (
        f"extracted from {len(extracted.beams)} image(s) of the object",
        "orders combined on the scale of the blaze",
    )
    return [
        Result(_named(product, number), content, qc, spectra.exptime_s, steps=steps)
        for product, content in contents.items()
    ]


def combined_orders(run: Run, spectra: OrderSpectra) -> NDArray[np.void]:
    """Orders as one spectrum of relative counts."""
    peak = np.nanmax(spectra.blaze / spectra.width_nm, initial=_LEAST_BLAZE)
    pieces = [_piece(spectra, order, peak) for order in spectra.orders]
    pieces = [piece for piece in pieces if piece.finite.any()]
    low = min((piece.wave_nm[piece.finite][0] for piece in pieces), default=spectra.wave_nm.min())
    high = max((piece.wave_nm[piece.finite][-1] for piece in pieces), default=low * 1.001)
    given = run.settings
    grid = (
        linear_grid(low, high, given.wave_step)
        if given.wave_step
        else log_grid(low, high, given.velocity_step)
    )
    combined = combine(pieces, grid)
    error = np.sqrt(combined.variance)
    return table_rows(
        {
            "WAVE": (grid[1:] + grid[:-1]) / 2,
            "FLUX": combined.flux,
            "ERR": error,
            "QUAL": combined.quality.astype("i4"),
            "SNR": (combined.flux / error).astype("f4"),
            "SKY": combined.sky,
            "COVAR": combined.covariance_factor,
        }
    )


def quality_control(
    run: Run, view: SlitView, extracted: ExtractedObject, frame: InputFrame
) -> dict[str, float | int | bool | None]:
    """Quality-control parameters of an extraction."""
    spectra, first = extracted.spectra, extracted.beams[0]
    good = spectra.good & np.isfinite(spectra.blaze)
    by_order = [_median(spectra.snr[good & spectra.of(order)]) for order in spectra.orders]
    middle = float(np.sqrt(np.prod(view.range_nm)))
    order = min(view.pixels[0], key=lambda one: abs(np.median(one.wave_nm) - middle)).order
    places = [beam.model.trace.at(order, np.array(middle)) for beam in extracted.beams]
    slit, fwhm = float(places[0][0]), float(np.mean([fwhm for _, fwhm in places]))
    seeing = seeing_arcsec(run, frame, view.solution, fwhm, middle)
    return {
        "N ORDERS": int(np.sum(np.array(by_order) > _LIT_SNR)),
        "N OBJECTS": len(view.objects),
        "N BEAMS": len(extracted.beams),
        "SNR MEDIAN": _median(spectra.snr[good]),
        "OBJECT SLIT": slit,
        "OBJECT SNR": extracted.found.snr,
        "OBJECT FWHM": fwhm,
        "SEEING": seeing if extracted.traced else None,
        "OBJECT TRACED": extracted.traced,
        "SLIT FRAC": float(np.mean([beam.slit_share for beam in extracted.beams])),
        "BACKGROUND FRAC": _background_fraction(spectra),
        "BACKGROUND ERR": extracted.level_error,
        "BEAM LEVEL SD": float(np.std(extracted.levels)),
        **_samples(first.centres),
        **_residuals(view, first.centres),
        "REJPIX FRAC": extracted.rejected,
        "COVAR FACTOR": float(np.median(list(spectra.covariance.values()))),
    }


def _named(product: Product, number: int) -> Product:
    """Products of further objects have names of their own."""
    return product if number == 1 else replace(product, suffix=f"_object{number}.fits")


def _piece(spectra: OrderSpectra, order: int, peak: float) -> SpectrumPiece:
    """One order over its blaze per nm, relative to the arm's peak of that."""
    here = spectra.of(order)
    blaze = np.where(spectra.blaze[here] > _LEAST_BLAZE, spectra.blaze[here], np.nan)
    scale = peak / (blaze * spectra.exptime_s)
    return SpectrumPiece(
        spectra.wave_nm[here],
        spectra.width_nm[here],
        spectra.flux_e[here] * scale,
        (spectra.error_e[here] * scale) ** 2,
        spectra.quality[here],
        spectra.sky_e[here] * scale,
        covariance_factor=spectra.covariance[order],
    )


def _samples(centres: CurveFit | None) -> dict[str, float | int | None]:
    """How many samples the trace rests on."""
    names = ("TOT NUM", "DET NUM", "DET FRAC", "CLIP NUM", "CLIP FRAC")
    if centres is None:
        return dict.fromkeys((f"SAMPLES {name}" for name in names), None)
    total, known = len(centres.residual), np.isfinite(centres.residual)
    clipped = int(np.sum(known & ~centres.used))
    found = int(known.sum())
    values = (total, found, found / total, clipped, clipped / max(found, 1))
    return {f"SAMPLES {name}": value for name, value in zip(names, values, strict=True)}


def _residuals(view: SlitView, centres: CurveFit | None) -> dict[str, float | None]:
    """Residuals of the trace in pixels across dispersion."""
    solution = view.solution
    axis = "X" if solution.dispersion_axis == "y" else "Y"
    names = ("MIN", "MAX", "SD", "MEDIAN")
    if centres is None or not centres.used.any():
        return dict.fromkeys((f"{axis} RES {name}" for name in names), None)
    _, _, x_slit, y_slit = solution.jacobian(solution.orders, solution.range_nm.mean(axis=1))
    scale = float(np.median(np.abs(solution.across(x_slit, y_slit))))
    residual = centres.residual[centres.used] * scale
    values = (residual.min(), residual.max(), residual.std(), np.median(np.abs(residual)))
    return {f"{axis} RES {name}": float(value) for name, value in zip(names, values, strict=True)}


def _background_fraction(spectra: OrderSpectra) -> float:
    """Light of neighbours and of a galaxy under the object, over its own, in all bins together."""
    if spectra.background_e is None:
        return 0.0
    good = spectra.good
    own = float(np.sum(spectra.flux_e[good]))
    return float(np.sum(spectra.background_e[good])) / own if own else 0.0


def _median(values: NDArray) -> float | None:
    return float(np.median(values)) if len(values) else float("nan")

"""Flux scales of soxs_merge: slit losses, the join of the arms, the magnitude of the target."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.absolute_scale import BandRatio, FluxScale, fit_scale
from soxs_recipes.algorithms.flux_calibration import TELLURIC_FLUX
from soxs_recipes.algorithms.slit_loss import MONITOR_ERROR, Seen, relative_loss
from soxs_recipes.errors import ParameterError
from soxs_recipes.products.filter_tables import read_filters
from soxs_recipes.products.phot_tables import read_phot_table
from soxs_recipes.recipes.declarations import AUTO
from soxs_recipes.recipes.merge_declarations import NO_MAGNITUDE, PHOT_TAB
from soxs_recipes.recipes.merge_inputs import MEASURED_SEEING, ArmInput
from soxs_recipes.recipes.statics import FILTER_TAB, static_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from soxs_recipes.algorithms.combine_spectra import Combined
    from soxs_recipes.algorithms.passbands import Passband
    from soxs_recipes.recipes.base import Run

_ANGSTROM_PER_NM = 10.0
_LEAST_COVER = 0.97
_SAME_SLIT_ARCSEC = 0.01
_MAG_TO_RELATIVE = 0.4 * math.log(10)


@dataclass(frozen=True)
class Magnitude:
    """Magnitude of the target in a filter, and the error of the flux that follows from it."""

    band: Passband
    ab: float
    error: float

    @property
    def relative_error(self) -> float:
        """Relative error of the flux."""
        return self.error * _MAG_TO_RELATIVE


def target_magnitudes(run: Run) -> tuple[Magnitude, ...]:
    """Magnitudes that set the flux scale; none if there is none or none is wanted.

    Raises
    ------
    ParameterError
        If one is asked for that is not there.
    """
    wanted, given = run.settings.flux_scale, run.settings.magnitude
    tables, curves = run.inputs.of(PHOT_TAB), static_path(run, FILTER_TAB)
    if wanted == "none":
        return ()
    if wanted != "magnitude" and tables:
        found = [_photometry(run, table.path, curves) for table in tables]
        if any(found) or wanted == "photometry":
            return tuple(filter(None, found))
    if wanted == "photometry":
        raise _no_scale("photometry", "a PHOT_TAB_ACQ", "add it to the set of frames")
    if given < NO_MAGNITUDE:
        band = read_filters(curves)[run.settings.magnitude_filter]
        return (Magnitude(band, given, run.settings.magnitude_error),)
    if wanted == "magnitude":
        raise _no_scale("magnitude", "a magnitude", "set --magnitude and --magnitude-filter")
    return ()


def _no_scale(wanted: str, expected: str, remedy: str) -> ParameterError:
    return ParameterError(
        f"There is nothing for --flux-scale={wanted}",
        expected=expected,
        found="none",
        remedy=remedy,
    )


def _photometry(run: Run, path: Path, curves: Path) -> Magnitude | None:
    """Magnitude of the target in the acquisition image; None where it tells none."""
    table = read_phot_table(path)
    bands = read_filters(curves)
    ab, error = table.target_magnitude
    if table.target is None or table.filter_name not in bands:
        reason = "no target in a known filter"
    elif not table.is_target_seen:
        reason = "but a limit for the target"
    elif not (math.isfinite(ab) and math.isfinite(error)):
        reason = "no zero point"
    else:
        return Magnitude(bands[table.filter_name], ab, error)
    run.warning(f"{path.name} has {reason}: the flux is not scaled by it")
    return None


def absolute_scale(
    run: Run, spectrum: Combined, magnitudes: Sequence[Magnitude]
) -> tuple[FluxScale | None, tuple[Magnitude, ...]]:
    """Factor by which a spectrum (erg s-1 cm-2 Angstrom-1) reaches magnitudes, and those used.

    Magnitudes are those above the atmosphere, through curves that include it: the flux is compared
    as corrected for telluric lines, where it is. A filter that the spectrum does not cover, or in
    which it has no light, is left out with a warning.
    """
    wave = spectrum.wave_nm
    corrected = spectrum.extra.get(TELLURIC_FLUX, np.full(len(wave), np.nan))
    flux = np.where(np.isfinite(corrected), corrected, spectrum.flux)
    known = np.isfinite(flux)
    pairs = [(one, _band_ratio(run, wave[known], flux[known], one)) for one in magnitudes]
    pairs = [(one, ratio) for one, ratio in pairs if ratio is not None]
    if not pairs:
        return None, ()
    return fit_scale([ratio for _, ratio in pairs]), tuple(one for one, _ in pairs)


def _band_ratio(
    run: Run, wave_nm: np.ndarray, flux: np.ndarray, magnitude: Magnitude
) -> BandRatio | None:
    band = magnitude.band
    if not len(wave_nm) or not band.covered_by(wave_nm, _LEAST_COVER):
        run.warning(f"the spectrum does not cover the filter {band.name}: the flux is not scaled")
        return None
    synthetic = float(band.ab_magnitude(wave_nm, flux * _ANGSTROM_PER_NM))
    if not math.isfinite(synthetic):
        run.warning(f"there is no light in the filter {band.name}: the flux is not scaled")
        return None
    ratio = 10 ** (-0.4 * (magnitude.ab - synthetic))
    return BandRatio(band.pivot_nm, ratio, magnitude.relative_error)


def slit_loss(
    run: Run,
    arms: Sequence[ArmInput],
    arm: ArmInput,
    wave_nm: np.ndarray,
    magnitudes: Sequence[Magnitude],
) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and relative error by wavelength; None where slit losses are left as they are.

    Where the image of the target could not be measured in one arm, that of the other stands in.
    """
    wanted = run.settings.slit_loss
    if wanted == "no" or arm.response is None:
        return None
    seen = _best_seen(arms, arm)
    if seen is None or arm.standard is None:
        if wanted == "yes" or magnitudes:
            run.warning(f"{arm.name}: the seeing is not known: slit losses are not corrected")
        return None
    same = abs(arm.standard.slit_arcsec - seen.slit_arcsec) < _SAME_SLIT_ARCSEC
    guessed = MONITOR_ERROR in (seen.relative_error, arm.standard.relative_error)
    if wanted == AUTO and same and guessed and not magnitudes:
        return None
    pivots = [magnitude.band.pivot_nm for magnitude in magnitudes]
    anchor = float(np.exp(np.mean(np.log(pivots)))) if pivots else None
    return relative_loss(wave_nm, seen, arm.standard, anchor)


def _best_seen(arms: Sequence[ArmInput], arm: ArmInput) -> Seen | None:
    """The target in one arm, its image measured there, else in the other, else not at all."""
    own = arm.seen
    measured = [one.seen for one in (arm, *arms) if MEASURED_SEEING in one.frame.header]
    if own is None or not measured:
        return own
    best = measured[0]
    return replace(own, fwhm_arcsec=best.fwhm_arcsec, relative_error=best.relative_error)

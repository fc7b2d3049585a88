"""Flexure of an exposure of the sky: from sky lines, else from telluric bands of its object."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from soxs_recipes.algorithms.flexure import Flexure, sky_flexure
from soxs_recipes.algorithms.flexure_telluric import telluric_flexure
from soxs_recipes.algorithms.line_check_rows import CheckSettings
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.slit_strips import slit_mask
from soxs_recipes.algorithms.telluric import Sight
from soxs_recipes.instrument.spectrograph import SLIT_PX_PER_ARCSEC
from soxs_recipes.products.molecular_tables import read_molecular_table
from soxs_recipes.recipes.merge_inputs import AIRMASS_KEYWORDS, mean_of
from soxs_recipes.recipes.soxs_line_check import slit_width_arcsec
from soxs_recipes.recipes.standard_inputs import expected_water

if TYPE_CHECKING:
    from soxs_recipes.algorithms.frame import DetectorFrame
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.detrending import Detrended
    from soxs_recipes.recipes.sky_exposures import Setup

# Sky lines: brightest per order that are measured, their least significance, and the shift by
# neighbours that is borne.
_LINES_PER_ORDER, _LEAST_SNR, _BLEND_PX = 20, 7.0, 0.1
# Light of the target within this distance is kept from the sky lines.
_TARGET_ARCSEC = 1.5
# Sky lines that tell the shift along dispersion worse than this are helped by telluric bands.
_WELL_KNOWN_PX = 0.05

_molecules = lru_cache(maxsize=1)(read_molecular_table)


def measured_flexure(run: Run, setup: Setup, exposure: Detrended, target_arcsec: float) -> Flexure:
    """Flexure of a detrended exposure; none if the run's settings say so.

    Parameters
    ----------
    run : Run
        Its settings are used.
    setup : Setup
        Solution, lines, and what is expected.
    exposure : Detrended
        The exposure.
    target_arcsec : float
        Slit position of the target.
    """
    if not run.settings.flexure:
        return Flexure()
    frame = exposure.frames[0]
    beside = _beside_target(setup, exposure.frame, target_arcsec)
    settings = _check_settings(run, setup, exposure)
    found = sky_flexure(beside, setup.solution, setup.lines, settings, setup.expected)
    _, error_px = found.along(setup.solution.dispersion_axis)
    if error_px > _WELL_KNOWN_PX:
        found = _helped(setup, exposure, found)
    if not found.lines and not found.bands:
        run.warning(
            f"{frame.path.name}: too few sky lines and no telluric bands to measure the flexure; "
            f"{found.dx_px:+.2f}, {found.dy_px:+.2f} px is taken"
        )
    return found


def told_flexure(run: Run, flexure: Flexure) -> str:
    """Processing step that tells the flexure and what it rests on."""
    if not run.settings.flexure:
        return "flexure not corrected"
    counts = {"sky lines": flexure.lines, "telluric bands": flexure.bands}
    sources = [f"{count} {name}" for name, count in counts.items() if count]
    told = " and ".join(sources) or "what was expected"
    return f"flexure {flexure.dx_px:+.3f}, {flexure.dy_px:+.3f} px from {told}"


def _check_settings(run: Run, setup: Setup, exposure: Detrended) -> CheckSettings:
    frame = exposure.frames[0]
    along = 0 if run.arm.detector.dispersion_axis == "x" else 1
    low, high = setup.slit_arcsec
    return CheckSettings(
        SLIT_PX_PER_ARCSEC * slit_width_arcsec(frame) / frame.readout.binning[along],
        high - low,
        _LINES_PER_ORDER,
        _LEAST_SNR,
        _BLEND_PX,
        slit_centre_arcsec=(low + high) / 2,
    )


def _helped(setup: Setup, exposure: Detrended, found: Flexure) -> Flexure:
    """Flexure with what the telluric bands of the brightest object say."""
    frame = exposure.frames[0]
    airmass = mean_of(frame, AIRMASS_KEYWORDS)
    if airmass is None or airmass < 1:
        return found
    table = _molecules(setup.molecules)
    sight = Sight(airmass, expected_water(frame))
    return telluric_flexure(exposure.frame, setup.solution, setup.slit_arcsec, table, sight, found)


def _beside_target(setup: Setup, frame: DetectorFrame, slit_arcsec: float) -> DetectorFrame:
    """Frame whose pixels near the target are flagged: features of stars are no sky lines."""
    near = (slit_arcsec - _TARGET_ARCSEC, slit_arcsec + _TARGET_ARCSEC)
    return frame.flag(slit_mask(setup.solution, near), Quality.REJECTED)

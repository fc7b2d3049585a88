"""What a standard of the same night says of the telluric absorption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soxs_recipes.recipes.statics import A0V_MODEL, FLUX_STD_TAB, static_path

if TYPE_CHECKING:
    import numpy as np

    from soxs_recipes.algorithms.molecules import MolecularTable
    from soxs_recipes.algorithms.order_spectra import OrderSpectra
    from soxs_recipes.algorithms.telluric import TelluricFit
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

    Source = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ObservedStandard:
    """A standard whose absorption was fitted."""

    frame: InputFrame
    name: str
    fit: TelluricFit
    airmass: float


def observed_standard(
    run: Run, frame: InputFrame, is_telluric: bool, table: MolecularTable
) -> ObservedStandard:
    """Fit the absorption of a telluric or flux standard."""
    from soxs_recipes.algorithms.telluric import Sight, fit_telluric
    from soxs_recipes.products.spectrum_tables import read_order_spectra
    from soxs_recipes.recipes.standard_inputs import airmass_of, expected_water

    spectra = read_order_spectra(frame.path)
    airmass = airmass_of(frame)
    if is_telluric:
        source = _a0v_source(run, spectra, table, airmass)
    else:
        source = _flux_standard_source(run, frame)
    sight = Sight(airmass, expected_water(frame), source)
    name = str(frame.header.get("OBJECT", "") or frame.path.name).strip()
    fit = fit_telluric(spectra, table, sight)
    return ObservedStandard(frame, name, fit, airmass)


def _a0v_source(run: Run, spectra: OrderSpectra, table: MolecularTable, airmass: float) -> Source:
    from soxs_recipes.algorithms.a0v_star import fit_star_lines
    from soxs_recipes.algorithms.telluric import order_parts
    from soxs_recipes.products.standard_tables import read_star_model

    model = read_star_model(static_path(run, A0V_MODEL))
    lines = fit_star_lines(order_parts(spectra), model, table, airmass)
    run.info(
        f"A0V star: velocity {lines.velocity_kms:.0f} km/s, rotation "
        f"{(lines.broadening_kms**2 + model.rotation_kms**2) ** 0.5:.0f} km/s, hydrogen lines "
        f"to the power {lines.strength:.2f}"
    )
    return lines.source(model)


def _flux_standard_source(run: Run, frame: InputFrame) -> Source | None:
    from soxs_recipes.products.standard_tables import read_reference
    from soxs_recipes.recipes.standard_inputs import UnknownStandardError, identified_standard

    try:
        star = identified_standard(run, frame).star
    except UnknownStandardError as error:
        run.warning(f"{frame.path.name}: {error.summary}; its spectrum is taken as smooth")
        return None
    return read_reference(static_path(run, FLUX_STD_TAB), star.name).in_vacuum

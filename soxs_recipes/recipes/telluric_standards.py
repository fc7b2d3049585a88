"""What a standard of the same night says of the telluric absorption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from soxs_recipes.algorithms.molecules import MolecularTable
    from soxs_recipes.algorithms.order_spectra import OrderSpectra
    from soxs_recipes.algorithms.telluric import TelluricFit
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

    Source = Callable[[np.ndarray], np.ndarray]
    SourceOf = Callable[[InputFrame, OrderSpectra, MolecularTable], Source | None]


@dataclass(frozen=True)
class ObservedStandard:
    """A standard whose absorption was fitted."""

    frame: InputFrame
    name: str
    fit: TelluricFit
    airmass: float


def observed_standard(
    frame: InputFrame, source_of: SourceOf, table: MolecularTable
) -> ObservedStandard:
    """Fit the absorption of a standard whose own spectrum `source_of` gives."""
    from soxs_recipes.algorithms.telluric import Sight, fit_telluric
    from soxs_recipes.products.spectrum_tables import read_order_spectra
    from soxs_recipes.recipes.standard_inputs import airmass_of, expected_water

    spectra = read_order_spectra(frame.path)
    airmass = airmass_of(frame)
    sight = Sight(airmass, expected_water(frame), source_of(frame, spectra, table))
    name = str(frame.header.get("OBJECT", "") or frame.path.name).strip()
    return ObservedStandard(frame, name, fit_telluric(spectra, table, sight), airmass)


def a0v_source(
    run: Run, model_path: Path, frame: InputFrame, spectra: OrderSpectra, table: MolecularTable
) -> Source:
    """Spectrum of an A0V star with the lines of this one."""
    from soxs_recipes.algorithms.a0v_star import fit_star_lines
    from soxs_recipes.algorithms.telluric import order_parts
    from soxs_recipes.products.standard_tables import read_star_model
    from soxs_recipes.recipes.standard_inputs import airmass_of

    model = read_star_model(model_path)
    lines = fit_star_lines(order_parts(spectra), model, table, airmass_of(frame))
    run.info(
        f"A0V star: velocity {lines.velocity_kms:.0f} km/s, rotation "
        f"{(lines.broadening_kms**2 + model.rotation_kms**2) ** 0.5:.0f} km/s, hydrogen lines "
        f"to the power {lines.strength:.2f}"
    )
    return lines.source(model)


def flux_source(
    run: Run,
    table_path: Path,
    frame: InputFrame,
    _spectra: OrderSpectra,
    _table: MolecularTable,
) -> Source | None:
    """Published spectrum of a flux standard; None, with a warning, for an unknown one."""
    from soxs_recipes.products.standard_tables import read_reference
    from soxs_recipes.recipes.standard_inputs import UnknownStandardError, identified_standard

    try:
        star = identified_standard(run, frame).star
    except UnknownStandardError as error:
        run.warning(f"{frame.path.name}: {error.summary}; its spectrum is taken as smooth")
        return None
    return read_reference(table_path, star.name).in_vacuum

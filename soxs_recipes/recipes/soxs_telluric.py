"""soxs_telluric: telluric transmission of a spectrum."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES
from soxs_recipes.recipes.declarations import Column, Declaration, Hdu, Parameter, Product, Qc
from soxs_recipes.recipes.roles import role_inputs
from soxs_recipes.recipes.statics import (
    A0V_MODEL,
    FLUX_STD_TAB,
    TELLURIC_MODEL,
    static_path,
)

if TYPE_CHECKING:
    from soxs_recipes.algorithms.molecules import MolecularTable
    from soxs_recipes.algorithms.order_spectra import OrderSpectra
    from soxs_recipes.algorithms.telluric import TelluricFit
    from soxs_recipes.algorithms.telluric_curve import Telluric
    from soxs_recipes.recipes.frames import InputFrame
    from soxs_recipes.recipes.telluric_standards import ObservedStandard

SCIENCE = role_inputs("SPECTRUM_ORDERS_{arm}", "extracted orders of the target", maximum=1)["SCI"]
_STANDARDS = role_inputs(
    "SPECTRUM_ORDERS_{arm}", "extracted orders of a standard", minimum=0, maximum=1
)
TELLURIC_STANDARD, FLUX_STANDARD = _STANDARDS["TELL"], _STANDARDS["FLUX"]

_ORDER = Column("ORDER", "i2", "", "order number")
TELLURIC_TAB = Product(
    "TELLURIC_TAB_{arm}",
    "telluric transmission in the bins of a spectrum",
    (
        Hdu(
            "TELLURIC",
            "table",
            "",
            "one row per order and bin of the target",
            (
                _ORDER,
                Column("WAVE", "f8", "nm", "wavelength, standard air"),
                Column("TRANSMISSION", "f8", "", "transmission at the resolution of the target"),
                Column("ERR", "f8", "", "its standard error, with that of the model"),
                Column("QUAL", "i4", "", "quality bit mask, 0 is good"),
            ),
        ),
        Hdu(
            "FIT",
            "table",
            "",
            "one row per order that was fitted; none by molecfit",
            (
                _ORDER,
                Column("PWV", "f8", "mm", "precipitable water at zenith, NaN if insensitive"),
                Column("SHIFT", "f8", "pixel", "shift towards longer wavelengths"),
                Column("SHIFT_ERR", "f8", "pixel", "its standard error"),
                Column("FWHM", "f8", "pixel", "width of the line spread"),
                Column("WING", "f8", "", "share of the light in its wings"),
                Column("PIXELS", "i4", "pixel", "pixels fitted"),
                Column("CHI2", "f8", "", "sum of squared deviations"),
                Column("CHI2_NONE", "f8", "", "the same without absorption"),
                Column("USED", "i2", "", "1: the order gets this transmission, 0: it gets 1"),
            ),
        ),
    ),
    per_observation=True,
)

METHOD = Parameter(
    "method",
    "auto",
    "auto: model, its lines corrected by the standard if there is one; model: without that "
    "correction; molecfit: ESO's recipes through EsoRex",
    choices=("auto", "model", "molecfit"),
)
KNOTS = Parameter(
    "continuum-knots",
    1.2,
    "Distance of the knots of the continuum, of the wavelength",
    "%",
    0.2,
    20.0,
)

DECLARATION = Declaration(
    name="soxs_telluric",
    synopsis="Telluric transmission of a spectrum",
    description="""
The absorption by water, oxygen, carbon dioxide, methane and nitrous oxide is computed at high
resolution from tabulated optical depths, convolved with the line spread and fitted to the orders
of the target together with a smooth continuum. Fitted are the water, the strength of each
molecule (of oxygen in each band, of water at 1.1 micron apart), a shift and the line spread. What
the orders share is averaged, and each is fitted again close to that average. Everything has an
expected value with an error: the water from the site's radiometer, if the header has it, the rest
from the literature; and all from a standard of the same night where one is given. So a bright
target is fitted by itself, and a faint one gets what the standard says at its own airmass.

A telluric standard comes before a flux standard. It is taken for an A0V star: Vega's model, moved,
broadened and with hydrogen lines scaled to fit; a flux standard is divided by its published
spectrum. Where the lines of the standard depart from the model by more than its noise, the
strengths of those lines are corrected in the target too.

Orders whose data speak against absorption are left as they are. Deep bands are flagged.
""",
    arms=("VIS", "NIR"),
    inputs=(
        SCIENCE,
        TELLURIC_STANDARD,
        FLUX_STANDARD,
        TELLURIC_MODEL,
        A0V_MODEL,
        FLUX_STD_TAB,
    ),
    products=(TELLURIC_TAB,),
    parameters=(METHOD, KNOTS, PRODUCT_SUFFIX),
    qc=(
        Qc("TELL METHOD", "", "how it was made", str),
        Qc("TELL STD", "", "standard that was used", str, optional=True),
        Qc("PWV", "mm", "precipitable water at zenith", optional=True),
        Qc("PWV ERR", "mm", "its standard error", optional=True),
        Qc("PWV STD", "mm", "the same towards the standard", optional=True),
        Qc("O2 SCALE", "", "oxygen over the table, strongest band", optional=True),
        Qc("CO2 SCALE", "", "carbon dioxide over the table", optional=True),
        Qc("CH4 SCALE", "", "methane over the table", optional=True),
        Qc("TELL SHIFT", "px", "median shift of the orders", optional=True),
        Qc("TELL FWHM", "px", "median width of the line spread", optional=True),
        Qc("TELL CHI2", "", "reduced chi-squared", optional=True),
        Qc("TELL FLAGGED", "%", "bins flagged as too deep"),
        *TEMPERATURES,
    ),
    example=(("SCI_SPECTRUM_ORDERS_VIS", 1),),
)


class SoxsTelluric(SoxsRecipe):
    """Telluric transmission of a spectrum."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Fit the standard, then the target, and evaluate the transmission."""
        from soxs_recipes.products.spectrum_tables import read_order_spectra
        from soxs_recipes.products.telluric_tables import fit_table, telluric_tables

        frame = run.inputs.one(SCIENCE)
        spectra = read_order_spectra(frame.path)
        standard = fit = None
        if run.settings.method == "molecfit":
            from soxs_recipes.recipes.molecfit import molecfit_transmission

            telluric = molecfit_transmission(frame, spectra)
        else:
            fit, telluric, standard = _modelled(run, frame, spectra)
        content = {**telluric_tables(telluric), "FIT": fit_table(fit)}
        qc = {**_quality(run, telluric, fit, standard), **temperatures([frame])}
        return [Result(TELLURIC_TAB, content, qc, spectra.exptime_s)]


def _modelled(
    run: Run, frame: InputFrame, spectra: OrderSpectra
) -> tuple[TelluricFit, Telluric, ObservedStandard | None]:
    """Fit the model to the target, with what a standard says."""
    from soxs_recipes.algorithms.telluric import Sight, fit_telluric
    from soxs_recipes.algorithms.telluric_order_fit import FitSettings
    from soxs_recipes.algorithms.telluric_transmission import (
        corrections_for,
        line_corrections,
        transmission,
    )
    from soxs_recipes.products.molecular_tables import read_molecular_table
    from soxs_recipes.recipes.standard_inputs import airmass_of, expected_water

    table = read_molecular_table(static_path(run, TELLURIC_MODEL))
    standard = _standard(run, table)
    settings = FitSettings(knot=run.settings.continuum_knots / 100)
    corrections = None
    if standard and run.settings.method == "auto":
        corrections = line_corrections(standard.fit)
    sight = Sight(airmass_of(frame), expected_water(frame))
    fit = fit_telluric(
        spectra,
        table,
        sight,
        standard.fit if standard else None,
        corrections_for(spectra, corrections) if corrections else None,
        settings,
    )
    return fit, transmission(spectra, fit, corrections, settings), standard


def _standard(run: Run, table: MolecularTable) -> ObservedStandard | None:
    """The standard among the frames, a telluric one first."""
    from soxs_recipes.recipes.telluric_standards import a0v_source, flux_source, observed_standard

    models = static_path(run, A0V_MODEL), static_path(run, FLUX_STD_TAB)
    sources = partial(a0v_source, run, models[0]), partial(flux_source, run, models[1])
    for item, source in zip((TELLURIC_STANDARD, FLUX_STANDARD), sources, strict=True):
        frame = run.inputs.one(item)
        if frame is not None:
            return observed_standard(frame, source, table)
    return None


def _quality(
    run: Run, telluric: Telluric, fit: TelluricFit | None, standard: ObservedStandard | None
) -> dict[str, object]:
    import numpy as np

    from soxs_recipes.algorithms.quality import Quality, has

    names = [item.name for item in DECLARATION.qc if item not in TEMPERATURES]
    qc: dict[str, object] = dict.fromkeys(names)
    qc["TELL METHOD"] = run.settings.method
    qc["TELL FLAGGED"] = 100 * float(np.mean(has(telluric.quality, Quality.TELLURIC)))
    if standard is not None:
        qc["TELL STD"] = standard.name
        qc["PWV STD"] = float(np.exp(standard.fit.water.mean))
    if fit is None or not fit.orders:
        return qc
    water = float(np.exp(fit.water.mean))
    orders = fit.orders.values()
    return qc | {
        "PWV": water,
        "PWV ERR": water * fit.water.sd,
        "O2 SCALE": _scale(fit, "O2 A") or _scale(fit, "O2"),
        "CO2 SCALE": _scale(fit, "CO2"),
        "CH4 SCALE": _scale(fit, "CH4"),
        "TELL SHIFT": float(np.median([one.unknowns["shift_px"] for one in orders])),
        "TELL FWHM": float(np.median([one.fwhm_px for one in orders])),
        "TELL CHI2": sum(one.chi2 for one in orders) / max(sum(one.count for one in orders), 1),
    }


def _scale(fit: TelluricFit, component: str) -> float | None:
    from math import exp

    return exp(fit.shared[component].mean) if component in fit.shared else None

"""soxs_response: response and efficiency of an arm from a flux standard."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError
from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES
from soxs_recipes.recipes.declarations import (
    AUTO,
    Column,
    Declaration,
    Hdu,
    Parameter,
    Product,
    Qc,
)
from soxs_recipes.recipes.roles import role_inputs
from soxs_recipes.recipes.statics import (
    EXTINCTION_TAB,
    FLUX_STD_TAB,
    MASTER_RESP_TAB,
    TELLURIC_MODEL,
    static_path,
)

if TYPE_CHECKING:
    import numpy as np

    from soxs_recipes.algorithms.order_spectra import OrderSpectra
    from soxs_recipes.algorithms.response import MeasuredResponse, Standard
    from soxs_recipes.algorithms.response_curve import Response
    from soxs_recipes.algorithms.standard_stars import StandardStar
    from soxs_recipes.recipes.frames import InputFrame

SPECTRUM = role_inputs("SPECTRUM_ORDERS_{arm}", "extracted orders of a flux standard", maximum=1)[
    "FLUX"
]

_ORDER = Column("ORDER", "i2", "", "order number")
_WAVE = Column("WAVE", "f8", "nm", "wavelength, standard air")
_FLUX_PER_RATE = "erg s-1 cm-2 Angstrom-1 electron-1 s nm"
RESP_TAB = Product(
    "RESP_TAB_{arm}",
    "response: flux above the atmosphere per count rate above it",
    (
        Hdu(
            "RESPONSE",
            "table",
            "",
            "one row per order and bin of the standard",
            (
                _ORDER,
                _WAVE,
                Column("RESPONSE", "f8", _FLUX_PER_RATE, "flux per count rate"),
                Column("ERR", "f8", _FLUX_PER_RATE, "standard error, common to wide ranges"),
            ),
        ),
    ),
)
EFFICIENCY_TAB = Product(
    "EFFICIENCY_TAB_{arm}",
    "electrons per photon, telescope and instrument, losses at the slit included",
    (
        Hdu(
            "EFFICIENCY",
            "table",
            "",
            "one row per order and bin of the standard",
            (
                _ORDER,
                _WAVE,
                Column("EFFICIENCY", "f8", "", "measured in the bin"),
                Column("ERR", "f8", "", "its standard error"),
                Column("SMOOTH", "f8", "", "fitted curve, NaN where there is none"),
                Column("USED", "i2", "", "1: the curve was fitted to it"),
            ),
        ),
        Hdu(
            "ORDERS",
            "table",
            "",
            "one row per order",
            (
                _ORDER,
                Column("MEDIAN", "f8", "", "median of the fitted efficiency"),
                Column("PEAK", "f8", "", "its largest value"),
                Column("PEAK_WAVE", "f8", "nm", "where that is"),
            ),
        ),
    ),
)

STANDARD = Parameter("standard", "", "Name of the standard, where the header is wrong")
KNOTS = Parameter(
    "response-knots", 3.0, "Distance of the knots of the curve, of the wavelength", "%", 0.3, 30.0
)
ORDER_MODEL = Parameter(
    "order-model",
    AUTO,
    "Whether each order has a curve of its own or all share one, with small departures",
    choices=(AUTO, "own", "shared"),
    by_arm=MappingProxyType({"VIS": "own", "NIR": "shared"}),
)
REFERENCE_ERROR = Parameter(
    "reference-error", 1.0, "Error of the published flux of the standard", "%", 0.0, 20.0
)
EXTINCTION_ERROR = Parameter(
    "extinction-error", 3.0, "Error of the extinction, of itself", "%", 0.0, 50.0
)
MAX_SATURATED = Parameter(
    "max-saturated",
    2.0,
    "A standard with more saturated bins in an order is refused",
    "%",
    0.0,
    100.0,
)

DECLARATION = Declaration(
    name="soxs_response",
    synopsis="Response and efficiency from a flux standard",
    description="""
The standard is found among those of FLUX_STD_TAB by its position, within 2 arcmin, else by its
name or an alias. Its telluric absorption is fitted and taken out; bins of deep absorption are left
out. Its published flux is brought to the resolution of the instrument; line cores and steep
flanks, where the star's velocity and the coarse bins of the table show, count little. Count rates
above the extinction over that flux, and over the blaze, are smooth: a spline follows them, one for
each quasi-order (VIS) or one for all orders (NIR), whose small departures are fitted too. Count
rates are per nm, so that the response holds for any binning. It includes what the standard lost
at the slit: take a wide one. The error of the response holds that of the fit, of the published
flux and of the extinction. With a MASTER_RESP_TAB the drift is measured as a + b (wavelength -
centre). A saturated standard is refused.
""",
    arms=("VIS", "NIR"),
    inputs=(SPECTRUM, FLUX_STD_TAB, EXTINCTION_TAB, TELLURIC_MODEL, MASTER_RESP_TAB),
    products=(RESP_TAB, EFFICIENCY_TAB),
    parameters=(
        STANDARD,
        KNOTS,
        ORDER_MODEL,
        REFERENCE_ERROR,
        EXTINCTION_ERROR,
        MAX_SATURATED,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("STD NAME", "", "flux standard", str),
        Qc("STD DIST", "arcsec", "distance from its position", optional=True),
        Qc("SNR MEDIAN", "", "median signal-to-noise ratio per bin"),
        Qc("EFF MEDIAN", "", "median efficiency"),
        Qc("RESP RMS", "%", "rms of 1 nm bins about the curve"),
        Qc("RESP ERR MEDIAN", "%", "median relative error"),
        Qc("RESP STEP MAX", "%", "largest step known to 0.25 %", optional=True),
        Qc("SATURATED FRAC", "%", "saturated bins of the worst order"),
        Qc("RESP DRIFT A", "", "ratio to the master response", optional=True),
        Qc("RESP DRIFT B", "nm-1", "its slope with wavelength", optional=True),
        *TEMPERATURES,
    ),
    example=(("FLUX_SPECTRUM_ORDERS_NIR", 1),),
)

WIDE_SLIT = "SLIT5.0"


class SaturatedStandardError(InputError):
    """The standard is too bright for its exposure time."""


class NoResponseError(InputError):
    """Nothing of the standard can be used."""


class SoxsResponse(SoxsRecipe):
    """Response and efficiency of an arm from a flux standard."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Identify the standard, measure the response, check it."""
        from soxs_recipes.algorithms.response import ResponseSettings, measure_response
        from soxs_recipes.products.response_tables import response_cards, response_tables
        from soxs_recipes.products.spectrum_tables import read_order_spectra
        from soxs_recipes.recipes.standard_inputs import identified_standard

        frame = run.inputs.one(SPECTRUM)
        found = identified_standard(run, frame, run.settings.standard)
        spectra = read_order_spectra(frame.path)
        saturated = _check_saturation(run, frame, spectra)
        given = run.settings
        settings = ResponseSettings(
            knot=given.response_knots / 100,
            joined=given.order_model == "shared",
            reference_error=given.reference_error / 100,
            extinction_error=given.extinction_error / 100,
        )
        try:
            measured = measure_response(
                spectra, _standard(run, frame, spectra, found.star), settings
            )
        except ValueError as error:
            raise _nothing(frame, error) from error
        response = _described(run, frame, measured.response, found.star)
        qc = {
            "STD NAME": found.star.name,
            "STD DIST": found.distance_arcsec,
            "SATURATED FRAC": 100 * saturated,
            **_quality(run, spectra, measured),
            **_drift(run, response),
            **temperatures([frame]),
        }
        tables = response_tables(response)
        efficiency = _efficiency_tables(spectra, measured)
        cards = response_cards(response)
        return [
            Result(RESP_TAB, tables, qc, spectra.exptime_s, cards=cards),
            Result(EFFICIENCY_TAB, efficiency, qc, spectra.exptime_s),
        ]


def _check_saturation(run: Run, frame: InputFrame, spectra: OrderSpectra) -> float:
    """Largest share of saturated bins in an order; refuse too many."""
    from soxs_recipes.algorithms.response_checks import saturated_fraction

    fractions = saturated_fraction(spectra)
    order = max(fractions, key=fractions.__getitem__)
    worst = fractions[order]
    if 100 * worst > run.settings.max_saturated:
        raise SaturatedStandardError(
            "The standard is saturated",
            file=frame.path,
            expected=f"at most {run.settings.max_saturated:g} % saturated bins in any order",
            found=f"{100 * worst:.1f} % in order {order}",
            remedy="take a shorter exposure, or raise --max-saturated to mask them",
        )
    if worst:
        run.warning(f"{100 * worst:.2g} % of the bins of order {order} are saturated and left out")
    return worst


def _standard(run: Run, frame: InputFrame, spectra: OrderSpectra, star: StandardStar) -> Standard:
    """What is known of the standard in the bins of its spectrum."""
    from soxs_recipes.algorithms.response import Standard, expected_flux
    from soxs_recipes.algorithms.telluric import Sight, fit_telluric
    from soxs_recipes.algorithms.telluric_transmission import transmission
    from soxs_recipes.products.extinction_tables import read_extinction
    from soxs_recipes.products.molecular_tables import read_molecular_table
    from soxs_recipes.products.standard_tables import read_reference
    from soxs_recipes.recipes.standard_inputs import airmass_of, expected_water

    airmass = airmass_of(frame)
    reference = read_reference(static_path(run, FLUX_STD_TAB), star.name)
    table = read_molecular_table(static_path(run, TELLURIC_MODEL))
    sight = Sight(airmass, expected_water(frame), reference.in_vacuum)
    telluric = transmission(spectra, fit_telluric(spectra, table, sight))
    extinction = read_extinction(static_path(run, EXTINCTION_TAB))
    return Standard(
        *expected_flux(spectra, reference),
        telluric.transmission,
        telluric.error,
        airmass * extinction.at(spectra.wave_nm),
    )


def _described(run: Run, frame: InputFrame, response: Response, star: StandardStar) -> Response:
    """Response with the circumstances of the standard; warn of a narrow slit."""
    from dataclasses import replace

    from soxs_recipes.recipes.frames import Setting, setting
    from soxs_recipes.recipes.merge_inputs import MEASURED_SEEING
    from soxs_recipes.recipes.standard_inputs import airmass_of, slit_of

    slit = slit_of(frame)
    if slit != WIDE_SLIT:
        run.warning(
            f"The standard was observed through {slit or 'an unknown slit'}, not {WIDE_SLIT}: "
            "the response includes what it lost there"
        )
    return replace(
        response,
        standard=star.name,
        airmass=airmass_of(frame),
        slit=slit,
        binning=str(setting(frame, Setting.BINNING)),
        seeing_arcsec=float(frame.header.get(MEASURED_SEEING, "nan")),
    )


def _quality(
    run: Run, spectra: OrderSpectra, measured: MeasuredResponse
) -> dict[str, float | None]:
    import numpy as np

    from soxs_recipes.algorithms.response_checks import residual_rms, steps_between_orders

    steps = steps_between_orders(spectra, measured)
    if not steps:
        run.warning(
            "No two orders overlap where the standard is bright enough: no step was measured"
        )
    response = measured.response
    return {
        "SNR MEDIAN": np.median(spectra.snr[measured.used]),
        "EFF MEDIAN": np.nanmedian(_efficiency(spectra, measured.fitted)),
        "RESP RMS": 100 * residual_rms(spectra, measured),
        "RESP ERR MEDIAN": 100 * np.median(response.error / response.response),
        "RESP STEP MAX": 100 * max(map(abs, steps.values())) if steps else None,
    }


def _drift(run: Run, response: Response) -> dict[str, float | None]:
    """Drift against the master response, if there is one."""
    from soxs_recipes.algorithms.response_checks import drift
    from soxs_recipes.products.response_tables import read_response

    masters = run.inputs.static(MASTER_RESP_TAB)
    found = drift(response, read_response(masters[0])) if masters else None
    if masters and found is None:
        run.warning(f"{masters[0].name} has no wavelength in common with this response")
    if found is None:
        return {"RESP DRIFT A": None, "RESP DRIFT B": None}
    run.info(
        f"Ratio to the master response: {found.offset:.4f} + "
        f"{found.slope_per_100nm / 100:+.2e} (wavelength - {found.centre_nm:.1f} nm)"
    )
    return {"RESP DRIFT A": found.offset, "RESP DRIFT B": found.slope_per_100nm / 100}


def _efficiency(spectra: OrderSpectra, throughput: np.ndarray) -> np.ndarray:
    from soxs_recipes.algorithms.response_checks import efficiency
    from soxs_recipes.instrument.telescope import COLLECTING_AREA_CM2

    return efficiency(spectra.wave_nm, throughput, COLLECTING_AREA_CM2)


def _efficiency_tables(spectra: OrderSpectra, measured: MeasuredResponse) -> dict[str, object]:
    import numpy as np

    from soxs_recipes.products.response_tables import efficiency_tables

    values = (measured.throughput, measured.throughput_error, measured.fitted)
    return efficiency_tables(
        spectra,
        *(np.asarray(_efficiency(spectra, one)) for one in values),
        measured.used,
    )


def _nothing(frame: InputFrame, error: ValueError) -> NoResponseError:
    return NoResponseError(
        "No response can be measured",
        file=frame.path,
        expected="a flux standard with light in at least one order",
        found=str(error),
        remedy="look at the extracted spectrum and at its quality",
    )

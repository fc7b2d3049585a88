"""soxs_lingain: gain, read noise, linearity and bad pixels from a detector-linearity series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, REFERENCE, TEMPERATURES
from soxs_recipes.recipes.declarations import (
    SAME_READOUT,
    Column,
    Declaration,
    Hdu,
    Input,
    Parameter,
    Product,
    Qc,
)

if TYPE_CHECKING:
    from astropy.table import Table

    from soxs_recipes.products.detector_tables import GainTable
    from soxs_recipes.recipes.detector_response import DetectorResponse
    from soxs_recipes.recipes.detector_series import Measurements

ON = Input(
    "DETLIN_ON_{arm}",
    "pairs of lamp frames at rising exposure times",
    minimum=6,
    match=SAME_READOUT,
)
OFF = Input(
    "DETLIN_OFF_{arm}", "pairs of lamp-off frames of the same times", minimum=0, match=SAME_READOUT
)
BIAS = Input(
    "BIAS_{arm}",
    "raw bias frames, where there are no lamp-off frames",
    minimum=0,
    arms=("VIS", "ACQ"),
    match=SAME_READOUT,
)
DARK = Input(
    "DARK_{arm}",
    "raw dark frames, where there are neither lamp-off frames nor biases",
    minimum=0,
    match=SAME_READOUT,
)

GAIN_TAB = Product(
    "GAIN_TAB_{arm}",
    "gain, read noise and photon factor of one read mode",
    (
        Hdu(
            "GAIN",
            "table",
            "",
            "one row",
            (
                Column("GAIN", "f8", "electron/adu", "conversion factor"),
                Column("GAIN_ERR", "f8", "electron/adu", "its standard error; 0 if taken as known"),
                Column("RON", "f8", "electron", "read noise of one frame"),
                Column("RON_ERR", "f8", "electron", "its standard error"),
                Column("PHOTON_FACTOR", "f8", "", "photon variance per electron of signal"),
                Column("PHOTON_FACTOR_ERR", "f8", "", "its standard error; 0 if taken as known"),
                Column("REF_RON", "f8", "electron", "noise of prescan or reference pixels"),
            ),
        ),
        Hdu(
            "TRANSFER",
            "table",
            "",
            "photon transfer curve",
            (
                Column("SIGNAL", "f8", "adu", "mean signal above zero, as measured"),
                Column("VARIANCE", "f8", "adu**2", "variance of one frame"),
                Column("NPIX", "i4", "", "pixels"),
            ),
        ),
    ),
)
LINEARITY_TAB = Product(
    "LINEARITY_TAB_{arm}",
    "m (1 + c1 m + c2 m^2 ...) makes a signal m, in ADU above zero, linear",
    (
        Hdu(
            "COEFFICIENTS",
            "table",
            "",
            "one row per coefficient",
            (
                Column("POWER", "i2", "", "k: the coefficient is in ADU^-k"),
                Column("COEFF", "f8", "", "coefficient"),
                Column("COEFF_ERR", "f8", "", "its standard error"),
            ),
        ),
        Hdu(
            "LIMITS",
            "table",
            "",
            "one row of levels above zero",
            (
                Column("LIMIT", "f8", "adu", "uncorrected response departs by 1 %, or is full"),
                Column("SATURATION", "f8", "adu", "pixels are full"),
                Column("VALID_TO", "f8", "adu", "highest level at which it was measured"),
            ),
        ),
        Hdu(
            "LEVELS",
            "table",
            "",
            "one row per exposure and class of brightness",
            (
                Column("EXPTIME", "f8", "s", "exposure time"),
                Column("LAMP", "f8", "", "brightness of the lamp relative to the mean"),
                Column("SIGNAL", "f8", "adu", "mean signal above zero, as measured"),
                Column("DEPARTURE", "f8", "", "relative departure from linear, as measured"),
                Column("RESIDUAL", "f8", "", "the same after the correction"),
            ),
        ),
    ),
)
BP_MAP = Product(
    "BP_MAP_{arm}",
    "bad pixels: dead 2, hot 4, noisy 8, non-linear 16",
    (Hdu("QUAL", "u2", "", "quality bit mask, 0 is good"),),
)

DEGREE = Parameter(
    "degree", 2, "Most coefficients that the linearity correction may have", minimum=1, maximum=4
)
LAMP_STABILITY = Parameter(
    "lamp-stability",
    0.002,
    "Expected relative drift of the lamp between exposures (standard deviation)",
    "",
    0.0001,
    0.5,
)
PHOTON_FACTOR = Parameter(
    "photon-factor",
    0.0,
    "NIR: photon variance per electron; the gain is then measured. 0: the gain is taken as known "
    "and this is measured",
    "",
    0.0,
    2.0,
)
DEAD_RESPONSE = Parameter(
    "dead-response", 0.5, "Share of its neighbours' light below which a pixel is dead", "", 0.0, 1.0
)
HOT_KAPPA = Parameter(
    "hot-threshold", 5.0, "Excess over the surroundings that makes a pixel hot", "sigma", 3.0, 100.0
)
NONLINEAR = Parameter(
    "nonlinear-threshold", 0.05, "Departure that makes a pixel non-linear", "", 0.005, 1.0
)

DECLARATION = Declaration(
    name="soxs_lingain",
    synopsis="Gain, noise, linearity and bad pixels of a detector",
    description="""
Pairs of lamp frames of equal exposure give the photon transfer curve: the variance of their
difference against the signal, over all pixels sorted by brightness, so that any illumination will
do. The mean signal of pixels of like brightness against exposure time gives the linearity
correction; pixels of unlike brightness share the drift of the lamp, which is solved for. The
linearity limit is where the uncorrected response departs by 1 %, saturation where the variance
leaves the photon transfer line. Pixels are marked as dead, hot, noisy or non-linear. In the NIR
the curve gives the ratio of photon factor (of the fit up the ramp) and gain, QC FACTOR OVER GAIN;
one of the two has to be known, and the one that is has the error 0. Series with frames missing
are reduced with what is there, and QC SERIES OK is F.
""",
    arms=("VIS", "NIR", "ACQ"),
    inputs=(ON, OFF, BIAS, DARK),
    products=(GAIN_TAB, LINEARITY_TAB, BP_MAP),
    parameters=(
        DEGREE,
        LAMP_STABILITY,
        PHOTON_FACTOR,
        DEAD_RESPONSE,
        HOT_KAPPA,
        NONLINEAR,
        REFERENCE,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("GAIN", "e-/ADU", "conversion factor"),
        Qc("GAIN ERR", "e-/ADU", "its standard error"),
        Qc("RAW RON", "e-", "read noise of one raw frame"),
        Qc("PHOTON FACTOR", "", "photon variance per electron", arms=("NIR",)),
        Qc("FACTOR OVER GAIN", "ADU/e-", "what the curve measures", arms=("NIR",)),
        Qc("LIN DEV", "%", "largest departure as measured"),
        Qc("LIN RESID", "%", "rms departure after correction"),
        Qc("LIN LIMIT", "ADU", "departure of 1 %, or full"),
        Qc("LIN LIMIT ERR", "ADU", "its standard error; 0 if it is full"),
        Qc("SATURATION", "ADU", "level of full pixels above zero"),
        Qc("LAMP DRIFT", "%", "rms drift of the lamp"),
        Qc("LEVELS NUM", "", "exposure times used", int),
        Qc("SERIES OK", "", "T: complete, below saturation, limit known", bool),
        Qc("DEADPIX FRAC", "", "fraction of dead pixels"),
        Qc("HOTPIX FRAC", "", "fraction of hot pixels"),
        Qc("NOISYPIX FRAC", "", "fraction of noisy pixels"),
        Qc("NONLINPIX FRAC", "", "fraction of non-linear pixels"),
        Qc("BADPIX NUM", "px", "bad pixels", int),
        Qc("BADPIX FRAC", "", "fraction of bad pixels"),
        *TEMPERATURES,
    ),
    example=(("DETLIN_ON_VIS", 6), ("BIAS_VIS", 3)),
)

# A larger share of saturated pixels in an exposure is worth a warning.
SATURATED_FRACTION = 0.05
# So is a linearity limit with a larger relative error.
LIMIT_ERROR = 0.02


class SoxsLingain(SoxsRecipe):
    """Gain, read noise, linearity and bad pixels of a detector."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Measure the series and solve for the detector's response."""
        from soxs_recipes.algorithms.quality import Quality, fraction
        from soxs_recipes.products.detector_tables import gain_table, linearity_tables
        from soxs_recipes.recipes.detector_response import (
            PixelLimits,
            bad_pixel_map,
            solve_response,
        )
        from soxs_recipes.recipes.detector_series import measure_series, sort_series

        settings = run.settings
        on, off, bias, dark = (run.inputs.of(item) for item in (ON, OFF, BIAS, DARK))
        series = sort_series(on, off, bias or dark)
        for text in series.dropped:
            run.warning(f"Left out: {text}")
        run.info(f"Measuring {len(series.levels)} levels of light")
        found = measure_series(series, run.arm, settings.reference)
        response = solve_response(found, settings.degree, settings.lamp_stability)
        gain = gain_of(run, found, response)
        limits = PixelLimits(
            settings.dead_response, settings.hot_threshold, settings.nonlinear_threshold
        )
        axis = 0 if run.arm.detector.dispersion_axis == "y" else 1
        quality = bad_pixel_map(found, response, axis, limits)
        qc = {
            **response_qc(run, found, gain, response, bool(series.dropped)),
            "DEADPIX FRAC": fraction(quality, Quality.DEAD),
            "HOTPIX FRAC": fraction(quality, Quality.HOT),
            "NOISYPIX FRAC": fraction(quality, Quality.NOISY),
            "NONLINPIX FRAC": fraction(quality, Quality.NONLINEAR),
            "BADPIX NUM": int((quality != 0).sum()),
            "BADPIX FRAC": float((quality != 0).mean()),
            **temperatures(on),
        }
        tables = linearity_tables(response.linearity, response.fit.errors)
        return [
            Result(
                GAIN_TAB, {"GAIN": gain_table(gain), "TRANSFER": transfer_table(response)}, qc, 0.0
            ),
            Result(LINEARITY_TAB, {**tables, "LEVELS": levels_table(response)}, qc, 0.0),
            Result(BP_MAP, {"QUAL": quality}, qc, 0.0),
        ]


def gain_of(run: Run, found: Measurements, response: DetectorResponse) -> GainTable:
    """Gain or photon factor, whichever is not known, and read noise in electrons."""
    import numpy as np

    from soxs_recipes.products.detector_tables import GainTable

    transfer = response.transfer
    relative = transfer.slope_error / transfer.slope
    is_ramp = "PHOTON FACTOR" in {item.name for item in DECLARATION.qc_of(run.arm.name)}
    if is_ramp and run.settings.photon_factor == 0:
        gain, gain_error = run.inputs.of(ON)[0].readout.gain_e_per_adu, 0.0
        factor, factor_error = transfer.slope * gain, transfer.slope * gain * relative
    else:
        factor, factor_error = run.settings.photon_factor if is_ramp else 1.0, 0.0
        gain = factor / transfer.slope
        gain_error = gain * relative
    reference = np.mean(found.reference_noise_adu) if found.reference_noise_adu else np.nan
    return GainTable(
        gain,
        transfer.read_noise * gain,
        factor,
        float(reference) * gain,
        gain_error,
        transfer.read_noise_error * gain,
        factor_error,
    )


def response_qc(
    run: Run, found: Measurements, gain: GainTable, response: DetectorResponse, incomplete: bool
) -> dict[str, float | int | bool]:
    """QC of the response, and warnings where the series is not as it should be."""
    import numpy as np

    fit = response.fit
    worst = max(found.saturated_fraction)
    if worst > SATURATED_FRACTION:
        run.warning(f"{100 * worst:.1f} % of the pixels are saturated in the longest exposures")
    if response.fit.linearity.valid_to_adu < response.linearity.limit_adu:
        run.info("The series ends below the linearity limit, which is extrapolated")
    limit_error = limit_error_adu(response)
    uncertain = limit_error / response.linearity.limit_adu
    if uncertain > LIMIT_ERROR:
        run.warning(
            f"The linearity limit is uncertain by {100 * uncertain:.1f} %: too few levels of light "
            "for the scatter they have"
        )
    qc = {
        "GAIN": gain.gain_e_per_adu,
        "GAIN ERR": gain.gain_error,
        "RAW RON": gain.read_noise_e,
        "LIN DEV": 100 * float(np.nanmax(np.abs(fit.departure))),
        "LIN RESID": 100 * float(np.sqrt(np.nanmean(fit.residual**2))),
        "LIN LIMIT": response.linearity.limit_adu,
        "LIN LIMIT ERR": limit_error,
        "SATURATION": response.linearity.saturation_adu,
        "LAMP DRIFT": 100 * float(np.std(fit.lamp)),
        "LEVELS NUM": len({level.exptime_s for level in found.levels}),
        "SERIES OK": not incomplete and worst <= SATURATED_FRACTION and uncertain <= LIMIT_ERROR,
    }
    declared = {item.name for item in DECLARATION.qc_of(run.arm.name)}
    if "PHOTON FACTOR" not in declared:
        return qc
    ratio = response.transfer.slope
    return qc | {"PHOTON FACTOR": gain.photon_factor, "FACTOR OVER GAIN": ratio}


def limit_error_adu(response: DetectorResponse) -> float:
    """Standard error of the linearity limit; 0 where pixels are full before."""
    fit = response.fit
    return 0.0 if response.linearity.limit_adu < fit.linearity.limit_adu else fit.limit_error_adu


def transfer_table(response: DetectorResponse) -> Table:
    """Content of the extension TRANSFER."""
    from astropy.table import Table

    points = response.points
    return Table(
        [points.signal, points.variance, points.count.astype("i4")],
        names=("SIGNAL", "VARIANCE", "NPIX"),
    )


def levels_table(response: DetectorResponse) -> Table:
    """Content of the extension LEVELS."""
    import numpy as np
    from astropy.table import Table

    moments, fit = response.moments, response.fit
    used = np.isfinite(fit.residual)
    exposure = np.nonzero(used)[0]
    return Table(
        [
            moments.exptime_s[exposure],
            fit.lamp[exposure],
            moments.level[used],
            fit.departure[used],
            fit.residual[used],
        ],
        names=("EXPTIME", "LAMP", "SIGNAL", "DEPARTURE", "RESIDUAL"),
    )

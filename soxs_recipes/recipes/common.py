"""Declarations that several recipes share, so that the same thing has the same word."""

from __future__ import annotations

from types import MappingProxyType

from soxs_recipes.recipes.declarations import AUTO, Parameter, Qc

STACK_METHOD = Parameter(
    "stack-method",
    "clipped-mean",
    "How frames are combined",
    choices=("clipped-mean", "mean", "median"),
)
KAPPA = Parameter(
    "kappa", 5.0, "Values further than this from the others are rejected", "sigma", 1.5, 100.0
)
ITERATIONS = Parameter("iterations", 3, "Rounds of rejection", minimum=1, maximum=20)
REFERENCE = Parameter(
    "reference",
    AUTO,
    "Zero level from the prescan (per frame, per row, or per row and smoothed) or from the "
    "reference pixels",
    choices=(AUTO, "none", "frame", "row", "smooth", "pixels"),
    by_arm=MappingProxyType({"VIS": "smooth", "NIR": "pixels", "ACQ": "none"}),
)
PRODUCT_SUFFIX = Parameter(
    "product-suffix", "", "Text appended to the names of the products, after an underscore"
)


def detection(default: float) -> Parameter:
    """Threshold of a recipe that measures lines or samples along orders."""
    return Parameter(
        "detection",
        default,
        "Signal over its error from which a line or sample is used",
        "sigma",
        2.0,
        100.0,
    )


STACKING = (STACK_METHOD, KAPPA, ITERATIONS)
VELOCITY_STEP = Parameter(
    "velocity-step", 15.0, "Width of a bin where bins are equal in velocity", "km/s", 1.0, 300.0
)
WAVE_STEP = Parameter(
    "wave-step", 0.0, "Width of a bin in wavelength; 0 takes --velocity-step", "nm", 0.0, 5.0
)
OBJECT_DETECTION = Parameter(
    "object-detection",
    6.0,
    "Significance of a peak along the slit from which it is an object",
    "sigma",
    3.0,
    1000.0,
)

TEMPERATURES = (
    Qc("DETECTOR TEMP", "K", "detector temperature", arms=("VIS", "NIR")),
    Qc("CPATH TEMP", "C", "common-path temperature", arms=("VIS", "NIR")),
)

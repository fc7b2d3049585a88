"""The spectral format of an arm: where light is expected before anything has been measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from soxs_recipes.algorithms.dispersion import SLIT_SCALE_ARCSEC, DispersionSolution
from soxs_recipes.errors import UnreadableFrameError

# Orders are followed this far beyond their nominal range, as a fraction of it: the format drifts.
RANGE_MARGIN = 0.02


def read_spectral_format(path: Path) -> DispersionSolution:
    """Read a spectral format file (JSON) as a dispersion solution without fitted lines.

    Raises
    ------
    UnreadableFrameError
        If the file is no spectral format.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return spectral_format(table)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFrameError(
            "The file is no spectral format",
            file=path,
            expected="JSON with orders, each with lam0, lamh, X, Y and lam_on_detector",
            found=f"{type(error).__name__}: {error}",
            remedy="leave it out: the one of the package is then taken",
        ) from error


def spectral_format(table: Mapping[str, Any]) -> DispersionSolution:
    """Spectral format from the content of its file; see `read_spectral_format`."""
    orders = sorted(int(order) for order in table["orders"])
    entries = [table["orders"][str(order)] for order in orders]
    columns, rows = table["frame_trimmed"]
    ranges = np.array([entry["lam_on_detector"] for entry in entries], float)
    ranges += RANGE_MARGIN * np.diff(ranges) * [-1, 1]
    return DispersionSolution(
        arm=str(table["arm"]),
        shape=(rows, columns),
        dispersion_axis=str(table["disp_axis"]),
        orders=np.array(orders),
        centre_nm=np.array([entry["lam0"] for entry in entries], float),
        half_nm=np.array([entry["lamh"] for entry in entries], float),
        x_coef=_coefficients([entry["X"] for entry in entries]),
        y_coef=_coefficients([entry["Y"] for entry in entries]),
        range_nm=ranges,
        fitted_nm=np.full((len(orders), 2), np.nan),
    )


def _coefficients(entries: Sequence[Sequence[Sequence[float]]]) -> np.ndarray:
    """Powers of the slit position in arcsec as Chebyshev terms, filled up to one shape."""
    powers = max(len(entry) for entry in entries)
    terms = max(len(row) for entry in entries for row in entry)
    filled = np.zeros((len(entries), powers, terms))
    for order, entry in enumerate(entries):
        for power, row in enumerate(entry):
            filled[order, power, : len(row)] = np.asarray(row) * SLIT_SCALE_ARCSEC**power
    to_chebyshev = np.zeros((powers, powers))
    for power in range(powers):
        to_chebyshev[: power + 1, power] = chebyshev.poly2cheb(np.eye(powers)[power, : power + 1])
    return np.einsum("kp,npi->nki", to_chebyshev, filled)

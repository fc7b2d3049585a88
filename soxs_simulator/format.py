"""Where light of a wavelength and slit position falls: the spectral format of one arm.

Coordinates are 0-based pixels of the science area (the trimmed frame of
``spectral_format_<arm>.json``), the pixel centre being the integer: element ``[row, column]`` of
a rate image is at ``y = row``, ``x = column``, for both arms. Wavelengths are nm in standard air,
slit positions arcsec from the slit centre.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OrderFormat:
    """The map of one order, ``x = sum_k s**k chebval(t, x_coef[k])`` and ``y`` likewise.

    Attributes
    ----------
    number : int
        Order (VIS: quasi-order 1-4; NIR: diffraction order).
    lam0_nm, lamh_nm : float
        ``t = (wavelength - lam0_nm) / lamh_nm``.
    x_coef, y_coef : ndarray
        Chebyshev coefficients in px, shape (powers of s, degree + 1).
    use_nm : tuple of float
        Wavelength range over which the order is used.
    """

    number: int
    lam0_nm: float
    lamh_nm: float
    x_coef: Array
    y_coef: Array
    use_nm: tuple[float, float]

    def to_pixel(self, wave_nm: ArrayLike, slit_arcsec: ArrayLike = 0.0) -> tuple[Array, Array]:
        """Pixel position (x, y) of wavelengths and slit positions; arrays broadcast."""
        return self._evaluate(self.x_coef, wave_nm, slit_arcsec), self._evaluate(
            self.y_coef, wave_nm, slit_arcsec
        )

    def jacobian(
        self, wave_nm: ArrayLike, slit_arcsec: ArrayLike
    ) -> tuple[Array, Array, Array, Array]:
        """Partial derivatives (dx/dwave, dx/ds, dy/dwave, dy/ds) in px per nm and per arcsec."""
        result = []
        for coef in (self.x_coef, self.y_coef):
            slope = chebyshev.chebder(coef, axis=1) / self.lamh_nm
            powers = np.arange(1, len(coef))[:, None]
            result.append(self._evaluate(slope, wave_nm, slit_arcsec))
            result.append(self._evaluate(coef[1:] * powers, wave_nm, slit_arcsec))
        return tuple(result)

    def shifted(self, dx_px: float, dy_px: float) -> OrderFormat:
        """Return the order moved on the detector."""
        x_coef, y_coef = self.x_coef.copy(), self.y_coef.copy()
        x_coef[0, 0] += dx_px
        y_coef[0, 0] += dy_px
        return replace(self, x_coef=x_coef, y_coef=y_coef)

    def _evaluate(self, coef: Array, wave_nm: ArrayLike, slit_arcsec: ArrayLike) -> Array:
        t = (np.asarray(wave_nm, float) - self.lam0_nm) / self.lamh_nm
        s = np.asarray(slit_arcsec, float)
        value = chebyshev.chebval(t, coef[-1])
        for row in coef[-2::-1]:
            value = value * s + chebyshev.chebval(t, row)
        return value


@dataclass(frozen=True)
class ArmFormat:
    """The spectral format of one arm.

    Attributes
    ----------
    arm : str
        ``VIS`` or ``NIR``.
    shape : tuple of int
        Rows and columns of the science pixels.
    disp_axis : str
        Detector axis of dispersion, ``x`` or ``y``.
    orders : mapping
        Order number to :class:`OrderFormat`.
    """

    arm: str
    shape: tuple[int, int]
    disp_axis: str
    orders: Mapping[int, OrderFormat]

    def shifted(self, dx_px: float, dy_px: float) -> ArmFormat:
        """Return the format moved on the detector by flexure."""
        moved = {m: order.shifted(dx_px, dy_px) for m, order in self.orders.items()}
        return replace(self, orders=moved)

    def disp_length(self) -> int:
        """Number of science pixels along dispersion."""
        return self.shape[1] if self.disp_axis == "x" else self.shape[0]

    def split(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return pixel coordinates as (along dispersion, across)."""
        return (x, y) if self.disp_axis == "x" else (y, x)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable form, evaluated like ``spectral_format_<arm>.json``."""
        orders = {
            str(m): {
                "lam0": order.lam0_nm,
                "lamh": order.lamh_nm,
                "X": order.x_coef.tolist(),
                "Y": order.y_coef.tolist(),
                "lam_use": list(order.use_nm),
            }
            for m, order in self.orders.items()
        }
        return {
            "arm": self.arm,
            "wavelength": "nm, standard air",
            "coordinates": "science pixels, 0-based, pixel centre = integer",
            "evaluator": [
                "t = (wavelength - lam0) / lamh",
                "x = sum_k s**k * chebval(t, X[k])",
                "y = sum_k s**k * chebval(t, Y[k])",
            ],
            "frame_trimmed": [self.shape[1], self.shape[0]],
            "disp_axis": self.disp_axis,
            "orders": orders,
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ArmFormat:
        """Build the format from ``spectral_format_<arm>.json`` or from :meth:`to_dict`."""
        columns, rows = table["frame_trimmed"]
        orders = {int(m): _order(int(m), entry) for m, entry in table["orders"].items()}
        return cls(table["arm"], (rows, columns), table["disp_axis"], orders)


@lru_cache(maxsize=2)
def nominal_format(arm: str) -> ArmFormat:
    """Return the tabulated format of an arm (``VIS`` or ``NIR``)."""
    path = files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json"
    return ArmFormat.from_dict(json.loads(path.read_text(encoding="utf-8")))


def _order(number: int, entry: Mapping[str, Any]) -> OrderFormat:
    return OrderFormat(
        number,
        entry["lam0"],
        entry["lamh"],
        _padded(entry["X"]),
        _padded(entry["Y"]),
        tuple(entry["lam_use"]),
    )


def _padded(rows: list[list[float]]) -> Array:
    """Stack coefficient lists of unequal length, filled up with zeros."""
    coef = np.zeros((len(rows), max(len(row) for row in rows)))
    for out, row in zip(coef, rows, strict=True):
        out[: len(row)] = row
    return coef

"""Dispersion solution: order, wavelength and slit position to pixels, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SLIT_SCALE_ARCSEC = 6.0
"""Slit positions are divided by this before they enter a polynomial."""

_NEWTON_STEPS = 8
_TABLE_POINTS = 257
_CONVERGED_PX = 1e-6
# The inverse follows the polynomials this far beyond the range of an order, in half-widths.
_REACH = 1.5


@dataclass(frozen=True)
class DispersionSolution:
    """Pixel position as Chebyshev polynomials in wavelength and slit position, order by order.

    ``x = sum_k T_k(s / 6 arcsec) sum_i x_coef[n, k, i] T_i((wavelength - centre) / half)`` and y
    likewise. Pixels are those of the trimmed frame, zero-based, the centre being the integer.

    Attributes
    ----------
    arm : str
        ``VIS`` or ``NIR``.
    shape : tuple of int
        Rows and columns of the trimmed frame.
    dispersion_axis : {'x', 'y'}
        Detector axis along which wavelength runs.
    orders : ndarray of int, shape (n,)
        Order numbers, ascending.
    centre_nm, half_nm : ndarray, shape (n,)
        Scaling of the wavelength (standard air).
    x_coef, y_coef : ndarray, shape (n, powers of s, powers of wavelength)
        Coefficients in px.
    range_nm : ndarray, shape (n, 2)
        Wavelengths that an order has on the detector, with a margin.
    fitted_nm : ndarray, shape (n, 2)
        Outermost fitted lines; positions beyond them are extrapolated. NaN where there are none.
    """

    arm: str
    shape: tuple[int, int]
    dispersion_axis: str
    orders: NDArray[np.int_]
    centre_nm: Array
    half_nm: Array
    x_coef: Array
    y_coef: Array
    range_nm: Array
    fitted_nm: Array

    def index(self, order: ArrayLike) -> NDArray[np.int_]:
        """Row of each order number.

        Raises
        ------
        KeyError
            If the solution has no such order.
        """
        order = np.asarray(order)
        index = np.minimum(np.searchsorted(self.orders, order), len(self.orders) - 1)
        if np.any(self.orders[index] != order):
            raise KeyError(f"orders {self.orders.tolist()} expected, found {np.unique(order)}")
        return index

    def to_pixel(
        self, order: ArrayLike, wave_nm: ArrayLike, slit_arcsec: ArrayLike = 0.0
    ) -> tuple[Array, Array]:
        """Pixel position (x, y); the arguments broadcast."""
        return self._by_order(self._position, order, wave_nm, slit_arcsec)

    def jacobian(
        self, order: ArrayLike, wave_nm: ArrayLike, slit_arcsec: ArrayLike = 0.0
    ) -> tuple[Array, Array, Array, Array]:
        """Return dx/dwave, dy/dwave (px/nm), dx/ds and dy/ds (px/arcsec)."""
        return self._by_order(self._slopes, order, wave_nm, slit_arcsec)

    def to_sky(self, order: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Wavelength (nm) and slit position (arcsec) of pixel positions; the arguments broadcast.

        Newton's method, converged to 1e-6 px; NaN where it does not converge, which is off the
        order.
        """
        return self._by_order(self._inverse, order, x, y)

    def extrapolated(self, order: ArrayLike, wave_nm: ArrayLike) -> NDArray[np.bool_]:
        """Where a wavelength lies beyond the outermost fitted line of its order."""
        bounds = self.fitted_nm[self.index(order)]
        return ~((wave_nm >= bounds[..., 0]) & (wave_nm <= bounds[..., 1]))

    def shifted(self, dx_px: float, dy_px: float) -> DispersionSolution:
        """Return the solution moved on the detector, as by flexure."""
        x_coef, y_coef = self.x_coef.copy(), self.y_coef.copy()
        x_coef[:, 0, 0] += dx_px
        y_coef[:, 0, 0] += dy_px
        return replace(self, x_coef=x_coef, y_coef=y_coef)

    def binned(self, x_factor: int, y_factor: int) -> DispersionSolution:
        """Return the solution for a frame binned along x and y."""

        def scaled(coef: Array, factor: int) -> Array:
            result = coef / factor
            result[:, 0, 0] += 0.5 / factor - 0.5
            return result

        rows, columns = self.shape
        return replace(
            self,
            shape=(rows // y_factor, columns // x_factor),
            x_coef=scaled(self.x_coef, x_factor),
            y_coef=scaled(self.y_coef, y_factor),
        )

    def along(self, x: Array, y: Array) -> Array:
        """Whichever of x and y runs along dispersion."""
        return x if self.dispersion_axis == "x" else y

    def across(self, x: Array, y: Array) -> Array:
        """Whichever of x and y runs across dispersion."""
        return y if self.dispersion_axis == "x" else x

    def pixel_nm(self, order: ArrayLike, wave_nm: ArrayLike, slit_arcsec: ArrayLike = 0.0) -> Array:
        """Wavelength step of one pixel along dispersion, always positive."""
        x_wave, y_wave, _, _ = self.jacobian(order, wave_nm, slit_arcsec)
        return 1 / np.abs(self.along(x_wave, y_wave))

    def _by_order(self, function: Callable, order: ArrayLike, *arguments: ArrayLike) -> tuple:
        """Apply a function of one order to points of many."""
        index, *points = np.broadcast_arrays(self.index(order), *map(np.asarray, arguments))
        points = [np.asarray(point, float) for point in points]
        present = np.unique(index)
        if len(present) < 2:
            return function(int(present.max(initial=0)), *points)
        results: list[Array] = []
        for n in present:
            where = index == n
            parts = function(int(n), *(point[where] for point in points))
            results = results or [np.empty(index.shape) for _ in parts]
            for result, part in zip(results, parts, strict=True):
                result[where] = part
        return tuple(results)

    def _position(self, n: int, wave_nm: Array, slit_arcsec: Array) -> tuple[Array, Array]:
        t, s = self._scaled(n, wave_nm, slit_arcsec)
        return _evaluate(self.x_coef[n], t, s), _evaluate(self.y_coef[n], t, s)

    def _slopes(self, n: int, wave_nm: Array, slit_arcsec: Array) -> tuple[Array, ...]:
        t, s = self._scaled(n, wave_nm, slit_arcsec)
        coefs = (self.x_coef[n], self.y_coef[n])
        by_wave = [_evaluate(chebyshev.chebder(c, axis=1), t, s) / self.half_nm[n] for c in coefs]
        by_slit = [_evaluate(chebyshev.chebder(c, axis=0), t, s) / SLIT_SCALE_ARCSEC for c in coefs]
        return (*by_wave, *by_slit)

    def _scaled(self, n: int, wave_nm: Array, slit_arcsec: Array) -> tuple[Array, Array]:
        return (wave_nm - self.centre_nm[n]) / self.half_nm[n], slit_arcsec / SLIT_SCALE_ARCSEC

    def _inverse(self, n: int, x: Array, y: Array) -> tuple[Array, Array]:
        wave, slit = self._inverse_guess(n, x, y)
        low, high = self.range_nm[n]
        margin = (high - low) * (_REACH - 1) / 2
        for _ in range(_NEWTON_STEPS):
            px, py = self._position(n, wave, slit)
            dx, dy = x - px, y - py
            worst = np.maximum(np.abs(dx), np.abs(dy))
            if np.all(worst < _CONVERGED_PX):
                return wave, slit
            x_wave, y_wave, x_slit, y_slit = self._slopes(n, wave, slit)
            determinant = x_wave * y_slit - y_wave * x_slit
            wave = wave + (y_slit * dx - x_slit * dy) / determinant
            slit = slit + (x_wave * dy - y_wave * dx) / determinant
            wave = np.clip(wave, low - margin, high + margin)
            slit = np.clip(slit, -3 * SLIT_SCALE_ARCSEC, 3 * SLIT_SCALE_ARCSEC)
        px, py = self._position(n, wave, slit)
        lost = np.maximum(np.abs(x - px), np.abs(y - py)) > _CONVERGED_PX
        return np.where(lost, np.nan, wave), np.where(lost, np.nan, slit)

    def _inverse_guess(self, n: int, x: Array, y: Array) -> tuple[Array, Array]:
        """Position on the slit centre at the same coordinate along dispersion."""
        wave = np.linspace(*self.range_nm[n], _TABLE_POINTS)
        px, py = self._position(n, wave, np.zeros_like(wave))
        along, across = self.along(px, py), self.across(px, py)
        _, _, x_slit, y_slit = self._slopes(n, wave, np.zeros_like(wave))
        rising = np.argsort(along)
        here = self.along(x, y)
        guess = np.interp(here, along[rising], wave[rising])
        centre = np.interp(here, along[rising], across[rising])
        scale = np.interp(here, along[rising], self.across(x_slit, y_slit)[rising])
        return guess, (self.across(x, y) - centre) / scale


def _evaluate(coef: Array, t: Array, s: Array) -> Array:
    """Chebyshev series in s and t; `coef` has one row per power of s."""
    if len(coef) == 1:
        return chebyshev.chebval(t, coef[0])
    return chebyshev.chebval(s, chebyshev.chebval(t, coef.T, tensor=True), tensor=False)

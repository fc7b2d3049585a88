"""Where the orders lie on the detector: centres, edges, and how far they were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class OrderTable:
    """Order centres, and edges where known, as Chebyshev series along dispersion.

    Positions are pixels across dispersion of the trimmed frame, zero-based, the centre of a pixel
    being the integer; the argument of the series runs from -1 at the first pixel along dispersion
    to +1 at the last.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the trimmed frame.
    dispersion_axis : {'x', 'y'}
        Detector axis along which wavelength runs.
    orders : ndarray of int, shape (n,)
        Order numbers, ascending.
    centre_coef : ndarray, shape (n, terms)
        Order centre (slit position 0), px.
    sampled : ndarray, shape (n, 2)
        First and last pixel along dispersion at which the centre was measured; beyond them it is
        extrapolated.
    width_px : ndarray, shape (n,)
        SD of the pinhole's image across dispersion.
    lower_coef, upper_coef : ndarray or None
        Edges of the slit image, px; None before flats have been measured.
    edges_sampled : ndarray or None, shape (n, 2)
        As `sampled`, for the edges.
    """

    shape: tuple[int, int]
    dispersion_axis: str
    orders: NDArray[np.int_]
    centre_coef: Array
    sampled: Array
    width_px: Array
    lower_coef: Array | None = None
    upper_coef: Array | None = None
    edges_sampled: Array | None = None

    @property
    def length(self) -> int:
        """Number of pixels along dispersion."""
        return self.shape[1] if self.dispersion_axis == "x" else self.shape[0]

    @property
    def breadth(self) -> int:
        """Number of pixels across dispersion."""
        return self.shape[0] if self.dispersion_axis == "x" else self.shape[1]

    @property
    def has_edges(self) -> bool:
        """Whether the edges are known."""
        return self.lower_coef is not None and self.upper_coef is not None

    def across_first(self, image: NDArray) -> NDArray:
        """Return a view of an image with dispersion along its last axis."""
        return image if self.dispersion_axis == "x" else image.T

    def centre(self, order: int, pixel: ArrayLike) -> Array:
        """Order centre at pixels along dispersion."""
        return self._value(self.centre_coef, order, pixel)

    def lower(self, order: int, pixel: ArrayLike) -> Array:
        """Lower edge (of smaller pixel number) at pixels along dispersion."""
        return self._value(self.lower_coef, order, pixel)

    def upper(self, order: int, pixel: ArrayLike) -> Array:
        """Upper edge at pixels along dispersion."""
        return self._value(self.upper_coef, order, pixel)

    def extrapolated(self, order: int, pixel: ArrayLike) -> Mask:
        """Whether the centre was not measured as far as these pixels along dispersion."""
        first, last = self.sampled[self._row(order)]
        pixel = np.asarray(pixel)
        return ~((pixel >= first) & (pixel <= last))

    def centres(self) -> Array:
        """Order centres at every pixel along dispersion, shape (orders, length)."""
        return evaluate(self.centre_coef, self.length)

    def edges(self) -> tuple[Array, Array]:
        """Lower and upper edges at every pixel along dispersion, each (orders, length)."""
        return evaluate(self.lower_coef, self.length), evaluate(self.upper_coef, self.length)

    def with_edges(self, lower_coef: Array, upper_coef: Array, sampled: Array) -> OrderTable:
        """Return the table with edges."""
        return replace(self, lower_coef=lower_coef, upper_coef=upper_coef, edges_sampled=sampled)

    def to_columns(self) -> dict[str, NDArray]:
        """Return the content by column name; see `from_columns`."""
        columns = {
            "ORDER": self.orders.astype(np.int16),
            "FIRST": self.sampled[:, 0],
            "LAST": self.sampled[:, 1],
            "WIDTH": self.width_px,
            "CENTRE": self.centre_coef,
        }
        if self.has_edges:
            columns |= {"LOWER": self.lower_coef, "UPPER": self.upper_coef}
            columns |= {
                "EDGE_FIRST": self.edges_sampled[:, 0],
                "EDGE_LAST": self.edges_sampled[:, 1],
            }
        return columns

    @classmethod
    def from_columns(
        cls, columns: Mapping[str, ArrayLike], shape: tuple[int, int], dispersion_axis: str
    ) -> OrderTable:
        """Build a table from its columns and the frame they belong to.

        Raises
        ------
        KeyError
            If a column is missing.
        """

        def floats(name: str) -> Array:
            return np.array(columns[name], dtype=np.float64)

        table = cls(
            shape,
            dispersion_axis,
            np.array(columns["ORDER"], dtype=int),
            floats("CENTRE"),
            np.stack([floats("FIRST"), floats("LAST")], axis=1),
            floats("WIDTH"),
        )
        if "LOWER" not in columns:
            return table
        sampled = np.stack([floats("EDGE_FIRST"), floats("EDGE_LAST")], axis=1)
        return table.with_edges(floats("LOWER"), floats("UPPER"), sampled)

    def _row(self, order: int) -> int:
        found = np.flatnonzero(self.orders == order)
        if not found.size:
            raise KeyError(f"orders {self.orders.tolist()} expected, found {order}")
        return int(found[0])

    def _value(self, coef: Array, order: int, pixel: ArrayLike) -> Array:
        return chebyshev.chebval(scaled(pixel, self.length), coef[self._row(order)])


def scaled(pixel: ArrayLike, length: int) -> Array:
    """Pixel along dispersion as -1 to +1 over the detector."""
    return 2 * np.asarray(pixel, dtype=np.float64) / (length - 1) - 1


def evaluate(coef: Array, length: int) -> Array:
    """Chebyshev series of all orders at every pixel along dispersion, shape (orders, length)."""
    return coef @ chebyshev.chebvander(scaled(np.arange(length), length), coef.shape[1] - 1).T


def series_of(values: Array, degree: int) -> Array:
    """Chebyshev series of curves given at every pixel, NaN where they are not.

    Parameters
    ----------
    values : ndarray, shape (orders, length)
        Curves.
    degree : int
        Degree of the series.
    """
    length = values.shape[1]
    basis = chebyshev.chebvander(scaled(np.arange(length), length), degree)
    known = np.isfinite(values)
    if known.all():
        return np.linalg.lstsq(basis[::4], values[:, ::4].T, rcond=1e-12)[0].T
    rows = zip(values, known, strict=True)
    return np.stack(
        [np.linalg.lstsq(basis[k][::4], row[k][::4], rcond=1e-12)[0] for row, k in rows]
    )

"""Telluric absorption in one order: the forward model.

The transmission of all molecules, times the spectrum of the source, is convolved with the line
spread and sampled at the pixels, together with its derivatives by the unknowns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.molecules import (
    WATER,
    Component,
    MolecularTable,
    optical_depth,
    pieces,
)
from soxs_recipes.algorithms.pixel_sampling import LineSpread, PixelSampling, padded_vacuum

Array = NDArray[np.float64]

WATER_COLUMN = "ln_pwv"
"""Name of the unknown that is the logarithm of the precipitable water in mm."""


@dataclass(frozen=True)
class Expectation:
    """Value that an unknown is expected to have, and the standard error of that."""

    mean: float
    sd: float


Expectations = Mapping[str, Expectation]


@dataclass(frozen=True)
class Absorption:
    """Model of an order for some values of the unknowns.

    Attributes
    ----------
    value : ndarray, shape (pixels,)
        Source times transmission at the pixels.
    slopes : dict
        Name of an unknown to the derivative of `value`.
    lines : ndarray
        Derivative by the logarithm of the optical depth of all lines.
    """

    value: Array
    slopes: dict[str, Array]
    lines: Array


class OrderModel:
    """Forward model of the absorption in one order.

    Parameters
    ----------
    air_nm : ndarray
        Wavelengths of the pixels, rising.
    table : MolecularTable
        Optical depths.
    airmass : float
        Airmass.
    source : callable, optional
        Spectrum of the source at high resolution, from wavelengths in vacuum (nm); a source
        without it is smooth.
    correction : ndarray, optional
        Relative correction of the optical depth of the lines, per pixel.
    """

    def __init__(
        self,
        air_nm: Array,
        table: MolecularTable,
        airmass: float,
        source: Callable[[Array], Array] | None = None,
        correction: Array | None = None,
    ) -> None:
        edges = padded_vacuum(air_nm)
        cut = table.cut(edges[0], edges[-1])
        self.parts = [] if cut is None else pieces(cut)
        if cut is None:
            return
        self._table, self._airmass, self._correction = cut, airmass, correction
        self._sampling = PixelSampling(air_nm, cut.ln_first, cut.step, cut.size)
        self._smooth = np.exp(-airmass * cut.collision_induced())
        self._source = None if source is None else source(cut.wave_nm)
        if self._source is not None:
            self._smooth = self._smooth * self._source

    @cached_property
    def components(self) -> list[Component]:
        """Components that matter in this order."""
        return list(dict.fromkeys(component for component, _ in self.parts))

    @cached_property
    def names(self) -> list[str]:
        """Unknowns of the order."""
        found = self.components
        water = [WATER_COLUMN] if any(one.species == WATER for one in found) else []
        return [*water, *(one.name for one in found if one.name != WATER), *LineSpread.NAMES]

    def expected(self) -> dict[str, Expectation]:
        """Expectations of the strengths of the components."""
        return {c.name: Expectation(c.expected, c.sd) for c in self.components if c.name != WATER}

    def value(self, unknowns: Mapping[str, float]) -> Array:
        """Model at the pixels alone, without corrections of lines."""
        tau, _ = optical_depth(self._table, self.parts, self._ln_columns(unknowns))
        kernel, _ = self._sampling.kernel(line_spread(unknowns))
        return self._sampling.sampled(
            self._sampling.transform(np.exp(-tau) * self._smooth) * kernel
        )

    def evaluate(self, unknowns: Mapping[str, float]) -> Absorption:
        """Model at the pixels, with its derivatives."""
        tau, slopes = optical_depth(self._table, self.parts, self._ln_columns(unknowns))
        high = np.exp(-tau) * self._smooth
        kernel, by_spread = self._sampling.kernel(line_spread(unknowns))
        transform = self._sampling.transform(high)
        result = {n: self._sampling.sampled(transform * k) for n, k in by_spread.items()}
        lines = np.zeros(self._sampling.pixels)
        water = np.zeros_like(lines)
        for component in self.components:
            slope = np.zeros(tau.size)
            for piece, values in slopes[component.name]:
                slope[piece] = -values * high[piece]
            pixels = self._sampling.sampled(self._sampling.transform(slope) * kernel)
            lines += pixels
            if component.species == WATER:
                water += pixels
            result[component.name] = pixels
        if WATER_COLUMN in self.names:
            result[WATER_COLUMN] = water
        value = self._sampling.sampled(transform * kernel)
        if self._correction is not None:
            value = value + self._correction * lines
        return Absorption(value, result, lines)

    def source_alone(self, unknowns: Mapping[str, float]) -> Array:
        """Source at the pixels without the atmosphere."""
        if self._source is None:
            return np.ones(self._sampling.pixels)
        kernel, _ = self._sampling.kernel(line_spread(unknowns))
        return self._sampling.sampled(self._sampling.transform(self._source) * kernel)

    def _ln_columns(self, unknowns: Mapping[str, float]) -> dict[str, float]:
        """Logarithms of the slant columns of the components."""
        columns = {}
        for one in self.components:
            column = np.log(self._airmass)
            if one.species == WATER:
                column += unknowns[WATER_COLUMN]
            columns[one.name] = column + (0.0 if one.name == WATER else unknowns[one.name])
        return columns


def line_spread(unknowns: Mapping[str, float]) -> LineSpread:
    """Line spread among the unknowns of an order."""
    return LineSpread(*(unknowns[name] for name in LineSpread.NAMES))

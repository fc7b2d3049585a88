"""A spectrum on bins of its own, and the spectrum that several of them are combined to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.quality import UNUSABLE, QualityArray, has

Array = NDArray[np.float64]

# Bins of a spectrum are neighbours if the gap between them is a smaller part of their width.
_CLOSED_GAP = 0.25
_COLUMNS = ("wave_nm", "width_nm", "flux_density", "variance", "quality")
_NONE: Mapping[str, Array] = MappingProxyType({})


@dataclass(frozen=True)
class SpectrumPiece:
    """A spectrum on bins of its own, such as an echelle order.

    Parameters
    ----------
    wave_nm, width_nm : ndarray, shape (n,)
        Centres and widths of its bins, in any order.
    flux_density : ndarray, shape (n,)
        Mean flux per nm in each bin.
    variance : ndarray, shape (n,)
        Variance of `flux_density`. Bins whose flux or variance is not finite, or whose variance is
        not above zero, are not used.
    quality : ndarray of uint16, shape (n,)
        Quality bits; bins with one of `UNUSABLE` are used only where there are no others.
    sky_density : ndarray, shape (n,), optional
        Sky per nm, combined like the flux.
    extra : mapping of str to ndarray
        Further densities that are combined with the operator of the flux.
    extra_variance : mapping of str to ndarray
        Further variances, combined with its square.
    covariance_factor : float
        Variance of sums of many neighbouring bins over the sum of their variances.

    Raises
    ------
    ValueError
        If arrays differ in length, wavelengths or widths are not finite, or bins overlap by more
        than half.
    """

    wave_nm: Array
    width_nm: Array
    flux_density: Array
    variance: Array
    quality: QualityArray
    sky_density: Array | None = None
    extra: Mapping[str, Array] = field(default_factory=lambda: _NONE)
    extra_variance: Mapping[str, Array] = field(default_factory=lambda: _NONE)
    covariance_factor: float = 1.0

    def __post_init__(self) -> None:
        order = np.argsort(self.wave_nm)
        arrays = {name: np.asarray(getattr(self, name)) for name in _COLUMNS}
        if self.sky_density is not None:
            arrays["sky_density"] = np.asarray(self.sky_density)
        groups = {name: dict(getattr(self, name)) for name in ("extra", "extra_variance")}
        every = [*arrays.values(), *groups["extra"].values(), *groups["extra_variance"].values()]
        if {np.shape(one) for one in every} != {order.shape}:
            raise ValueError(f"{len(order)} values expected in all arrays of a spectrum")
        for name, values in arrays.items():
            object.__setattr__(self, name, values[order])
        for name, members in groups.items():
            sorted_members = {key: np.asarray(values)[order] for key, values in members.items()}
            object.__setattr__(self, name, sorted_members)
        wave, width = self.wave_nm, self.width_nm
        if not (np.isfinite(wave).all() and np.isfinite(width).all() and (width > 0).all()):
            raise ValueError("wavelengths and widths of bins must be finite, widths above zero")
        if (np.diff(wave) < 0.5 * np.minimum(width[1:], width[:-1])).any():
            raise ValueError("bins of a spectrum overlap")

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Bins with a value and its variance."""
        return np.isfinite(self.flux_density) & np.isfinite(self.variance) & (self.variance > 0)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Bins fit for a measurement."""
        return self.finite & ~has(self.quality, UNUSABLE)

    def edges_nm(self) -> tuple[Array, Array]:
        """Lower and upper borders of the bins; neighbours share theirs."""
        low, high = self.wave_nm - self.width_nm / 2, self.wave_nm + self.width_nm / 2
        closed = np.abs(low[1:] - high[:-1]) < _CLOSED_GAP * self.width_nm[1:]
        closed |= low[1:] < high[:-1]
        middle = (low[1:] + high[:-1]) / 2
        low[1:] = np.where(closed, middle, low[1:])
        high[:-1] = np.where(closed, middle, high[:-1])
        return low, high


@dataclass(frozen=True)
class Combined:
    """A spectrum on the grid.

    Attributes
    ----------
    edges_nm : ndarray, shape (n + 1,)
        Borders of the bins.
    flux, variance : ndarray, shape (n,)
        Mean flux per nm and its variance; NaN where there is no data.
    quality : ndarray of uint16, shape (n,)
        Bits of the bins that take part; NO_DATA where there are none, INTERPOLATED where part of
        the bin is not covered by good ones.
    covariance_factor : ndarray, shape (n,)
        Variance of sums of 20 bins over the sum of their variances, near each bin.
    sky : ndarray, shape (n,)
        Sky per nm; NaN where no spectrum has one.
    extra, extra_variance : mapping of str to ndarray
        Further densities and variances; NaN where a spectrum that takes part has none.
    """

    edges_nm: Array
    flux: Array
    variance: Array
    quality: QualityArray
    covariance_factor: Array
    sky: Array
    extra: Mapping[str, Array]
    extra_variance: Mapping[str, Array]

    @property
    def wave_nm(self) -> Array:
        """Centres of the bins."""
        return (self.edges_nm[1:] + self.edges_nm[:-1]) / 2

    @property
    def width_nm(self) -> Array:
        """Widths of the bins."""
        return np.diff(self.edges_nm)

    @property
    def typical_covariance_factor(self) -> float:
        """Median of the covariance factor; 1 if there is no data."""
        known = np.isfinite(self.flux)
        return float(np.median(self.covariance_factor[known])) if known.any() else 1.0

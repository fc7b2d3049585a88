"""Spectra that overlap in wavelength, such as echelle orders and arms, become one spectrum.

Every bin is shared out among the bins of the new grid by the length of overlap, so that flux is
conserved; where several spectra see a bin they are averaged with inverse-variance weights. All of
it is one sparse linear operator, so that variances, and the covariance of neighbouring bins, are
propagated and not estimated. The weights are shares of the inverse variance smoothed along
wavelength: a variance that follows the photon noise of its own bin would give low values more
weight and bias the mean (Naylor 1998, MNRAS 296, 339, on the same in optimal extraction).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.sparse import coo_array, csr_array, diags_array, hstack

from soxs_recipes.algorithms.quality import Quality, QualityArray
from soxs_recipes.algorithms.spectrum_pieces import Array, Combined, SpectrumPiece

__all__ = ["Combined", "SpectrumPiece", "combine", "linear_grid", "log_grid"]

SPEED_OF_LIGHT_KMS = 299792.458
GROUP_BINS = 20
"""Bins of the sums for which the covariance factor is stated."""

# Weights follow the mean of so many bins, but not where they change by such a factor at once.
_SHARE_BINS, _SHARE_JUMP = 51, 4.0
# A spectrum that covers less of a bin takes no part in it; one that covers less than all is scaled.
_LEAST_COVERAGE, _FULL_COVERAGE = 0.5, 0.999
_FACTOR_GROUPS = 5


def log_grid(first_nm: float, last_nm: float, step_kms: float) -> Array:
    """Borders of bins of one width in ln(wavelength) that hold a range.

    Grids of one step share their borders, whatever their range.

    Raises
    ------
    ValueError
        If the range or the step is not above zero.
    """
    _check_range(first_nm, last_nm, step_kms)
    step = np.log1p(step_kms / SPEED_OF_LIGHT_KMS)
    return np.exp(step * _whole_steps(np.log(first_nm) / step, np.log(last_nm) / step))


def linear_grid(first_nm: float, last_nm: float, step_nm: float) -> Array:
    """Borders of bins of one width in wavelength that hold a range; see `log_grid`."""
    _check_range(first_nm, last_nm, step_nm)
    return step_nm * _whole_steps(first_nm / step_nm, last_nm / step_nm)


def combine(spectra: Sequence[SpectrumPiece], edges_nm: Array) -> Combined:
    """Rebin spectra to a grid, conserving flux, and average them by inverse variance.

    Parameters
    ----------
    spectra : sequence of SpectrumPiece
        Spectra on one scale.
    edges_nm : ndarray, shape (n + 1,)
        Borders of the bins, rising.

    Returns
    -------
    Combined
        Where spectra have no usable bin, the plain average of unusable ones with their bits.

    Raises
    ------
    ValueError
        If the borders do not rise.
    """
    edges = np.asarray(edges_nm, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError("borders of bins must rise")
    overlaps = [_overlaps(piece, edges) for piece in spectra]
    usable = [(piece.good, piece.finite & ~piece.good) for piece in spectra]
    good, covered = _operator(spectra, overlaps, [first for first, _ in usable], edges)
    spare, _ = _operator(spectra, overlaps, [second for _, second in usable], edges)
    empty = _row_sums(good) == 0
    matrix = good + diags_array(empty.astype(float)) @ spare
    return _apply(spectra, matrix.tocsr(), edges, covered)


def _check_range(first: float, last: float, step: float) -> None:
    if not (0 < first < last and step > 0):
        raise ValueError(f"no grid from {first:g} to {last:g} in steps of {step:g}")


def _whole_steps(first: float, last: float) -> Array:
    """Whole numbers from below one value to above another, rounding errors apart."""
    return np.arange(np.floor(first + 1e-9), np.ceil(last - 1e-9) + 1)


def _overlaps(piece: SpectrumPiece, edges: Array) -> csr_array:
    """Lengths that bins of the grid (rows) share with those of a spectrum (columns)."""
    low, high = piece.edges_nm()
    count = len(edges) - 1
    first = np.clip(np.searchsorted(edges, low, "right") - 1, 0, count)
    last = np.clip(np.searchsorted(edges, high, "left"), 0, count)
    number = np.maximum(last - first, 0)
    column = np.repeat(np.arange(len(low)), number)
    row = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    row += np.repeat(first, number)
    shared = np.minimum(edges[row + 1], high[column]) - np.maximum(edges[row], low[column])
    matrix = coo_array((np.maximum(shared, 0.0), (row, column)), shape=(count, len(low)))
    return matrix.tocsr()


def _operator(
    spectra: Sequence[SpectrumPiece],
    overlaps: Sequence[csr_array],
    used: Sequence[NDArray[np.bool_]],
    edges: Array,
) -> tuple[csr_array, Array]:
    """Operator from the bins of all spectra to the grid, and how much of each bin they cover."""
    width = np.diff(edges)
    means, inverse, covered = [], [], np.zeros(len(width))
    for piece, overlap, mask in zip(spectra, overlaps, used, strict=True):
        shared = overlap @ diags_array(mask.astype(float))
        length = _row_sums(shared)
        takes_part = length >= _LEAST_COVERAGE * width
        scale = np.divide(1.0, length, out=np.zeros_like(length), where=takes_part)
        mean = diags_array(scale) @ shared
        variance = mean.power(2) @ np.where(mask, piece.variance, 0.0)
        means.append(mean)
        inverse.append(np.divide(1.0, variance, out=np.zeros_like(variance), where=takes_part))
        covered = np.maximum(covered, np.where(takes_part, length / width, 0.0))
    return _stacked(means, _weights(inverse, len(width)), len(width)), covered


def _stacked(means: Sequence[csr_array], weights: Sequence[Array], count: int) -> csr_array:
    """Operators of the spectra side by side, each with its weights."""
    if not means:
        return csr_array((count, 0))
    parts = [diags_array(weight) @ mean for weight, mean in zip(weights, means, strict=True)]
    return csr_array(hstack(parts, format="csr"))


def _weights(inverse: Sequence[Array], count: int) -> list[Array]:
    """Weights that add to 1 in every bin of the grid, from inverse variances."""
    total = np.sum(inverse, axis=0) if inverse else np.zeros(count)
    shares = [np.divide(one, total, out=np.zeros_like(one), where=total > 0) for one in inverse]
    smooth = [_smooth_share(share) for share in shares]
    total = np.sum(smooth, axis=0) if smooth else total
    return [np.divide(one, total, out=np.zeros_like(one), where=total > 0) for one in smooth]


def _smooth_share(share: Array) -> Array:
    """Mean of a share of the weight over the bins around that a spectrum covers."""
    here = (share > 0).astype(float)
    if not here.any():
        return share
    first, last = np.flatnonzero(here)[[0, -1]] + [0, 1]
    part, seen = share[first:last], here[first:last]
    total = uniform_filter1d(part, _SHARE_BINS, mode="constant")
    number = uniform_filter1d(seen, _SHARE_BINS, mode="constant")
    mean = np.divide(total, number, out=np.zeros_like(part), where=seen > 0)
    # A bin that lost most of its pixels to a cosmic ray has a large variance of its own.
    jump = (part * _SHARE_JUMP < mean) | (part > _SHARE_JUMP * mean)
    smooth = np.zeros_like(share)
    smooth[first:last] = np.where(jump, part, mean)
    return smooth


def _apply(
    spectra: Sequence[SpectrumPiece], matrix: csr_array, edges: Array, covered: Array
) -> Combined:
    """Send all columns of the spectra through the operator."""
    known = _row_sums(matrix) > 0

    def linear(columns: Iterator[Array | None]) -> Array:
        return np.where(known, matrix @ _joined(spectra, columns, matrix), np.nan)

    def squared(columns: Iterator[Array | None]) -> Array:
        return np.where(known, matrix.power(2) @ _joined(spectra, columns, matrix), np.nan)

    noise = _Noise.of(spectra, matrix)
    variance = np.where(known, noise.variance(matrix), np.nan)
    widened = np.divide(
        variance, matrix.power(2) @ noise.own, out=np.ones_like(variance), where=known
    )
    names = dict.fromkeys(name for piece in spectra for name in piece.extra)
    variances = dict.fromkeys(name for piece in spectra for name in piece.extra_variance)
    return Combined(
        edges,
        linear(piece.flux_density for piece in spectra),
        variance,
        _quality(spectra, matrix, known, covered),
        _covariance_factor(noise, matrix, np.diff(edges)),
        linear(piece.sky_density for piece in spectra),
        {name: linear(piece.extra.get(name) for piece in spectra) for name in names},
        {
            name: widened * squared(piece.extra_variance.get(name) for piece in spectra)
            for name in variances
        },
    )


def _joined(
    spectra: Sequence[SpectrumPiece], columns: Iterator[Array | None], matrix: csr_array
) -> Array:
    """One column of all spectra, NaN where one has none, 0 where the operator does not look."""
    parts = [
        np.full(len(piece.wave_nm), np.nan) if column is None else column
        for piece, column in zip(spectra, columns, strict=True)
    ]
    values = np.concatenate([*parts, np.empty(0)])
    return np.where(_column_sums(matrix) > 0, values, 0.0)


@dataclass(frozen=True)
class _Noise:
    """Covariance matrix of the bins of all spectra: its diagonal and first off-diagonal."""

    own: Array
    next: Array

    @classmethod
    def of(cls, spectra: Sequence[SpectrumPiece], matrix: csr_array) -> _Noise:
        own = _joined(spectra, (piece.variance for piece in spectra), matrix)
        # Correlation of neighbours that makes sums of GROUP_BINS vary as the factor says.
        share = 0.5 * GROUP_BINS / (GROUP_BINS - 1)
        parts = []
        for piece in spectra:
            low, high = piece.edges_nm()
            rho = np.clip(share * (piece.covariance_factor - 1), -0.5, 0.5)
            parts.append(np.append(np.where(low[1:] == high[:-1], rho, 0.0), 0.0)[: len(low)])
        rho = np.concatenate([*parts, np.empty(0)])[:-1]
        return cls(own, rho * np.sqrt(own[1:] * own[:-1]))

    def variance(self, matrix: csr_array) -> Array:
        """Variances of the rows of an operator."""
        alone = matrix.power(2) @ self.own
        if not self.next.any():
            return alone
        columns = matrix.tocsc()
        return alone + 2 * (columns[:, 1:].multiply(columns[:, :-1]).tocsr() @ self.next)


def _covariance_factor(noise: _Noise, matrix: csr_array, width: Array) -> Array:
    """Variance of the flux in groups of bins over the sum of the bins' variances."""
    count = len(width)
    group = np.arange(count) // GROUP_BINS
    sums = coo_array((width, (group, np.arange(count))), shape=(group[-1] + 1, count)).tocsr()
    together = noise.variance(csr_array(sums @ matrix))
    apart = sums.power(2) @ noise.variance(matrix)
    known = apart > 0
    if not known.any():
        return np.ones(count)
    factor = np.divide(together, apart, out=np.full(len(apart), np.nan), where=known)
    factor = np.interp(np.arange(len(apart)), np.flatnonzero(known), factor[known])
    return median_filter(factor, _FACTOR_GROUPS, mode="nearest")[group]


def _quality(
    spectra: Sequence[SpectrumPiece],
    matrix: csr_array,
    known: NDArray[np.bool_],
    covered: Array,
) -> QualityArray:
    """Bits of all bins that take part in each bin of the grid."""
    bits = np.concatenate([*(piece.quality for piece in spectra), np.empty(0, np.uint16)])
    quality = np.where(known, np.uint16(0), np.uint16(Quality.NO_DATA))
    quality |= np.where(
        (covered > 0) & (covered < _FULL_COVERAGE), np.uint16(Quality.INTERPOLATED), np.uint16(0)
    )
    pattern = (matrix > 0).astype(np.float64)
    for bit in Quality:
        marked = (bits.astype(np.uint16) & np.uint16(bit)) > 0
        if marked.any():
            quality |= np.where(pattern @ marked > 0, np.uint16(bit), np.uint16(0))
    return quality


def _row_sums(matrix: csr_array) -> Array:
    return np.asarray(matrix.sum(axis=1)).ravel()


def _column_sums(matrix: csr_array) -> Array:
    return np.asarray(matrix.sum(axis=0)).ravel()

"""Normal equations of the fluxes and positions of many stars, and the errors that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.star_drawing import ProfileDisc, Stamp, chunks, place

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[np.float64]

# Neighbours that share this part of a star's light, the most of them first, make its errors.
_SHARED_LIGHT, _NEIGHBOURS = 0.03, 10
# Stars whose errors are solved for in one go.
_BATCH = 512
# Keeps blends that nothing tells apart from having no errors at all.
_RIDGE = 1e-5
# Light of a pixel, relative to the peak, that belongs to the core of a star.
_CORE = 0.1


@dataclass(frozen=True)
class Equations:
    """What the pixels say about the stars; unknowns are fluxes, then moves times flux.

    Attributes
    ----------
    normal : csr_matrix, shape (3 n, 3 n), or None
        Normal matrix, if it was asked for.
    diagonal : ndarray, shape (3, n)
        Its diagonal.
    right : ndarray, shape (3 n,)
        Right-hand side for changes.
    chi2 : ndarray, shape (n,)
        Mean square of the residuals over the variance in the core of each star.
    usable : ndarray, shape (n,)
        Share of the light that fell on usable pixels.
    """

    normal: csr_matrix | None
    diagonal: Array
    right: Array
    chi2: Array
    usable: Array


@dataclass(frozen=True)
class Pixels:
    """Padded images of what is left to fit and of inverse variances.

    Attributes
    ----------
    residual, weight : ndarray
        Data less model, and inverse variance; weight 0 where a pixel is not usable.
    inside : ndarray
        1 in the image, 0 in the margin.
    """

    residual: Array
    weight: Array
    inside: Array


def star_equations(
    pixels: Pixels,
    x: Array,
    y: Array,
    discs: list[tuple[ProfileDisc, NDArray[np.intp]]],
    with_normal: bool = True,
) -> Equations:
    """Set up the normal equations of stars.

    Parameters
    ----------
    pixels : Pixels
        The image.
    x, y : ndarray, shape (n,)
        Positions.
    discs : list of (ProfileDisc, ndarray of int)
        In which disc about them which stars are fitted.
    with_normal : bool
        Whether the normal matrix is wanted.
    """
    count = len(x)
    right, diagonal = np.zeros((3, count)), np.zeros((3, count))
    chi2, usable = np.zeros((2, count))
    designs = []
    shape = pixels.residual.shape
    for disc, members in discs:
        for ours in chunks(members, disc):
            at = place(shape, x, y, ours, disc)
            columns = (disc.light(at.dx, at.dy), *disc.slopes(at.dx, at.dy))
            weight = pixels.weight.ravel()[at.pixel]
            residual = pixels.residual.ravel()[at.pixel]
            pull = weight * residual
            right[:, ours] = [np.einsum("np,np->n", column, pull) for column in columns]
            chi2[ours] = _core_chi2(columns[0], weight, residual)
            usable[ours] = _usable(columns[0], weight, pixels.inside.ravel()[at.pixel])
            root = np.sqrt(weight).astype(np.float32)
            weighted = [column * root for column in columns]
            diagonal[:, ours] = [np.einsum("np,np->n", part, part) for part in weighted]
            if with_normal:
                designs += [
                    (part, at.pixel, ours + axis * count) for axis, part in enumerate(weighted)
                ]
    normal = _normal(designs, pixels.residual.size) if with_normal else None
    return Equations(normal, diagonal, right.ravel(), chi2, usable)


def joint_variances(normal: csr_matrix) -> Array:
    """Variances of the unknowns of each star, those of its neighbours solved for beside them.

    Parameters
    ----------
    normal : csr_matrix, shape (3 n, 3 n)
        Normal matrix.

    Returns
    -------
    ndarray, shape (3, n)
        Variances; infinite for a star without a usable pixel.
    """
    count = normal.shape[0] // 3
    diagonal = normal.diagonal().reshape(3, count)
    seen = (diagonal > 0).all(axis=0)
    variance = np.full((3, count), np.inf)
    groups = _groups(normal[:count, :count], seen)
    width = groups.shape[1]
    every = np.concatenate([np.where(groups >= 0, groups + k * count, -1) for k in range(3)], 1)
    for part in np.array_split(np.flatnonzero(seen), max(seen.sum() // _BATCH, 1)):
        if part.size:
            inverse = _inverse_diagonals(normal, every[part])
            variance[:, part] = inverse[:, [0, width, 2 * width]].T
    return variance


def _core_chi2(light: Stamp, weight: Array, residual: Array) -> Array:
    core = (light > _CORE * light.max(axis=1, keepdims=True)) & (weight > 0)
    # Three numbers of each star are fitted.
    return np.sum(core * weight * residual**2, axis=1) / np.maximum(core.sum(axis=1) - 3, 1)


def _usable(light: Stamp, weight: Array, inside: Array) -> Array:
    total = np.einsum("np,np->n", light, inside)
    return np.sum(light * (weight > 0), axis=1) / np.maximum(total, 1e-9) * (total > 0.3)


def _normal(designs: list[tuple[Stamp, NDArray, NDArray]], size: int) -> csr_matrix:
    """Normal matrix of columns of pixels: values, flat indices and numbers of the unknowns."""
    from scipy.sparse import csc_matrix

    values, rows, unknowns = zip(*designs, strict=True)
    lengths = np.concatenate([np.full(len(part), part.shape[1]) for part in values])
    edges = np.concatenate([[0], np.cumsum(lengths)])
    data, row = (np.concatenate([part.ravel() for part in parts]) for parts in (values, rows))
    design = csc_matrix((data, row, edges), (size, len(lengths)))
    back = np.argsort(np.concatenate(unknowns))
    normal = (design.T @ design).tocsr()[back][:, back]
    normal.sort_indices()
    return normal


def _groups(shared: csr_matrix, seen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Each star and its neighbours, -1 for none, shape (n, 1 + most)."""
    count = shared.shape[0]
    pairs = shared.tocoo()
    alone = 1 / np.sqrt(np.maximum(shared.diagonal(), 1e-30))
    part = np.abs(pairs.data) * alone[pairs.row] * alone[pairs.col]
    near = (part > _SHARED_LIGHT) & (pairs.row != pairs.col) & seen[pairs.row] & seen[pairs.col]
    row, column, part = pairs.row[near], pairs.col[near], part[near]
    order = np.lexsort((-part, row))
    row, column = row[order], column[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    groups = np.full((count, 1 + min(int(rank.max(initial=-1)) + 1, _NEIGHBOURS)), -1)
    groups[:, 0] = np.arange(count)
    first = rank < _NEIGHBOURS
    groups[row[first], rank[first] + 1] = column[first]
    return groups


def _inverse_diagonals(normal: csr_matrix, unknowns: NDArray[np.intp]) -> Array:
    """Diagonals of the inverses of parts of a matrix."""
    blocks = _parts(normal, unknowns)
    scale = 1 / np.sqrt(np.einsum("nii->ni", blocks))
    blocks *= scale[:, :, None] * scale[:, None, :]
    np.einsum("nii->ni", blocks)[...] += _RIDGE
    return np.einsum("nii->ni", np.linalg.inv(blocks)) * scale**2


def _parts(normal: csr_matrix, unknowns: NDArray[np.intp]) -> Array:
    """Square parts of a matrix with sorted indices; the unit matrix where there is no unknown."""
    size = normal.shape[0]
    keys = np.repeat(np.arange(size), np.diff(normal.indptr)) * size + normal.indices
    wanted = unknowns[:, :, None] * size + unknowns[:, None, :]
    known = (unknowns >= 0)[:, :, None] & (unknowns >= 0)[:, None, :]
    place_ = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = known & (keys[place_] == wanted)
    blocks = np.where(found, normal.data[place_], 0.0)
    absent = np.einsum("nii->ni", blocks)
    absent[unknowns < 0] = 1.0
    return blocks

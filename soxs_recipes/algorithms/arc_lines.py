"""Arc lines of a lamp, their images in the orders, and which of them are blended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FWHM_TO_SD = 1 / (2 * np.sqrt(2 * np.log(2)))
_REACH_FWHM = 3.0


@dataclass(frozen=True)
class ArcLines:
    """A list of arc lines, ordered by wavelength.

    Attributes
    ----------
    wave_nm, sigma_nm : ndarray, shape (n,)
        Wavelength in standard air and its standard uncertainty.
    ion, lamp : ndarray of str
        What emits the line.
    strength : ndarray
        log10 of the expected relative strength.
    """

    wave_nm: Array
    sigma_nm: Array
    ion: NDArray[np.str_]
    lamp: NDArray[np.str_]
    strength: Array


@dataclass(frozen=True)
class LineImages:
    """Lines as they fall into orders: a line seen in two orders stands twice.

    Attributes
    ----------
    line : ndarray of int, shape (n,)
        Row of the line in its list.
    order : ndarray of int
        Order number.
    wave_nm, sigma_nm, strength : ndarray
        As in the list.
    slit_arcsec : ndarray
        Slit position.
    x, y : ndarray
        Predicted position, px.
    blend_px : ndarray
        Shift of the centroid that the neighbours cause, px.
    """

    line: NDArray[np.int_]
    order: NDArray[np.int_]
    wave_nm: Array
    sigma_nm: Array
    strength: Array
    slit_arcsec: Array
    x: Array
    y: Array
    blend_px: Array

    def select(self, where: Mask) -> LineImages:
        """Part of the lines."""
        return LineImages(**{name: value[where] for name, value in vars(self).items()})


def line_images(lines: ArcLines, solution: DispersionSolution, fwhm_px: float) -> LineImages:
    """Images of the lines in every order whose range holds them.

    Parameters
    ----------
    lines : ArcLines
        The list.
    solution : DispersionSolution
        Where wavelengths fall.
    fwhm_px : float
        Width of a line image, by which blends are judged.
    """
    low, high = solution.range_nm.T
    inside = (lines.wave_nm >= low[:, None]) & (lines.wave_nm <= high[:, None])
    row, line = np.nonzero(inside)
    order, wave = solution.orders[row], lines.wave_nm[line]
    x, y = solution.to_pixel(order, wave)
    return LineImages(
        line=line,
        order=order,
        wave_nm=wave,
        sigma_nm=lines.sigma_nm[line],
        strength=lines.strength[line],
        slit_arcsec=np.zeros(len(line)),
        x=x,
        y=y,
        blend_px=blend_shifts(row, solution.along(x, y), lines.strength[line], fwhm_px),
    )


def through_pinholes(
    images: LineImages, solution: DispersionSolution, slit_arcsec: Array
) -> LineImages:
    """Every line once per pinhole, at the slit positions given."""
    count = len(slit_arcsec)
    repeated = {name: np.repeat(value, count) for name, value in vars(images).items()}
    slit = np.tile(np.asarray(slit_arcsec, float), len(images.line))
    x, y = solution.to_pixel(repeated["order"], repeated["wave_nm"], slit)
    return LineImages(**repeated | {"slit_arcsec": slit, "x": x, "y": y})


def blend_shifts(
    order: NDArray[np.int_], position_px: Array, strength: Array, fwhm_px: float
) -> Array:
    """Largest shift of each line's centroid by its neighbours in the same order, px.

    A neighbour at distance d, weaker by the factor r, pulls the centroid of a Gaussian fit by
    ``r d exp(-d^2 / 4 sigma^2)`` to first order in r; those on either side do not compensate
    each other here, since strengths are known roughly only.

    Parameters
    ----------
    order, position_px, strength : ndarray, shape (n,)
        Order, position along dispersion and log10 of the strength.
    fwhm_px : float
        Width of a line.
    """
    reach, sd = _REACH_FWHM * fwhm_px, fwhm_px * FWHM_TO_SD
    key = order * 1e6 + position_px
    sort = np.argsort(key)
    left = np.searchsorted(key[sort], key[sort] - reach)
    right = np.searchsorted(key[sort], key[sort] + reach)
    here, other = expand_ranges(left, right)
    distance = np.abs(key[sort][here] - key[sort][other])
    ratio = 10 ** np.clip(strength[sort][other] - strength[sort][here], -6, 6)
    pull = ratio * distance * np.exp(-((distance / (2 * sd)) ** 2))
    # Lines that coincide have one centroid between them, wherever it lies.
    pull[(distance < 0.1 * fwhm_px) & (here != other)] *= 10
    result = np.empty(len(key))
    result[sort] = np.bincount(here, pull, minlength=len(key))
    return result


def expand_ranges(
    start: NDArray[np.int_], stop: NDArray[np.int_]
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Pairs (row, element) of the ranges ``start[row]:stop[row]``."""
    count = stop - start
    row = np.repeat(np.arange(len(start)), count)
    first = np.cumsum(count) - count
    return row, np.arange(count.sum()) - first[row] + start[row]

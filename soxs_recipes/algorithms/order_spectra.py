"""The spectra of all orders of an object, as extracted: electrons per detector pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.quality import has

Array = NDArray[np.float64]

COVARIANCE_BINS = 20
"""Number of neighbouring bins of the sums that a covariance factor is for."""


@dataclass(frozen=True)
class OrderSpectra:
    """Spectra of all orders in long form, sorted by order, then wavelength.

    Every array has one entry per bin; a bin is one detector pixel along dispersion on the slit
    centre. Electrons are those of `exptime_s`.

    Attributes
    ----------
    order : ndarray of int
        Order number.
    wave_nm, width_nm : ndarray
        Centre (standard air) and width of the bin.
    flux_e, error_e : ndarray
        Optimally extracted object and its standard error, electrons in the bin.
    quality : ndarray of uint16
        Bits as named in `Quality`.
    sky_e : ndarray
        Electrons of sky under the object, on the scale of `flux_e`.
    boxcar_e, boxcar_error_e : ndarray
        Plain sum over the aperture, corrected for the light outside it, and its standard error.
    blaze : ndarray
        Blaze relative to the arm's maximum; NaN where it is not known.
    covariance : mapping of int to float
        Order to variance of sums of `COVARIANCE_BINS` bins over the sum of the variances.
    exptime_s : float
        Time in which the electrons came.
    background_e : ndarray or None
        Electrons of other light under the object, of neighbours and of a galaxy, that are not in
        `flux_e`; None where none was looked for.
    """

    order: NDArray[np.int_]
    wave_nm: Array
    width_nm: Array
    flux_e: Array
    error_e: Array
    quality: NDArray[np.uint16]
    sky_e: Array
    boxcar_e: Array
    boxcar_error_e: Array
    blaze: Array
    covariance: Mapping[int, float]
    exptime_s: float
    background_e: Array | None = None

    @property
    def snr(self) -> Array:
        """Signal-to-noise ratio per bin; 0 where there is no error."""
        known = np.isfinite(self.error_e) & (self.error_e > 0)
        return np.divide(self.flux_e, self.error_e, out=np.zeros_like(self.flux_e), where=known)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Where the bin holds a measurement without reservation against its use."""
        return ~has(self.quality) & np.isfinite(self.flux_e) & (self.error_e > 0)

    @property
    def orders(self) -> list[int]:
        """Order numbers, ascending."""
        return np.unique(self.order).tolist()

    def of(self, order: int) -> NDArray[np.bool_]:
        """Bins of one order."""
        return self.order == order

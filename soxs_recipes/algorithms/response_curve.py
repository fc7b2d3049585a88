"""Response of the instrument along its orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Response:
    """Flux above the atmosphere per count rate, order by order.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Order number of each sample.
    wave_nm : ndarray, shape (n,)
        Wavelength in standard air, rising within an order.
    response : ndarray, shape (n,)
        erg s-1 cm-2 Angstrom-1 above the atmosphere for one electron s-1 nm-1 above it, that is
        after the extinction has been taken out of the count rate.
    error : ndarray, shape (n,)
        Standard error of the response.
    standard : str
        Name of the standard star.
    airmass : float
        Airmass of the standard at mid-exposure.
    slit : str
        Slit that the standard was observed through.
    binning : str
        Binning of its frames, ``'1x1'`` for none.
    seeing_arcsec : float
        Width of the standard's disc at 500 nm, as measured on the slit; NaN where it was not.
    """

    order: NDArray[np.int_]
    wave_nm: Array
    response: Array
    error: Array
    standard: str = ""
    airmass: float = float("nan")
    slit: str = ""
    binning: str = ""
    seeing_arcsec: float = float("nan")

    def at(self, order: int, wave_nm: ArrayLike) -> tuple[Array, Array]:
        """Response and its standard error in an order; NaN where it was not measured.

        The logarithm is interpolated, so that steep edges of an order are followed.
        """
        wave = np.asarray(wave_nm, float)
        here = (self.order == order) & (self.response > 0)
        if not here.any():
            return np.full(wave.shape, np.nan), np.full(wave.shape, np.nan)
        nodes = self.wave_nm[here]
        value = np.exp(
            np.interp(wave, nodes, np.log(self.response[here]), left=np.nan, right=np.nan)
        )
        return value, value * np.interp(wave, nodes, self.error[here] / self.response[here])

"""Noise that beams share: of master calibrations, and of the sky of one exposure.

The noise of master frames is the same in all exposures, so that no average removes it. The error of
a sky lies under both images of an object in a difference; as one of them is negative, it cancels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.beam_pixels import MasterNoise
from soxs_recipes.algorithms.extraction import OrderFit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SharedNoise:
    """What the master frames add to the spectrum of one order of a beam; entries per bin.

    Attributes
    ----------
    share : ndarray
        Share of the variance that is theirs.
    centre_arcsec, fwhm_arcsec : ndarray
        Where on the slit the object is: beams share the noise of pixels that both use.
    """

    share: Array
    centre_arcsec: Array
    fwhm_arcsec: Array


SharedByOrder = Mapping[int, SharedNoise]


@dataclass(frozen=True)
class SharedBeams:
    """Shared noise of one order in all beams.

    Attributes
    ----------
    masters : sequence of SharedNoise
        Noise of master frames; none if a beam's is not known.
    images : sequence of (int, int)
        Number of the exposure of each beam, and sign of the object in it.
    """

    masters: Sequence[SharedNoise] = ()
    images: Sequence[tuple[int, int]] = ()

    def added(self, variances: Array, of_sky: Array) -> Array | float:
        """Variance of a sum beyond that of its terms, for they have noise in common.

        Parameters
        ----------
        variances : ndarray, shape (beams, bins)
            Variances of the terms.
        of_sky : ndarray, shape (beams, bins)
            What of them is due to the sky that was subtracted.
        """
        total: Array | float = 0.0
        for i, one in enumerate(self.masters):
            for j, other in enumerate(self.masters[:i]):
                common = np.sqrt(variances[i] * one.share * variances[j] * other.share)
                total = total + 2 * common * _overlap(one, other)
        for i, (exposure, sign) in enumerate(self.images):
            for j, (another, its_sign) in enumerate(self.images[:i]):
                if exposure == another:
                    total = total + 2 * sign * its_sign * np.sqrt(of_sky[i] * of_sky[j])
        return total


def shared_noise(
    fit: OrderFit, centre_arcsec: Array, fwhm_arcsec: Array, masters: MasterNoise
) -> SharedNoise:
    """Share of the master frames in the variance of an extracted order.

    Parameters
    ----------
    fit : OrderFit
        The converged fit.
    centre_arcsec, fwhm_arcsec : ndarray, shape (bins,)
        Trace of the object.
    masters : MasterNoise
        Noise of the master frames in a pixel.
    """
    near = fit.near
    light = near.response * near.level(fit.spectrum)
    if near.pixels.sky is not None:
        light = light + near.taken(near.pixels.sky)
    noise = masters.zero_e**2 + (masters.response * light) ** 2
    # Optimal weights are response over variance.
    weight = np.where(fit.keep, near.response / fit.variance, 0.0) ** 2
    of_masters, of_all = (near.summed(weight * variance) for variance in (noise, fit.variance))
    share = np.divide(of_masters, of_all, out=np.zeros_like(of_all), where=of_all > 0)
    return SharedNoise(np.clip(share, 0, 1), centre_arcsec, fwhm_arcsec)


def _overlap(one: SharedNoise, other: SharedNoise) -> Array:
    """Correlation of the noise of sums over the same pixels, weighted by two Gaussian profiles."""
    fwhm = (one.fwhm_arcsec + other.fwhm_arcsec) / 2
    return np.exp2(-2 * ((one.centre_arcsec - other.centre_arcsec) / fwhm) ** 2)

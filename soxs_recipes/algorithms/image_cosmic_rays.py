"""Cosmic rays in images: L.A.Cosmic (van Dokkum 2001) as astroscrappy makes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_KAPPA, _NEIGHBOUR_SHARE, _CONTRAST, _ROUNDS = 6.0, 0.3, 6.0, 2
# Side of the box around a saturated pixel in which nothing is judged: its flank is steep.
_SATURATED_REACH = 13


def image_cosmic_rays(flux: Image, variance: Image, good: Mask, saturated: Mask) -> Mask:
    """Pixels of an image that cosmic rays have struck.

    Parameters
    ----------
    flux, variance : ndarray, shape (ny, nx)
        Electrons and their variance.
    good : ndarray of bool
        Usable pixels; the others are not judged.
    saturated : ndarray of bool
        Saturated pixels; nor is what lies around them.
    """
    from astroscrappy import detect_cosmics
    from scipy.ndimage import maximum_filter

    struck, _ = detect_cosmics(
        np.ascontiguousarray(np.where(good, flux, 0), dtype=np.float32),
        inmask=np.ascontiguousarray(~good),
        invar=np.ascontiguousarray(np.where(good, variance, 1), dtype=np.float32),
        sigclip=_KAPPA,
        sigfrac=_NEIGHBOUR_SHARE,
        objlim=_CONTRAST,
        gain=1.0,
        satlevel=np.inf,
        niter=_ROUNDS,
        cleantype="medmask",
        fsmode="median",
    )
    judged = good & ~maximum_filter(saturated, _SATURATED_REACH)
    return struck & judged

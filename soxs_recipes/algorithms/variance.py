"""Noise models of the two detector kinds: variance as a function of the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Variance = NDArray[np.float32]


class NoiseModel(Protocol):
    """Variance of one frame as a function of its signal."""

    def variance(self, signal_e: ArrayLike) -> Variance:
        """Variance in e-^2 of a signal in electrons above the zero level."""


@dataclass(frozen=True)
class CcdNoise:
    """Read noise and photon noise of a CCD frame.

    Parameters
    ----------
    read_noise_e : float
        Read noise of one frame in electrons.
    """

    read_noise_e: float

    def __post_init__(self) -> None:
        _require_not_negative("read_noise_e", self.read_noise_e)

    def variance(self, signal_e: ArrayLike) -> Variance:
        """Return the variance in e-^2 of a signal in electrons above the bias level.

        A signal below zero counts as zero.
        """
        signal = np.asarray(signal_e, dtype=np.float32)
        return np.maximum(signal, 0) + np.float32(self.read_noise_e**2)


@dataclass(frozen=True)
class RampNoise:
    """Noise of an up-the-ramp frame that is the mean of `ndit` ramps.

    Parameters
    ----------
    read_noise_e : float
        Effective read noise of one ramp in electrons.
    photon_factor : float
        Photon variance of one ramp per electron of signal. The ramp fit gives 6/5 where photon
        noise rules (Garnett & Forrest 1993); two end samples alone would give 1.
    ndit : int
        Number of ramps averaged.
    """

    read_noise_e: float
    photon_factor: float = 1.2
    ndit: int = 1

    def __post_init__(self) -> None:
        _require_not_negative("read_noise_e", self.read_noise_e)
        _require_not_negative("photon_factor", self.photon_factor)
        if self.ndit < 1:
            raise ValueError(f"ndit must be at least 1, found {self.ndit}")

    def variance(self, signal_e: ArrayLike) -> Variance:
        """Return the variance in e-^2 of a signal in electrons per DIT; below zero counts as 0."""
        signal = np.maximum(np.asarray(signal_e, dtype=np.float32), 0)
        single = signal * np.float32(self.photon_factor) + np.float32(self.read_noise_e**2)
        return single / np.float32(self.ndit)


def _require_not_negative(name: str, value: float) -> None:
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a number of at least 0, found {value}")

"""Up-the-ramp sampling: the reads of one integration and the straight line through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .specs import H2rgSpec


@dataclass(frozen=True)
class Ramp:
    """The reads of one DIT and what becomes of them.

    This class alone fixes the meaning of a raw pixel: the charge collected in ONE DIT by the
    straight line through the reads (slope times DIT), averaged over NDIT, in ADU per DIT.
    The first read is taken right after the reset, the last at the end of the DIT.
    """

    reads: int
    method: str = "slope"

    @classmethod
    def of(cls, spec: H2rgSpec, dit_s: float, method: str = "slope") -> Ramp:
        """Return the ramp of a DIT: as many reads as fit, at most ``spec.max_reads``.

        Parameters
        ----------
        spec : H2rgSpec
            The detector.
        dit_s : float
            Integration time.
        method : {'slope', 'cds'}
            Line through all reads, or last minus first.

        Raises
        ------
        ValueError
            The DIT is shorter than one read of the detector, or the method is unknown.
        """
        if dit_s < spec.read_s:
            raise ValueError(f"DIT {dit_s:g} s is shorter than one read ({spec.read_s:g} s)")
        if method not in ("slope", "cds"):
            raise ValueError(f"ramp method {method!r}: use slope or cds")
        fitting = int(dit_s / spec.read_s + 1e-6) + 1
        return cls(2 if method == "cds" else min(fitting, spec.max_reads), method)

    @property
    def intervals(self) -> int:
        """Number of intervals between reads."""
        return self.reads - 1

    def weights(self, reads: int | None = None) -> NDArray[np.float64]:
        """Weights of the first ``reads`` reads (default: all) whose sum is the charge per DIT."""
        good = self.reads if reads is None else reads
        index = np.arange(good) - (good - 1) / 2
        return index / np.sum(index**2) * self.intervals

    def event_weights(self) -> NDArray[np.float64]:
        """What one electron adds to the fitted charge, by the interval in which it came; mean 1."""
        return np.cumsum(self.weights()[::-1])[::-1][1:]

    def noise_factor(self) -> float:
        """Read noise of the fitted charge per DIT over that of a single read."""
        return float(np.sqrt(np.sum(self.weights() ** 2)))

    def photon_factor(self) -> float:
        """Variance of the fitted charge per DIT over the charge, for Poisson arrivals.

        6 (n^2 + 1) / (5 n (n + 1)) for n reads (Garnett and Forrest 1993); 1 for two reads.
        """
        n = self.reads
        return 6 * (n**2 + 1) / (5 * n * (n + 1))


def fitted_charge(
    rng: np.random.Generator, ramp: Ramp, counts: NDArray[np.float32], read_noise_e: float
) -> NDArray[np.float32]:
    """Fit of the ramps whose electrons are counted, without making their reads one by one.

    The fit is linear in the reads: every electron adds the weight of the interval it came in, and
    Gaussian read noise stays Gaussian. The scatter of those weights (SD 0.3 per electron) is taken
    as Gaussian too: it adds in quadrature to a read noise of a dozen electrons.
    :func:`explicit_ramps` does the same read by read.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    ramp : Ramp
        The reads.
    counts : ndarray of float32
        Electrons of one DIT.
    read_noise_e : float
        Noise of a single read.

    Returns
    -------
    ndarray of float32
        Fitted charge per DIT with all noise.
    """
    sigma = counts * np.float32(ramp.event_weights().var())
    sigma += np.float32((read_noise_e * ramp.noise_factor()) ** 2)
    np.sqrt(sigma, out=sigma)
    fitted = rng.standard_normal(counts.shape, dtype=np.float32)
    fitted *= sigma
    fitted += counts
    return fitted


def explicit_ramps(
    rng: np.random.Generator,
    spec: H2rgSpec,
    ramp: Ramp,
    expected: NDArray[np.float32],
    jump: NDArray[np.float32],
    jump_interval: NDArray[np.intp],
    beta: NDArray[np.float32] | float,
) -> NDArray[np.float32]:
    """Make the ramps of some pixels read by read and fit the reads before saturation.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    spec : H2rgSpec
        Read noise and full well.
    ramp : Ramp
        The reads.
    expected : ndarray of float32, shape (n,)
        Electrons expected per DIT.
    jump, jump_interval : ndarray, shape (n,)
        Charge of a cosmic ray and the interval (0, 1, ...) in which it comes.
    beta : ndarray, shape (n,), or float
        Relative loss per accumulated electron.

    Returns
    -------
    ndarray of float32, shape (n,)
        Fitted charge per DIT. A ramp that is full at its second read gives its lower limit, the
        full well times the number of intervals.
    """
    step = rng.poisson(expected / ramp.intervals, (ramp.intervals, expected.size)).astype("f4")
    step[jump_interval, np.arange(expected.size)] += jump
    charge = np.zeros((ramp.reads, expected.size), np.float32)
    np.cumsum(step, axis=0, out=charge[1:])
    charge *= 1 - np.asarray(beta, np.float32) * charge
    good = np.logical_and.accumulate(charge < spec.full_well_e, axis=0).sum(axis=0)
    charge += np.float32(spec.read_noise_e) * rng.standard_normal(charge.shape, dtype=np.float32)
    result = np.full(expected.size, spec.full_well_e * ramp.intervals, np.float32)
    for count in range(2, ramp.reads + 1):
        chosen = good == count
        result[chosen] = ramp.weights(count).astype(np.float32) @ charge[:count, chosen]
    return result

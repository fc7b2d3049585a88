"""How the instrument of a night departs from the tabulated spectral format.

The true format is the tabulated one, moved, turned, stretched and smoothly warped on the
detector, then refitted in the same Chebyshev form, so that the truth is evaluated exactly like
the table.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from .format import ArmFormat, OrderFormat, nominal_format
from .rng import stream

Array = NDArray[np.float64]

DISP_MARGIN_PX = 40.0
"""Range beyond the detector over which the true format is fitted."""

_FIT_DEGREE, _FIT_POWERS = 10, 3
_REACH_ARCSEC = 7.0
_WARP_DEGREE = 3


@dataclass(frozen=True)
class Distortion:
    """Shift (px), rotation (rad), relative scale and warp of a format about the detector centre.

    ``warp_x`` and ``warp_y`` are 2-D Chebyshev coefficients (px) over the detector, without
    constant and linear terms.
    """

    shift_px: tuple[float, float]
    rotation_rad: float
    scale: float
    warp_x: Array
    warp_y: Array

    def move(self, x: Array, y: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
        """Return the displaced pixel positions."""
        rows, columns = shape
        xc, yc = (columns - 1) / 2, (rows - 1) / 2
        u, v = (x - xc) / (columns / 2), (y - yc) / (rows / 2)
        stretch = 1.0 + self.scale
        cos, sin = stretch * np.cos(self.rotation_rad), stretch * np.sin(self.rotation_rad)
        warp_x, warp_y = (chebyshev.chebval2d(u, v, c) for c in (self.warp_x, self.warp_y))
        x_new = xc + self.shift_px[0] + cos * (x - xc) - sin * (y - yc) + warp_x
        y_new = yc + self.shift_px[1] + sin * (x - xc) + cos * (y - yc) + warp_y
        return x_new, y_new

    def to_dict(self) -> dict[str, object]:
        """JSON-serialisable form."""
        record = asdict(self)
        return record | {"warp_x": self.warp_x.tolist(), "warp_y": self.warp_y.tolist()}


def draw_distortion(arm: str, seed: int, drift: float = 1.0) -> Distortion:
    """Draw the distortion of one night.

    Parameters
    ----------
    arm : str
        ``VIS`` or ``NIR``.
    seed : int
        Seed of the night.
    drift : float
        Factor on every term; 1: shifts of SD 3 px, rotation of SD 0.3 mrad (0.6 px at the end of
        the detector), scale of SD 2e-4, warp of 0.1 px rms; 0: the tabulated format.
    """
    rng = stream(seed, "format", arm)
    shift = drift * rng.normal(0.0, 3.0, 2)
    rotation, scale = drift * rng.normal(0.0, [3e-4, 2e-4])
    warp = [_draw_warp(rng, 0.1 * drift) for _ in range(2)]
    return Distortion((float(shift[0]), float(shift[1])), float(rotation), float(scale), *warp)


def true_format(arm: str, distortion: Distortion) -> ArmFormat:
    """Return the format of the night: tabulated format, then distortion, refitted.

    The fit reaches `DISP_MARGIN_PX` beyond the detector and is good to 1e-4 px.
    """
    nominal = nominal_format(arm)
    orders = {m: _refit(order, nominal, distortion) for m, order in nominal.orders.items()}
    return replace(nominal, orders=orders)


def _draw_warp(rng: np.random.Generator, rms_px: float) -> Array:
    coef = rng.standard_normal((_WARP_DEGREE + 1, _WARP_DEGREE + 1))
    i, j = np.indices(coef.shape)
    coef[(i + j < 2) | (i + j > _WARP_DEGREE)] = 0.0
    nodes = np.linspace(-1, 1, 21)
    rms = np.std(chebyshev.chebgrid2d(nodes, nodes, coef))
    return coef * rms_px / rms


def _refit(order: OrderFormat, nominal: ArmFormat, distortion: Distortion) -> OrderFormat:
    low, high = _covered_range(order, nominal)
    lam0, lamh = (low + high) / 2, (high - low) / 2
    t = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
    u = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    wave, s = np.meshgrid(lam0 + lamh * t, _REACH_ARCSEC * u, indexing="ij")
    targets = distortion.move(*order.to_pixel(wave, s), nominal.shape)
    basis_t = chebyshev.chebvander(t, _FIT_DEGREE)
    basis_s = np.vander(u, _FIT_POWERS + 1, increasing=True)
    scale = _REACH_ARCSEC ** np.arange(_FIT_POWERS + 1.0)
    inverse_t, inverse_s = np.linalg.pinv(basis_t), np.linalg.pinv(basis_s)
    x_coef, y_coef = (((inverse_t @ p @ inverse_s.T) / scale).T for p in targets)
    return OrderFormat(order.number, lam0, lamh, x_coef, y_coef, order.use_nm)


def _covered_range(order: OrderFormat, nominal: ArmFormat) -> tuple[float, float]:
    """Wavelengths between which the order crosses the detector, with a margin."""
    reach = 1.9 * order.lamh_nm if order.lamh_nm < 30 else 1.08 * order.lamh_nm
    wave = order.lam0_nm + reach * np.linspace(-1, 1, 4001)
    disp, _ = nominal.split(*order.to_pixel(wave))
    inside = (disp > -DISP_MARGIN_PX) & (disp < nominal.disp_length() + DISP_MARGIN_PX)
    return float(wave[inside][0]), float(wave[inside][-1])

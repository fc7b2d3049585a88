"""What the optical half of the simulator hands to the detector half.

The optics know what light falls where; the detectors know what a raw frame looks like. A
:class:`SceneRequest` says what is observed and when, a :class:`SceneSource` answers with an
:class:`ExposureScene`: the expected photo-electron rate in every unbinned science pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

SCIENCE_SHAPE = {"VIS": (4096, 808), "NIR": (2040, 2040), "ACQ": (1024, 1024)}
"""Shape (rows, columns) of the unbinned science pixels of each camera."""

HeaderValue = str | int | float | bool


@dataclass(frozen=True)
class SceneRequest:
    """One exposure of one spectrograph arm, as the scheduler orders it from the optics.

    Attributes
    ----------
    arm : str
        ``VIS`` or ``NIR``.
    kind : str
        ``pinhole_arc``, ``multi_pinhole_arc``, ``slit_arc``, ``pinhole_flat``, ``slit_flat``,
        ``detlin``, ``std_flux``, ``std_telluric`` or ``object``.
    slit : str
        ``SLIT0.5``, ``SLIT1.0``, ``SLIT1.5``, ``SLIT5.0``, ``PINHOLE``, ``MULTPIN`` or ``BLANK``.
    lamps : tuple of str
        Lamps of the set-up: ``QTH``, ``D2``, ``ThAr``, ``Ar``, ``Hg``, ``Ne``, ``Xe``.
    lamp_on : bool
        False for a lamp-off twin: thermal background and stray light alone.
    lamp_scale : float
        Factor on the nominal lamp brightness (attenuated flats, detector linearity).
    target : str
        Name of the target; the optics know the standards and the scene's own objects by name.
    mode : str
        ``STARE``, ``NODDING``, ``OFFSET`` or ``MAPPING``; empty for calibrations.
    on_target : bool
        False where the telescope points at blank sky (offset mode).
    exptime_s : float
        Duration of the exposure (NIR: DIT times NDIT).
    mjd : float
        Start of the exposure.
    airmass, parallactic_deg, seeing_arcsec : float
        At mid-exposure; the parallactic angle is that from the slit, the seeing the FWHM at the
        airmass of the target at 500 nm.
    pwv_mm : float
        Precipitable water vapour at zenith at mid-exposure.
    transparency : float
        Share of the targets' light that clouds let pass; the sky stays as it is.
    nod_arcsec : float
        Position of the target along the slit against the slit centre (SEQ CUMOFF Y).
    flexure_px : tuple of float
        Shift of the spectral format on the unbinned detector, (x, y).
    seed : int
        The night's seed.
    ideal : bool
        True switches off every departure of the truth from the tables of the recipes.
    """

    arm: str
    kind: str
    slit: str
    lamps: tuple[str, ...] = ()
    lamp_on: bool = True
    lamp_scale: float = 1.0
    target: str = ""
    mode: str = ""
    on_target: bool = True
    exptime_s: float = 1.0
    mjd: float = 61114.0
    airmass: float = 1.0
    parallactic_deg: float = 0.0
    seeing_arcsec: float = 0.9
    pwv_mm: float = 3.0
    transparency: float = 1.0
    nod_arcsec: float = 0.0
    flexure_px: tuple[float, float] = (0.0, 0.0)
    seed: int = 1
    ideal: bool = False


@dataclass(frozen=True)
class ExposureScene:
    """The light of one exposure on one detector, before the detector does anything to it.

    Attributes
    ----------
    arm : str
        ``VIS``, ``NIR`` or ``ACQ``.
    kind : str
        As in :class:`SceneRequest`.
    rate_e_per_s : ndarray of float32
        Expected photo-electrons per second in each unbinned science pixel, of shape
        ``SCIENCE_SHAPE[arm]``. Quantum efficiency is in it; dark current and the pixel response
        (PRNU) are not.
    header_cards : mapping
        Further header cards, keyword without ``HIERARCH`` (``"ESO TEL AMBI IWV START"``) to value.
    truth : mapping
        JSON-serialisable truth of this exposure, copied into the frame's truth file.
    """

    arm: str
    kind: str
    rate_e_per_s: NDArray[np.float32]
    header_cards: Mapping[str, HeaderValue] = field(default_factory=dict)
    truth: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = SCIENCE_SHAPE[self.arm]
        if self.rate_e_per_s.shape != expected:
            found = self.rate_e_per_s.shape
            raise ValueError(f"{self.arm} scene: expected shape {expected}, found {found}")


@runtime_checkable
class SceneSource(Protocol):
    """Anything that turns a request into light on the detector."""

    def scene(self, request: SceneRequest) -> ExposureScene:
        """Return the expected photo-electron rate of one exposure."""
        ...

    def truth(self) -> Mapping[str, object]:
        """Return the JSON-serialisable truth of the whole night (format, spectra, atmosphere)."""
        ...

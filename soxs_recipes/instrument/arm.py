"""An arm of SOXS: a camera with its detector and the steps only it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from soxs_recipes.errors import ForeignFrameError, HeaderError, ParameterError
from soxs_recipes.instrument import detector as readout
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.detector import Detector, Header, Readout

if TYPE_CHECKING:
    import numpy as np

    from soxs_recipes.algorithms.variance import NoiseModel


@dataclass(frozen=True)
class ReferenceLevel:
    """The zero level of a raw frame, separable in rows and columns.

    Attributes
    ----------
    row_adu : ndarray, shape (ny,)
        Level of each science row.
    column_adu : ndarray, shape (nx,)
        Level of each science column on top of the row's.
    error_adu : float
        Standard error of the level of one pixel.
    is_measured : bool
        False if there was nothing to measure it with and it is taken as zero.
    noise_adu : float
        Read noise of the pixels it was measured in; NaN where there are none.
    """

    row_adu: np.ndarray
    column_adu: np.ndarray
    error_adu: float
    is_measured: bool = True
    noise_adu: float = float("nan")

    def subtract(self, pixels_adu: np.ndarray, first_row: int) -> np.ndarray:
        """Rows of the trimmed frame, starting at `first_row`, without their level."""
        rows = self.row_adu[first_row : first_row + len(pixels_adu)]
        result = pixels_adu - rows[:, None].astype("f4")
        result -= self.column_adu.astype("f4")
        return result

    @property
    def mean_adu(self) -> float:
        """Mean level of the frame."""
        return float(self.row_adu.mean() + self.column_adu.mean())


class Arm(ABC):
    """What is particular to one camera; stateless, one instance per arm.

    Attributes
    ----------
    name : {'VIS', 'NIR', 'ACQ'}
        The arm's name in tags and in ``ESO SEQ ARM``.
    detector : Detector
        Its detector.
    reference_methods : tuple of str
        Ways to measure the zero level of a frame, the default first.
    exptime_keywords : tuple of str
        Where the exposure time of one integration stands, best first.
    temperature_keywords : mapping of str to str
        Temperatures worth trending: QC name and the header card it comes from.
    pinholes_arcsec : tuple of float
        Slit positions of the holes of the multi-pinhole mask.
    arc_strengths : tuple of float
        log10 of the listed strength of the faintest arc lines that are measured, and of those
        that show where the spectral format has drifted to.
    rows_drift : bool
        Whether the zero level drifts from row to row by more than its reference shows.
    is_dispersed : bool
        Whether the refraction of the atmosphere is left uncompensated at the slit.
    """

    name: ClassVar[str]
    detector: ClassVar[Detector]
    reference_methods: ClassVar[tuple[str, ...]]
    exptime_keywords: ClassVar[tuple[str, ...]] = (kw.EXPTIME,)
    temperature_keywords: ClassVar[Mapping[str, str]] = MappingProxyType({})
    pinholes_arcsec: ClassVar[tuple[float, ...]] = ()
    arc_strengths: ClassVar[tuple[float, float]] = (0.0, 0.0)
    rows_drift: ClassVar[bool] = False
    is_dispersed: ClassVar[bool] = False

    def readout(self, header: Header) -> Readout:
        """How a frame of this arm was read.

        Raises
        ------
        HeaderError, ForeignFrameError
            If cards are missing, make no sense or name a mode that the camera does not have.
        """
        return Readout(
            detector=self.detector,
            binning=readout.binning(header, self.detector),
            gain_e_per_adu=readout.gain_e_per_adu(header, self.detector),
            read_noise_e=readout.read_noise_e(header, self.detector),
            read_mode=str(header.get(kw.READ_MODE_NAME, "") or "").strip(),
            exptime_s=self._exptime_s(header),
            ndit=int(readout.header_number(header, kw.NDIT) or 1),
        )

    def noise_model(
        self, read_noise_e: float, ndit: int = 1, photon_factor: float | None = None
    ) -> NoiseModel:
        """Variance of a frame as a function of its signal.

        Parameters
        ----------
        read_noise_e : float
            Read noise of one frame, after averaging its integrations.
        ndit : int
            Integrations averaged into it; a CCD frame has one.
        photon_factor : float, optional
            Photon variance of one integration per electron, where the read-out makes it differ
            from 1; the arm's default unless measured.
        """
        from soxs_recipes.algorithms.variance import CcdNoise

        return CcdNoise(read_noise_e)

    def check_shape(self, shape: tuple[int, ...], frame_readout: Readout) -> None:
        """Refuse a raw frame whose shape is not that of the camera.

        Raises
        ------
        ForeignFrameError
            If the shape differs.
        """
        if tuple(shape) != frame_readout.raw_shape:
            rows, columns = frame_readout.raw_shape
            found = " x ".join(str(n) for n in reversed(shape)) or "no image"
            raise ForeignFrameError(
                f"The frame has not the size of a raw {self.name} frame",
                expected=f"{columns} x {rows} pixels (binning "
                f"{frame_readout.binning[0]}x{frame_readout.binning[1]})",
                found=found,
                remedy="check that the file is a raw frame of this camera and not a product",
            )

    def _exptime_s(self, header: Header) -> float:
        for keyword in self.exptime_keywords:
            value = readout.header_number(header, keyword)
            if value is not None:
                if value < 0:
                    raise HeaderError(f"{keyword} is negative", found=f"{value:g} s")
                return value
        raise HeaderError(
            "The frame has no exposure time", expected=" or ".join(self.exptime_keywords)
        )

    def reference_level(
        self, raw_adu: np.ndarray, frame_readout: Readout, method: str
    ) -> ReferenceLevel:
        """Zero level of a raw frame from its own prescan or reference pixels.

        Parameters
        ----------
        raw_adu : ndarray, shape ``frame_readout.raw_shape``
            The raw frame.
        frame_readout : Readout
            How it was read.
        method : str
            One of `reference_methods`; 'none' takes the level as zero.

        Raises
        ------
        ParameterError
            If the arm has no such method.
        """
        if method not in self.reference_methods:
            raise ParameterError(
                f"Parameter --reference does not fit the arm {self.name}",
                expected=", ".join(("auto", *self.reference_methods)),
                found=method,
                remedy="leave it at auto",
            )
        if method == "none":
            return self.no_reference(frame_readout)
        return self.measure_reference(raw_adu, frame_readout, method)

    @staticmethod
    def no_reference(frame_readout: Readout) -> ReferenceLevel:
        """Level zero everywhere."""
        import numpy as np

        rows, columns = frame_readout.science_shape
        return ReferenceLevel(np.zeros(rows, "f4"), np.zeros(columns, "f4"), 0.0, False)

    @abstractmethod
    def measure_reference(
        self, raw_adu: np.ndarray, frame_readout: Readout, method: str
    ) -> ReferenceLevel:
        """Zero level by one of the arm's methods other than 'none'; see `reference_level`."""

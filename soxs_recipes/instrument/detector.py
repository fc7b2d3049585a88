"""What a detector is, and how a frame was read out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from soxs_recipes.errors import ForeignFrameError, HeaderError
from soxs_recipes.instrument import keywords as kw

Header = Mapping[str, Any]


@dataclass(frozen=True)
class Detector:
    """A detector in unbinned pixels; shapes and slices are (row, column), zero-based.

    Attributes
    ----------
    raw_shape : tuple of int
        Rows and columns of a raw frame.
    prescan_columns : tuple of int or None
        First and last + 1 column of the prescan.
    reference_border_px : int
        Width of the border of reference pixels.
    science_rows, science_columns : tuple of int
        First and last + 1 of the pixels that see light.
    gain_e_per_adu, read_noise_e, saturation_adu : float
        Used where the header is silent or carries a placeholder.
    dispersion_axis : {'x', 'y', None}
        The axis along which wavelength runs; None for a camera.
    binnings : tuple
        The (x, y) binnings the camera offers.
    gain_placeholder, read_noise_placeholder : float or None
        Header values that are known to mean nothing.
    """

    name: str
    raw_shape: tuple[int, int]
    prescan_columns: tuple[int, int] | None
    reference_border_px: int
    science_rows: tuple[int, int]
    science_columns: tuple[int, int]
    gain_e_per_adu: float
    read_noise_e: float
    saturation_adu: float
    dispersion_axis: Literal["x", "y"] | None
    binnings: tuple[tuple[int, int], ...] = ((1, 1),)
    gain_placeholder: float | None = None
    read_noise_placeholder: float | None = None

    @property
    def has_reference(self) -> bool:
        """Whether a frame carries pixels that measure its own zero level."""
        return self.prescan_columns is not None or self.reference_border_px > 0


@dataclass(frozen=True)
class Readout:
    """How one frame was read: detector geometry in its own (binned) pixels, gain and noise.

    Attributes
    ----------
    binning : tuple of int
        Binning along x and y.
    gain_e_per_adu, read_noise_e : float
        Conversion factor and read noise of one read-out.
    read_mode : str
        Name of the read-out mode, empty where the header has none.
    exptime_s : float
        Exposure time; NIR: of one DIT.
    ndit : int
        Integrations averaged into the frame.
    """

    detector: Detector
    binning: tuple[int, int]
    gain_e_per_adu: float
    read_noise_e: float
    read_mode: str
    exptime_s: float
    ndit: int = 1

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Rows and columns of the raw frame."""
        rows, columns = self.detector.raw_shape
        return rows // self.binning[1], columns // self.binning[0]

    @property
    def science_rows(self) -> slice:
        """Rows of the raw frame that see light."""
        return _binned(self.detector.science_rows, self.binning[1])

    @property
    def science_columns(self) -> slice:
        """Columns of the raw frame that see light."""
        return _binned(self.detector.science_columns, self.binning[0])

    @property
    def prescan_columns(self) -> slice | None:
        """Prescan columns of the raw frame, or None."""
        columns = self.detector.prescan_columns
        return None if columns is None else _binned(columns, self.binning[0])

    @property
    def science_shape(self) -> tuple[int, int]:
        """Rows and columns of the trimmed frame."""
        rows, columns = self.science_rows, self.science_columns
        return rows.stop - rows.start, columns.stop - columns.start


def _binned(bounds: tuple[int, int], factor: int) -> slice:
    """Bounds in binned pixels; a pixel that straddles the start is left out."""
    return slice(-(-bounds[0] // factor), bounds[1] // factor)


def header_number(header: Header, keyword: str) -> float | None:
    """A header value as a finite float, None where it is absent.

    Raises
    ------
    HeaderError
        If the card holds something that is no finite number.
    """
    value = header.get(keyword)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if number - number != 0:
        raise HeaderError(
            f"Header card {keyword} is not a number", expected="a number", found=repr(value)
        )
    return number


def gain_e_per_adu(header: Header, detector: Detector) -> float:
    """Conversion factor: CONAD, else 1/GAIN, else the detector's default.

    Placeholders and values that are not positive count as absent. CONAD is in e-/ADU and GAIN in
    ADU/e- as in ESO's data interface control document.
    """
    conad = header_number(header, kw.CONAD_E_PER_ADU)
    gain = header_number(header, kw.GAIN_ADU_PER_E)
    placeholder = detector.gain_placeholder
    if conad is not None and conad > 0 and conad != placeholder:
        return conad
    if gain is not None and gain > 0 and gain != placeholder:
        return 1.0 / gain
    return detector.gain_e_per_adu


def read_noise_e(header: Header, detector: Detector) -> float:
    """Read noise of the header, else the detector's default."""
    value = header_number(header, kw.READ_NOISE_E)
    if value is None or value <= 0 or value == detector.read_noise_placeholder:
        return detector.read_noise_e
    return value


def binning(header: Header, detector: Detector) -> tuple[int, int]:
    """Binning along x and y; 1 x 1 where the header has no such cards.

    Raises
    ------
    ForeignFrameError
        If the camera does not offer the binning.
    """
    cards = (header_number(header, kw.BIN_X), header_number(header, kw.BIN_Y))
    factors = tuple(1 if card is None else int(card) for card in cards)
    if factors not in detector.binnings:
        offered = ", ".join(f"{x}x{y}" for x, y in detector.binnings)
        raise ForeignFrameError(
            "The camera does not offer this binning",
            expected=f"one of {offered} ({kw.BIN_X}, {kw.BIN_Y})",
            found=f"{factors[0]}x{factors[1]}",
        )
    return factors

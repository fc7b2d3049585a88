"""The UV-VIS arm: an e2v CCD44-82, windowed, with a prescan of 50 columns."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.arm import Arm, ReferenceLevel
from soxs_recipes.instrument.detector import Detector, Readout

if TYPE_CHECKING:
    import numpy as np

DETECTOR = Detector(
    name="e2v CCD44-82",
    raw_shape=(4096, 858),
    prescan_columns=(0, 50),
    reference_border_px=0,
    science_rows=(0, 4096),
    science_columns=(50, 858),
    gain_e_per_adu=1.0,
    read_noise_e=3.8,
    saturation_adu=65535.0,
    dispersion_axis="y",
    binnings=((1, 1), (2, 1), (1, 2), (2, 2)),
)


class VisArm(Arm):
    """The UV-VIS arm."""

    name = "VIS"
    detector = DETECTOR
    pinholes_arcsec = tuple(1.375 * hole for hole in range(-4, 5))
    arc_strengths = (3.0, 3.7)
    reference_methods = ("smooth", "row", "frame", "none")
    temperature_keywords = MappingProxyType(
        {
            "DETECTOR TEMP": kw.VIS_DETECTOR_TEMPERATURE_K,
            "CPATH TEMP": kw.COMMON_PATH_TEMPERATURE_C,
        }
    )

    def measure_reference(
        self, raw_adu: np.ndarray, frame_readout: Readout, method: str
    ) -> ReferenceLevel:
        """Bias level from the prescan."""
        import numpy as np

        from soxs_recipes.algorithms.prescan import prescan_level

        _, columns = frame_readout.science_shape
        prescan = prescan_level(raw_adu[:, frame_readout.prescan_columns], method)
        return ReferenceLevel(
            prescan.level,
            np.zeros(columns, "f4"),
            float(prescan.error.mean()),
            noise_adu=prescan.read_noise,
        )

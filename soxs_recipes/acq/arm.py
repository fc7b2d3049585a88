"""The acquisition camera: an Andor iKon M934 without prescan or reference pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.arm import Arm, ReferenceLevel
from soxs_recipes.instrument.detector import Detector, Readout

if TYPE_CHECKING:
    import numpy as np

# The gain is an assumption for frames without CONAD: no published value is known.
DETECTOR = Detector(
    name="Andor iKon M934",
    raw_shape=(1024, 1024),
    prescan_columns=None,
    reference_border_px=0,
    science_rows=(0, 1024),
    science_columns=(0, 1024),
    gain_e_per_adu=1.0,
    read_noise_e=2.9,
    saturation_adu=65535.0,
    dispersion_axis=None,
)


class AcquisitionCamera(Arm):
    """The acquisition camera."""

    name = "ACQ"
    detector = DETECTOR
    reference_methods = ("none",)
    exptime_keywords = (kw.ACQ_EXPTIME, kw.EXPTIME)

    def measure_reference(
        self, raw_adu: np.ndarray, frame_readout: Readout, method: str
    ) -> ReferenceLevel:
        """Refer to 'none': the camera offers no other method."""
        return self.no_reference(frame_readout)

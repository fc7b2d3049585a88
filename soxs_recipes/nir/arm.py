"""The near-infrared arm: a Teledyne H2RG with a border of reference pixels, read up the ramp."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.arm import Arm, ReferenceLevel
from soxs_recipes.instrument.detector import Detector, Readout

if TYPE_CHECKING:
    import numpy as np

    from soxs_recipes.algorithms.variance import NoiseModel

# Headers carry a gain of 1.0 and a read noise of 0.0 whatever the detector does. The gain of the
# commissioning report is used; the read noise is measured wherever frames allow it.
DETECTOR = Detector(
    name="Teledyne H2RG",
    raw_shape=(2048, 2048),
    prescan_columns=None,
    reference_border_px=4,
    science_rows=(4, 2044),
    science_columns=(4, 2044),
    gain_e_per_adu=2.3,
    read_noise_e=7.3,
    saturation_adu=65535.0,
    dispersion_axis="x",
    gain_placeholder=1.0,
    read_noise_placeholder=0.0,
)

# Vertical read-out stripes: an assumption, the usual arrangement of this detector.
CHANNELS = 32

# A raw frame is taken as the mean over NDIT of the signal of one DIT, in ADU per DIT.
PHOTON_FACTOR = 1.2


class NirArm(Arm):
    """The near-infrared arm."""

    name = "NIR"
    detector = DETECTOR
    pinholes_arcsec = tuple(1.436 * hole for hole in range(-4, 5))
    arc_strengths = (0.3, 1.0)
    rows_drift = True
    is_dispersed = True
    reference_methods = ("pixels", "none")
    exptime_keywords = (kw.DIT_S, kw.EXPTIME)
    temperature_keywords = MappingProxyType(
        {
            "DETECTOR TEMP": kw.NIR_DETECTOR_TEMPERATURE_K,
            "CPATH TEMP": kw.COMMON_PATH_TEMPERATURE_C,
        }
    )

    def measure_reference(
        self, raw_adu: np.ndarray, frame_readout: Readout, method: str
    ) -> ReferenceLevel:
        """Channel offsets and row drift from the reference pixels."""
        import numpy as np

        from soxs_recipes.algorithms.reference_pixels import ReferenceLayout, measure_reference

        layout = ReferenceLayout(CHANNELS, self.detector.reference_border_px)
        measured = measure_reference(raw_adu, layout)
        rows, columns = frame_readout.science_rows, frame_readout.science_columns
        variance = np.mean(measured.offset_error**2) + np.mean(measured.drift_error**2)
        return ReferenceLevel(
            measured.drift[rows],
            measured.offset[columns],
            float(np.sqrt(variance)),
            noise_adu=measured.noise,
        )

    def noise_model(
        self, read_noise_e: float, ndit: int = 1, photon_factor: float | None = None
    ) -> NoiseModel:
        """Noise of a ramp, averaged over its NDIT integrations."""
        from soxs_recipes.algorithms.variance import RampNoise

        factor = PHOTON_FACTOR if photon_factor is None else photon_factor
        return RampNoise(read_noise_e * ndit**0.5, factor, ndit)

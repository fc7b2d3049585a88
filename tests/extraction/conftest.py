"""A synthetic order with a known spectrum, tilt, profile and noise."""

import numpy as np
import pytest

from soxs_recipes.algorithms.beam_pixels import OrderPixels
from soxs_recipes.algorithms.object_profile import moffat

ROWS, PX_PER_ARCSEC = 44, 3.6


def make_order(
    spectrum,
    rng=None,
    count=600,
    tilt=0.15,
    centre=0.4,
    fwhm=0.9,
    sky=20.0,
    read_noise=3.3,
    order=12,
    beta=3.0,
    struck=(),
):
    """Pixels of an order with a spectrum that is a function of the place along dispersion.

    `struck` lists (row, column, electrons) of cosmic rays.
    """
    across = (np.arange(ROWS) - ROWS / 2) / PX_PER_ARCSEC
    slit = np.tile(across, (count, 1)).astype("f4")
    place = (np.arange(count)[:, None] + tilt * across * PX_PER_ARCSEC).astype("f4")
    area = np.full(place.shape, 1 / PX_PER_ARCSEC, "f4")
    light = spectrum(place.astype(float)) * area * moffat(beta)((slit - centre) / fwhm) / fwhm
    variance = light + sky + read_noise**2
    noise = 0 if rng is None else rng.normal(0, np.sqrt(variance))
    value = light + noise
    for row, column, electrons in struck:
        value[row, column] += electrons
    shape = place.shape
    return OrderPixels(
        order=order,
        first=0,
        wave_nm=1000 + 0.05 * np.arange(count),
        width_nm=np.full(count, 0.05),
        place=place,
        slit_arcsec=slit,
        area=area,
        value=value.astype("f4"),
        variance=np.full(shape, sky + read_noise**2, "f4"),
        measured_variance=variance.astype("f4"),
        usable=np.ones(shape, bool),
        suspect=np.zeros(shape, bool),
        quality=np.zeros(shape, "u2"),
        sky=np.full(shape, sky, "f4"),
        sky_error=np.zeros(shape, "f4"),
    )


@pytest.fixture
def synthetic_order():
    return make_order


class Sky:
    """Simulated exposures of the night of seed 1: expected electrons, truth, solution."""

    def __init__(self, source):
        self.source = source

    def request(self, arm, target, **options):
        from soxs_simulator.contract import SceneRequest

        usual = {"kind": "object", "slit": "SLIT1.0", "mode": "STARE", "exptime_s": 600.0}
        usual |= {"airmass": 1.3, "parallactic_deg": 40.0, "mjd": 61115.03, "seed": 1}
        return SceneRequest(arm, target=target, **(usual | options))

    def electrons(self, request):
        """Expected electrons of everything, and of the sky alone."""
        from dataclasses import replace

        rates = [self.source.scene(replace(request, on_target=on)).rate_e_per_s for on in (1, 0)]
        return [rate * np.float32(request.exptime_s) for rate in rates]

    def object_electrons(self, request):
        """Expected electrons of the target alone."""
        from soxs_simulator.scenes_truth import object_image

        scene = self.source.arm(request.arm)
        return object_image(scene, request, scene.geometry) * np.float32(request.exptime_s)

    def truth(self, request, order, wave_nm):
        """Electrons of the target per bin, and its slit position."""
        from soxs_simulator.scenes_truth import exposure_truth

        one = exposure_truth(self.source, request).orders[order]
        rising = np.argsort(one.wave_nm)
        columns = (one.object_e_per_s * request.exptime_s, one.centre_arcsec)
        return [np.interp(wave_nm, one.wave_nm[rising], column[rising]) for column in columns]

    def solution(self, arm):
        """The true dispersion solution."""
        import json
        from importlib.resources import files

        from soxs_recipes.instrument.spectral_format import spectral_format

        path = files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json"
        nominal = json.loads(path.read_text())
        table = json.loads(json.dumps(self.source.truth()["arms"][arm]["format"]))
        for number, order in table["orders"].items():
            order["lam_on_detector"] = nominal["orders"][number]["lam_on_detector"]
        return spectral_format(table)


@pytest.fixture(scope="session")
def sky():
    from soxs_simulator.scenes import OpticsScenes

    return Sky(OpticsScenes(1))

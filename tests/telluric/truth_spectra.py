"""Extracted orders made from the simulator's truth, with noise: what a perfect extraction gives."""

from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.products.spectrum_tables import spectrum_tables
from soxs_simulator.atmosphere import draw_atmosphere
from soxs_simulator.contract import SceneRequest
from soxs_simulator.lamps import planck_photons
from soxs_simulator.scenes import OpticsScenes
from soxs_simulator.scenes_truth import exposure_truth

READ_VARIANCE_E2 = 60.0
"""Noise of the pixels under the profile."""
LAMP_K = 3200.0


@dataclass(frozen=True)
class Observation:
    """Spectra with noise and, bin for bin, their truth.

    `transmission` is that of the lines (and of collision-induced bands) at the resolution of the
    instrument; `flux_erg` the target above the atmosphere; `slit` the share passed by the slit.
    """

    spectra: OrderSpectra
    flux_e: np.ndarray
    transmission: np.ndarray
    flux_erg: np.ndarray
    slit: np.ndarray
    airmass: float


class Night:
    """Observations of one night: seed of the atmosphere, and of the noise."""

    def __init__(self, seed=1, source=None, ideal=False):
        self.source = source or OpticsScenes(seed=1, ideal=ideal)
        self.seed, self.ideal = seed, ideal
        self._rng = np.random.default_rng(seed)

    def observe(self, arm, target, *, exptime_s=600.0, airmass=1.2, water_mm=3.0, **more):
        """Observe a target.

        `snr` instead of `exptime_s` gives this median S/N per bin; `orders` are those taken.
        """
        snr, wanted = more.pop("snr", None), more.pop("orders", None)
        scene = self.source.arm(arm)
        scene.__dict__["atmosphere"] = draw_atmosphere(self.seed, self.ideal)
        request = SceneRequest(
            arm, "object", more.pop("slit", "SLIT1.0"), target=target, airmass=airmass,
            pwv_mm=water_mm, exptime_s=exptime_s, mode="STARE", **more,
        )  # fmt: skip
        truth = exposure_truth(self.source, request)
        rows = []
        for number in sorted(wanted or truth.orders):
            one = truth.orders[number]
            sort = np.argsort(one.wave_nm)
            wave = one.wave_nm[sort]
            smooth = 10 ** (-0.4 * airmass * scene.atmosphere.extinction_mag(wave))
            width = np.gradient(wave)
            lamp = one.efficiency[sort] * planck_photons(wave, LAMP_K) * width
            low, high = truth.format.orders[number].use_nm
            columns = (
                np.full(wave.size, number), wave, width, one.object_e_per_s[sort] * exptime_s,
                one.transmission[sort] / smooth, one.flux_erg[sort], one.slit_fraction[sort], lamp,
            )  # fmt: skip
            used = (wave > low - 2) & (wave < high + 2)
            rows.append([column[used] for column in columns])
        order, wave, width, flux, *others, lamp = (
            np.concatenate(parts) for parts in zip(*rows, strict=True)
        )
        if snr is not None:
            flux = flux * self._scale(flux, lamp / lamp.max(), snr)
        error = np.sqrt(np.maximum(flux, 0) + READ_VARIANCE_E2)
        noisy = flux + error * self._rng.standard_normal(flux.size)
        nothing = np.zeros(flux.size)
        spectra = OrderSpectra(
            order.astype(int), wave, width, noisy, error, nothing.astype(np.uint16), nothing,
            noisy, error, lamp / lamp.max(), dict.fromkeys(np.unique(order).tolist(), 1.0),
            exptime_s,
        )  # fmt: skip
        return Observation(spectra, flux, *others, airmass)

    @staticmethod
    def _scale(flux, blaze, snr):
        """Factor that brings the bins near the blaze peaks to a median S/N."""
        level = np.median(flux[blaze > 0.3])
        wanted = 0.5 * snr**2 * (1 + np.sqrt(1 + 4 * READ_VARIANCE_E2 / snr**2))
        return wanted / level


def binned_residual(observation, transmission, step_nm=1.0):
    """Transmission and corrected over true flux less 1, in bins of a step, of every order.

    Returns (order, centre nm, true transmission of the bin, residual).
    """
    spectra, rows = observation.spectra, []
    for number in np.unique(spectra.order):
        here = spectra.order == number
        wave, true, model = (
            values[here] for values in (spectra.wave_nm, observation.transmission, transmission)
        )
        index = np.floor(wave / step_nm).astype(int)
        index -= index.min()
        count = np.maximum(np.bincount(index), 1)
        ratio = np.bincount(index, true / np.maximum(model, 1e-3)) / count - 1
        rows.append((0 * count + number, np.bincount(index, wave) / count,
                     np.bincount(index, true) / count, ratio))  # fmt: skip
    return [np.concatenate(parts) for parts in zip(*rows, strict=True)]


def write_orders(path, observation, arm, tag, **cards):
    """Write spectra as the product of an extraction would hold them."""
    header = fits.Header()
    header["INSTRUME"] = "SOXS"
    header["MJD-OBS"] = 61115.0
    header["EXPTIME"] = observation.spectra.exptime_s
    given = {
        "RA": 130.3956, "DEC": -32.9428, "OBJECT": "LTT3218",
        "ESO SEQ ARM": arm, "ESO PRO CATG": tag, "ESO DET BINX": 1, "ESO DET BINY": 1,
        "ESO DET OUT1 GAIN": 0.909, "ESO DET OUT1 CONAD": 1.1, "ESO DET CHIP RON": 3.3,
        "ESO DET READ CURID": 3 if arm == "NIR" else 1,
        "ESO DET READ CURNAME": "Nondest" if arm == "NIR" else "Slow High Gain",
        "ESO DET SEQ1 DIT": observation.spectra.exptime_s, "ESO DET NDIT": 1,
        "ESO INS VISE NAME": "SLIT5.0", "ESO INS NISE NAME": "SLIT5.0",
        "ESO TEL AIRM START": observation.airmass, "ESO TEL AIRM END": observation.airmass,
        **{key.replace("_", " "): value for key, value in cards.items()},
    }  # fmt: skip
    for key, value in given.items():
        header[f"HIERARCH {key}" if key.startswith("ESO ") else key] = value
    tables = spectrum_tables(observation.spectra)
    hdus = [fits.BinTableHDU(table, name=name) for name, table in tables.items()]
    fits.HDUList([fits.PrimaryHDU(header=header), *hdus]).writeto(path)
    return path


def binned_twice(observation):
    """The same observation with pixels of twice the size."""
    spectra = observation.spectra
    keep = [np.flatnonzero(spectra.of(order))[: np.count_nonzero(spectra.of(order)) // 2 * 2]
            for order in spectra.orders]  # fmt: skip
    keep = np.concatenate(keep)

    def mean(values):
        return values[keep].reshape(-1, 2).mean(axis=1)

    nothing = np.zeros(keep.size // 2)
    width, flux = 2 * mean(spectra.width_nm), 2 * mean(spectra.flux_e)
    error = np.sqrt(2 * mean(spectra.error_e**2))
    larger = OrderSpectra(
        mean(spectra.order).astype(int), mean(spectra.wave_nm), width, flux, error,
        nothing.astype(np.uint16), nothing, flux, error, mean(spectra.blaze), spectra.covariance,
        spectra.exptime_s,
    )  # fmt: skip
    others = (observation.transmission, observation.flux_erg, observation.slit)
    return Observation(
        larger, 2 * mean(observation.flux_e), *map(mean, others), observation.airmass
    )

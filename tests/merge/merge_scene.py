"""Extracted orders of both arms with known truth, and the calibrations that go with them."""

from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.products.extinction_tables import read_extinction
from soxs_recipes.products.response_tables import Response, response_cards, response_tables
from soxs_recipes.products.spectrum_tables import spectrum_tables
from soxs_recipes.products.telluric_tables import Telluric, telluric_tables
from soxs_recipes.products.writing import Extension, write_product
from soxs_recipes.recipes.frames import packaged
from soxs_recipes.recipes.statics import EXTINCTION_TAB

EXTINCTION = read_extinction(packaged(EXTINCTION_TAB, "VIS")[0])
VIS_ORDERS = {1: (538.0, 675.0), 2: (347.0, 432.0), 3: (431.0, 541.0), 4: (665.0, 850.0)}
NIR_ORDERS = {m: (19600.0 / (m + 0.62), 19600.0 / (m - 0.62)) for m in range(10, 25)}
PIXELS = {"VIS": 2500, "NIR": 1800}
AIRMASS = 1.3


def true_flux(wave_nm):
    """erg s-1 cm-2 Angstrom-1: a blue continuum with an emission line and a break."""
    line = np.exp(-0.5 * ((wave_nm - 656.3) / 1.5) ** 2)
    return 2e-16 * (wave_nm / 700) ** -1.2 * (1 + 2 * line)


def true_transmission(wave_nm):
    """Two bands of absorption."""
    band = 0.7 * np.exp(-0.5 * ((wave_nm - 762) / 2.5) ** 2)
    return 1 - band - 0.9 * np.exp(-0.5 * ((wave_nm - 1380) / 25) ** 2)


def blaze_of(low, high, wave_nm):
    phase = (2 * wave_nm - low - high) / (high - low)
    return np.cos(0.42 * np.pi * phase) ** 2


def true_response(arm, order, wave_nm):
    """Flux per electron s-1 nm-1."""
    low, high = (VIS_ORDERS if arm == "VIS" else NIR_ORDERS)[order]
    peak = 2.0e-18 if arm == "VIS" else 3.0e-18
    return peak * (700 / wave_nm) / blaze_of(low, high, wave_nm)


@dataclass(frozen=True)
class Scene:
    """What the target and its observation are like."""

    brightness: float = 1.0
    exptime_s: float = 600.0
    airmass: float = AIRMASS
    nir_scale: float = 1.0
    sky_per_nm: float = 0.02
    read_noise_e: float = 6.0
    telluric: bool = True


def order_spectra(arm, scene, rng):
    """Electrons of all orders with Poisson and read noise."""
    parts = [_order(arm, order, span, scene, rng) for order, span in sorted(_orders(arm).items())]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return OrderSpectra(**columns, covariance=dict.fromkeys(_orders(arm), 1.0), exptime_s=600.0)


def _orders(arm):
    return VIS_ORDERS if arm == "VIS" else NIR_ORDERS


def _order(arm, order, span, scene, rng):
    edges = np.linspace(*span, PIXELS[arm] + 1)
    wave, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    blaze = blaze_of(*span, wave)
    flux = scene.brightness * true_flux(wave) * (scene.nir_scale if arm == "NIR" else 1.0)
    if scene.telluric:
        flux = flux * true_transmission(wave)
    below = flux * 10 ** (-0.4 * scene.airmass * EXTINCTION.at(wave))
    mean = below / true_response(arm, order, wave) * scene.exptime_s * width
    sky = scene.sky_per_nm * width * scene.exptime_s * blaze
    variance = mean + sky + scene.read_noise_e**2
    counts = rng.poisson(mean + sky) - sky + rng.normal(0, scene.read_noise_e, len(mean))
    return {
        "order": np.full(len(wave), order),
        "wave_nm": wave,
        "width_nm": width,
        "flux_e": counts,
        "error_e": np.sqrt(variance),
        "quality": np.zeros(len(wave), np.uint16),
        "sky_e": sky,
        "boxcar_e": counts,
        "boxcar_error_e": np.sqrt(variance),
        "blaze": blaze,
    }


def arm_header(arm, **changes):
    """Primary header of a product of soxs_extract."""
    slit = "VISE" if arm == "VIS" else "NISE"
    cards = {
        "ORIGIN": "ESO-LASILLA",
        "TELESCOP": "ESO-NTT",
        "INSTRUME": "SOXS",
        "OBJECT": "SN2026XYZ",
        "RA": 150.1,
        "DEC": -21.3,
        "EQUINOX": 2000.0,
        "RADESYS": "FK5",
        "EXPTIME": 600.0,
        "TEXPTIME": 600.0,
        "MJD-OBS": 60715.03 if arm == "VIS" else 60715.0300003,
        "MJD-END": 60715.037,
        "MJD-MID": 60715.0335 if arm == "VIS" else 60715.0335003,
        "DATE-OBS": "2025-02-09T00:43:12.000",
        "ARCFILE": f"SOXS.2025-02-09T00:43:12.00{len(arm)}.fits",
        "ESO SEQ ARM": arm,
        "ESO OBS ID": 200000016,
        f"ESO INS {slit} NAME": "SLIT1.0",
        "ESO TEL AIRM START": AIRMASS,
        "ESO TEL AIRM END": AIRMASS,
        "ESO TEL AMBI FWHM START": 0.9,
        "ESO TEL AMBI FWHM END": 0.9,
        "ESO DET BINX": 1,
        "ESO DET BINY": 1,
        "ESO DET READ CURNAME": "Slow High Gain",
        "ESO PRO CATG": f"SCI_SPECTRUM_ORDERS_{arm}",
        "ESO PRO TECH": "ECHELLE,SLIT,NODDING",
        "ESO PRO SCIENCE": True,
        "ESO PRO REC1 RAW1 NAME": f"SOXS.2025-02-09T00:43:12.00{1 if arm == 'VIS' else 2}.fits",
        "ESO PRO REC1 RAW1 CATG": f"OBJECT_NOD_{arm}",
        "DATE": "2025-02-09T12:00:00",
    }
    if arm == "NIR":
        cards |= {"ESO DET SEQ1 DIT": 600.0, "ESO DET NDIT": 1}
    header = fits.Header()
    for keyword, value in {**cards, **changes}.items():
        if value is not None:
            header[f"HIERARCH {keyword}" if keyword.startswith("ESO ") else keyword] = value
    return header


def stored(path, header, extensions):
    path.unlink(missing_ok=True)
    write_product(path, header, extensions)
    return path


def write_orders(folder, arm, spectra, **changes):
    path = folder / f"sci_spectrum_orders_{arm.lower()}.fits"
    tables = spectrum_tables(spectra)
    stored(path, arm_header(arm, **changes), [Extension(*item) for item in tables.items()])
    return path, f"SCI_SPECTRUM_ORDERS_{arm}"


def write_response(folder, arm, relative_error=0.01, scale=1.0, slit="SLIT1.0", **changes):
    orders, waves = [], []
    for order, span in sorted(_orders(arm).items()):
        wave = np.linspace(*span, 400)
        orders.append(np.full(400, order))
        waves.append(wave)
    value = scale * np.concatenate(
        [true_response(arm, order[0], wave) for order, wave in zip(orders, waves, strict=True)]
    )
    response = Response(
        np.concatenate(orders),
        np.concatenate(waves),
        value,
        relative_error * value,
        "GD71",
        1.1,
        slit,
        "1x1",
    )
    path = folder / f"resp_tab_{arm.lower()}.fits"
    cards = response_cards(response)
    extensions = [
        Extension(name, table, "", cards.get(name, {}))
        for name, table in response_tables(response).items()
    ]
    given = {"ESO PRO CATG": f"RESP_TAB_{arm}", "MJD-OBS": 60714.9, **changes}
    stored(path, arm_header(arm, **given), extensions)
    return path, f"RESP_TAB_{arm}"


def write_telluric(folder, arm):
    span = (347.0, 850.0) if arm == "VIS" else (780.0, 2060.0)
    wave = np.arange(*span, 0.02)
    value = true_transmission(wave)
    telluric = Telluric(
        np.zeros(len(wave), int), wave, value, np.full(len(wave), 0.003), np.zeros(len(wave), "u2")
    )
    path = folder / f"telluric_tab_{arm.lower()}.fits"
    extensions = [Extension(*item) for item in telluric_tables(telluric).items()]
    given = {"ESO PRO CATG": f"TELLURIC_TAB_{arm}"}
    stored(path, arm_header(arm, **given), extensions)
    return path, f"TELLURIC_TAB_{arm}"


def write_night(folder, scene=None, seed=1, arms=("VIS", "NIR"), telluric=True, response=True):
    """Set of frames of a whole merge."""
    scene, rng = scene or Scene(), np.random.default_rng(seed)
    frames = [write_orders(folder, arm, order_spectra(arm, scene, rng)) for arm in arms]
    if response:
        frames += [write_response(folder, arm) for arm in arms]
    if telluric:
        frames += [write_telluric(folder, arm) for arm in arms]
    return frames

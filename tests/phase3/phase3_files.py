"""A spectrum and an image that keep all rules, written without a recipe."""

import numpy as np
from astropy.io import fits

from soxs_recipes.products.detector_frames import HDU_CLASSES
from soxs_recipes.products.phase3_columns import EXTENSION
from soxs_recipes.products.phase3_image import (
    ImagePhotometry,
    image_extension_cards,
    image_primary_cards,
)
from soxs_recipes.products.phase3_observation import Observation
from soxs_recipes.products.phase3_spectrum import (
    SdpSpectrum,
    companion_cards,
    extension_cards,
    primary_cards,
    spectrum_table,
)
from soxs_recipes.products.writing import Extension, write_product

RAW_FILES = ("SOXS.2026-03-16T00:44:04.759", "SOXS.2026-03-16T00:49:04.123")


def make_observation(**changes):
    values = {
        "target": "SN2026XYZ",
        "ra_deg": 150.1,
        "dec_deg": -21.3,
        "radesys": "FK5",
        "mjd_start": 60715.03061064,
        "mjd_end": 60715.03061064 + 540 / 86400,
        "exptime_s": 480.0,
        "total_exptime_s": 480.0,
        "prog_id": "105.20XX.001",
        "ob_ids": (200000016,),
        "technique": "ECHELLE,SLIT,NODDING",
        "raw_files": RAW_FILES,
        "slit_arcsec": 1.0,
    }
    return Observation(**{**values, **changes})


def make_spectrum(count=400, **changes):
    edges = np.geomspace(350.0, 2000.0, count + 1)
    wave = (edges[1:] + edges[:-1]) / 2
    flux = 1e-16 * (1 + 0.1 * np.sin(wave / 30))
    flux[100:103] = np.nan
    values = {
        "wave_nm": wave,
        "width_nm": np.diff(edges),
        "columns": {
            "FLUX": flux,
            "ERR": np.full(count, 1e-18),
            "QUAL": np.where(np.isfinite(flux), 0, 256).astype(np.uint16),
            "BGFLUX": np.full(count, 3e-17),
            "COUNTS": np.full(count, 900.0),
            "ERR_SYS": np.full(count, 2e-18),
        },
        "is_calibrated": True,
        "is_air": True,
        "is_telluric_corrected": False,
        "flux_error_percent": -2.0,
        "resolution": 4500.0,
    }
    return SdpSpectrum(**{**values, **changes})


def header_of(cards):
    header = fits.Header()
    header["HIERARCH ESO PRO CATG"] = "SCI_SLIT_FLUX_MERGED"
    for keyword, card in cards.items():
        if card is not None:
            header[keyword] = card
    return header


def with_checksums(path):
    with fits.open(path) as hdus:
        hdus.writeto(path, checksum=True, overwrite=True)
    return path


def write_spectrum(path, spectrum=None, observation=None):
    spectrum, observation = spectrum or make_spectrum(), observation or make_observation()
    cards = extension_cards(spectrum, observation)
    extension = Extension(EXTENSION, spectrum_table(spectrum), "", cards)
    write_product(path, header_of(primary_cards(spectrum, observation)), [extension])
    return with_checksums(path)


def write_image(path):
    photometry = ImagePhotometry("r", 27.5, 0.01, 22.8, 14.0, 0.9)
    wcs = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 150.1,
        "CRVAL2": -21.3,
        "CRPIX1": 20.5,
        "CRPIX2": 15.5,
        "CD1_1": -5.7e-5,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": 5.7e-5,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
    }
    data = {"FLUX": np.ones((30, 40), "f4"), "ERRS": np.ones((30, 40), "f4")}
    data["QUAL"] = np.zeros((30, 40), "u2")
    cards = {name: {**HDU_CLASSES[name], **wcs} for name in data}
    cards["FLUX"].update(image_extension_cards(photometry))
    extensions = [Extension(name, plane, "", cards[name]) for name, plane in data.items()]
    observation = make_observation(technique="IMAGE", raw_files=("SOXS_ACQ.2026-03-16T00:40:00",))
    write_product(path, header_of(image_primary_cards(observation, photometry)), extensions)
    return with_checksums(path)


def write_companion(path):
    plane = Extension("FLUX", np.ones((5, 40), "f4"), "", {})
    write_product(path, header_of(companion_cards(make_observation())), [plane])
    return with_checksums(path)

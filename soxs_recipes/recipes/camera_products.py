"""Products of an image of the acquisition camera: image, table of sources, quality control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from soxs_recipes.recipes.declarations import Column, Hdu, Product, Qc, Value, detector_hdus

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import Table

    from soxs_recipes.products.phase3_image import ImagePhotometry
    from soxs_recipes.recipes.camera_calibration import Calibrated
    from soxs_recipes.recipes.camera_images import CameraImage

SCI_IMAGE = Product(
    "SCI_IMAGE_{arm}",
    "image in electrons per second, sky included, with coordinates and zero point",
    detector_hdus("electron/s", "light, sky included"),
    per_observation=True,
)
PHOT_TAB = Product(
    "PHOT_TAB_{arm}",
    "sources of an image; cards FILTER, ZP, ZPERR, ZPTYPE (CATALOGUE, NIGHTLY or NONE)",
    (
        Hdu(
            "SOURCES",
            "table",
            "",
            "one row per source, brightest first; the target last if it was not seen",
            (
                Column("NUMBER", "i4", "", "running number"),
                Column("RA", "f8", "deg", "right ascension (ICRS) at the time of the image"),
                Column("DEC", "f8", "deg", "declination"),
                Column("RA_ERR", "f4", "arcsec", "standard error on the sky to the east"),
                Column("DEC_ERR", "f4", "arcsec", "standard error to the north"),
                Column("X", "f8", "pixel", "centre along x, from 1"),
                Column("Y", "f8", "pixel", "centre along y, from 1"),
                Column("FLUX", "f8", "electron/s", "total flux from the profile of a star"),
                Column("FLUX_ERR", "f8", "electron/s", "its standard error"),
                Column("FLUX_APER", "f8", "electron/s", "total flux from an aperture of 1 FWHM"),
                Column("FLUX_APER_ERR", "f8", "electron/s", "its standard error"),
                Column("MAG_AB", "f8", "mag", "magnitude of FLUX; 3-sigma limit if not seen"),
                Column("MAG_ERR", "f8", "mag", "its random error, zero point apart"),
                Column("CHI2", "f4", "", "mean square of residuals over variance"),
                Column(
                    "FLAGS",
                    "i2",
                    "",
                    "1 blend, 2 saturated, 4 bad pixels, 8 edge, 16 extended, 32 poor fit, "
                    "64 not seen",
                ),
                Column("TARGET", "L", "", "the spectroscopic target"),
                Column("MATCHED", "L", "", "a star of the catalogue"),
                Column("ASTROM", "L", "", "the coordinates rest on it"),
                Column("PHOTOM", "L", "", "the zero point rests on it"),
                Column("DIST_RA", "f4", "arcsec", "catalogue minus image to the east"),
                Column("DIST_DEC", "f4", "arcsec", "catalogue minus image to the north"),
            ),
        ),
    ),
    per_observation=True,
)

QUALITY = (
    Qc("SOURCES NUM", "", "sources found", int),
    Qc("SATUR NUM", "", "saturated sources", int),
    Qc("CR NUM", "px", "pixels struck by cosmic rays", int),
    Qc("SKY LEVEL", "e-/px", "median background"),
    Qc("PSF FWHM", "arcsec", "image quality"),
    Qc("PSF ELLIP", "", "ellipticity of stars"),
    Qc("ASTROM NUM", "", "stars of the plate fit", int),
    Qc("ASTROM RMS", "arcsec", "rms of its residuals"),
    Qc("ASTROM RMS BRIGHT", "arcsec", "rms, S/N above 50"),
    Qc("ASTROM OFFSET", "arcsec", "pointing error"),
    Qc("ASTROM ROT", "deg", "rotation against header"),
    Qc("ASTROM SCALE", "arcsec/px", "pixel scale"),
    Qc("ZP", "mag", "zero point, 1 e-/s"),
    Qc("ZP ERR", "mag", "error of the zero point"),
    Qc("ZP NUM", "", "stars of the zero point", int),
    Qc("ZP SCATTER", "mag", "scatter of these stars"),
    Qc("ZP SLOPE", "", "colour term left over"),
    Qc("LIM MAG", "mag", "5-sigma limit"),
)

_BRIGHT_SN = 50.0
_LIMIT_SIGMA = 3.0
# A saturated star has this share of the full well in its highest pixel.
_FULL_SHARE = 0.97


def photometry_of(image: CameraImage, calibrated: Calibrated) -> ImagePhotometry:
    """Photometric calibration of an image in electrons per second; NaN where there is none."""
    import numpy as np

    from soxs_recipes.acq.camera import FULL_WELL_E
    from soxs_recipes.products.phase3_image import ImagePhotometry

    stars, zero = image.stars, calibrated.zero
    time = image.exptime_s
    sky = float(np.median(stars.background[::4, ::4]))
    full = max(_FULL_SHARE * FULL_WELL_E - sky, 1.0) / float(stars.profile.light(0.0, 0.0))
    faint, bright = (
        zero.magnitude - 2.5 * np.log10(flux / time) for flux in (stars.limiting_flux(), full)
    )
    return ImagePhotometry(
        image.filter_name,
        zero.magnitude,
        zero.error,
        float(faint),
        float(bright),
        stars.profile.fwhm_px * calibrated.field.plate.scale_arcsec,
        "electron/s",
        100 * (10 ** (0.4 * zero.error) - 1) if zero.error == zero.error else -1.0,
    )


def image_planes(image: CameraImage) -> dict[str, np.ndarray]:
    """Content of SCI_IMAGE."""
    from soxs_recipes.products.detector_frames import planes

    return planes(image.frame.times(1 / image.exptime_s))


def image_cards(image: CameraImage, calibrated: Calibrated) -> dict[str, dict[str, Any]]:
    """Cards of SCI_IMAGE: those of Phase 3, coordinates, where the slit is."""
    from soxs_recipes.acq import camera
    from soxs_recipes.products.phase3_image import image_extension_cards, image_primary_cards
    from soxs_recipes.products.phase3_observation import observation_of
    from soxs_recipes.products.plate_headers import plate_cards

    photometry = photometry_of(image, calibrated)
    field = calibrated.field
    where = plate_cards(field.plate, image.frame.shape)
    if field.fit is not None:
        rms = field.fit.rms_arcsec / 3600
        where |= {f"CRDER{axis}": (rms, "[deg] Random error of coordinates") for axis in (1, 2)}
    slit = {
        "SLITX": (camera.SLIT_CENTRE_PX[0] + 1, "[pix] Middle of the slit along x (assumed)"),
        "SLITY": (camera.SLIT_CENTRE_PX[1] + 1, "[pix] Middle of the slit along y (assumed)"),
        "SLITLEN": (camera.SLIT_LENGTH_ARCSEC, "[arcsec] Length of the slit, along y"),
        "SLITWID": (camera.SLIT_WIDTH_ARCSEC, "[arcsec] Width that is drawn"),
    }
    observation = observation_of([{**image.file.header, "EXPTIME": image.exptime_s}])
    primary = _without_nan(image_primary_cards(observation, photometry))
    if photometry.zero_point_ab != photometry.zero_point_ab:
        primary["FLUXCAL"] = ("UNCALIBRATED", "Quality of the flux calibration")
        primary["PRODCATG"] = ("ANCILLARY.IMAGE", "Data product category")
    shared = dict.fromkeys(("ERRS", "QUAL"), where)
    flux = {**where, **_without_nan(image_extension_cards(photometry)), **slit}
    return {"": primary, "FLUX": flux, **shared}


def table_cards(image: CameraImage, calibrated: Calibrated) -> dict[str, dict[str, Any]]:
    """Cards of PHOT_TAB."""
    photometry = photometry_of(image, calibrated)
    cards = {
        "FILTER": (image.filter_name, "Filter"),
        "ZP": (photometry.zero_point_ab, "[mag] AB magnitude of 1 electron/s"),
        "ZPERR": (photometry.zero_point_error, "[mag] Error common to all sources"),
        "ZPTYPE": (calibrated.kind, "CATALOGUE, NIGHTLY or NONE"),
        "COLTERM": (calibrated.colour_slope, "Slope of the colour term"),
        "ABMAGLIM": (photometry.limit_ab, "[mag] 5-sigma limit for point sources"),
        "PSF_FWHM": (photometry.psf_fwhm_arcsec, "[arcsec] Image quality"),
        "ASTROMET": ("CATALOGUE" if calibrated.field.is_solved else "HEADER", "Coordinates from"),
        "PHOTSYS": ("AB", "Photometric system"),
    }
    return {"SOURCES": _without_nan(cards)}


def image_quality(image: CameraImage, calibrated: Calibrated) -> dict[str, Value | None]:
    """Quality-control parameters of an image."""
    import numpy as np

    from soxs_recipes.algorithms.star_flags import StarFlag
    from soxs_recipes.algorithms.tangent_plane import to_plane

    stars, field, zero = image.stars, calibrated.field, calibrated.zero
    known = stars.has_profile
    photometry = photometry_of(image, calibrated)
    qc: dict[str, Value | None] = {
        "SOURCES NUM": len(stars.stars),
        "SATUR NUM": int(np.count_nonzero(stars.flags & int(StarFlag.SATURATED))),
        "CR NUM": image.struck,
        "SKY LEVEL": float(np.median(stars.background[::4, ::4])),
        "PSF FWHM": photometry.psf_fwhm_arcsec if known else None,
        "PSF ELLIP": stars.profile.ellipticity if known else None,
        "ASTROM NUM": len(field.fitted),
        "ZP": zero.magnitude,
        "ZP ERR": zero.error,
        "ZP NUM": int(np.count_nonzero(zero.used)),
        "ZP SCATTER": zero.scatter,
        "ZP SLOPE": zero.slope,
        "LIM MAG": photometry.limit_ab,
    }
    names = ("RMS", "RMS BRIGHT", "OFFSET", "ROT", "SCALE")
    qc |= {f"ASTROM {name}": None for name in names}
    if field.fit is not None:
        plate, expected = field.plate, calibrated.solved.expected
        offset = to_plane(plate.ra_deg, plate.dec_deg, expected.ra_deg, expected.dec_deg)
        turn = plate.position_angle_deg - expected.position_angle_deg
        values = (
            field.fit.rms_arcsec,
            _bright_rms(image, field),
            float(np.hypot(*offset)),
            (turn + 90) % 180 - 90,
            plate.scale_arcsec,
        )
        qc |= {f"ASTROM {name}": value for name, value in zip(names, values, strict=True)}
    return qc


def _bright_rms(image: CameraImage, field: Any) -> float:
    """Residuals per axis of the stars with the least photon noise."""
    import numpy as np

    used = field.fit.residual_arcsec[field.fit.used]
    stars = image.stars.stars.chosen(field.fitted)
    bright = stars.flux > _BRIGHT_SN * stars.flux_error
    return float(np.sqrt(np.mean(used[bright] ** 2))) if bright.any() else float("nan")


def source_table(
    image: CameraImage, calibrated: Calibrated, target: int | None, with_limit: bool
) -> Table:
    """Content of the extension SOURCES.

    Parameters
    ----------
    image, calibrated
        The image and its calibration.
    target : int or None
        Row of the target.
    with_limit : bool
        Whether a row with the limit of the target is appended, if it lies on the image.
    """
    from astropy.table import vstack

    count = len(image.stars.stars)
    table = _typed(
        {
            "NUMBER": range(1, count + 1),
            **_positions(image, calibrated, target),
            **_fluxes(image, calibrated),
        }
    )
    if with_limit:
        limit = _target_limit(image, calibrated, count + 1)
        table = table if limit is None else vstack([table, limit])
    return table


def _positions(image: CameraImage, calibrated: Calibrated, target: int | None) -> dict[str, Any]:
    """Columns of positions, and which stars stand in the catalogue."""
    import numpy as np

    stars, field = image.stars.stars, calibrated.field
    ra, dec = field.plate.sky(stars.x, stars.y)
    rows = {
        "TARGET": [] if target is None else [target],
        "MATCHED": field.stars,
        "ASTROM": field.fitted,
    }
    marks = {name: np.isin(np.arange(len(stars)), which) for name, which in rows.items()}
    east, north = _distances(field, stars, calibrated.solved.matched_positions)
    errors = _position_errors(stars, field.plate.matrix)
    where = {"RA": ra, "DEC": dec, "X": stars.x + 1, "Y": stars.y + 1}
    return {**where, **errors, **marks, "DIST_RA": east, "DIST_DEC": north}


def _fluxes(image: CameraImage, calibrated: Calibrated) -> dict[str, Any]:
    """Columns of fluxes and magnitudes."""
    import numpy as np

    stars, time = image.stars.stars, image.exptime_s
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = calibrated.zero.magnitude - 2.5 * np.log10(stars.flux / time)
        error = 1.0857 * stars.flux_error / stars.flux
    return {
        "FLUX": stars.flux / time,
        "FLUX_ERR": stars.flux_error / time,
        "FLUX_APER": image.stars.aperture / time,
        "FLUX_APER_ERR": image.stars.aperture_error / time,
        "MAG_AB": magnitude,
        "MAG_ERR": np.where(np.isfinite(magnitude), error, np.nan),
        "CHI2": stars.chi2,
        "FLAGS": image.stars.flags,
        "PHOTOM": calibrated.zero.used,
    }


def _typed(columns: Mapping[str, Any]) -> Table:
    import numpy as np
    from astropy.table import Table

    kinds = {column.name: column.dtype for column in PHOT_TAB.hdus[0].columns}
    return Table(
        {
            name: np.asarray(columns[name], dtype=bool if kind == "L" else kind)
            for name, kind in kinds.items()
        }
    )


def _position_errors(stars: Any, matrix: np.ndarray) -> dict[str, np.ndarray]:
    import numpy as np

    return {
        name: np.hypot(matrix[axis, 0] * stars.x_error, matrix[axis, 1] * stars.y_error)
        for axis, name in enumerate(("RA_ERR", "DEC_ERR"))
    }


def _distances(field: Any, stars: Any, catalogue: Any) -> tuple[np.ndarray, np.ndarray]:
    """Catalogue minus image of the matched stars, arcsec; NaN for the others."""
    import numpy as np

    from soxs_recipes.algorithms.tangent_plane import to_plane

    east, north = np.full(len(stars), np.nan), np.full(len(stars), np.nan)
    if catalogue is not None and len(field.stars):
        goal = to_plane(*catalogue.T, field.plate.ra_deg, field.plate.dec_deg)
        found = field.plate.plane(stars.x[field.stars], stars.y[field.stars])
        east[field.stars], north[field.stars] = (g - f for g, f in zip(goal, found, strict=True))
    return east, north


def _target_limit(image: CameraImage, calibrated: Calibrated, number: int) -> Table | None:
    """Row of a target that was not seen: flux at its place, and the magnitude of the limit."""
    import numpy as np

    from soxs_recipes.algorithms.aperture_photometry import forced_flux
    from soxs_recipes.algorithms.star_flags import StarFlag
    from soxs_recipes.recipes.camera_calibration import pointing_of

    stars, plate, time = image.stars, calibrated.field.plate, image.exptime_s
    ra, dec = pointing_of(image.file)
    x, y = (float(value) for value in plate.pixel(ra, dec))
    flux, error = forced_flux(stars.residual, stars.variance, stars.good, x, y, stars.profile)
    if not np.isfinite(flux):
        return None
    limit = max(flux, 0.0) + _LIMIT_SIGMA * error
    row = {column.name: [np.nan] for column in PHOT_TAB.hdus[0].columns}
    row |= {"NUMBER": [number], "RA": [ra], "DEC": [dec], "X": [x + 1], "Y": [y + 1]}
    row |= {"FLUX": [flux / time], "FLUX_ERR": [error / time], "TARGET": [True]}
    row |= {"MAG_AB": [calibrated.zero.magnitude - 2.5 * np.log10(limit / time)]}
    row |= {"FLAGS": [int(StarFlag.NOT_SEEN)]}
    row |= {name: [False] for name in ("MATCHED", "ASTROM", "PHOTOM")}
    return _typed(row)


def _without_nan(cards: Mapping[str, Any]) -> dict[str, Any]:
    """Cards that have a value, for a header holds no NaN, and those to be taken out (None)."""
    return {name: card for name, card in cards.items() if card is None or card[0] == card[0]}

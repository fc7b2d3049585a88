"""Astrometric and photometric calibration of images of the acquisition camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.acq import camera
from soxs_recipes.algorithms.astrometry import FieldSolution, solve_field
from soxs_recipes.algorithms.astrometry_fit import Plate, nominal_plate
from soxs_recipes.algorithms.astrometry_match import MatchSettings
from soxs_recipes.algorithms.passbands import ColourTerm, Passband, colour_term
from soxs_recipes.algorithms.star_flags import UNFIT, StarFlag
from soxs_recipes.algorithms.zero_point import ZeroPoint, zero_point
from soxs_recipes.errors import HeaderError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.detector import header_number
from soxs_recipes.products.extinction_tables import Extinction, read_extinction
from soxs_recipes.products.filter_tables import CATALOGUE_SYSTEM, read_filters
from soxs_recipes.products.phot_tables import CATALOGUE, NIGHTLY, UNCALIBRATED
from soxs_recipes.products.standard_tables import read_reference, read_standard_stars
from soxs_recipes.products.star_catalogues import StarCatalogue, read_star_catalogue
from soxs_recipes.recipes.statics import (
    EXTINCTION_TAB,
    FILTER_TAB,
    FLUX_STD_TAB,
    PHOT_CATALOG,
    static_path,
)

if TYPE_CHECKING:
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.camera_images import CameraImage
    from soxs_recipes.recipes.frames import InputFrame

# Filter of the catalogue that is nearest to each of the camera, and the colour its term is in.
NEAREST = {"u": "g", "g": "g", "V": "g", "r": "r", "i": "i", "z": "z", "y": "z"}
COLOURS = {"g": ("g", "r"), "r": ("g", "r"), "i": ("r", "i"), "z": ("i", "z")}
"""Filters tied to the catalogue; for the others it has no near one."""

# Stars for the zero point: signal over noise, error in the catalogue.
_LEAST_SN, _LARGEST_ERROR = 20.0, 0.05
_ANY_ROTATION_DEG = 90.0
# Error of a nightly zero point: standard's spectrum, filter curve, extinction.
_NIGHTLY_ERROR_MAG = 0.03
# Distances from the header's position within which the standard is looked for.
_STANDARD_ARCSEC, _UNSOLVED_ARCSEC = 5.0, 15.0
_J2000_MJD, _DAYS_PER_YEAR = 51544.5, 365.25


@dataclass(frozen=True)
class PhotometricSystem:
    """What magnitudes are made of.

    Attributes
    ----------
    bands : mapping of str to Passband
        Filter curves.
    extinction : Extinction
        Magnitudes per airmass.
    standards : Path
        Spectra of flux standards.
    """

    bands: Mapping[str, Passband]
    extinction: Extinction
    standards: Path

    def loss(self, image: CameraImage) -> float:
        """Extinction of an image, magnitudes."""
        curve = self.extinction
        per_airmass = self.bands[image.filter_name].mean(curve.wave_nm, curve.magnitudes)
        return (airmass_of(image.file) or 1.0) * per_airmass

    def term(self, name: str) -> ColourTerm:
        """Colour term from the catalogue to a filter of the camera."""
        blue, red = COLOURS[name]
        near = [self.bands[CATALOGUE_SYSTEM + band] for band in (name, blue, red)]
        return colour_term(self.bands[name], *near)


@dataclass(frozen=True)
class Solved:
    """Where an image points.

    Attributes
    ----------
    field : FieldSolution
        Astrometry.
    expected : Plate
        Plate by the header.
    nearby : StarCatalogue or None
        Stars of the catalogue that the image may show, at its time.
    """

    field: FieldSolution
    expected: Plate
    nearby: StarCatalogue | None

    @property
    def matched_positions(self) -> np.ndarray | None:
        """Positions in the catalogue of the matched stars, degrees, shape (n, 2)."""
        if self.nearby is None:
            return None
        theirs = self.field.catalogue
        return np.column_stack([self.nearby.ra_deg[theirs], self.nearby.dec_deg[theirs]])


@dataclass(frozen=True)
class Calibrated:
    """Where an image points and what its electrons are worth.

    Attributes
    ----------
    solved : Solved
        Astrometry.
    zero : ZeroPoint
        Zero point; `used` refers to the stars of the image.
    kind : {'CATALOGUE', 'NIGHTLY', 'NONE'}
        What it rests on.
    colour_slope : float
        Slope of the colour term applied; NaN if none was.
    """

    solved: Solved
    zero: ZeroPoint
    kind: str
    colour_slope: float = float("nan")

    @property
    def field(self) -> FieldSolution:
        """Astrometry."""
        return self.solved.field


def photometric_system(run: Run) -> PhotometricSystem:
    """Read filter curves, extinction and where the standards stand."""
    return PhotometricSystem(
        read_filters(static_path(run, FILTER_TAB)),
        read_extinction(static_path(run, EXTINCTION_TAB)),
        static_path(run, FLUX_STD_TAB),
    )


def pointing_of(file: InputFrame) -> tuple[float, float]:
    """Right ascension and declination in the header, degrees.

    Raises
    ------
    HeaderError
        If they are missing.
    """
    values = [header_number(file.header, keyword) for keyword in ("RA", "DEC")]
    if None in values:
        raise HeaderError(
            "The header has no position",
            file=file.path,
            expected="RA and DEC in degrees",
            found="none",
            remedy="write the cards, or leave the frame out",
        )
    return values[0], values[1]


def airmass_of(file: InputFrame) -> float | None:
    """Mean airmass; None if the header does not tell."""
    values = [header_number(file.header, keyword) for keyword in camera.AIRMASS]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def catalogue_of(run: Run) -> StarCatalogue | None:
    """Star catalogue among the frames of a run."""
    paths = run.inputs.static(PHOT_CATALOG)
    if not paths:
        run.warning("No star catalogue: coordinates are those of the header")
        return None
    return read_star_catalogue(paths)


def solve(run: Run, image: CameraImage, catalogue: StarCatalogue | None) -> Solved:
    """Match an image with the catalogue and fit its plate.

    Parameters
    ----------
    run : Run
        Its settings max_offset and max_rotation are used.
    image : CameraImage
        The image.
    catalogue : StarCatalogue or None
        Stars of the field, any epoch.

    Raises
    ------
    CatalogueFieldError, CatalogueEpochError
        If the catalogue does not serve the image.
    """
    expected, any_rotation = _expected_plate(run, image.file)
    if catalogue is None:
        none = np.empty(0, dtype=int)
        return Solved(FieldSolution(expected, None, none, none, none), expected, None)
    nearby = _nearby(catalogue, image, run.settings.max_offset)
    settings = MatchSettings(
        run.settings.max_offset,
        _ANY_ROTATION_DEG if any_rotation else run.settings.max_rotation,
    )
    magnitude = nearby.magnitudes[NEAREST[image.filter_name]]
    stars = image.stars
    field = solve_field(
        stars.stars, stars.flags, expected, nearby.ra_deg, nearby.dec_deg, magnitude, settings
    )
    if not field.is_solved:
        run.warning(
            f"The {len(stars.stars)} sources do not match the catalogue ({len(nearby)} stars near "
            "the field): coordinates are those of the header"
        )
    return Solved(field, expected, nearby)


def calibrate(
    run: Run,
    image: CameraImage,
    solved: Solved,
    system: PhotometricSystem,
    nightly: ZeroPoint | None = None,
) -> Calibrated:
    """Find the zero point of an image.

    Parameters
    ----------
    run : Run
        Frames and voice.
    image : CameraImage
        The image.
    solved : Solved
        Its astrometry.
    system : PhotometricSystem
        Filter curves and extinction.
    nightly : ZeroPoint, optional
        Zero point above the atmosphere to use where the catalogue gives none.
    """
    zero, slope = _tied(image, solved, system)
    if np.isfinite(zero.magnitude):
        return Calibrated(solved, zero, CATALOGUE, slope)
    if nightly is not None:
        return Calibrated(solved, _through_air(image, system, nightly), NIGHTLY)
    run.warning(f"No zero point in the filter {image.filter_name}: magnitudes are not calibrated")
    return Calibrated(solved, zero, UNCALIBRATED)


def nightly_zero_point(
    run: Run, image: CameraImage, solved: Solved, system: PhotometricSystem
) -> ZeroPoint | None:
    """Zero point above the atmosphere from the flux standard that an image shows.

    None, with a warning, where the star is not known, not seen or saturated.
    """
    magnitude = _standard_magnitude(image, system)
    row = _standard_row(image, solved)
    if magnitude is None or row is None:
        run.warning(f"{image.file.path.name} shows no flux standard that can be measured")
        return None
    if image.stars.flags[row] & int(UNFIT & ~StarFlag.EXTENDED):
        run.warning(f"The flux standard of {image.file.path.name} is saturated or spoiled")
        return None
    rate = image.stars.stars.flux[row] / image.exptime_s
    above = magnitude + 2.5 * np.log10(rate) + system.loss(image)
    error = np.hypot(
        1.0857 * image.stars.stars.flux_error[row] / image.stars.stars.flux[row],
        _NIGHTLY_ERROR_MAG,
    )
    return ZeroPoint(float(above), float(error), np.zeros(len(image.stars.stars), dtype=bool))


def find_target(
    image: CameraImage, solved: Solved, radius_arcsec: float
) -> tuple[int | None, bool]:
    """Look for the target at the position in the header.

    Returns
    -------
    int or None
        The nearest star within the radius; None without coordinates from the catalogue, which
        alone are good enough to tell.
    bool
        Whether there is certainly no source: none within the radius, or without such coordinates
        none within the error of the pointing.
    """
    distance = _from_header_arcsec(image, solved.field.plate)
    reach = radius_arcsec if solved.field.is_solved else _UNSOLVED_ARCSEC
    if not (distance <= reach).any():
        return None, True
    return (int(np.argmin(distance)), False) if solved.field.is_solved else (None, False)


def _from_header_arcsec(image: CameraImage, plate: Plate) -> np.ndarray:
    """Distance of each star from the position in the header."""
    x, y = plate.pixel(*pointing_of(image.file))
    return np.hypot(image.stars.stars.x - x, image.stars.stars.y - y) * plate.scale_arcsec


def _standard_row(image: CameraImage, solved: Solved) -> int | None:
    """Brightest star about the position in the header: a flux standard outshines the others."""
    distance = _from_header_arcsec(image, solved.field.plate)
    reach = _STANDARD_ARCSEC if solved.field.is_solved else _UNSOLVED_ARCSEC
    near = np.flatnonzero(distance <= reach)
    return int(near[np.argmax(image.stars.stars.flux[near])]) if len(near) else None


def _expected_plate(run: Run, file: InputFrame) -> tuple[Plate, bool]:
    """Plate by the header, and whether its orientation is unknown."""
    angle = header_number(file.header, camera.ROTATOR)
    if angle is None:
        run.warning(f"No {camera.ROTATOR}: any position angle is tried")
    plate = nominal_plate(*pointing_of(file), angle or 0.0, camera.SCALE_ARCSEC, camera.CENTRE_PX)
    return plate, angle is None


def _nearby(catalogue: StarCatalogue, image: CameraImage, offset_arcsec: float) -> StarCatalogue:
    """Stars that the image may show, at its time."""
    mjd = header_number(image.file.header, kw.MJD_OBS)
    if mjd is None:
        raise HeaderError(
            "The header does not tell when the image was taken",
            file=image.file.path,
            expected=kw.MJD_OBS,
            found="no such card",
            remedy="write the card, or leave the frame out",
        )
    half = max(camera.CENTRE_PX) * camera.SCALE_ARCSEC
    ra, dec = pointing_of(image.file)
    around = catalogue.around(ra, dec, np.sqrt(2) * half + offset_arcsec)
    return around.at(2000.0 + (mjd - _J2000_MJD) / _DAYS_PER_YEAR)


def _tied(image: CameraImage, solved: Solved, system: PhotometricSystem) -> tuple[ZeroPoint, float]:
    """Zero point from the catalogue in the filters that it has, and the slope of the term."""
    name, stars = image.filter_name, image.stars.stars
    field, catalogue = solved.field, solved.nearby
    everyone = np.zeros(len(stars), dtype=bool)
    if catalogue is None or not field.is_solved or name not in COLOURS:
        return ZeroPoint(float("nan"), float("nan"), everyone), float("nan")
    blue, red = COLOURS[name]
    term = system.term(name)
    ours, theirs = field.stars, field.catalogue
    colour = catalogue.magnitudes[blue][theirs] - catalogue.magnitudes[red][theirs]
    predicted = catalogue.magnitudes[name][theirs] + term(colour)
    known = catalogue.errors[name][theirs]
    flux, error = stars.flux[ours], stars.flux_error[ours]
    fit = (image.stars.flags[ours] & int(UNFIT | StarFlag.BLEND)) == 0
    fit &= (flux > _LEAST_SN * error) & (known < _LARGEST_ERROR)
    predicted = np.where(fit, predicted, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        instrumental = -2.5 * np.log10(flux / image.exptime_s)
        spread = np.hypot(1.0857 * error / flux, known)
    found = zero_point(instrumental, predicted, spread, colour)
    everyone[ours[found.used]] = True
    values = (found.scatter, found.slope, found.slope_error)
    return ZeroPoint(found.magnitude, found.error, everyone, *values), term.slope


def _through_air(image: CameraImage, system: PhotometricSystem, above: ZeroPoint) -> ZeroPoint:
    """Zero point of an image from that above the atmosphere."""
    used = np.zeros(len(image.stars.stars), dtype=bool)
    return ZeroPoint(above.magnitude - system.loss(image), above.error, used)


def _standard_magnitude(image: CameraImage, system: PhotometricSystem) -> float | None:
    """AB magnitude of the flux standard that an image shows; None if it is none of the table."""
    from soxs_recipes.algorithms.standard_stars import identify

    name = str(image.file.header.get("OBJECT", ""))
    found = identify(read_standard_stars(system.standards), pointing_of(image.file), (name,))
    if found is None:
        return None
    reference = read_reference(system.standards, found.star.name)
    band = system.bands[image.filter_name]
    known = reference.flux > 0
    if not band.covered_by(reference.wave_nm[known], 0.99):
        return None
    # The table is per Angstrom.
    return float(band.ab_magnitude(reference.wave_nm, np.where(known, 10 * reference.flux, 0)))

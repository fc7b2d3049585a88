"""Light on the acquisition camera: star fields, sky and twilight flats."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .camera_bands import Band, band
from .camera_fields import FieldKind, field_kind, stars_of
from .camera_stars import StarField
from .camera_target import target_magnitudes, with_target
from .contract import ExposureScene
from .exposure import Exposure, mjd
from .rng import stream

SIZE = 1024
SCALE_ARCSEC = 0.205
MOFFAT_BETA = 3.5
TWILIGHT_E = 28_000.0
LAMP_E_PER_S = 6000.0
TWILIGHT_STARS = 25
TWILIGHT_FWHM_PX = 5.0
EXTINCTION_REFERENCE_NM = 500.0


@dataclass(frozen=True)
class PlateModel:
    """Sky to pixel: gnomonic projection, scale, rotation, radial distortion.

    A star at standard coordinates (xi to the east, eta to the north, arcsec) about the true
    centre falls on ``centre + R(angle) (-xi, eta) / scale * (1 + k r^2)``, r in units of 512 px;
    pixels are 0-based with integer centres. ``angle_deg`` is the position angle of the y axis,
    from north through east. ``mirrored`` turns the x axis round.
    """

    ra_deg: float
    dec_deg: float
    angle_deg: float
    scale_arcsec: float
    distortion: float
    centre_px: float = (SIZE - 1) / 2
    mirrored: bool = False

    def pixel(
        self, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the 0-based pixel (x, y) of positions in degrees."""
        xi, eta = gnomonic(ra_deg, dec_deg, self.ra_deg, self.dec_deg)
        angle = np.radians(self.angle_deg)
        u = -(xi * np.cos(angle) - eta * np.sin(angle)) / self.scale_arcsec
        v = (xi * np.sin(angle) + eta * np.cos(angle)) / self.scale_arcsec
        u = -u if self.mirrored else u
        stretch = 1 + self.distortion * (u**2 + v**2) / (SIZE / 2) ** 2
        return self.centre_px + u * stretch, self.centre_px + v * stretch


def gnomonic(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], ra0_deg: float, dec0_deg: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the standard coordinates (east, north) in arcsec about a tangent point."""
    ra = np.radians(np.asarray(ra_deg) - ra0_deg)
    dec, dec0 = np.radians(dec_deg), np.radians(dec0_deg)
    depth = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra)
    xi = np.cos(dec) * np.sin(ra) / depth
    eta = (np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra)) / depth
    return np.degrees(xi) * 3600, np.degrees(eta) * 3600


def true_plate(exposure: Exposure, seed: int) -> PlateModel:
    """Return the true plate of a frame: the header's pointing, off by a little.

    The pointing error (SD 3 arcsec per axis) and the error of the rotator (0.3 degree) belong to
    the target; scale and distortion to the night. Some fields set them; see `FieldKind`.
    """
    kind = field_kind(exposure.target)
    target = stream(seed, "pointing", exposure.target)
    night = stream(seed, "plate")
    error = target.normal(0.0, 3.0, 2) / 3600
    turn = float(target.normal(0.0, 0.3))
    if kind.pointing_error_arcsec is not None:
        error *= kind.pointing_error_arcsec / 3600 / np.hypot(*error)
    if kind.rotation_error_deg is not None:
        turn = kind.rotation_error_deg
    cosine = np.cos(np.radians(exposure.pointing.dec_deg))
    return PlateModel(
        ra_deg=exposure.pointing.ra_deg + float(error[0] / cosine),
        dec_deg=exposure.pointing.dec_deg + float(error[1]),
        angle_deg=exposure.pointing.rotator_deg + turn,
        scale_arcsec=SCALE_ARCSEC * (1 + 0.002 * float(night.standard_normal())),
        distortion=float(night.uniform(1e-3, 2e-3)),
        mirrored=kind.mirrored,
    )


def camera_scene(
    exposure: Exposure, seed: int, detector_seed: int = 0, ideal: bool = False
) -> ExposureScene:
    """Return the light of one camera frame.

    Parameters
    ----------
    exposure : Exposure
        A frame of arm ACQ and kind ``img_flat``, ``img_std``, ``img_object``, ``acquisition`` or
        ``detlin_on``.
    seed : int
        Seed of the sky and of the pointing.
    detector_seed : int
        Seed of vignetting and dust, which belong to the camera.
    ideal : bool
        Standard stars follow their reference spectrum exactly.
    """
    chosen = band(exposure.acq_filter)
    flat = illumination(chosen.name, detector_seed)
    if exposure.kind == "img_flat":
        rate, truth = _twilight(exposure, seed)
    elif exposure.kind == "detlin_on":
        rate = np.full((SIZE, SIZE), LAMP_E_PER_S * exposure.lamp_scale, np.float32)
        truth = {"lamp_e_per_s": LAMP_E_PER_S * exposure.lamp_scale}
    else:
        rate, truth = _field(exposure, seed, chosen, ideal)
    truth["illumination_filter"] = chosen.name
    return ExposureScene("ACQ", exposure.kind, (rate * flat).astype(np.float32), {}, truth)


def illumination(filter_name: str, detector_seed: int = 0) -> NDArray[np.float32]:
    """Return vignetting and dust shadows of one filter, maximum about 1."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    rng = stream(detector_seed, "illumination", filter_name)
    radius2 = ((x - SIZE / 2) ** 2 + (y - SIZE / 2) ** 2) / (SIZE / 2) ** 2
    pattern = 1 - 0.06 * radius2
    for _ in range(6):
        centre = rng.uniform(0, SIZE, 2)
        size = rng.uniform(12, 40)
        distance = np.hypot(x - centre[0], y - centre[1])
        pattern -= rng.uniform(0.01, 0.04) * ((distance < size) & (distance > 0.4 * size))
    return pattern


def _twilight(exposure: Exposure, seed: int) -> tuple[NDArray[np.float32], dict[str, object]]:
    """Twilight sky with a 1 % gradient, a level that differs from frame to frame, and stars.

    The telescope moves between frames, so that each has stars elsewhere.
    """
    rng = stream(seed, "twilight", exposure.stream)
    level = TWILIGHT_E * float(rng.uniform(0.7, 1.2)) / exposure.exptime_s
    slope = np.linspace(-0.005, 0.005, SIZE, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    sky = 1 + np.float32(np.cos(angle)) * slope + np.float32(np.sin(angle)) * slope[:, None]
    x, y = rng.uniform(0, SIZE, (2, TWILIGHT_STARS))
    stars = moffat_stars(x, y, 10 ** rng.uniform(3.0, 5.3, TWILIGHT_STARS), TWILIGHT_FWHM_PX)
    truth = {"sky_e_per_s": level, "stars": {"x": x.tolist(), "y": y.tolist()}}
    return level * sky + stars, truth


def _field(
    exposure: Exposure, seed: int, chosen: Band, ideal: bool
) -> tuple[NDArray[np.float32], dict[str, object]]:
    """Stars and night sky."""
    plate = true_plate(exposure, seed)
    position = exposure.pointing.ra_deg, exposure.pointing.dec_deg
    kind = field_kind(exposure.target)
    field = stars_of(exposure.target, seed, *position)
    target = target_magnitudes(exposure.target, seed, ideal)
    if target:
        field = with_target(field, target, *position)
    airmass = float(np.mean(exposure.pointing.airmass))
    zero_point = chosen.zero_point + 0.03 * float(
        stream(seed, "zero", chosen.name).standard_normal()
    )
    flux = star_rates(field, replace(chosen, zero_point=zero_point), airmass)
    flux *= exposure.pointing.transparency
    x, y = plate.pixel(*field.at(2000 + (mjd(exposure.start_ms) - 51544.5) / 365.25))
    fwhm = _fwhm_px(exposure, chosen, airmass)
    image = moffat_stars(x, y, flux, fwhm)
    sky = 10 ** (-0.4 * (chosen.sky - zero_point)) * SCALE_ARCSEC**2 * kind.sky_factor
    image += _sky(sky, kind)
    inside = (np.abs(x - plate.centre_px) < SIZE / 2) & (np.abs(y - plate.centre_px) < SIZE / 2)
    truth: dict[str, object] = {
        "plate": asdict(plate),
        "zero_point": zero_point,
        "extinction": chosen.extinction,
        "airmass": airmass,
        "transparency": exposure.pointing.transparency,
        "fwhm_px": fwhm,
        "sky_e_per_s": sky,
        "stars": {
            "x": np.round(x[inside], 4).tolist(),
            "y": np.round(y[inside], 4).tolist(),
            "rate_e_per_s": [float(f"{value:.6g}") for value in flux[inside]],
            "magnitude": np.round(field.magnitudes[chosen.name][inside], 4).tolist(),
        },
    }
    if target:
        truth["target_magnitude"] = target[chosen.name]
    return image, truth


def star_rates(field: StarField, chosen: Band, airmass: float) -> NDArray[np.float64]:
    """Return the electrons per second of every star through the air and the filter."""
    above = field.magnitudes[chosen.name]
    return 10 ** (-0.4 * (above + chosen.extinction * airmass - chosen.zero_point))


def _sky(level: float, kind: FieldKind) -> NDArray[np.float32]:
    """Sky with the gradient of the field's kind along the diagonal."""
    slope = np.linspace(-0.5, 0.5, SIZE, dtype=np.float32)
    tilt = (slope + slope[:, None]) / 2
    return np.float32(level) * (1 + np.float32(kind.sky_gradient) * tilt)


def _fwhm_px(exposure: Exposure, chosen: Band, airmass: float) -> float:
    """Seeing at the airmass and wavelength of the frame, with 0.3 arcsec of the optics."""
    seeing = float(np.mean(exposure.pointing.seeing_arcsec)) * airmass**0.6
    seeing *= (chosen.wavelength_nm / EXTINCTION_REFERENCE_NM) ** -0.2
    return float(np.hypot(seeing, 0.3)) / SCALE_ARCSEC


def moffat_stars(
    x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64], fwhm_px: float
) -> NDArray[np.float32]:
    """Return an image of Moffat profiles (beta 3.5) of the given total flux.

    Each star is drawn on a square whose size grows with its brightness; what lies beyond (below
    1 % of the flux for faint stars) is left out.
    """
    image = np.zeros((SIZE, SIZE), np.float64)
    core = fwhm_px / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    peak = flux * (MOFFAT_BETA - 1) / (np.pi * core**2)
    # Out to where the profile is 0.002 e-/s per pixel, between 5 and 60 core radii.
    reach = np.sqrt(np.maximum((peak / 0.002) ** (1 / MOFFAT_BETA) - 1, 0))
    half = np.ceil(core * np.clip(reach, 5, 60)).astype(int)
    step = 2 ** np.ceil(np.log2(half)).astype(int)
    for size in np.unique(step):
        chosen = (step == size) & _touches(x, y, size)
        if chosen.any():
            _add_stamps(image, x[chosen], y[chosen], peak[chosen], core, int(size))
    return image.astype(np.float32)


def _touches(x: NDArray[np.float64], y: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """Whether a square of that half size reaches the detector."""
    return (x > -size) & (x < SIZE + size) & (y > -size) & (y < SIZE + size)


def _add_stamps(
    image: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    peak: NDArray[np.float64],
    core: float,
    half: int,
) -> None:
    """Add stars of one stamp size, all at once; 2 x 2 points per pixel."""
    offset = np.arange(-half, half + 1)
    column = np.rint(x).astype(int)[:, None] + offset
    row = np.rint(y).astype(int)[:, None] + offset
    stamps = np.zeros((x.size, offset.size, offset.size))
    for dx in (-0.25, 0.25):
        for dy in (-0.25, 0.25):
            r2 = ((row + dy - y[:, None]) ** 2)[:, :, None] + ((column + dx - x[:, None]) ** 2)[
                :, None, :
            ]
            stamps += 0.25 * (1 + r2 / core**2) ** -MOFFAT_BETA
    stamps *= peak[:, None, None]
    rows = np.broadcast_to(row[:, :, None], stamps.shape)
    columns = np.broadcast_to(column[:, None, :], stamps.shape)
    inside = (rows >= 0) & (rows < SIZE) & (columns >= 0) & (columns < SIZE)
    flat = rows[inside] * SIZE + columns[inside]
    image += np.bincount(flat, stamps[inside], SIZE * SIZE).reshape(SIZE, SIZE)

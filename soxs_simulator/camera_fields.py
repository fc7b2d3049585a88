"""Kinds of star fields: what the camera sees depends on the name of the target."""

from __future__ import annotations

from dataclasses import dataclass

from .camera_stars import BRIGHT_STARS, STARS_PER_FIELD, StarField, star_field


@dataclass(frozen=True)
class FieldKind:
    """What is particular to a field and to its exposure.

    Attributes
    ----------
    stars : int
        Stars in the 8 x 8 arcmin around the target.
    bright : tuple of float
        r magnitudes of stars within an arcminute of the centre.
    sky_factor, sky_gradient : float
        Sky against a dark night, and its relative change from one edge to the opposite one.
    pointing_error_arcsec, rotation_error_deg : float or None
        Errors of pointing and rotator; None for those of an ordinary night.
    mirrored : bool
        The x axis runs against the one assumed.
    """

    stars: int = STARS_PER_FIELD
    bright: tuple[float, ...] = BRIGHT_STARS
    sky_factor: float = 1.0
    sky_gradient: float = 0.0
    pointing_error_arcsec: float | None = None
    rotation_error_deg: float | None = None
    mirrored: bool = False


KINDS = {
    "CROWDED": FieldKind(stars=12_000),
    "SPARSE": FieldKind(stars=22, bright=()),
    "EMPTY": FieldKind(stars=0, bright=()),
    "SATURATED": FieldKind(bright=(6.5, 7.5, 8.5, 9.0, 9.5, 10.0)),
    "MOONLIT": FieldKind(sky_factor=8.0, sky_gradient=0.4),
    "MISPOINTED": FieldKind(pointing_error_arcsec=30.0, rotation_error_deg=2.0),
    "MIRRORED": FieldKind(pointing_error_arcsec=30.0, rotation_error_deg=-2.0, mirrored=True),
}
"""Start of a target's name to the kind of its field; any other name is an ordinary field."""


def field_kind(target: str) -> FieldKind:
    """Return the kind of field that the name of a target asks for."""
    return next((kind for name, kind in KINDS.items() if target.startswith(name)), FieldKind())


def stars_of(target: str, seed: int, ra_deg: float, dec_deg: float) -> StarField:
    """Return the field stars around a target."""
    kind = field_kind(target)
    return star_field(seed, ra_deg, dec_deg, kind.stars, kind.bright)

"""What soxs_merge takes: orders of one or both arms with all that calibrates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.flux_calibration import (
    Factor,
    Transmission,
    extinction_factor,
    order_piece,
)
from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.slit_loss import (
    MEASURED_ERROR,
    Seen,
    across_slit,
    off_zenith,
)
from soxs_recipes.errors import HeaderError, InputError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.products.phase3_observation import slit_width_arcsec
from soxs_recipes.recipes.merge_declarations import RESP_TAB, SPECTRUM_ORDERS, TELLURIC_TAB
from soxs_recipes.recipes.statics import EXTINCTION_TAB, static_path

if TYPE_CHECKING:
    from soxs_recipes.algorithms.combine_spectra import SpectrumPiece
    from soxs_recipes.algorithms.response_curve import Response
    from soxs_recipes.products.extinction_tables import Extinction
    from soxs_recipes.products.telluric_tables import Telluric
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

AIRMASS_KEYWORDS = ("ESO TEL AIRM START", "ESO TEL AIRM END")
MEASURED_SEEING = "ESO QC SEEING"
SEEING_KEYWORDS = ("ESO TEL AMBI FWHM START", "ESO TEL AMBI FWHM END")


@dataclass(frozen=True)
class ArmInput:
    """Orders of one arm with their calibrations.

    Attributes
    ----------
    frame : InputFrame
        Product with the orders.
    spectra : OrderSpectra
        Extracted orders.
    response : Response or None
        Response of the arm.
    standard : Seen or None
        How its standard was seen; None if that is not known.
    telluric : Telluric or None
        Telluric transmission.
    extinction : Extinction
        Extinction of the atmosphere.
    """

    frame: InputFrame
    spectra: OrderSpectra
    response: Response | None
    standard: Seen | None
    telluric: Telluric | None
    extinction: Extinction

    @property
    def name(self) -> str:
        """The arm."""
        return self.frame.arm.name

    @property
    def binning(self) -> str:
        """Binning of the frames, ``'1x1'`` for none."""
        return "{}x{}".format(*self.frame.readout.binning)

    @property
    def airmass(self) -> float:
        """Mean airmass.

        Raises
        ------
        HeaderError
            If the header tells none.
        """
        value = mean_of(self.frame, AIRMASS_KEYWORDS)
        if value is None:
            raise HeaderError(
                "The airmass of the target is not known",
                file=self.frame.path,
                expected=" or ".join(AIRMASS_KEYWORDS),
                found="none",
                remedy="add the card, or leave the response out to get counts",
            )
        return value

    @property
    def seen(self) -> Seen | None:
        """How the target was seen; None if neither its image nor the seeing is known."""
        measured = self.frame.header.get(MEASURED_SEEING)
        return _seen(self.frame, measured, slit_width_arcsec(self.frame.header))

    def factor(self, order: int, wave_nm: np.ndarray) -> Factor:
        """Flux density per electron s-1 nm-1 at wavelengths (air) of an order."""
        if self.response is None:
            return Factor(1 / self._blaze(order, wave_nm), np.zeros(len(wave_nm)))
        value, error = self.response.at(order, wave_nm)
        above = extinction_factor(self.extinction.at(wave_nm), self.airmass)
        return Factor(value, error / value).times(above)

    def transmission(self, order: int, wave_nm: np.ndarray) -> Transmission | None:
        """Telluric transmission at wavelengths (air) of an order."""
        return None if self.telluric is None else Transmission(*self.telluric.at(order, wave_nm))

    def pieces(self) -> list[SpectrumPiece]:
        """Orders on a common scale.

        Raises
        ------
        InputError
            If no bin of any order has a value.
        """
        pieces = []
        for order in self.spectra.orders:
            wave = self.spectra.wave_nm[self.spectra.of(order)]
            factor, through = self.factor(order, wave), self.transmission(order, wave)
            pieces.append(order_piece(self.spectra, order, factor, through))
        if not any(piece.finite.any() for piece in pieces):
            raise self._empty()
        return pieces

    def empty_orders(self, pieces: list[SpectrumPiece]) -> list[int]:
        """Orders without any value."""
        pairs = zip(self.spectra.orders, pieces, strict=True)
        return [order for order, piece in pairs if not piece.finite.any()]

    def _blaze(self, order: int, wave_nm: np.ndarray) -> np.ndarray:
        """Blaze per nm, relative to the arm's peak."""
        here = self.spectra.of(order)
        blaze = np.where(self.spectra.blaze > 0, self.spectra.blaze, np.nan) / self.spectra.width_nm
        if not np.isfinite(blaze).any():
            return np.ones(len(wave_nm))
        return np.interp(wave_nm, self.spectra.wave_nm[here], blaze[here] / np.nanmax(blaze))

    def _empty(self) -> InputError:
        measured = np.isfinite(self.spectra.flux_e) & (self.spectra.error_e > 0)
        if not measured.any():
            return InputError(
                "The extracted orders hold no value",
                file=self.frame.path,
                expected="at least one bin with a flux and its error",
                found="NaN throughout",
                remedy="look at the extraction; leave this arm out",
            )
        return InputError(
            "The response does not cover the extracted orders",
            file=self.frame.path,
            expected=f"orders {', '.join(map(str, self.spectra.orders))}",
            found="no order in common",
            remedy="give the response of this arm and setting, or leave it out to get counts",
        )


def read_arms(run: Run) -> list[ArmInput]:
    """Read the arms that have orders."""
    from soxs_recipes.products.extinction_tables import read_extinction
    from soxs_recipes.products.response_tables import read_response
    from soxs_recipes.products.spectrum_tables import read_order_spectra
    from soxs_recipes.products.telluric_tables import read_telluric

    arms = []
    for name in run_arms(run):
        frame = run.inputs.one(SPECTRUM_ORDERS, name)
        response = run.inputs.one(RESP_TAB, name)
        telluric = run.inputs.one(TELLURIC_TAB, name)
        read = response and read_response(response.path)
        arms.append(
            ArmInput(
                frame,
                read_order_spectra(frame.path),
                read,
                response and _standard(response, read),
                telluric and read_telluric(telluric.path),
                read_extinction(static_path(run, EXTINCTION_TAB, name)),
            )
        )
    return arms


def run_arms(run: Run) -> list[str]:
    """Arms of a run that have orders, VIS before NIR."""
    return [name for name in ("VIS", "NIR") if run.inputs.one(SPECTRUM_ORDERS, name)]


def mean_of(frame: InputFrame, keywords: tuple[str, ...]) -> float | None:
    """Mean of the cards that are there; None if there are none."""
    values = [float(frame.header[key]) for key in keywords if frame.header.get(key) is not None]
    return sum(values) / len(values) if values else None


def _standard(frame: InputFrame, response: Response) -> Seen | None:
    """How the standard was seen, by the header of its response."""
    slit = slit_width_arcsec({kw.VIS_SLIT: response.slit} if response.slit else frame.header)
    measured = response.seeing_arcsec if response.seeing_arcsec > 0 else None
    return _seen(frame, measured, slit)


def _seen(frame: InputFrame, measured_arcsec: float | None, slit_arcsec: float) -> Seen | None:
    """Width of the disc as measured on the slit, else as the seeing monitor has it."""
    across = _across(frame)
    if measured_arcsec is not None:
        return Seen(float(measured_arcsec), slit_arcsec, MEASURED_ERROR, across)
    seeing, airmass = mean_of(frame, SEEING_KEYWORDS), mean_of(frame, AIRMASS_KEYWORDS)
    if seeing is None or airmass is None:
        return None
    return Seen(off_zenith(seeing, airmass), slit_arcsec, across=across)


def _across(frame: InputFrame) -> float:
    """Refraction across the slit, as far as the header tells; none where it is compensated."""
    header, airmass = frame.header, mean_of(frame, AIRMASS_KEYWORDS)
    angles = [float(header[key]) for key in kw.PARALLACTIC_DEG if header.get(key) is not None]
    slit = header.get(kw.ROTATOR_DEG)
    if not frame.arm.is_dispersed or airmass is None or slit is None or not angles:
        return 0.0
    return across_slit(airmass, angles, float(slit))

"""The steps of soxs_merge, from calibrated orders to spectra on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from soxs_recipes.algorithms.absolute_scale import FluxScale
from soxs_recipes.algorithms.air_vacuum import air_to_vacuum
from soxs_recipes.algorithms.arm_join import OVERLAP_NM, ArmRatio, arm_ratio
from soxs_recipes.algorithms.combine_spectra import (
    SPEED_OF_LIGHT_KMS,
    Combined,
    SpectrumPiece,
    combine,
    linear_grid,
    log_grid,
)
from soxs_recipes.algorithms.flux_calibration import moved, scaled
from soxs_recipes.algorithms.rebinned_counts import added_counts
from soxs_recipes.algorithms.velocity import barycentric_velocity_kms
from soxs_recipes.errors import SettingMismatchError
from soxs_recipes.products.phase3_observation import Observation, observation_of
from soxs_recipes.recipes.base import Result, Run
from soxs_recipes.recipes.declarations import AUTO, Product, Value
from soxs_recipes.recipes.merge_inputs import ArmInput
from soxs_recipes.recipes.merge_products import Making, spectrum_result
from soxs_recipes.recipes.merge_scale import (
    Magnitude,
    absolute_scale,
    slit_loss,
    target_magnitudes,
)

# Resolving power with a slit of 1 arcsec (SOXS papers); it goes as the inverse of the slit width.
RESOLUTION_ARCSEC = 4500.0
# Simultaneous exposures of the arms have their middles together to this.
SYNCHRONOUS_S = 1.0
# A ratio of the arms that is worse known than this does more harm than good.
WORST_TIE = 0.05
_SECONDS = 86400.0
Pieces = Mapping[str, Sequence[SpectrumPiece]]


@dataclass(frozen=True)
class Merging:
    """State of a merge.

    Attributes
    ----------
    run : Run
        The run.
    arms : tuple of ArmInput
        Arms with orders.
    pieces : mapping of str to sequence of SpectrumPiece
        Calibrated orders of each arm, on the wavelengths of the products.
    velocity_kms : float
        Barycentric velocity at the middle of the observation.
    magnitudes : tuple of Magnitude
        What sets the absolute scale.
    ratio : ArmRatio or None
        Flux of VIS over that of NIR before they are tied.
    arm_scale : float or None
        Factor that was applied to NIR.
    flux_scale : FluxScale or None
        Factor that was applied to all.
    """

    run: Run
    arms: tuple[ArmInput, ...]
    pieces: Pieces
    velocity_kms: float
    magnitudes: tuple[Magnitude, ...] = ()
    ratio: ArmRatio | None = None
    arm_scale: float | None = None
    flux_scale: FluxScale | None = None

    @classmethod
    def of(
        cls, run: Run, arms: Sequence[ArmInput], magnitudes: Sequence[Magnitude] | None = None
    ) -> Merging:
        """Calibrate the orders of all arms.

        Parameters
        ----------
        run : Run
            The run.
        arms : sequence of ArmInput
            Arms with orders.
        magnitudes : sequence of Magnitude, optional
            What sets the absolute scale; by default what the run says.

        Raises
        ------
        SettingMismatchError
            If one arm of two has a response.
        InputError
            If an arm has no value at all.
        """
        _check_alike(arms)
        calibrated = all(arm.response is not None for arm in arms)
        if magnitudes is None:
            magnitudes = target_magnitudes(run)
        if magnitudes and not calibrated:
            run.warning("counts are not scaled to a magnitude: add RESP_TAB to get flux")
            magnitudes = ()
        seen = observation_of([arm.frame.header for arm in arms])
        velocity = barycentric_velocity_kms(seen.ra_deg, seen.dec_deg, seen.mjd_middle)
        pieces = {arm.name: _pieces(run, arms, arm, magnitudes) for arm in arms}
        merging = cls(run, tuple(arms), pieces, velocity, tuple(magnitudes))
        merging._tell_missing()
        return replace(merging, pieces=merging._on_scale_of_products())

    @property
    def is_calibrated(self) -> bool:
        """Whether the flux is calibrated."""
        return self.arms[0].response is not None

    @cached_property
    def edges_nm(self) -> np.ndarray:
        """Borders of the bins of all products."""
        ends = [
            (piece.wave_nm[piece.finite].min(), piece.wave_nm[piece.finite].max())
            for pieces in self.pieces.values()
            for piece in pieces
            if piece.finite.any()
        ]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        given = self.run.settings
        if given.wave_step > 0:
            return linear_grid(low, high, given.wave_step)
        return log_grid(low, high, given.velocity_step)

    def combined(self, arms: Sequence[str]) -> Combined:
        """Orders of some arms on the grid."""
        return combine([piece for arm in arms for piece in self.pieces[arm]], self.edges_nm)

    def tied(self) -> Merging:
        """Compare the arms; scale NIR to VIS where that is wanted."""
        if len(self.arms) < 2 or not self.is_calibrated:
            return self
        overlap = tuple(self._as_in_products(np.array(OVERLAP_NM)))
        ratio = arm_ratio(self.combined(["VIS"]), self.combined(["NIR"]), overlap)
        if ratio is None:
            self.run.warning("the arms have no overlap: their scales are not compared")
            return self
        self.run.info(f"VIS / NIR = {ratio.value:.4f} +- {ratio.error:.4f} in {ratio.bins} bins")
        wanted = self.run.settings.arm_tie
        known = ratio.error <= WORST_TIE * ratio.value
        differ = ratio.is_significant(self.run.settings.tie_kappa)
        if wanted == "no" or (wanted == AUTO and not (known and differ)):
            return replace(self, ratio=ratio)
        error = ratio.error / ratio.value
        nir = [scaled(piece, ratio.value, error) for piece in self.pieces["NIR"]]
        pieces = {**self.pieces, "NIR": nir}
        return replace(self, ratio=ratio, pieces=pieces, arm_scale=ratio.value)

    def scaled(self) -> Merging:
        """Bring all arms to the magnitudes of the target."""
        if not self.magnitudes:
            return self
        spectrum = self.combined([arm.name for arm in self.arms])
        scale, used = absolute_scale(self.run, spectrum, self.magnitudes)
        if scale is None:
            # Errors of slit losses were those of a spectrum with a scale.
            return Merging.of(self.run, self.arms, ()).tied()
        pieces = {
            arm: [scaled(piece, *scale.at(piece.wave_nm)) for piece in one]
            for arm, one in self.pieces.items()
        }
        return replace(self, pieces=pieces, flux_scale=scale, magnitudes=used)

    def result(self, product: Product, names: Sequence[str], arm: str = "") -> Result:
        """Spectrum of some arms as a product."""
        arms = [one for one in self.arms if one.name in names]
        headers = [one.frame.header for one in arms]
        observation = observation_of(headers, self.run.settings.prog_id)
        observation = replace(observation, part=arm or "MERGED")
        counts = added_counts(
            [self._moved(piece) for one in arms for piece in _counts(one)], self.edges_nm
        )
        making = self._making(arms, observation)
        qc = self.quality(arms)
        spectrum = self.combined(names)
        return spectrum_result(product, spectrum, counts, observation, making, qc, arm)

    def _making(self, arms: Sequence[ArmInput], observation: Observation) -> Making:
        scale_error = 100 * self.flux_scale.level_sd if self.flux_scale else -2.0
        given = self.run.settings
        return Making(
            is_calibrated=self.is_calibrated,
            is_air=given.medium == "air",
            is_barycentric=given.barycentric,
            is_corrected=all(one.telluric is not None for one in arms),
            flux_error_percent=round(min(scale_error, 100.0), 3),
            resolution=RESOLUTION_ARCSEC / observation.slit_arcsec,
            cards=self._cards(arms),
            steps=self._steps(),
        )

    def _cards(self, arms: Sequence[ArmInput]) -> dict[str, tuple[Value, str]]:
        cards: dict[str, tuple[Value, str]] = {
            "BARYVEL": (round(self.velocity_kms, 5), "[km/s] Barycentric velocity correction"),
            "EXTCORR": (self.is_calibrated, "T if corrected for extinction"),
            "ARMTIED": (self.arm_scale is not None, "T if NIR was scaled to VIS"),
        }
        standards = dict.fromkeys(one.response.standard for one in arms if one.response)
        if any(standards):
            cards["STDNAME"] = (", ".join(filter(None, standards))[:60], "Flux standard")
        if self.flux_scale:
            cards["FLUXBAND"] = (self._filters, "Filters that set the flux scale")
        return cards

    def _steps(self) -> tuple[str, ...]:
        if not self.is_calibrated:
            return ("counts over blaze", "orders combined by inverse variance")
        steps = ["flux above the atmosphere by extinction and response"]
        if self.arm_scale:
            steps.append(f"NIR times {self.arm_scale:.4f} to fit VIS at 800-845 nm")
        if self.flux_scale:
            text = ", ".join(f"{one.ab:.3f} mag in {one.band.name}" for one in self.magnitudes)
            steps.append(f"flux times {self.flux_scale.level:.4f}: {text} (AB)")
        return (*steps, "orders and arms combined by inverse variance")

    @property
    def _filters(self) -> str:
        return ", ".join(one.band.name for one in self.magnitudes)

    def scale_of(self, arm: str, wave_nm: np.ndarray) -> np.ndarray:
        """Factor that the orders of an arm were multiplied by after calibration."""
        tie = self.arm_scale if arm == "NIR" and self.arm_scale else 1.0
        scale = self.flux_scale.at(wave_nm)[0] if self.flux_scale else np.ones(len(wave_nm))
        return tie * scale

    def quality(self, arms: Sequence[ArmInput]) -> dict[str, Value | None]:
        """QC parameters that do not depend on the product."""
        ratio = self.ratio
        used = [piece for one in arms for piece in self.pieces[one.name] if piece.finite.any()]
        return {
            "ARM RATIO": ratio and ratio.value,
            "ARM RATIO ERR": ratio and ratio.error,
            "ARM SCALE": self.arm_scale,
            "FLUX SCALE": self.flux_scale and self.flux_scale.level,
            "FLUX SCALE ERR": self.flux_scale and self.flux_scale.level_sd,
            "BARY VEL": self.velocity_kms,
            "ARM MID DIFF": middle_difference_s(self.arms),
            "N ORDERS": len(used),
        }

    def _tell_missing(self) -> None:
        """Say what is left out, and what is odd."""
        for arm in self.arms:
            empty = arm.empty_orders(list(self.pieces[arm.name]))
            if empty:
                orders = ", ".join(map(str, empty))
                self.run.warning(f"{arm.name}: orders without a value are left out: {orders}")
            if arm.response is None:
                self.run.warning(f"{arm.name}: no RESP_TAB: counts are delivered, not flux")
            elif arm.response.binning and arm.response.binning != arm.binning:
                text = f"response of binning {arm.response.binning} used for {arm.binning}"
                self.run.info(f"{arm.name}: {text}: it is per nm and holds for both")
            if arm.telluric is None:
                self.run.info(f"{arm.name}: no TELLURIC_TAB: telluric lines are not corrected")
        difference = middle_difference_s(self.arms)
        if difference is not None and abs(difference) > SYNCHRONOUS_S and is_synchronous(self.arms):
            self.run.warning(f"the middles of the arms differ by {difference:.1f} s")

    def _on_scale_of_products(self) -> Pieces:
        return {arm: [self._moved(piece) for piece in one] for arm, one in self.pieces.items()}

    def _moved(self, piece: SpectrumPiece) -> SpectrumPiece:
        given = self.run.settings
        return moved(piece, given.medium == "vacuum", self._applied_kms)

    def _as_in_products(self, air_nm: np.ndarray) -> np.ndarray:
        """Wavelengths in air at the telescope as those of the products."""
        wave = air_to_vacuum(air_nm) if self.run.settings.medium == "vacuum" else air_nm
        return wave * (1 + self._applied_kms / SPEED_OF_LIGHT_KMS)

    @property
    def _applied_kms(self) -> float:
        return self.velocity_kms if self.run.settings.barycentric else 0.0


def middle_difference_s(arms: Sequence[ArmInput]) -> float | None:
    """Middle of the second arm's exposures minus that of the first; None if not known."""
    middles = [arm.frame.header.get("MJD-MID") for arm in arms]
    if len(middles) < 2 or None in middles:
        return None
    return (float(middles[1]) - float(middles[0])) * _SECONDS


def is_synchronous(arms: Sequence[ArmInput]) -> bool:
    """Whether the arms were meant to be exposed together, as far as the headers tell."""
    kinds = [str(arm.frame.header.get("OBSTYPE", "")).strip() for arm in arms]
    return all(kind == "OBJECT" for kind in kinds)


def _check_alike(arms: Sequence[ArmInput]) -> None:
    """Refuse flux of one arm together with counts of the other."""
    without = [arm for arm in arms if arm.response is None]
    if without and len(without) < len(arms):
        arm = without[0].name
        raise SettingMismatchError(
            "One arm has a response and the other has none",
            file=without[0].frame.path,
            expected=f"a RESP_TAB_{arm}",
            found="none",
            remedy=f"add it, leave the {arm} orders out, or leave out both responses",
        )


def _pieces(
    run: Run, arms: Sequence[ArmInput], arm: ArmInput, magnitudes: Sequence[Magnitude]
) -> list[SpectrumPiece]:
    """Calibrated orders of one arm with the correction of slit losses."""
    corrected = []
    for piece in arm.pieces():
        loss = slit_loss(run, arms, arm, piece.wave_nm, magnitudes)
        corrected.append(piece if loss is None else scaled(piece, *loss))
    return corrected


def _counts(arm: ArmInput) -> list[SpectrumPiece]:
    """Orders as counts per nm, of all exposures together."""
    spectra, pieces = arm.spectra, []
    share = observation_of([arm.frame.header]).total_exptime_s / spectra.exptime_s
    for order in spectra.orders:
        here = spectra.of(order)
        width = spectra.width_nm[here] / share
        density, variance = spectra.flux_e[here] / width, (spectra.error_e[here] / width) ** 2
        bits = spectra.quality[here].astype(np.uint16)
        pieces.append(SpectrumPiece(spectra.wave_nm[here], width * share, density, variance, bits))
    return pieces

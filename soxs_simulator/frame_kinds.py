"""Every kind of raw frame: DPR cards, template and light of each."""

from __future__ import annotations

from dataclasses import dataclass

LAMP_CARDS = {
    "QTH": ("ESO INS QTH NAME", "Qth_Lamp"),
    "D2": ("ESO INS DEUT NAME", "Deut_Lamp"),
    "ThAr": ("ESO INS THAR NAME", "ThAr_Lamp"),
    "Ar": ("ESO INS ARGO NAME", "Argo_Lamp"),
    "Hg": ("ESO INS MERC NAME", "Merc_Lamp"),
    "Ne": ("ESO INS NEON NAME", "Neon_Lamp"),
    "Xe": ("ESO INS XENO NAME", "Xeno_Lamp"),
}
"""Header card of each lamp; the card is there only while the lamp burns."""

ARC_LAMPS = {"VIS": ("ThAr",), "NIR": ("Ar", "Hg", "Ne", "Xe")}
SLITS = ("SLIT0.5", "SLIT1.0", "SLIT1.5", "SLIT5.0")


@dataclass(frozen=True)
class FrameKind:
    """DPR cards and template of one kind of frame.

    ``template`` maps an arm to TPL ID; ``mode`` is the last part of an observation's DPR TECH.
    """

    name: str
    catg: str
    dpr_type: str
    tech: str
    template: dict[str, str]
    mode: str = ""

    @property
    def on_sky(self) -> bool:
        """Whether the telescope tracks a target."""
        return bool(self.mode) or self.catg == "ACQUISITION" or self.name.startswith("img_")


_MODES = {"stare": "STARE", "nod": "NODDING", "offset": "OFFSET", "map": "MAPPING"}

_SCIENCE_TEMPLATES = {
    "stare": "SOXS_slt_obs_StareSynchro",
    "nod": "SOXS_slt_obs_AutoNodOnSlit",
    "offset": "SOXS_slt_obs_AutoOffsetOnSlit",
    # No mapping template is published; this name is assumed.
    "map": "SOXS_slt_obs_Mapping",
}


def _both(name: str) -> dict[str, str]:
    """Template of the same name in both spectrograph arms."""
    return {"VIS": name, "NIR": name}


def _every_arm(stem: str) -> dict[str, str]:
    """Calibration template of each camera."""
    return {arm: stem.format(arm=arm) for arm in ("VIS", "NIR", "ACQ")}


def _per_arm(stem: str) -> dict[str, str]:
    """Calibration template of each spectrograph arm."""
    return {arm: stem.format(arm=arm) for arm in ("VIS", "NIR")}


_CALIBRATIONS = (
    FrameKind(
        "bias",
        "CALIB",
        "BIAS",
        "IMAGE",
        {"VIS": "SOXS_gen_cal_VISBias", "ACQ": "SOXS_img_cal_Bias"},
    ),
    FrameKind(
        "dark",
        "CALIB",
        "DARK",
        "IMAGE",
        {
            "VIS": "SOXS_gen_cal_VISDark",
            "NIR": "SOXS_gen_cal_NIRDark",
            "ACQ": "SOXS_img_cal_Dark",
        },
    ),
    FrameKind(
        "pinhole_arc",
        "CALIB",
        "LAMP,WAVE",
        "ECHELLE,PINHOLE",
        _per_arm("SOXS_slt_cal_{arm}ArcsPinhole"),
    ),
    FrameKind(
        "pinhole_flat",
        "CALIB",
        "LAMP,FLAT",
        "ECHELLE,PINHOLE",
        _per_arm("SOXS_slt_cal_{arm}LampFlatPinhole"),
    ),
    FrameKind(
        "multi_pinhole_arc",
        "CALIB",
        "LAMP,WAVE",
        "ECHELLE,MULTI-PINHOLE",
        _per_arm("SOXS_slt_cal_{arm}ArcsMultiplePinhole"),
    ),
    FrameKind(
        "slit_flat",
        "CALIB",
        "LAMP,FLAT",
        "ECHELLE,SLIT",
        _per_arm("SOXS_slt_cal_{arm}LampFlat"),
    ),
    FrameKind(
        "slit_arc",
        "CALIB",
        "LAMP,WAVE",
        "ECHELLE,SLIT",
        _per_arm("SOXS_slt_cal_{arm}Arcs"),
    ),
    # CATG and TECH of the detector-linearity frames are not published; these are assumed.
    FrameKind("detlin_on", "CALIB", "LAMP,ON", "IMAGE", _every_arm("SOXS_gen_tec_{arm}DetLin")),
    FrameKind("detlin_off", "CALIB", "LAMP,OFF", "IMAGE", _every_arm("SOXS_gen_tec_{arm}DetLin")),
)

_CAMERA = (
    FrameKind("img_flat", "CALIB", "FLAT,SKY", "IMAGE", {"ACQ": "SOXS_img_cal_SkyFlat"}),
    FrameKind("img_std", "CALIB", "STD", "IMAGE", {"ACQ": "SOXS_img_cal_StandardStar"}),
    FrameKind("img_object", "SCIENCE", "OBJECT", "IMAGE", {"ACQ": "SOXS_img_obs_AutoOffset"}),
    FrameKind("acquisition", "ACQUISITION", "OBJECT", "IMAGE", {"ACQ": "SOXS_slt_acq"}),
)


def _observations() -> list[FrameKind]:
    """Science and standards in every mode."""
    kinds = []
    for short, mode in _MODES.items():
        tech = f"ECHELLE,SLIT,{mode}"
        science = _both(_SCIENCE_TEMPLATES[short])
        word = {"stare": "Stare", "nod": "Nod", "offset": "Offset", "map": "Mapping"}[short]
        kinds += [
            FrameKind(f"object_{short}", "SCIENCE", "OBJECT", tech, science, mode),
            FrameKind(f"object_async_{short}", "SCIENCE", "OBJECT,ASYNC", tech, science, mode),
        ]
        if short != "map":
            flux = _both(f"SOXS_slt_cal_SpecphotStd{word}")
            telluric = _both(f"SOXS_slt_cal_TelluricStd{word}")
            kinds += [
                FrameKind(f"std_flux_{short}", "CALIB", "STD,FLUX", tech, flux, mode),
                FrameKind(f"std_telluric_{short}", "CALIB", "STD,TELLURIC", tech, telluric, mode),
            ]
    return kinds


KINDS: dict[str, FrameKind] = {
    kind.name: kind for kind in (*_CALIBRATIONS, *_CAMERA, *_observations())
}

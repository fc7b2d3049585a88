"""Header of a raw frame, card by card, in the order of the instrument."""

from __future__ import annotations

import numpy as np

from .exposure import Exposure, iso, mjd
from .frame_kinds import LAMP_CARDS
from .raw_file import Card
from .rng import stream
from .specs import DETECTORS, H2rgSpec

EXPOSURE_TYPES = {"bias": "Bias", "dark": "Dark"}
SELECTOR = {"VIS": "SPECTRO", "NIR": "SPECTRO", "ACQ": "IMAGING"}


def frame_cards(exposure: Exposure, seed: int) -> list[Card]:
    """Return the cards of one raw frame, structural keywords and checksums left out.

    Parameters
    ----------
    exposure : Exposure
        The plan of the frame.
    seed : int
        Seed of the temperatures' scatter.

    Returns
    -------
    list of (keyword, value, comment)
        ESO keywords carry ``HIERARCH``.
    """
    cards = [
        *_primary(exposure),
        *_classification(exposure),
        *_observation(exposure),
        *_sequence(exposure),
        *_telescope(exposure),
        *_detector(exposure),
        *_instrument(exposure, seed),
        *[(key, value, "") for key, value in exposure.extra_cards.items()],
    ]
    return [(_hierarch(key), value, comment) for key, value, comment in cards]


def _hierarch(key: str) -> str:
    return f"HIERARCH {key}" if key.startswith("ESO ") else key


def original_name(exposure: Exposure) -> str:
    """Name the instrument workstation gave: ``SOXS_GEN_DARK_NIR_122_0001.fits``."""
    day = np.datetime64(exposure.start_ms, "ms").astype("datetime64[D]")
    day_of_year = int((day - day.astype("datetime64[Y]")).astype(int)) + 1
    group = exposure.frame_kind.template[exposure.arm].split("_")[1].upper()
    kind = exposure.kind.upper().replace("_", "")
    return f"SOXS_{group}_{kind}_{exposure.arm}_{day_of_year:03d}_{exposure.number:04d}.fits"


def _primary(exposure: Exposure) -> list[Card]:
    kind = exposure.frame_kind
    name = exposure.target if kind.on_sky and exposure.target else kind.dpr_type
    cards: list[Card] = [
        ("ORIGIN", "ESO-LASILLA", "European Southern Observatory"),
        ("TELESCOP", "ESO-NTT", "ESO telescope"),
        ("INSTRUME", "SOXS", "Instrument used"),
        ("OBJECT", name, "Target description"),
        ("RA", round(exposure.pointing.ra_deg, 6), "[deg] Pointing (J2000)"),
        ("DEC", round(exposure.pointing.dec_deg, 6), "[deg] Pointing (J2000)"),
        ("EQUINOX", 2000.0, "Standard FK5"),
        ("RADESYS", "FK5", "Coordinate system"),
    ]
    if exposure.arm != "ACQ":
        cards.append(("EXPTIME", exposure.exptime_s, "[s] Total integration time"))
    return [
        *cards,
        ("MJD-OBS", round(mjd(exposure.start_ms), 8), "Obs start"),
        ("DATE-OBS", iso(exposure.start_ms), "Observing date"),
        ("BUNIT", "adu", "Unit of the pixel values"),
        ("ARCFILE", exposure.file_name, "Archive file name"),
        ("ORIGFILE", original_name(exposure), "Original file name"),
    ]


def _classification(exposure: Exposure) -> list[Card]:
    kind = exposure.frame_kind
    lamp_off_twin = not exposure.lamp_on and kind.tech.startswith("ECHELLE")
    return [
        ("ESO DPR CATG", kind.catg, "Observation category"),
        ("ESO DPR TECH", "IMAGE" if lamp_off_twin else kind.tech, "Observation technique"),
        ("ESO DPR TYPE", kind.dpr_type, "Observation type"),
    ]


def _observation(exposure: Exposure) -> list[Card]:
    block = exposure.block
    template = exposure.frame_kind.template[exposure.arm]
    if exposure.kind == "slit_flat" and exposure.lamp_scale < 1:
        template += "Att"
    return [
        ("ESO OBS ID", block.ob_id, "Observation block ID"),
        ("ESO OBS NAME", block.ob_name, "OB name"),
        ("ESO OBS NTPL", block.templates, "Number of templates within OB"),
        ("ESO OBS START", iso(block.start_ms)[:19], "OB start time"),
        ("ESO OBS TARG NAME", block.target, "OB target name"),
        ("ESO OBS TPLNO", block.template_number, "Template number within OB"),
        ("ESO TPL EXPNO", exposure.expno, "Exposure number within template"),
        ("ESO TPL ID", template, "Template signature ID"),
        ("ESO TPL NAME", template.replace("_", " "), "Template name"),
        ("ESO TPL NEXP", exposure.nexp, "Number of exposures within template"),
        ("ESO TPL START", _template_start(exposure), "Template start time"),
    ]


def _sequence(exposure: Exposure) -> list[Card]:
    cards: list[Card] = []
    if exposure.arm != "ACQ":
        cards.append(("ESO SEQ ARM", exposure.arm, "Spectrograph arm"))
    if exposure.nod is not None:
        nod = exposure.nod
        cards += [
            ("ESO SEQ CUMOFF X", nod.cumulative_x, "[arcsec] Cumulative offset across the slit"),
            ("ESO SEQ CUMOFF Y", nod.cumulative_y, "[arcsec] Cumulative offset along the slit"),
            ("ESO SEQ JITTER WIDTH", nod.jitter, "[arcsec] Jitter width"),
            ("ESO SEQ NOD THROW", nod.throw, "[arcsec] Nod throw"),
        ]
    if exposure.fixed_offset_arcsec is not None:
        ra, dec = exposure.fixed_offset_arcsec
        cards += [
            ("ESO SEQ FIXOFF RA", ra, "[arcsec] Fixed offset in RA"),
            ("ESO SEQ FIXOFF DEC", dec, "[arcsec] Fixed offset in DEC"),
        ]
    return cards


def _telescope(exposure: Exposure) -> list[Card]:
    pointing = exposure.pointing
    cards: list[Card] = [("ESO ADA ABSROT END", round(pointing.rotator_deg, 4), "[deg] Rotator")]
    tracks = (
        ("AIRM", pointing.airmass, "Airmass"),
        ("AMBI FWHM", pointing.seeing_arcsec, "[arcsec] Seeing"),
        ("PARANG", pointing.parallactic_deg, "[deg] Parallactic angle"),
    )
    for name, (start, end), comment in tracks:
        cards += [
            (f"ESO TEL {name} START", round(start, 4), f"{comment} at start"),
            (f"ESO TEL {name} END", round(end, 4), f"{comment} at end"),
        ]
    return [
        *cards,
        ("ESO TEL ALT", round(pointing.altitude_deg, 4), "[deg] Altitude"),
        ("ESO TEL AZ", round(pointing.azimuth_deg, 4), "[deg] Azimuth, south 0 west 90"),
    ]


def _detector(exposure: Exposure) -> list[Card]:
    spec = DETECTORS[exposure.arm]
    if isinstance(spec, H2rgSpec):
        return _nir_detector(exposure, spec)
    mode = spec.mode(exposure.read_mode)
    cards: list[Card] = []
    if exposure.arm == "VIS":
        cards += [
            ("ESO DET BINX", exposure.binning[0], "Binning factor along X"),
            ("ESO DET BINY", exposure.binning[1], "Binning factor along Y"),
            ("ESO DET EXP TYPE", EXPOSURE_TYPES.get(exposure.kind, "Normal"), "Exposure type"),
            ("ESO DET UIT1", exposure.exptime_s, "[s] User-defined integration time"),
        ]
    cards += [
        *_chip(spec.pixel_um, mode.ron_e),
        ("ESO DET OUT1 CONAD", mode.conad_e_per_adu, "[e-/ADU] Conversion from ADUs to electrons"),
        ("ESO DET OUT1 GAIN", mode.gain_adu_per_e, "[ADU/e-] Conversion from electrons to ADU"),
        ("ESO DET READ CURID", mode.number, "Used readout mode id"),
        ("ESO DET READ CURNAME", mode.name, "Used readout mode name"),
    ]
    if exposure.arm == "ACQ":
        cards += [
            ("ESO DET3 CAM NAME", "ACQ", "Camera name"),
            ("ESO DET3 EXPO TIME", exposure.exptime_s, "[s] Exposure time"),
        ]
    return cards


def _nir_detector(exposure: Exposure, spec: H2rgSpec) -> list[Card]:
    """Cards of the NIR detector; gain and read noise are the placeholders of real headers."""
    return [
        *_chip(spec.pixel_um, 0.0),
        ("ESO DET NDIT", exposure.ndit, "Number of sub-integrations"),
        ("ESO DET OUT1 GAIN", 1.0, "[ADU/e-] Conversion from electrons to ADU"),
        ("ESO DET READ CURID", spec.curid, "Used readout mode id"),
        ("ESO DET READ CURNAME", spec.curname, "Used readout mode name"),
        ("ESO DET SEQ1 DIT", exposure.dit_s, "[s] Integration time"),
    ]


def _chip(pixel_um: float, ron_e: float) -> list[Card]:
    return [
        ("ESO DET CHIP PSZX", pixel_um, "[um] Size of pixel in X"),
        ("ESO DET CHIP PSZY", pixel_um, "[um] Size of pixel in Y"),
        ("ESO DET CHIP RON", ron_e, "[e-] Readout noise"),
    ]


def _instrument(exposure: Exposure, seed: int) -> list[Card]:
    cards: list[Card] = [
        ("ESO INS ACFW ID", exposure.acq_filter, "Acquisition camera filter"),
        ("ESO INS ACQS ID", SELECTOR[exposure.arm], "Acquisition selector position"),
    ]
    if exposure.arm != "ACQ":
        cards += [*_afc(exposure), ("ESO INS COMB LAMPS", "", "Combination of lamps")]
        if exposure.lamp_on:
            cards += [(*LAMP_CARDS[lamp], "Lamp name") for lamp in exposure.lamps]
        wheel = "VISE" if exposure.arm == "VIS" else "NISE"
        cards += [
            (f"ESO INS {wheel} ID", exposure.slit, "Slit exchanger element"),
            (f"ESO INS {wheel} NAME", exposure.slit, "Slit exchanger position"),
            (f"ESO INS {wheel} SWSIM", False, "If T, function is simulated"),
        ]
    return cards + _temperatures(exposure, seed)


def _afc(exposure: Exposure) -> list[Card]:
    """Positions of the tip-tilt mirrors that take out most of the flexure.

    They follow the rotator and the altitude; what they leave is the flexure of the spectra.
    """
    angle = np.radians(exposure.pointing.rotator_deg)
    sag = np.cos(np.radians(exposure.pointing.altitude_deg))
    cards: list[Card] = []
    for mirror, (offset, size) in {1: (12.0, 3.0), 2: (-8.0, 2.5)}.items():
        position = (offset + size * sag * np.sin(angle), offset / 2 + size * sag * np.cos(angle))
        cards += [
            (f"ESO INS AFC{mirror} POS{axis}", round(float(value), 4), "Tip-tilt position")
            for axis, value in enumerate(position, start=1)
        ]
    return cards


def _template_start(exposure: Exposure) -> str:
    """Whole second that no other arm shares, so that sets can be told by it alone."""
    ahead_ms = {"VIS": 2000, "NIR": 1000, "ACQ": 0}[exposure.arm]
    return iso(exposure.template_start_ms - ahead_ms)[:19]


def _temperatures(exposure: Exposure, seed: int) -> list[Card]:
    rng = stream(seed, "temperature", exposure.stream)
    hour = exposure.start_ms / 3_600_000 % 24
    air_c = 12.0 + 3.0 * np.cos(2 * np.pi * (hour - 19.0) / 24)
    values = (
        ("104", 153.0 + 0.02 * rng.standard_normal(), "[K] VIS detector"),
        ("217", 45.0 + 0.01 * rng.standard_normal(), "[K] NIR detector"),
        ("301", air_c + 0.1 * rng.standard_normal(), "[C] Common path"),
    )
    return [
        (f"ESO INS TEMP{number} VAL", round(float(value), 3), comment)
        for number, value, comment in values
    ]

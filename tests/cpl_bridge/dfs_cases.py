"""Products of many kinds, saved and signed by whichever CPL the interpreter has.

Run as a script with a folder of inputs and a folder for products; the tests run it with the
embedded stand-in and, where there is one, with PyCPL, and compare the files.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits

FLOATS = (
    0.1,
    1 / 3,
    1e-5,
    123456.5,
    1234567.5,
    9999995.0,
    999999.5,
    1e22,
    -0.0,
    math.pi * 1e-9,
    6.02214076e23,
    100000.0,
    1e6,
    2.5,
    3.0,
    0.00012345678,
    5e-324,
    1.7976931348623157e308,
)


def _raw_header(number: int) -> fits.Header:
    cards = [
        ("ORIGIN", "ESO", "European Southern Observatory"),
        ("TELESCOP", "ESO-NTT", "ESO <TEL>"),
        ("INSTRUME", "SOXS", "Instrument used"),
        ("OBJECT", "O'Neill's star", "Original target"),
        ("RA", 123.456789, "pointing"),
        ("DEC", -29.25, "pointing"),
        ("EQUINOX", 2000.0, "Standard FK5"),
        ("RADECSYS", "FK5", "system"),
        ("EXPTIME", 10.0 + number, "Integration time"),
        ("MJD-OBS", 60310.123456789 + number, "Obs start"),
        ("DATE-OBS", f"2024-01-0{number}T02:57:46.6667", "Observing date"),
        ("UTC", 10666.0, "seconds"),
        ("LST", 25000.5, "seconds"),
        ("PI-COI", "UNKNOWN", "PI-COI name"),
        ("OBSERVER", "UNKNOWN", "Name of observer"),
        ("ARCFILE", f"SOXS.2024-01-0{number}T02:57:46.667.fits", "Archive File Name"),
        ("ORIGFILE", "SOXS_NIR_DARK.fits", "Original File Name"),
        ("GAIN", 2.1, "not inherited"),
        ("CRPIX1", 1.0, "not inherited"),
    ]
    header = fits.Header(cards)
    for key, value, comment in (
        ("DPR CATG", "SCIENCE", "Observation category"),
        ("DPR TECH", "ECHELLE,SLIT,STARE", "Observation technique"),
        ("DPR TYPE", "OBJECT", "Observation type"),
        ("OBS ID", 1234567, "Observation block ID"),
        ("OBS NAME", "a block", ""),
        ("TPL ID", "SOXS_slt_obs_Stare", "Template signature ID"),
        ("SEQ ARM", "NIR", "Spectrograph arm"),
        ("INS1 SHUT ST", True, "Shutter open"),
        ("DET DIT", 0.1, "Integration time"),
        ("DET NDIT", 3, "number of DITs"),
        ("DET WIN1 UIT1", 1e-7, "tiny"),
        ("DET BIG", 2**40, "long"),
        ("TEL AMBI FWHM START", 0.83, "Seeing"),
        ("ADA POSANG", -12.0, "position angle"),
        ("QC OLD", 1.0, "not inherited"),
        ("DRS OLD", 1.0, "not inherited"),
        ("PRO OLD", "x", "not inherited"),
    ):
        header[f"HIERARCH ESO {key}"] = (value, comment)
    header.add_history("raw history")
    header.add_comment("raw comment")
    return header


def write_inputs(folder: Path) -> None:
    """Write raw frames, calibrations and a text file."""
    for number in (1, 2):
        data = np.arange(12, dtype="u2").reshape(3, 4)
        fits.PrimaryHDU(data, _raw_header(number)).writeto(folder / f"raw{number}.fits")
    calib = fits.Header()
    calib["DATAMD5"] = ("0123456789abcdef0123456789abcdef", "MD5 checksum")
    calib["HIERARCH ESO PRO CATG"] = "MASTER_DARK_NIR"
    calib["HIERARCH ESO PRO SCIENCE"] = True
    calib["HIERARCH ESO PRO TECH"] = "IMAGE"
    calib["HIERARCH ESO PRO REC1 ID"] = ("soxs_mdark", "Pipeline recipe (unique) identifier")
    calib["HIERARCH ESO PRO REC1 PARAM1 NAME"] = "kappa"
    calib["HIERARCH ESO PRO ANCESTOR"] = ("SOXS.2024-01-01T00:00:00.000.fits", "first raw")
    calib["HIERARCH ESO DET NAME"] = "H2RG"
    fits.PrimaryHDU(np.ones((2, 2), "f4"), calib).writeto(folder / "calib.fits")
    fits.PrimaryHDU().writeto(folder / "bare.fits")
    (folder / "lines.csv").write_text("wave,flux\n1,2\n")


def _parameters(ui):
    par = ui.ParameterList()
    for value in (
        True,
        False,
        4,
        -7,
        "mean",
        "",
        "it's",
        "a string that is far too long for a card",
    ):
        par.append(ui.ParameterValue(f"soxs.x.p{len(par)}", f"help {len(par)}", "soxs.x", value))
    for value in FLOATS:
        par.append(ui.ParameterValue(f"soxs.x.p{len(par)}", "", "soxs.x", value))
    changed = ui.ParameterRange("soxs.x.kappa", "Clipping limit [sigma]", "soxs.x", 3.5, 1.0, 10.0)
    changed.cli_alias = "kappa"
    changed.value = 4
    par.append(changed)
    par.append(ui.ParameterEnum("soxs.x.method", "x" * 90, "soxs.x", "mean", ["mean", "median"]))
    return par


def _applist(core, category: str, *extra):
    given = [
        ("ESO PRO CATG", category),
        ("EXPTIME", 12.5, "total"),
        ("BUNIT", "electron"),
        ("ESO QC RON", 2.25, "[electron] noise"),
        ("ESO QC NUMBER OF LINES", 12345, "a count"),
        ("ESO QC BIG", 1.23456789012345e-200),
        ("ESO QC FLAG", True, ""),
        ("ESO QC TEXT", "quote ' in it, and rather more text than there is room for in a card"),
        ("CTYPE1", "WAVE"),
        ("CRPIX1", 1.0, "reference"),
        ("CD1_1", 0.06),
        ("HISTORY", "made for a test"),
        ("COMMENT", "a comment"),
        ("ARCFILE", "dropped.fits"),
        ("MYKEY", 1),
        ("ESO DRS THING", 2.0),
        *extra,
    ]
    return core.PropertyList([core.Property(*item) for item in given])


def _save_all(cpl, inputs: Path) -> None:
    ui, core, dfs = cpl.ui, cpl.core, cpl.dfs
    group = ui.Frame.FrameGroup
    raws = [ui.Frame(str(inputs / f"raw{i}.fits"), "OBJECT_STARE_NIR", group.RAW) for i in (1, 2)]
    cal = ui.Frame(str(inputs / "calib.fits"), "MASTER_DARK_NIR", group.CALIB)
    csv = ui.Frame(str(inputs / "lines.csv"), "ARC_LINES_NIR", group.CALIB)
    bare = ui.Frame(str(inputs / "bare.fits"), "DARK_NIR", group.RAW)
    ignored = ui.Frame(str(inputs / "raw2.fits"), "NOTHING")
    used = ui.FrameSet([csv, cal, ignored, *raws])
    par = _parameters(ui)
    pipe = "soxs/1.2.3"

    def save(kind, name, frames, category, *data, extra=(), **options):
        getattr(dfs, f"save_{kind}")(
            frames,
            par,
            frames,
            *data,
            "soxs_x",
            _applist(core, category, *extra),
            pipe,
            name,
            **options,
        )

    save("propertylist", "list.fits", used, "SCI_LIST_NIR")
    pixels = np.linspace(-5, 5, 35).reshape(5, 7)
    for code in ("f4", "f8", "i4"):
        save("image", f"image_{code}.fits", used, "SCI_IMAGE", core.Image(pixels.astype(code)))
    stack = core.ImageList([core.Image(pixels), core.Image(pixels + 1)])
    save("imagelist", "cube.fits", used, "SCI_CUBE", stack, core.Type.FLOAT)
    rows = np.array(
        [(1, 2.5, 3.5, "abc", 7), (2, -1.5, 1e30, "de", 2**40)],
        dtype=[("I", "i4"), ("D", "f8"), ("F", "f4"), ("S", "U5"), ("L", "i8")],
    )
    extension = core.PropertyList(
        [
            core.Property("EXTNAME", "LINES"),
            core.Property("CRVAL1", 1.0),
            core.Property("ESO QC Z", 1),
        ]
    )
    save("table", "table.fits", used, "SCI_TAB", core.Table(rows), tablelist=extension)
    save("propertylist", "calib_only.fits", ui.FrameSet([cal, csv]), "FROM_CALIB")
    save("propertylist", "csv_only.fits", ui.FrameSet([csv]), "FROM_CSV")
    save("propertylist", "bare_only.fits", ui.FrameSet([bare, cal]), "FROM_BARE")
    save("propertylist", "inherit.fits", used, "SCI_LIST", inherit=cal)
    save("propertylist", "inherit2.fits", used, "SCI_LIST", inherit=raws[1])
    save("propertylist", "removed.fits", used, "SCI_LIST", remregexp="^ESO (DET|QC B)|CRPIX1$")
    given = (("ESO PRO TYPE", "MINE"), ("ESO PRO TECH", "T"), ("ESO PRO SCIENCE", False, "no"))
    given += (("OBJECT", "loses"), ("ESO DET NAME", "kept"), ("ESO PRO DATANCOM", 5), ("RA", 1))
    save("propertylist", "given.fits", used, "SCI_LIST", extra=given)
    product = ui.Frame("list.fits", "SCI_LIST_NIR", group.CALIB)
    ui.FrameSet([ui.Frame("list.fits", "x", group.PRODUCT)]).sign_products()
    save("propertylist", "chain2.fits", ui.FrameSet([product]), "SECOND")
    second = ui.Frame("chain2.fits", "SECOND", group.RAW)
    save("propertylist", "chain3.fits", ui.FrameSet([second, product]), "THIRD")
    header = _applist(core, "WILL_BE_TAG")
    frame = ui.Frame("chain2.fits", "THE_TAG", group.PRODUCT)
    header.setup_product_header(frame, used, par, "soxs_y", "soxs/2", "PRO-1.15")
    header.save("header.fits", core.io.CREATE)
    header.save("header.fits", core.io.EXTEND)


def _extend(name: str) -> None:
    """Add extensions with astropy, as recipes do."""
    rng = np.random.default_rng(5)
    with fits.open(name, mode="append") as hdus:
        hdus.append(fits.ImageHDU(rng.normal(size=(50, 61)).astype("f4"), name="ERRS"))
        hdus.append(fits.ImageHDU(rng.integers(0, 9, (50, 61)).astype("u2"), name="QUAL"))
        columns = [
            fits.Column("A", "J", array=np.arange(5)),
            fits.Column("V", "PE()", array=np.array([np.ones(i, "f4") for i in range(5)], "O")),
        ]
        hdus.append(fits.BinTableHDU.from_columns(columns))


def _sign_all(cpl) -> None:
    ui, dfs = cpl.ui, cpl.dfs

    def products(*names):
        return ui.FrameSet([ui.Frame(n, "P", ui.Frame.FrameGroup.PRODUCT) for n in names])

    _extend("removed.fits")
    _extend("given.fits")
    dfs.sign_products(products("removed.fits", "table.fits", "image_f4.fits", "header.fits"))
    dfs.update_product_header(products("given.fits", "removed.fits", "image_f8.fits"))
    dfs.sign_products(products("cube.fits"), True, False)
    dfs.sign_products(products("image_i4.fits"), False, True)
    dfs.sign_products(products("table.fits"), False, False)
    Path("unsigned.fits").write_bytes(Path("removed.fits").read_bytes())
    dfs.sign_products(products("unsigned.fits"), compute_md5=True, compute_checksum=False)


def main(inputs: Path, outputs: Path) -> None:
    """Save and sign all products in `outputs`."""
    from soxs_recipes.cpl_bridge import HAVE_PYCPL, cpl

    os.chdir(outputs)
    _save_all(cpl, inputs)
    _sign_all(cpl)
    print("PyCPL" if HAVE_PYCPL else "embedded")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())

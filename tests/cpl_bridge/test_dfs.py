"""Product headers and signatures by the rules of ESO's Data Flow System."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge.embedded import core, dfs, ui
from soxs_recipes.cpl_bridge.embedded.dfs_sign import block_sum, encode_checksum

P, L, io = core.Property, core.PropertyList, core.io
Group = ui.Frame.FrameGroup
RAW_CARDS = [
    ("ORIGIN", "ESO", "European Southern Observatory"),
    ("OBJECT", "a star", "target"),
    ("RA", 10.5, "pointing"),
    ("RADECSYS", "FK5", "system"),
    ("EXPTIME", 30.0, "not inherited"),
    ("MJD-OBS", 60310.5, "start"),
    ("ARCFILE", "SOXS.2024-01-01T00:00:00.000.fits", "archive name"),
    ("ORIGFILE", "x.fits", "not inherited"),
    ("GAIN", 2.1, "not inherited"),
    ("HIERARCH ESO DPR CATG", "SCIENCE", "not inherited"),
    ("HIERARCH ESO DPR TECH", "ECHELLE,SLIT", "not inherited"),
    ("HIERARCH ESO OBS ID", 1234, "block"),
    ("HIERARCH ESO DET DIT", 2.5, "time"),
    ("HIERARCH ESO QC OLD", 1.0, "not inherited"),
]
PRODUCT = {
    "DATAMD5": ("Not computed", "MD5 checksum"),
    "PIPEFILE": ("out.fits", "Filename of data product"),
    "ESO PRO DID": ("PRO-1.17", "Data dictionary for PRO"),
    "ESO PRO CATG": ("THING", "Category of pipeline product frame"),
    "ESO PRO ANCESTOR": ("SOXS.2024-01-01T00:00:00.000.fits", ""),
    "ESO PRO TYPE": ("REDUCED", "Product type"),
    "ESO PRO TECH": ("ECHELLE,SLIT", "Observation technique"),
    "ESO PRO SCIENCE": (True, "Scientific product if T"),
    "ESO PRO DATANCOM": (2, "Number of combined frames"),
    "ESO PRO REC1 ID": ("soxs_x", "Pipeline recipe (unique) identifier"),
    "ESO PRO REC1 PIPE ID": ("soxs/1.2", "Pipeline (unique) identifier"),
    "ESO PRO REC1 RAW1 NAME": ("raw1.fits", "File name of raw frame"),
    "ESO PRO REC1 RAW1 CATG": ("OBJ", "Category of raw frame"),
    "ESO PRO REC1 RAW2 NAME": ("raw2.fits", "File name of raw frame"),
    "ESO PRO REC1 RAW2 CATG": ("OBJ", "Category of raw frame"),
    "ESO PRO REC1 CAL1 NAME": ("lines.csv", "File name of calibration frame"),
    "ESO PRO REC1 CAL1 CATG": ("LINES", "Category of calibration frame"),
    "ESO PRO REC1 CAL2 NAME": ("cal.fits", "File name of calibration frame"),
    "ESO PRO REC1 CAL2 CATG": ("CAL", "Category of calibration frame"),
    "ESO PRO REC1 CAL2 DATAMD5": ("f" * 32, "MD5 si"),
    "ESO PRO REC1 PARAM1 NAME": ("kappa", "limit"),
    "ESO PRO REC1 PARAM1 VALUE": ("4", "Default: 3.5"),
    "ESO PRO REC1 PARAM2 NAME": ("soxs.x.method", "how"),
    "ESO PRO REC1 PARAM2 VALUE": ("mean", "Default: 'mean'"),
    "ESO PRO REC1 PARAM3 NAME": ("soxs.x.flag", "whether"),
    "ESO PRO REC1 PARAM3 VALUE": ("true", "Default: true"),
    "ESO QC N": (7, "count"),
}
INHERITED = ("ORIGIN", "OBJECT", "RA", "MJD-OBS", "ARCFILE", "ESO OBS ID", "ESO DET DIT")


@pytest.fixture
def frames(tmp_path, monkeypatch):
    """Two raw frames, two calibrations, and one frame without a group."""
    monkeypatch.chdir(tmp_path)
    for i in (1, 2):
        header = fits.Header(RAW_CARDS)
        header["HIERARCH ESO OBS ID"] = 1233 + i
        fits.PrimaryHDU(np.ones((2, 3), "i2"), header).writeto(f"raw{i}.fits")
    cal = fits.Header([("DATAMD5", "f" * 32), ("HIERARCH ESO DET NAME", "H2RG")])
    fits.PrimaryHDU(header=cal).writeto("cal.fits")
    Path("lines.csv").write_text("1,2\n")
    given = [("raw1.fits", "OBJ", Group.RAW), ("lines.csv", "LINES", Group.CALIB)]
    given += [("raw2.fits", "OBJ", Group.RAW), ("cal.fits", "CAL", Group.CALIB)]
    return ui.FrameSet([ui.Frame("raw2.fits", "NO"), *(ui.Frame(*item) for item in given)])


def parameters() -> ui.ParameterList:
    kappa = ui.ParameterRange("soxs.x.kappa", "limit", "soxs.x", 3.5, 1.0, 9.0)
    kappa.cli_alias, kappa.value = "kappa", 4
    method = ui.ParameterEnum("soxs.x.method", "how", "soxs.x", "mean", ["mean", "median"])
    flag = ui.ParameterValue("soxs.x.flag", "whether", "soxs.x", True)
    return ui.ParameterList([kappa, method, flag])


def save(frames, *extra, name="out.fits", **options) -> L:
    own = L([P("ESO PRO CATG", "THING"), P("ESO QC N", 7, "count"), *extra])
    pars = parameters()
    dfs.save_propertylist(frames, pars, frames, "soxs_x", own, "soxs/1.2", name, **options)
    return L.load(name, 0)


def as_dict(header: L) -> dict:
    return {p.name: (p.value, p.comment) for p in header if p.name != "COMMENT"}


def test_product_header_keyword_by_keyword(frames, capsys):
    header = as_dict(save(frames))
    raw = {card[0].removeprefix("HIERARCH "): card[1:] for card in RAW_CARDS}
    structure = {"SIMPLE", "BITPIX", "NAXIS", "EXTEND", "DATE", "ESO PRO REC1 DRS ID"}
    inherited = {name: raw[name] for name in INHERITED} | {"RADESYS": raw["RADECSYS"]}
    assert {k: v for k, v in header.items() if k not in structure} == PRODUCT | inherited
    assert structure <= set(header)
    message = "[ INFO  ] Writing FITS propertylist product(THING): out.fits\n"
    assert capsys.readouterr().out == message


def test_own_keywords_that_are_respected_and_those_that_are_not(frames):
    own = [P("ESO PRO TYPE", "A"), P("ESO PRO TECH", "B"), P("ESO PRO SCIENCE", False)]
    own += [P("ESO PRO DATANCOM", 9), P("EXPTIME", 60.0), P("OBJECT", "loses"), P("ARCFILE", "x")]
    header = save(frames, *own)
    names = ("TYPE", "TECH", "SCIENCE", "DATANCOM")
    assert [header[f"ESO PRO {name}"].value for name in names] == ["A", "B", False, 9]
    assert (header["EXPTIME"].value, header["OBJECT"].value) == (60.0, "a star")
    assert header["ARCFILE"].value == RAW_CARDS[6][1]


def test_a_type_that_differs_from_the_inherited_one(frames, capsys):
    header = save(frames, P("RA", 1))
    assert (header["RA"].value, header["RA"].type) == (1, core.Type.INT)
    text = "[WARNING] Unexpected type for keyword RA in output header: long int"
    assert text in capsys.readouterr().out
    with pytest.raises(core.TypeMismatchError, match="name: ESO OBS ID"):
        save(frames, P("ESO OBS ID", 5), name="bad.fits")
    assert not Path("bad.fits").exists()


def test_inherit_and_remregexp(frames):
    assert save(frames, inherit=frames[3])["ESO OBS ID"].value == 1235
    header = save(frames, remregexp="^ESO (DET|OBS)")
    assert [p.name for p in header if p.name.startswith(("ESO DET", "ESO OBS"))] == []
    only_calib = save(ui.FrameSet([frames[2], frames[4]]))
    assert only_calib["ESO PRO TECH"].value == "UNDEFINED"
    assert (only_calib["ESO PRO SCIENCE"].value, only_calib["ESO PRO DATANCOM"].value) == (False, 0)


def test_processing_history_is_chained(frames):
    save(frames, name="one.fits")
    one = ui.FrameSet([ui.Frame("one.fits", "THING", Group.CALIB)])
    save(one, name="two.fits")
    header = save(ui.FrameSet([ui.Frame("two.fits", "THING", Group.RAW)]), name="three.fits")
    assert [header[f"ESO PRO REC{i} ID"].value for i in (1, 2, 3)] == ["soxs_x"] * 3
    assert header["ESO PRO REC1 RAW1 NAME"].value == "raw1.fits"
    assert header["ESO PRO REC2 CAL1 NAME"].value == "one.fits"
    assert header["ESO PRO REC3 RAW1 NAME"].value == "two.fits"
    assert "ESO PRO REC4 ID" not in header
    assert header["ESO PRO ANCESTOR"].value == RAW_CARDS[6][1]


def test_errors(frames):
    nothing = ui.FrameSet([frames[0]])
    text = ui.FrameSet([frames[1], frames[2]])
    gone = ui.Frame("lines.csv", "LINES", Group.CALIB)
    gone.file = "gone.fits"
    cases = [
        (core.DataNotFoundError, "Empty set-of-frames", nothing, {}),
        (core.FileIOError, "none/x.fits", frames, {"name": "none/x.fits"}),
        (core.IllegalInputError, "does not belong", text, {"inherit": frames[3]}),
        (core.IllegalInputError, "from non-FITS file", text, {"inherit": frames[2]}),
        (core.IllegalInputError, "regexp='\\('", frames, {"remregexp": "("}),
        (core.FileNotFoundError, "gone.fits", ui.FrameSet([frames[1], gone]), {}),
    ]
    for error, words, used, options in cases:
        with pytest.raises(error, match=words):
            save(used, **options)
    with pytest.raises(core.DataNotFoundError, match="ESO PRO CATG") as caught:
        dfs.save_propertylist(frames, parameters(), frames, "r", L(), "p", "x.fits")
    assert caught.value.message == "Data not found"
    with pytest.raises(TypeError, match="incompatible function arguments"):
        dfs.save_propertylist(frames, parameters(), frames, "r", L(), 3, "x.fits")


def test_setup_needs_a_product(frames):
    arguments = (frames, parameters(), "r", "p/1", "D-1")
    header = L([P("KEPT", 1), P("ESO DPR TYPE", "dropped"), P("CHECKSUM", "dropped")])
    with pytest.raises(core.IllegalInputError):
        header.setup_product_header(ui.Frame("cal.fits", "T"), *arguments)
    product = ui.Frame("cal.fits", "T", Group.PRODUCT)
    dfs.setup_product_header(header, product, *arguments)
    assert (header["KEPT"].value, header["ESO PRO CATG"].value) == (1, "T")
    assert header["ESO PRO DID"].value == "D-1"
    assert "ESO DPR TYPE" not in header
    assert "CHECKSUM" not in header


def product(name: str, extensions: int = 3) -> ui.FrameSet:
    rng = np.random.default_rng(1)
    with fits.open(name, mode="append") as hdus:
        for i in range(extensions):
            hdus.append(fits.ImageHDU(rng.normal(size=(33, 47)).astype("f4"), name=f"E{i}"))
        column = fits.Column("V", "PE()", array=np.array([np.ones(2, "f4"), np.ones(1, "f4")], "O"))
        hdus.append(fits.BinTableHDU.from_columns([column]))
    return ui.FrameSet([ui.Frame(name, "THING", Group.PRODUCT)])


def md5_of_data_units(name: str) -> str:
    with fits.open(name) as hdus:
        places = [(h.fileinfo()["datLoc"], h.fileinfo()["datSpan"]) for h in hdus]
    content = Path(name).read_bytes()
    return hashlib.md5(b"".join(content[a : a + n] for a, n in places)).hexdigest()


def assert_checksums(name: str) -> None:
    with fits.open(name, checksum=True) as hdus:
        assert [h.verify_checksum() for h in hdus] == [1] * len(hdus)
        assert [h.verify_datasum() for h in hdus] == [1] * len(hdus)


def test_signing(frames):
    save(frames)
    sof = product("out.fits")
    before = [hdu.data for hdu in fits.open("out.fits", memmap=False)]
    sof.sign_products()
    header = L.load("out.fits", 0)
    assert header["DATAMD5"].value == md5_of_data_units("out.fits")
    assert (header["PIPEFILE"].value, header["DATASUM"].value) == ("out.fits", "         0")
    assert_checksums("out.fits")
    with fits.open("out.fits", memmap=False) as hdus:
        for old, hdu in zip(before[1:4], hdus[1:4], strict=True):
            np.testing.assert_array_equal(old, hdu.data)
    size = Path("out.fits").stat().st_size
    dfs.sign_products(sof)
    assert Path("out.fits").stat().st_size == size
    assert_checksums("out.fits")


@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="fitsverify is not installed")
def test_signed_products_pass_fitsverify(frames):
    save(frames)
    product("out.fits").sign_products()
    done = subprocess.run(["fitsverify", "-q", "out.fits"], capture_output=True, text=True)
    assert done.stdout.startswith("verification OK")


def test_signatures_that_are_not_wanted_go(frames):
    save(frames)
    sof = product("out.fits")
    sof.sign_products()
    sof.sign_products(compute_md5=False, compute_checksum=True)
    assert "DATAMD5" not in L.load("out.fits", 0)
    assert_checksums("out.fits")
    sof.sign_products(True, False)
    assert "DATAMD5" in L.load("out.fits", 0)
    assert all("CHECKSUM" not in L.load("out.fits", i) for i in range(5))
    content = Path("out.fits").read_bytes()
    sof.sign_products(False, False)
    assert Path("out.fits").read_bytes() == content


def test_a_header_that_grows_moves_the_data(frames):
    header = fits.Header([(f"K{i}", i) for i in range(29)])
    hdus = [fits.PrimaryHDU(np.arange(5.0), header), fits.ImageHDU(np.arange(7.0))]
    fits.HDUList(hdus).writeto("full.fits")
    size = Path("full.fits").stat().st_size
    ui.FrameSet([ui.Frame("full.fits", "T", Group.PRODUCT)]).sign_products()
    assert Path("full.fits").stat().st_size == size + 2880
    assert_checksums("full.fits")
    assert fits.getdata("full.fits", 1).tolist() == list(range(7))
    assert sorted(p.name for p in Path().glob("full*")) == ["full.fits"]


def test_update_needs_datamd5(frames):
    save(frames)
    sof = product("out.fits")
    sof.update_product_header()
    assert L.load("out.fits", 0)["DATAMD5"].value == md5_of_data_units("out.fits")
    assert "CHECKSUM" not in L.load("out.fits", 0)
    fits.PrimaryHDU().writeto("bare.fits")
    bare = ui.FrameSet([ui.Frame("bare.fits", "T", Group.PRODUCT)])
    with pytest.raises(core.BadFileFormatError, match="DATAMD5"):
        dfs.update_product_header(bare)
    bare.sign_products()
    assert L.load("bare.fits", 0)["DATAMD5"].value == hashlib.md5(b"").hexdigest()


def test_only_fits_products_are_touched(frames):
    Path("note.txt").write_text("text")
    sof = ui.FrameSet([ui.Frame("note.txt", "T", Group.PRODUCT), ui.Frame("raw1.fits", "T")])
    content = Path("raw1.fits").read_bytes()
    sof.sign_products()
    assert Path("note.txt").read_text() == "text"
    assert Path("raw1.fits").read_bytes() == content
    sof[0].file = "gone.fits"
    with pytest.raises(core.BadFileFormatError, match=r"gone\.fits"):
        sof.sign_products()


@given(st.binary(max_size=400).map(lambda b: b[: len(b) // 4 * 4]), st.integers(0, 2**32 - 1))
def test_sum_is_ones_complement(data, start):
    total = start
    for i in range(0, len(data), 4):
        total += int.from_bytes(data[i : i + 4])
        total = (total & 0xFFFFFFFF) + (total >> 32)
    assert block_sum(data, start) % 0xFFFFFFFF == total % 0xFFFFFFFF
    assert block_sum(data, start) <= 0xFFFFFFFF


@given(st.integers(0, 2**32 - 1))
def test_encoded_checksum_cancels_the_sum(total):
    text = encode_checksum(total)
    assert len(text) == 16
    assert text.isalnum()
    rotated = text[1:] + text[0]
    offset = sum(0x30303030 for _ in range(4))
    added = sum(int.from_bytes(rotated[i : i + 4].encode()) for i in range(0, 16, 4)) - offset
    assert (total + added) % 0xFFFFFFFF == 0


def test_parameter_file(tmp_path):
    values = [P("ESO QC A B", 1.5, "c\nd"), P("X Y", True), P("S", "str"), P("N", 3, "count")]
    dfs.save_paf("SOXS", "soxs_x", L(values), str(tmp_path / "x.paf"))
    lines = (tmp_path / "x.paf").read_text().split("\n")
    assert lines[0] == "PAF.HDR.START         ;# start of header"
    assert lines[2] == 'PAF.ID                "SOXS/soxs_x"'
    assert lines[8:12] == [
        "QC.A.B                1.5 ; # c d",
        "X.Y                   1",
        'S                     "str"',
        "N                     3; # count",
    ]
    with pytest.raises(core.FileIOError, match="Could not write PAF, instrume=SOXS"):
        dfs.save_paf("SOXS", "soxs_x", L(), ".")
    with pytest.raises(core.UnsupportedModeError):
        dfs.save_paf("SOXS", "soxs_x", L([P("C", 1j)]), str(tmp_path / "x.paf"))

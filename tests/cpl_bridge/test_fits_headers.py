"""Headers as files hold them: cards, their order, blocks. Oracles: the FITS standard, astropy."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge.embedded import core
from soxs_recipes.cpl_bridge.embedded.fits_blocks import data_length, iterate_hdus
from soxs_recipes.cpl_bridge.embedded.fits_cards import format_card, parse_card

P, L, Type, io = core.Property, core.PropertyList, core.Type, core.io
CARDS = [
    (P("EXPTIME", 3.5, "exp"), "EXPTIME =                  3.5 / exp"),
    (P("CRPIX1", 1.0), "CRPIX1  =                   1."),
    (P("BIG", 1e22), "BIG     =                1E+22"),
    (P("ESO PRO CATG", "X"), "HIERARCH ESO PRO CATG = 'X       '"),
    (P("ESO QC A B", 1.25, "qc"), "HIERARCH ESO QC A B =     1.25 / qc"),
    (P("ESO INS FOO", True), "HIERARCH ESO INS FOO =       T"),
    (P("OBJECT", "it's", "who"), "OBJECT  = 'it''s   '           / who"),
    (P("lower", -7), "LOWER   =                   -7"),
    (P("HISTORY", "h / 'x'"), "HISTORY h / 'x'"),
    (P("K", "tab\té"), "K       = 'tab     '"),
    (P("Z", 1.5 - 2j), "Z       =           (1.5, -2.)"),
    (
        P("ESO PRO REC1 PARAM1 VALUE", "x" * 60, "cut"),
        f"HIERARCH ESO PRO REC1 PARAM1 VALUE= '{'x' * 42}'",
    ),
    (P("K", "y" * 80), f"K       = '{'y' * 68}'"),
]


@pytest.mark.parametrize(("prop", "card"), [c for c in CARDS if c[0].name != "Z"])
def test_card_layout(prop, card):
    text = format_card(prop)
    assert len(text) == 80
    assert text.rstrip() == card


@pytest.mark.parametrize("value", [math.inf, -math.inf, complex(1, math.inf)])
def test_values_that_fits_does_not_allow(value):
    with pytest.raises(core.IllegalInputError, match="FITS does not allow special"):
        format_card(P("K", value))


@pytest.mark.parametrize("name", ["BAD.KEY", "ESO " + "A" * 70, "Ä"])
def test_names_that_fits_does_not_allow(name):
    with pytest.raises(core.IllegalInputError, match="FITS"):
        format_card(P(name, 1))


@pytest.mark.parametrize(
    ("card", "name", "kind", "value", "comment"),
    [
        ("SIMPLE  =                    T / conforms", "SIMPLE", Type.BOOL, True, "conforms"),
        ("A       = 5", "A", Type.INT, 5, ""),
        ("A       = 2147483648 /x", "A", Type.LONG_LONG, 2147483648, "x"),
        ("A       = 1.5D3 / x / y ", "A", Type.DOUBLE, 1500.0, "x / y"),
        ("MJD-OBS = 60000", "MJD-OBS", Type.DOUBLE, 60000.0, ""),
        ("CD1_1   = 1", "CD1_1", Type.DOUBLE, 1.0, ""),
        ("A       = 'it''s / it  ' / c", "A", Type.STRING, "it's / it", "c"),
        ("A       = '   '", "A", Type.STRING, "", ""),
        ("A       = (1, -2.5)", "A", Type.DOUBLE_COMPLEX, 1 - 2.5j, ""),
        ("HIERARCH ESO A B=3", "ESO A B", Type.INT, 3, ""),
        ("HISTORY = not a value", "HISTORY", Type.STRING, "= not a value", ""),
        ("A       =   / undefined", "A", Type.STRING, "/ undefined", ""),
        ("        a remark", "COMMENT", Type.STRING, "        a remark", ""),
    ],
)
def test_parsing(card, name, kind, value, comment):
    prop = parse_card(card.ljust(80))
    assert (prop.name, prop.type, prop.value, prop.comment) == (name, kind, value, comment)


@pytest.mark.parametrize("card", ["A       = 'open", "A       = nan", "A       = 5x / c"])
def test_cards_that_are_no_fits(card):
    with pytest.raises(core.BadFileFormatError):
        parse_card(card.ljust(80))
    assert parse_card(" " * 80) is None


NAMES = st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}|ESO( [A-Z][A-Z0-9]{0,7}){2,3}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=25)
FINITE = st.floats(-1e300, 1e300).filter(lambda x: x == 0 or abs(x) > 1e-300)
SIMPLE = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), FINITE, TEXT)
COMMENTARY = ("COMMENT", "HISTORY", "END", "CONTINUE", "HIERARCH")


@given(NAMES.filter(lambda n: n not in COMMENTARY), SIMPLE, TEXT)
def test_cards_are_read_back_by_us_and_by_astropy(name, value, comment):
    text = format_card(P(name, value, comment))
    prop = parse_card(text)
    card = fits.Card.fromstring(text)
    expected = value.rstrip(" ") if isinstance(value, str) else value
    if isinstance(value, float):
        expected = pytest.approx(value, rel=1e-14)
    assert prop.name == name
    assert prop.value == expected
    assert comment.startswith(prop.comment.removesuffix(" "))
    assert card.keyword == name
    assert card.value == expected


def sample() -> L:
    return L(
        [
            P("B", 1),
            P("HISTORY", "h1"),
            P("ESO QC A", 1.25, "qc"),
            P("ESO PRO CATG", "X"),
            P("COMMENT", "cc"),
            P("DATE", "2001"),
            P("ESO INS FOO", True),
            P("CRPIX1", 1.0),
            P("ORIGIN", "ESO"),
            P("EXPTIME", 3.5),
            P("HISTORY", "h2"),
            P("LONG KEYWORD", "x"),
            P("NAXIS3", 3),
        ]
    )


def test_saved_headers_are_in_dicd_order(tmp_path):
    path = tmp_path / "a.fits"
    sample().save(path, io.CREATE)
    sample().save(path, io.EXTEND)
    structure = ["SIMPLE", "BITPIX", "NAXIS", "EXTEND", "COMMENT", "COMMENT", "DATE"]
    rest = ["CRPIX1", "B", "ESO INS FOO", "ESO PRO CATG", "ESO QC A", "LONG KEYWORD"]
    rest += ["HISTORY", "HISTORY", "COMMENT"]
    primary = [p.name for p in L.load(path, 0)]
    extension = [p.name for p in L.load(path, 1)]
    assert primary == [*structure, "ORIGIN", "EXPTIME", *rest]
    assert extension == ["XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "EXPTIME", *rest]
    assert L.load(path, 0)["DATE"].value != "2001"
    with fits.open(path) as hdus:
        assert [len(hdus), hdus[1].header["EXPTIME"], hdus[0].data] == [2, 3.5, None]


def test_a_repeated_keyword_keeps_its_last_value(tmp_path, capsys):
    L([P("B", 1, "old"), P("B", 2, "new")]).save(tmp_path / "a.fits", io.CREATE)
    assert "[WARNING] Non-unique FITS key(len=1): B" in capsys.readouterr().out
    loaded = L.load(tmp_path / "a.fits", 0)
    assert [(p.value, p.comment) for p in loaded if p.name == "B"] == [(2, "new")]


def test_loading_what_astropy_wrote(tmp_path):
    header = fits.Header([("RA", 12.5, "deg"), ("A", 3), ("HIERARCH ESO DET BIG", 2**40)])
    header.add_history("x" * 100)
    hdus = [fits.PrimaryHDU(np.ones((4, 5), "i2"), header)]
    hdus += [fits.BinTableHDU.from_columns([fits.Column("V", "PE()", array=[[1.0], [2.0, 3.0]])])]
    fits.HDUList([*hdus, fits.ImageHDU(name="LAST")]).writeto(tmp_path / "a.fits")
    loaded = L.load(tmp_path / "a.fits", 0)
    assert (loaded["RA"].type, loaded["A"].type) == (Type.DOUBLE, Type.INT)
    assert loaded["ESO DET BIG"].type == Type.LONG_LONG
    assert [len(p.value) for p in loaded if p.name == "HISTORY"] == [72, 28]
    assert L.load(tmp_path / "a.fits", 2)["EXTNAME"].value == "LAST"
    some = L.load_regexp(tmp_path / "a.fits", 0, "ESO|^RA$", False)
    assert [p.name for p in some] == ["RA", "ESO DET BIG"]
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    assert L.load(tmp_path / "a.fits.gz", 0) == loaded


def test_loading_errors(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    sample().save(tmp_path / "a.fits", io.CREATE)
    for name, position, error in (
        ("none.fits", 0, core.FileIOError),
        ("a.txt", 0, core.BadFileFormatError),
        ("a.fits", 1, core.DataNotFoundError),
        ("a.fits", -1, core.IllegalInputError),
    ):
        with pytest.raises(error):
            L.load(tmp_path / name, position)


def test_saving_errors(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    for name, mode, error in (
        ("none/a.fits", io.CREATE, core.FileIOError),
        ("none.fits", io.EXTEND, core.FileIOError),
        ("a.txt", io.EXTEND, core.FileIOError),
        ("a.fits", io.APPEND, core.IllegalInputError),
        ("a.fits", io.CREATE | io.EXTEND, core.IllegalInputError),
    ):
        with pytest.raises(error):
            sample().save(tmp_path / name, mode)


HDUS = st.lists(
    st.tuples(
        st.sampled_from(["u1", "i2", "i4", "f4", "f8"]), st.lists(st.integers(0, 40), max_size=3)
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(HDUS)
def test_block_structure_agrees_with_astropy(tmp_path_factory, shapes):
    path = tmp_path_factory.mktemp("blocks") / "a.fits"
    data = [np.zeros(shape, code) if shape else None for code, shape in shapes]
    images = [fits.PrimaryHDU(data[0]), *map(fits.ImageHDU, data[1:])]
    fits.HDUList(images).writeto(path)
    with path.open("rb") as stream:
        ours = list(iterate_hdus(stream))
    with fits.open(path) as hdus:
        for hdu, blocks in zip(hdus, ours, strict=True):
            info = hdu.fileinfo()
            assert blocks.header_start == info["hdrLoc"]
            assert blocks.data_start == info["datLoc"]
            assert blocks.data_end - blocks.data_start == info["datSpan"]
            assert data_length(blocks.cards) == hdu.size

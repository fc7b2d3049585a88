"""The Phase 3 checker: every rule is broken on purpose, and is named."""

import hashlib
import shutil

import pytest
from astropy.io import fits
from mutations import IMAGE, IMAGE_TOGETHER, SPECTRUM, TOGETHER
from phase3_files import with_checksums

from soxs_recipes import cli
from soxs_recipes.errors import ProductError, UnreadableFrameError
from soxs_recipes.products.phase3_check import RULES, advice, check_file, rules_for
from soxs_recipes.products.phase3_package import package


def mutated(path, mutation):
    """The file with one thing changed and the checksums right again, where they can be."""
    with fits.open(path, mode="readonly") as hdus:
        hdus.readall()
        told = mutation(hdus, path)
        target = told if hasattr(told, "name") else path.with_name("mutated.fits")
        hdus.writeto(target, checksum=True, overwrite=True, output_verify="ignore")
    if isinstance(told, tuple):
        _patch(target, *told[1:])
    return target


def _patch(path, start, value, hdu):
    """Change a card in the bytes of a file; without an HDU in the first place it is found."""
    content = bytearray(path.read_bytes())
    place = content.index(start.encode(), 0 if hdu is None else 2880)
    content[place + 10 : place + 10 + len(value)] = value.encode()
    path.write_bytes(content)


def broken(path):
    return {problem.rule.name for problem in check_file(path)}


def cases(table):
    return [
        pytest.param(rule, mutation, id=f"{rule}-{number}")
        for rule, mutations in table.items()
        for number, mutation in enumerate(mutations)
    ]


@pytest.mark.parametrize(("rule", "mutation"), cases(SPECTRUM))
def test_a_broken_spectrum_is_refused_for_this_reason_alone(spectrum_file, rule, mutation):
    assert broken(mutated(spectrum_file, mutation)) == {rule}


@pytest.mark.parametrize(("rule", "mutation"), cases(TOGETHER))
def test_a_broken_spectrum_is_refused_for_this_reason(spectrum_file, rule, mutation):
    assert rule in broken(mutated(spectrum_file, mutation))


@pytest.mark.parametrize(("rule", "mutation"), cases(IMAGE))
def test_a_broken_image_is_refused_for_this_reason_alone(image_file, rule, mutation):
    assert broken(mutated(image_file, mutation)) == {rule}


@pytest.mark.parametrize(("rule", "mutation"), cases(IMAGE_TOGETHER))
def test_a_broken_image_is_refused_for_this_reason(image_file, rule, mutation):
    assert rule in broken(mutated(image_file, mutation))


def test_every_rule_is_broken_by_some_mutation():
    tables = (SPECTRUM, TOGETHER, IMAGE, IMAGE_TOGETHER)
    covered = {rule for table in tables for rule, mutations in table.items() if mutations}
    assert covered == {rule.name for rule in RULES}
    assert len(RULES) == len({rule.name for rule in RULES})


def test_messages_name_the_rule_and_its_section(spectrum_file):
    (problem,) = check_file(mutated(spectrum_file, SPECTRUM["publisher"][0]))
    text = "VOPUB is 'CDS', expected is ESO/SAF [SCIENCE.SPECTRUM, extension HDU header: publisher]"
    assert str(problem) == text


def test_other_categories_keep_the_rules_for_all_files(companion_file):
    assert check_file(companion_file) == []
    assert len(rules_for("ANCILLARY.2DSPECTRUM")) < len(rules_for("SCIENCE.IMAGE"))
    plain = companion_file.with_name("plain.fits")
    with fits.open(companion_file) as hdus:
        for hdu in hdus:
            del hdu.header["CHECKSUM"], hdu.header["DATASUM"]
        hdus.writeto(plain)
    assert broken(plain) == {"checksums"}


def test_a_missing_programme_is_mentioned(spectrum_file):
    assert advice(spectrum_file) == []
    with fits.open(spectrum_file, mode="update") as hdus:
        hdus[0].header["PROG_ID"] = ""
    with_checksums(spectrum_file)
    assert "PROG_ID is empty" in advice(spectrum_file)[0]
    assert check_file(spectrum_file) == []


def test_something_else_is_no_fits_file(tmp_path):
    (tmp_path / "notes.fits").write_text("not FITS")
    with pytest.raises(UnreadableFrameError):
        check_file(tmp_path / "notes.fits")


def test_command_tells_what_is_wrong_and_its_status_says_so(spectrum_file, tmp_path, capsys):
    assert cli.main(["phase3", "check", str(spectrum_file)]) == 0
    assert "keeps all" in capsys.readouterr().out
    bad = mutated(spectrum_file, SPECTRUM["same-target"][0])
    (tmp_path / "notes.fits").write_text("not FITS")
    arguments = [str(spectrum_file), str(bad), str(tmp_path / "notes.fits")]
    assert cli.main(["phase3", "check", *arguments]) == 1
    text = capsys.readouterr().out
    assert "OBJECT differs" in text
    assert "cannot be read as FITS" in text


def test_a_delivery_names_its_companions(spectrum_file, image_file, companion_file, tmp_path):
    picture = spectrum_file.with_suffix(".png")
    picture.write_bytes(b"picture")
    with fits.open(spectrum_file, mode="update") as hdus:
        hdus[0].header["ARCFILE"] = "SOXS.2026-03-16T00:44:04.759.fits"
        hdus[0].header["PROG_ID"] = ""
    folder = tmp_path / "delivery"
    files = [companion_file, spectrum_file, image_file, picture]
    deliveries = package(files, folder, "105.20XX.001")
    assert {one.path.name for one in deliveries} == {spectrum_file.name, image_file.name}
    header = fits.getheader(folder / spectrum_file.name)
    assert header["ASSON1"] == companion_file.name
    assert header["ASSON2"] == picture.name
    assert header["ASSOC2"] == "ANCILLARY.PREVIEW"
    assert header["ASSOM2"] == hashlib.md5(b"picture").hexdigest()
    assert header["PROG_ID"] == "105.20XX.001"
    assert "ARCFILE" not in header
    assert "ASSON1" not in fits.getheader(folder / image_file.name)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in files)
    for path in folder.glob("*.fits"):
        assert check_file(path) == []


def test_nothing_is_packed_twice_and_nothing_broken_is_delivered(spectrum_file, tmp_path):
    folder = tmp_path / "delivery"
    package([spectrum_file], folder)
    with pytest.raises(ProductError, match="packed already"):
        package([spectrum_file], folder)
    shutil.rmtree(folder)
    bad = mutated(spectrum_file, SPECTRUM["aperture"][0])
    with pytest.raises(ProductError, match="APERTURE"):
        package([bad], folder)


def test_a_delivery_needs_a_science_product(companion_file, tmp_path):
    with pytest.raises(ProductError, match="nothing to deliver"):
        package([companion_file], tmp_path / "delivery")


def test_package_command(spectrum_file, tmp_path, capsys):
    folder = tmp_path / "delivery"
    assert cli.main(["phase3", "package", str(spectrum_file), "--output-dir", str(folder)]) == 0
    assert str(folder / spectrum_file.name) in capsys.readouterr().out

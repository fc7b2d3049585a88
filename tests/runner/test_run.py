"""Running a recipe with the command: products, options, messages and exit status."""

import json
import os
import subprocess
import sys
import time

import pytest
from astropy.io import fits

from soxs_recipes.cpl_bridge import HAVE_PYCPL


def test_a_run_delivers_a_signed_product(place):
    assert place.run("toy", "in.sof", "--output-dir", "out") == 0
    assert place.names() == ["toy.fits"]
    with fits.open(place.path / "out" / "toy.fits", checksum=True) as hdus:
        assert hdus[0].header["PIPEFILE"] == "toy.fits"
        assert len(hdus[0].header["DATAMD5"]) == 32
        assert hdus[0].verify_checksum() == hdus[0].verify_datasum() == 1
        assert hdus[0].data[2, 3] == 11
    assert place.err == ""


def test_messages_are_those_of_pyesorex(place):
    place.run("toy", "in.sof", "--output-dir=out")
    lines = [line for line in place.out.splitlines() if line.startswith("[")]
    assert lines[:6] == [
        lines[0],
        "[ INFO  ] pyesorex: Loaded recipe 'toy'.",
        "[ INFO  ] pyesorex: Running recipe 'toy'...",
        "[ INFO  ] toy: a message of the recipe",
        "[ INFO  ] pyesorex: Recipe 'toy' complete.",
        "[ INFO  ] pyesorex: Calculating product checksums",
    ]
    assert lines[6:8] == [
        "[ INFO  ] pyesorex: Created product out/toy.fits",
        "[ INFO  ] pyesorex: 1 product created",
    ]
    assert lines[8].startswith("[ INFO  ] pyesorex: Recipe operation(s) took ")


def test_the_time_can_be_left_out(place):
    place.run("--time=FALSE", "toy", "in.sof")
    assert "took" not in place.out


def test_products_come_to_the_working_directory_by_default(place):
    before = set(place.names("."))
    assert place.run("toy", "in.sof") == 0
    assert set(place.names(".")) - before == {"toy.fits", "pyesorex.log"}
    assert "Created product toy.fits" in place.out


def test_frames_reach_the_recipe_with_absolute_path_tag_and_group(place):
    place.run("toy", "in.sof")
    files = [str(place.path / name) for name in ("a.fits", "b.fits")]
    assert f"FILES {files} ['BIAS_VIS', 'BIAS_VIS']" in place.out
    assert "GROUPS ['NONE', 'RAW']" in place.out


def test_several_sofs_are_joined_and_none_is_an_empty_set(place):
    place.write("more.sof", "a.fits DARK_VIS\n")
    place.run("toy", "in.sof", "more.sof")
    assert "['BIAS_VIS', 'BIAS_VIS', 'DARK_VIS']" in place.out
    assert place.run("toy") == 0
    assert "FILES [] []" in place.out


def test_blanks_and_other_letters_in_every_path(place):
    folder = place.path / "año 2025" / "données"
    folder.mkdir(parents=True)
    (folder / "bías 1.fits").write_text("x")
    place.write("list é.sof", '"año 2025/données/bías 1.fits" BIAS_VIS\n')
    assert place.run("toy", "list é.sof", "--output-dir=año 2025", "--log-dir=año 2025") == 0
    assert place.names("año 2025") == ["données", "pyesorex.log", "toy.fits"]


def test_inputs_are_not_touched(place):
    inputs = [place.path / name for name in ("a.fits", "b.fits", "in.sof")]
    before = [(f.read_bytes(), f.stat().st_mtime_ns) for f in inputs]
    place.run("toy", "in.sof")
    assert [(f.read_bytes(), f.stat().st_mtime_ns) for f in inputs] == before


@pytest.mark.parametrize("count", [1, 2])
def test_prefix(place, count):
    behave = "ok" if count == 1 else "two"
    arguments = ["--output-dir=out", "--suppress-prefix=FALSE", "--output-prefix=pre"]
    assert place.run(*arguments, "toy", f"--behave={behave}") == 0
    assert place.names() == [f"pre_{i:04d}.fits" for i in range(count)]


def test_the_default_prefix_is_out_and_the_suffix_stays(place):
    place.run("toy", "--behave=text", "--suppress-prefix=false", "--output-dir=out")
    assert place.names() == ["out_0000.txt"]


def test_text_products_are_delivered_as_they_are(place):
    assert place.run("toy", "--behave=text", "--output-dir=out") == 0
    assert (place.path / "out" / "notes.txt").read_text() == "not FITS"


def test_absolute_names_inside_the_working_directory_are_accepted(place):
    assert place.run("toy", "--behave=absolute", "--output-dir=out") == 0
    assert place.names() == ["toy.fits"]


def test_no_product_is_a_success(place):
    assert place.run("toy", "--behave=nothing", "--output-dir=out") == 0
    assert "0 products created" in place.out


@pytest.mark.parametrize(
    ("options", "present"),
    [
        ([], {"DATAMD5", "CHECKSUM", "DATASUM"}),
        (["--no-datamd5"], {"CHECKSUM", "DATASUM"}),
        (["--no-checksum"], {"DATAMD5"}),
        (["--no-datamd5", "--no-checksum=TRUE"], set()),
    ],
)
def test_signing_can_be_switched_off(place, options, present):
    place.run("toy", "in.sof", "--output-dir=out", *options)
    header = fits.getheader(place.path / "out" / "toy.fits")
    assert {"DATAMD5", "CHECKSUM", "DATASUM"} & set(header) == present


def test_links(place):
    (place.path / "links").mkdir()
    arguments = ["toy", "--output-dir=out", "--suppress-link=FALSE", "--link-dir=links"]
    for _ in range(2):
        assert place.run(*arguments) == 0
    link = place.path / "links" / "toy.fits"
    assert link.is_symlink()
    assert link.samefile(place.path / "out" / "toy.fits")
    assert place.run("toy", "--suppress-link=FALSE", "--link-dir=none") == 255
    assert "'--link-dir' [none] is not a valid directory" in place.err


@pytest.mark.parametrize("name", ["p.sof", "p.json"])
def test_products_sof(place, name):
    place.run("toy", "--behave=two", "--output-dir=out", f"--products-sof={name}")
    text = (place.path / name).read_text()
    if name == "p.json":
        listed = [(entry["name"], entry["category"]) for entry in json.loads(text)]
    else:
        listed = [tuple(line.split()) for line in text.splitlines()]
    assert listed == [("out/one.fits", "TOY"), ("out/two.fits", "TOY")]


def test_products_sof_is_checked_before_the_work(place):
    assert place.run("toy", "in.sof", "--products-sof=none/p.sof") == 255
    assert "SETTINGS" not in place.out


def test_the_tilde_is_the_home_directory(place):
    assert place.run("toy", "--output-dir=~/new", "--output-mkdir", "--log-dir=~") == 0
    assert set(place.names("../home")) == {"new", "pyesorex.log"}


def test_names_that_are_no_utf8_are_told_and_not_fatal(place):
    name = os.fsdecode(b"caf\xe9.fits")
    (place.path / "raw.sof").write_bytes(os.fsencode(f"{name} BIAS_VIS\n"))
    assert place.run("toy", "raw.sof") == 9
    assert "/caf\ufffd.fits'" in place.err


def test_output_mkdir(place):
    assert place.run("toy", "--output-dir=new/deep", "--output-mkdir") == 0
    assert place.names("new/deep") == ["toy.fits"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--output-dir=none", "does not exist"),
        ("--output-dir=a.fits", "a file of that name"),
        ("--log-dir=none", "not a valid directory"),
    ],
)
def test_directories_are_checked_before_the_work(place, option, words):
    assert place.run("toy", "in.sof", option) == 255
    assert words in place.err
    assert option.split("=")[0] in place.err
    assert "SETTINGS" not in place.out


def test_output_mkdir_does_not_hide_a_file(place):
    assert place.run("toy", "--output-dir=a.fits", "--output-mkdir") == 255
    assert "a file of that name" in place.err
    assert place.run("toy", "--output-dir=a.fits/x", "--output-mkdir") == 255
    assert "Error creating directory 'a.fits/x'" in place.err


def test_a_directory_without_permission(place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert place.run("toy", "--output-dir=out") == 255
    assert "no permission" in place.err


def test_log_file_and_levels(place):
    (place.path / "logs").mkdir()
    options = ["--log-dir=logs", "--log-file=my.log", "--log-level=DEBUG", "--msg-level=Error"]
    assert place.run(*options, "toy", "in.sof") == 0
    assert "[ INFO  ]" not in place.out.split("*****")[-1]
    log = (place.path / "logs" / "my.log").read_text()
    assert "[ INFO  ] toy: [tid=000] a message of the recipe" in log
    assert "[ DEBUG ] toy: [tid=000] a detail of the recipe" in log
    assert "Invocation command line was: pyesorex --recipe-dir=recipes --log-dir=logs" in log


def test_a_long_log_path_and_no_log(place):
    folder = "d" * 100
    (place.path / folder).mkdir()
    assert place.run("toy", f"--log-dir={folder}") == 0
    assert "Running recipe" in (place.path / folder / "pyesorex.log").read_text()
    assert place.run("toy", "--log-level=off", "--log-file=x.log") == 0
    assert not (place.path / "x.log").exists()


def test_an_unwritable_log_file_is_named(place):
    assert place.run("toy", "--log-file=out") == 255
    assert "Log file 'out' cannot be written" in place.err


def test_python_warnings_are_messages(place):
    assert place.run("toy", "--behave=warn") == 0
    assert "[WARNING] toy: RuntimeWarning: mind the gap" in place.out
    assert place.err == ""


def test_the_working_directory_and_the_messaging_are_restored(place):
    from soxs_recipes.cpl_bridge import cpl

    before = (os.getcwd(), cpl.core.Msg.get_config()["level"])  # noqa: PTH109
    place.run("toy", "--behave=fail", "--msg-level=debug")
    assert (os.getcwd(), cpl.core.Msg.get_config()["level"]) == before  # noqa: PTH109


@pytest.mark.parametrize(
    ("behave", "status", "words"),
    [
        ("fail", 1, ["Execution of recipe 'toy' failed: RuntimeError: the first line",
                     "[ ERROR ] pyesorex: the second line"]),
        ("key_error", 1, ["KeyError: 'ESO DET NAME'"]),
        ("cpl_error", 1, ["failed: no bias frames"]),
        ("soxs_error", 1, ["failed: Too few frames", "expected: 5 BIAS_VIS", "found:    2"]),
        ("exit", 1, ["SystemExit: 3"]),
        ("none", 1, ["returned NoneType, expected a FrameSet"]),
        ("missing", 61, ["'toy.fits', which does not exist"]),
        ("twice", 61, ["'toy.fits' twice"]),
        ("subdirectory", 61, ["'sub/toy.fits'", "not in the working directory"]),
        ("outside", 61, ["not in the working directory", "without a directory"]),
        ("returns_input", 61, ["not in the working directory"]),
        ("enospc", 1, ["Writing 'big.fits'", "no space left on the device", "--output-dir"]),
    ],
)  # fmt: skip
def test_failures_say_what_happened_and_leave_nothing(place, monkeypatch, behave, status, words):
    (place.path / "elsewhere").mkdir()
    monkeypatch.setenv("TOY_OUTSIDE", str(place.path / "elsewhere"))
    assert place.run("toy", "in.sof", "--output-dir=out", f"--behave={behave}") == status
    assert place.names() == []
    for word in words:
        assert word in place.err
    assert all(line.startswith("[ ERROR ]") for line in place.err.splitlines())
    assert "Traceback" not in place.out + place.err


def test_the_traceback_is_a_debug_message(place):
    place.run("toy", "--behave=fail", "--log-level=debug")
    assert "Traceback" not in place.out + place.err
    assert "Traceback" in (place.path / "pyesorex.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["toy", "no.sof"], 9, "Unable to open SOF file 'no.sof'"),
        (["toy", "bad.sof"], 9, "line 1 of the SOF 'bad.sof'"),
        (["toi"], 13, "Did you mean 'toy'?"),
        (["toy", "--kappa=99"], 255, "outside the permitted range 1.0 to 10.0"),
        (["toy", "--niter=x"], 255, "not of type int (1 to 10)"),
        (["toy", "--behave=dance"], 255, "ok | two | text"),
        (["toy", "--kapa=3"], 255, "Did you mean '--kappa'?"),
        (["--otput-dir=x", "toy"], 255, "Did you mean '--output-dir'?"),
        (["toy", "--recipe-config=no.rc"], 255, "no.rc"),
        (["toy", "--config=no.rc"], 255, "no.rc"),
        (["toy", "--recipe-config=key.rc"], 250, "soxs.toy.kapa"),
        (["toy", "--recipe-config=range.rc"], 251, "range.rc"),
        (["toy", "--recipe-config=quote.rc"], 253, "Quoting mismatch"),
        (["toy", "--recipe-config=json.rc"], 254, "key=value"),
        (["--man-page"], 255, "needs the name of a recipe"),
        (["toy", "--output-prefix=a/b", "--suppress-prefix=FALSE"], 255, "holds a directory"),
    ],
)
def test_exit_status(place, arguments, status, words):
    place.write("bad.sof", "none.fits X\n")
    place.write("key.rc", "soxs.toy.kapa=2\n")
    place.write("range.rc", "soxs.toy.kappa=99\n")
    place.write("quote.rc", 'soxs.toy.label="x\n')
    place.write("json.rc", "[]\n")
    assert place.run(*arguments) == status
    assert words in place.err
    assert "SETTINGS" not in place.out


def test_check_sof_exist(place):
    place.write("bad.sof", "none.fits BIAS_VIS\n")
    assert place.run("toy", "bad.sof", "--check-sof-exist=FALSE") == 0
    assert f"FILES ['{place.path / 'none.fits'}']" in place.out


def test_only_what_was_set_reaches_the_recipe(place):
    place.run("toy", "in.sof")
    assert place.settings == "[]"
    place.run("toy", "--kappa", "3.5", "in.sof", "--soxs.toy.label=a=b #c", "--plots")
    assert place.settings == str(
        [("soxs.toy.kappa", 3.5), ("soxs.toy.label", "a=b #c"), ("soxs.toy.plots", True)]
    )


def test_the_command_line_precedes_the_recipes_file(place):
    place.write("my.rc", "soxs.toy.kappa=2\nsoxs.toy.niter=4\n")
    place.run("toy", "--recipe-config=my.rc", "--kappa=5")
    assert place.settings == "[('soxs.toy.kappa', 5.0), ('soxs.toy.niter', 4)]"
    assert "Read config file 'my.rc'." in place.out


def test_the_users_recipe_file_is_read_unless_another_is_named(place):
    user = place.write("../home/.pyesorex/toy.rc", "soxs.toy.niter=7\n")
    place.run("toy")
    assert place.settings == "[('soxs.toy.niter', 7)]"
    assert f"Read config file '{user.resolve()}'." in place.out
    place.write("my.rc", "soxs.toy.kappa=2\n")
    place.run("toy", "--recipe-config=my.rc")
    assert place.settings == "[('soxs.toy.kappa', 2.0)]"


def test_unknown_keys_of_the_commands_file_are_told(place):
    place.write("my.rc", "pyesorex.output-dri=x\npyesorex.output-dir=out\n")
    assert place.run("--config=my.rc", "toy") == 0
    assert "[WARNING] pyesorex: Parameter 'pyesorex.output-dri' not recognised" in place.out
    assert place.names() == ["toy.fits"]


def test_a_product_never_replaces_an_input(place):
    place.write("toy.fits", "an input of the same name")
    place.write("own.sof", "toy.fits BIAS_VIS\n")
    assert place.run("toy", "own.sof") == 61
    assert "would replace an input file" in place.err
    assert (place.path / "toy.fits").read_text() == "an input of the same name"


def test_a_product_of_other_raw_files_is_replaced_with_a_warning(place):
    place.write("other.sof", "b.fits BIAS_VIS\n")
    assert place.run("toy", "in.sof") == 0
    assert place.run("toy", "in.sof") == 0
    assert "[WARNING]" not in place.out
    assert place.run("toy", "other.sof") == 0
    assert "made from other raw files" in place.out
    header = fits.getheader(place.path / "toy.fits")
    assert header["ESO PRO REC1 RAW1 NAME"] == "b.fits"


def test_nothing_is_delivered_if_one_product_cannot_be(place):
    (place.path / "out" / "two.fits").mkdir()
    place.write("out/one.fits", "older")
    assert place.run("toy", "--behave=two", "--output-dir=out") == 61
    assert "directory of that name" in place.err
    assert (place.path / "out" / "one.fits").read_text() == "older"
    assert place.names() == ["one.fits", "two.fits"]


@pytest.mark.skipif(HAVE_PYCPL, reason="concerns the start of the embedded stand-in")
def test_listing_recipes_is_fast_and_imports_no_heavy_module(place):
    code = (
        "import sys; from soxs_recipes.cpl_bridge.runner import cli; cli.main(['--recipes']); "
        "heavy = {'numpy', 'scipy', 'astropy', 'matplotlib'} & set(sys.modules); "
        "sys.exit(len(heavy))"
    )
    started = time.perf_counter()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert time.perf_counter() - started < 3.0

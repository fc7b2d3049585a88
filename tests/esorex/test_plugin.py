"""Recipes seen through EsoRex: documentation, parameters, frames, messages, products."""

import json
import os
import re
import sys

import pytest
import toy_recipes
from astropy.io import fits

from soxs_recipes.esorex import installation

# What the plugin itself says of threads.
THREADS = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}


def request_of(toy):
    return json.loads((toy.directory / "request.json").read_text())


def run_toy(toy, *arguments, **options):
    done = toy.run(*arguments, **options)
    assert done.status == 0, done.out
    return request_of(toy)


@pytest.fixture
def documented(compiler, toy, tmp_path):
    """The toy recipes with an interpreter that cannot be started."""
    toy.plugins = tmp_path / "without Python"
    installation.install(toy.plugins, lambda: toy_recipes.RECIPES, ["/nonexistent/python"])
    return toy


def test_documentation_needs_no_python(documented):
    listed = documented.run("--recipes").out
    assert re.search(r"^ +toy +: Shows what reached it$", listed, re.MULTILINE)
    assert re.search(r"^ +toy_second +: Is another recipe$", listed, re.MULTILINE)
    page = documented.run("--man-page", "toy").out
    assert len(toy_recipes.LONG) > 10000
    assert "\n".join(f"  {line}" for line in toy_recipes.LONG.split("\n")) in page
    assert "toy -- version 1.2.3" in page
    assert "A. Ströhm" in page
    assert "  Short.\n" in documented.run("--man-page", "toy_second").out


def test_parameters_have_type_default_and_choices(documented):
    documented.run("--create-config=toy.json", "toy")
    entries = json.loads((documented.directory / "toy.json").read_text())
    found = {entry["display_name"]: entry for entry in entries}
    assert list(found) == [p.cli_alias for p in toy_recipes.Toy().parameters]
    kinds = {name: (entry["partype"], entry["valtype"]) for name, entry in found.items()}
    assert kinds["flag"] == ("value", "bool")
    assert kinds["count"] == ("value", "int")
    assert kinds["factor"] == ("value", "double")
    assert kinds["word"] == ("value", "string")
    assert kinds["bounded-count"] == ("range", "int")
    assert kinds["bounded-factor"] == ("range", "double")
    assert kinds["one"] == kinds["twelve"] == ("enum", "string")
    assert kinds["integers"] == ("enum", "int")
    assert kinds["reals"] == ("enum", "double")
    for parameter in toy_recipes.Toy().parameters:
        entry = found[parameter.cli_alias]
        assert entry["name"] == parameter.name
        assert entry["value"] == parameter.default
        if entry["partype"] == "enum":
            assert tuple(entry["valenum"]) == tuple(parameter.alternatives)
        if entry["partype"] == "range":
            assert (entry["valmin"], entry["valmax"]) == (parameter.min, parameter.max)
    assert found["word"]["description"] == 'A word, "quoted"\tand\\or λ'


@pytest.mark.parametrize(
    "option",
    ["bounded-count=21", "bounded-factor=1.4", "twelve=choice-12", "integers=3", "count=x"],
)
def test_values_that_are_not_allowed_are_refused_without_python(documented, sof, option):
    done = documented.run("toy", f"--{option}", sof)
    assert done.status == 255
    assert option.split("=")[0] in done.out


def test_only_parameters_that_were_set_reach_the_recipe(toy, sof):
    assert run_toy(toy, "toy", sof)["settings"] == {}
    odd = 'TAB\tbackslash\\ \\n "quotes" λ'
    given = run_toy(
        toy,
        "toy",
        "--flag",
        "--count=-2147483648",
        "--factor=0.12345678901234567",
        f"--word={odd}",
        "--bounded-count=20",
        "--bounded-factor=1.5",
        "--twelve=choice-11",
        "--one=only",
        "--integers=2048",
        "--reals=2.75",
        sof,
    )["settings"]
    expected = {
        "flag": True,
        "count": -(2**31),
        "factor": 0.12345678901234567,
        "word": odd,
        "bounded-count": 20,
        "bounded-factor": 1.5,
        "twelve": "choice-11",
        "one": "only",
        "integers": 2048,
        "reals": 2.75,
    }
    assert given == {f"soxs.toy.{name}": value for name, value in expected.items()}
    assert [type(value) for value in given.values()] == [type(v) for v in expected.values()]


def test_configuration_file_goes_round(toy, sof):
    toy.run("--create-config=toy.rc", "toy", "--count=12", "--flag=TRUE", "--twelve=choice-3")
    given = run_toy(toy, "--recipe-config=toy.rc", "toy", sof)["settings"]
    assert given["soxs.toy.count"] == 12
    assert given["soxs.toy.flag"] is True
    assert given["soxs.toy.twelve"] == "choice-3"
    assert given.get("soxs.toy.reals", 0.25) == 0.25


def test_hundreds_of_frames_keep_order_tag_and_group(toy):
    folder = toy.directory / "Rohdaten_μ"
    folder.mkdir()
    lines, expected = [], []
    for number in range(300):
        path = folder / f"frame_ü{number:03d}.dat"
        path.write_text("")
        group = ("", "RAW", "CALIB")[number % 3]
        lines.append(f"{path.relative_to(toy.directory)} TAG_{number % 7} {group}")
        expected.append([str(path), f"TAG_{number % 7}", number % 3])
    (toy.directory / "many.sof").write_text("\n".join(lines))
    frames = run_toy(toy, "toy", "many.sof")["frames"]
    found = [[str(toy.directory / name), tag, group] for name, tag, group in frames]
    assert found == expected


def test_file_name_that_is_not_utf8(toy):
    name = os.fsdecode(b"frame-\xff.dat")
    (toy.directory / name).write_text("")
    (toy.directory / "odd.sof").write_bytes(os.fsencode(name) + b" THING\n")
    assert run_toy(toy, "toy", "odd.sof")["frames"] == [[name, "THING", 0]]


def test_empty_set_of_frames_is_left_to_the_recipe(toy):
    assert run_toy(toy, "toy")["frames"] == []


def test_messages_keep_level_component_and_text(toy, sof):
    done = toy.run("--log-level=debug", "--msg-level=warning", "toy", "--behaviour=talk", sof)
    for level, component, text in (
        (" DEBUG ", "whisperer", "a detail"),
        ("WARNING", "watcher", "take care"),
        (" ERROR ", "grumbler", "not nice, but no failure"),
        (" INFO  ", "talker", "λ\ta TAB, a backslash \\n and xxx"),
        (" INFO  ", "python", "printed, no line feed"),
        (" INFO  ", "talker", "after print"),
        ("WARNING", "cpl", "from a C library"),
        ("WARNING", "toy", "UserWarning: from Python"),
        (" INFO  ", "python", "not UTF-8: "),
    ):
        assert re.search(
            rf"^\S+ \[{level}\] {component}: \[tid=\d+\] *{re.escape(text)}", done.log, re.MULTILINE
        ), text
    assert done.log.count("x") >= 3000
    assert "[WARNING] toy: take care" in done.out
    assert "after print" not in done.out
    assert "a detail" not in done.out
    assert done.status == 0


def test_debug_messages_are_not_sent_when_nobody_hears_them(toy, sof):
    assert "a detail" not in toy.run("toy", "--behaviour=talk", sof).log
    toy.run("--msg-level=error", "--log-level=off", "toy", sof)
    assert toy.run("--msg-level=debug", "toy", "--behaviour=talk", sof).out.count("a detail") == 1


def test_products_are_registered(toy, sof):
    done = toy.run("--products-sof=products.json", "toy", sof)
    assert "2 products created" in done.out
    listed = json.loads((toy.directory / "products.json").read_text())
    assert {item["category"]: item["name"].removeprefix("./") for item in listed} == {
        "TOY_REQUEST": "request.json",
        "TOY_IMAGE": "toy product ü.fits",
    }
    header = fits.getheader(toy.directory / "toy product ü.fits")
    assert {"DATAMD5", "CHECKSUM", "DATASUM"} <= set(header)


def test_no_products_are_no_failure(toy, sof):
    done = toy.run("toy", "--behaviour=nothing", sof)
    assert (done.status, "0 products created" in done.out) == (0, True)


def test_output_directory_prefix_and_text_list(toy, sof):
    (toy.directory / "out").mkdir()
    options = ["--output-dir=out", "--suppress-prefix=FALSE", "--output-prefix=night"]
    done = toy.run(*options, "--products-sof=products.sof", "toy", sof)
    assert done.status == 0
    assert sorted(p.name for p in (toy.directory / "out").iterdir()) == [
        "night_0000.json",
        "night_0001.fits",
    ]
    listed = (toy.directory / "products.sof").read_text().split("\n")
    assert [line.split() for line in listed if line] == [
        ["out/night_0000.json", "TOY_REQUEST"],
        ["out/night_0001.fits", "TOY_IMAGE"],
    ]
    assert not (toy.directory / "request.json").exists()


def test_links(toy, sof):
    out, links = toy.directory / "out", toy.directory / "links"
    out.mkdir()
    links.mkdir()
    done = toy.run(
        f"--output-dir={out}", f"--link-dir={links}", "--suppress-link=FALSE", "toy", sof
    )
    assert done.status == 0
    link = links / "toy product ü.fits"
    assert link.is_symlink()
    assert link.resolve() == (out / link.name).resolve()


def test_command_line_of_esoreflex(toy, sof):
    """The environment is wiped, as EsoReflex does; only a short list of variables is left."""
    out, log, book = (toy.directory / name for name in ("tmp_products/1", "logs", "books"))
    for folder in (out, log, book):
        folder.mkdir(parents=True)
    toy.run(f"--create-config={book}/toy.rc", "toy", "--count=5")
    config = toy.directory / "esoreflex-esorex.rc"
    config.write_text(f"esorex.caller.recipe-dir={toy.plugins}\n")
    default = toy.directory / "esoreflex_default_recipe_config.rc"
    default.write_text("")
    foreign = toy.directory / "reflex" / "python"
    foreign.mkdir(parents=True)
    (foreign / "json.py").write_text("raise SystemExit('a foreign module')")
    (toy.directory / "soxs_recipes.py").write_text("raise SystemExit('a foreign module')")
    wrapper = [
        "env",
        "-i",
        "PATH=/usr/bin:/bin",
        f"PYTHONPATH={foreign}",
        f"ESOREX_CONFIG={config}",
        f"ESOREX_RECIPE_CONFIG={default}",
        f"HOME={toy.directory}",
    ]
    toy.command = lambda *arguments: [toy.program, *map(str, arguments)]
    done = toy.run(
        "--suppress-prefix=TRUE",
        f"--output-dir={out.relative_to(toy.directory)}",
        f"--log-dir={log.relative_to(toy.directory)}",
        f"--recipe-config={(book / 'toy.rc').relative_to(toy.directory)}",
        "--products-sof=products_sof.json",
        "toy",
        sof,
        wrapper=wrapper,
    )
    assert done.status == 0, done.out
    assert (log / "esorex.log").exists()
    listed = json.loads((toy.directory / "products_sof.json").read_text())
    assert {item["name"] for item in listed} == {
        "tmp_products/1/request.json",
        "tmp_products/1/toy product ü.fits",
    }
    seen = json.loads((out / "request.json").read_text())
    assert seen["settings"]["soxs.toy.count"] == 5
    assert set(seen["environment"]) - {"_", "PWD", "SHLVL", "LC_CTYPE"} - THREADS == {
        "PATH",
        "PYTHONPATH",
        "ESOREX_CONFIG",
        "ESOREX_RECIPE_CONFIG",
        "HOME",
    }
    assert str(foreign) not in seen["path"]
    assert sys.prefix in "".join(seen["path"])

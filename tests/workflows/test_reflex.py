"""The EsoReflex workflow: grammar, links, content, and the lint that looks for faults."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from fake_recipes import CHAIN, MDARK, WHOLE

from soxs_recipes.workflows.cascade import Cascade
from soxs_recipes.workflows.generate import faults, generated, recipe_cascade
from soxs_recipes.workflows.lint import lint
from soxs_recipes.workflows.moml import COMPOSITE
from soxs_recipes.workflows.oca_parser import parse
from soxs_recipes.workflows.reflex import DIRECTORIES, SETTINGS

# The part of the MoML grammar that a workflow needs: children, required and optional attributes.
GRAMMAR = {
    "entity": (
        {"property", "port", "entity", "relation", "link"},
        {"name", "class"},
        set(),
    ),
    "property": ({"property"}, {"name"}, {"class", "value"}),
    "port": ({"property"}, {"name", "class"}, set()),
    "relation": ({"property", "vertex"}, {"name", "class"}, set()),
    "vertex": (set(), {"name", "value"}, set()),
    "link": (set(), {"port", "relation"}, set()),
}
DDF = "ptolemy.domains.ddf.kernel.DDFDirector"

CASCADES = {"chain": Cascade(CHAIN), "whole": Cascade(WHOLE), "empty": Cascade([])}
CASCADES["package"] = recipe_cascade()


@pytest.fixture(params=CASCADES)
def cascade(request):
    return CASCADES[request.param]


def tree(cascade):
    return ElementTree.fromstring(generated(cascade)["soxs.xml"])


def named(element, name):
    return next(item for item in element.iter() if item.get("name") == name)


def value(actor, name):
    return next(item.get("value") for item in actor.findall("property") if item.get("name") == name)


def test_document_type():
    text = generated(CASCADES["chain"])["soxs.xml"]
    assert text.startswith('<?xml version="1.0" standalone="no"?>\n<!DOCTYPE entity PUBLIC "-//UC')


def test_grammar(cascade):
    for element in tree(cascade).iter():
        children, required, optional = GRAMMAR[element.tag]
        assert {child.tag for child in element} <= children
        assert required <= set(element.attrib) <= required | optional
        assert not (element.text or "").strip()


def test_every_composite_has_a_director_and_a_place(cascade):
    root = tree(cascade)
    composites = [item for item in root.iter("entity") if item.get("class") == COMPOSITE]
    assert len(composites) >= 6
    for item in composites:
        directors = [p for p in item.findall("property") if p.get("class") == DDF]
        assert len(directors) == 1
        inside = value(directors[0], "runUntilDeadlockInOneIteration")
        assert inside == ("false" if item is root else "true")
        if item is not root:
            assert re.fullmatch(r"\[-?\d+\.\d, -?\d+\.\d\]", value(item, "_location"))


def test_no_faults(cascade):
    assert faults(generated(cascade), cascade) == []


def test_directories_and_settings():
    root = tree(CASCADES["package"])
    for name, expected in {**DIRECTORIES, **SETTINGS}.items():
        assert value(root, name) == expected
        assert sum(item.get("name") == name for item in root.findall("property")) == 1


def test_no_two_actors_overlap(cascade):
    places = [
        tuple(float(part) for part in value(item, "_location")[1:-1].split(","))
        for item in tree(cascade).findall("entity")
    ]
    for number, (x, y) in enumerate(places):
        for other_x, other_y in places[number + 1 :]:
            assert abs(x - other_x) > 100 or abs(y - other_y) > 60


def test_nothing_stands_left_of_a_stage_in_its_row():
    cascade = CASCADES["whole"]
    root = tree(cascade)
    place = {
        item.get("name"): tuple(map(float, value(item, "_location")[1:-1].split(",")))
        for item in root.findall("entity")
    }
    for stage in cascade.stages:
        x, y = place[stage.name]
        row = [name for name, (u, v) in place.items() if v == y and 1000.0 < u < x]
        assert row == [f"Input of {stage.name}"]


def links(root):
    joined = {}
    for link in root.findall("link"):
        joined.setdefault(link.get("relation"), []).append(link.get("port"))
    return {ports[0]: set(ports[1:]) for ports in joined.values()}


def test_products_go_to_the_recipes_that_need_them():
    wires = links(tree(CASCADES["chain"]))
    assert wires["soxs_mbias.sof_out"] == {
        f"Input of soxs_{name}.sof in opt"
        for name in (
            "mdark",
            "disp_solution",
            "order_centres",
            "spec_mflat",
            "spatial_solution",
            "stare",
        )
    }
    assert wires["soxs_stare.sof_out"] == {"Input of soxs_extract.sof in"}
    assert wires["soxs_extract.sof_out"] == {"Final products.sof in"}
    assert wires["FitsRouter.PINHOLE_ARC"] == {"Input of soxs_disp_solution.sof in"}
    assert wires["FitsRouter.PINHOLE_ARC_OFF"] == {"Input of soxs_disp_solution.sof in opt"}
    assert wires["Final products.sof out"] == {"ProductRenamer.sof_in"}


def test_a_chain_behind_a_standard_gets_only_the_standard():
    root = tree(CASCADES["whole"])
    wires = links(root)
    assert wires["soxs_extract_stare.FLUX_SPECTRUM_ORDERS"] == {
        "Input of soxs_response_stare.sof in"
    }
    select = named(named(root, "soxs_extract_stare"), "Select FLUX_SPECTRUM_ORDERS")
    assert value(select, "FLUX_SPECTRUM_ORDERS_config") == (
        '"FLUX_SPECTRUM_ORDERS_VIS,FLUX_SPECTRUM_ORDERS_NIR"'
    )


def test_recipe_composite():
    composite = named(tree(CASCADES["chain"]), "soxs_mdark")
    wires = links(composite)
    assert wires == {
        "sof_in": {"SofSplitter.sof in"},
        "SofSplitter.sof out": {"soxs_mdark_1.sof in"},
        "SofSplitter.#groups": {"SofAccumulator.#groups"},
        "soxs_mdark_1.sof out": {"SofAccumulator.sof in"},
        "SofAccumulator.sof out": {"sof_out"},
    }
    executer = named(composite, "soxs_mdark_1")
    assert value(executer, "recipe_param_1") == "kappa=5.0"
    assert value(executer, "recipe_param_2") == "plots=false"
    assert value(executer, "File Purpose Processing") == "Strip last"
    assert value(executer, "Input Files Category") == (
        "DARK_VIS,MASTER_BIAS_VIS,QC_RANGES,DARK_NIR,DARK_ACQ,MASTER_BIAS_ACQ"
    )


def test_purposes_are_kept_inside_an_action():
    root = tree(CASCADES["chain"])
    assert value(named(root, "soxs_stare_1"), "File Purpose Processing") == "Do nothing"
    assert value(named(root, "soxs_extract_1"), "File Purpose Processing") == "Strip last"


def test_a_recipe_behind_several_is_numbered():
    names = {item.get("name") for item in tree(CASCADES["whole"]).iter("entity")}
    assert {"soxs_extract_1", "soxs_extract_2", "soxs_stare_1"} <= names


def package_lint(xml, oca):
    recipes = [item.name for item in CASCADES["chain"].declarations]
    statics = {
        "SKY_LINES",
        *(f"{stem}_{arm}" for stem in ("ARC_LINES", "SPECTRAL_FORMAT") for arm in ("VIS", "NIR")),
    }
    return lint(xml, parse(oca), recipes, statics)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"FitsRouter.BIAS"', '"FitsRouter.BIASX"', "port 'FitsRouter.BIASX'"),
        ('port="sof_in" relation="relation1"', 'port="sof_in" relation="r9"', "relation 'r9'"),
        ('name="soxs_mdark_1"', 'name="soxs_mdork_1"', "soxs_mdork_1: no recipe"),
        ("$TMP_PRODUCTS_DIR", "$TMP_PRODUCT_DIR", "$TMP_PRODUCT_DIR is not defined"),
        ("BIAS_VIS,BIAS_ACQ", "BIAS_VIS,BIAS_NIR", "category 'BIAS_NIR'"),
        ('name="Final products"', 'name="ProductRenamer"', "2 times entity 'ProductRenamer'"),
        (
            '"ProductRenamer.sof_in" relation="',
            '"FitsRouter.in" relation="',
            "2 links to the single port 'FitsRouter.in'",
        ),
    ],
)
def test_lint_finds_faults_of_the_workflow(old, new, fault):
    contents = generated(CASCADES["chain"])
    text = contents["soxs.xml"]
    assert old in text
    assert any(fault in line for line in package_lint(text.replace(old, new), contents["soxs.oca"]))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("recipe soxs_mbias;", "recipe soxs_bias;", "'soxs_bias'"),
        ("select execute(MBIAS_VIS)", "select execute(MBIAS_UVB)", "no such action"),
        ('PRO.CATG=="DISP_TAB_VIS"', 'PRO.CATG=="DISPTAB_VIS"', "'DISPTAB_VIS'"),
        ('where REFLEX.CATG=="FLAT_NIR"', 'where REFLEX.CATG=="FLAT_UVB"', "'FLAT_UVB'"),
        ("action MBIAS_VIS\n", "action MBIAS_ACQ\n", "defined 2 times"),
    ],
)
def test_lint_finds_faults_of_the_rules(old, new, fault):
    contents = generated(CASCADES["chain"])
    assert old in contents["soxs.oca"]
    oca = contents["soxs.oca"].replace(old, new)
    assert any(fault in line for line in package_lint(contents["soxs.xml"], oca))


def test_lint_misses_a_recipe_that_is_gone():
    contents = generated(CASCADES["chain"])
    found = lint(contents["soxs.xml"], parse(contents["soxs.oca"]), [MDARK.name], set())
    assert any("soxs_mbias_1: no recipe" in line for line in found)

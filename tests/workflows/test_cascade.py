"""The graph of recipes, from declarations modelled on the product table of the design."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_recipes import CHAIN, MBIAS, MDARK, WHOLE, calib, raw, recipe

from soxs_recipes.recipes.declarations import Input, Kind
from soxs_recipes.workflows.cascade import Cascade, CascadeError
from soxs_recipes.workflows.routing import routes_of, selections

CASCADE = Cascade(CHAIN)
BIG = Cascade(WHOLE)


def pairs(cascade):
    return {(edge.source.name, edge.target.name) for edge in cascade.edges}


def test_edges_of_the_chain():
    assert pairs(CASCADE) == {
        ("soxs_mbias", "soxs_mdark"),
        *(
            (maker, user)
            for maker in ("soxs_mbias", "soxs_mdark")
            for user in (
                "soxs_disp_solution",
                "soxs_order_centres",
                "soxs_spec_mflat",
                "soxs_spatial_solution",
                "soxs_stare",
            )
        ),
        ("soxs_disp_solution", "soxs_order_centres"),
        ("soxs_disp_solution", "soxs_spatial_solution"),
        ("soxs_order_centres", "soxs_spec_mflat"),
        ("soxs_spec_mflat", "soxs_spatial_solution"),
        ("soxs_spec_mflat", "soxs_stare"),
        ("soxs_spatial_solution", "soxs_stare"),
        ("soxs_stare", "soxs_extract"),
        ("soxs_spec_mflat", "soxs_extract"),
        ("soxs_spatial_solution", "soxs_extract"),
    }
    main = [edge for edge in CASCADE.edges if edge.main]
    assert [(edge.source.name, edge.target.name) for edge in main] == [
        ("soxs_stare", "soxs_extract")
    ]


@pytest.mark.parametrize("order", [CHAIN, CHAIN[::-1], (*CHAIN[3:], *CHAIN[:3])])
def test_the_order_of_the_declarations_does_not_matter(order):
    cascade = Cascade(order)
    assert pairs(cascade) == pairs(CASCADE)
    position = {stage.name: number for number, stage in enumerate(cascade.stages)}
    assert all(position[source] < position[target] for source, target in pairs(cascade))


def test_a_step_per_arm_and_role():
    names = {step.name for step in CASCADE.starts}
    assert {"MBIAS_VIS", "MBIAS_ACQ", "MDARK_NIR", "STARE_SCI_VIS", "STARE_TELL_NIR"} <= names
    assert "MBIAS_NIR" not in names
    flux = next(step for step in CASCADE.steps if step.name == "STARE_FLUX_NIR")
    assert flux.tags(flux.main) == ("STD_FLUX_STARE_NIR",)
    assert flux.products == ("FLUX_SKY_SUB_NIR",)
    assert "MASTER_BIAS_NIR" not in flux.tags(flux.associated)


def test_steps_behind_a_product_belong_to_its_action():
    start = next(step for step in BIG.starts if step.name == "NOD_SCI_VIS")
    assert [step.name for step in BIG.steps_in(start)] == [
        "NOD_SCI_VIS",
        "EXTRACT_SCI_VIS",
        "TELLURIC_VIS",
        "MERGE_VIS",
    ]
    assert not any(step.name.startswith(("EXTRACT", "MERGE")) for step in BIG.starts)


def test_each_observing_mode_has_its_own_chain():
    mains = {(edge.source.name, edge.target.name) for edge in BIG.edges if edge.main}
    assert ("soxs_extract_nod", "soxs_merge_nod") in mains
    assert ("soxs_extract_nod", "soxs_merge_stare") not in pairs(BIG)
    assert ("soxs_telluric_nod", "soxs_merge_stare") not in pairs(BIG)
    # The standard star may have been observed in another mode than the object.
    assert ("soxs_response_nod", "soxs_merge_stare") in pairs(BIG)
    ends = {stage.name: stage.ends_action for stage in BIG.stages}
    assert ends["soxs_response_stare"]
    assert ends["soxs_merge_nod"]
    assert not ends["soxs_stare"]
    assert not ends["soxs_extract_nod"]
    assert not ends["soxs_telluric_nod"]


def test_steps_that_end_their_action_stand_apart():
    stages = {stage.name: stage for stage in BIG.stages}
    standard = stages["soxs_extract_nod_tell"]
    assert standard.ends_action
    assert {step.role for step in standard.steps} == {"TELL"}
    assert {step.role for step in stages["soxs_extract_nod"].steps} == {"SCI", "FLUX"}
    assert ("soxs_extract_nod_tell", "soxs_telluric_stare") in pairs(BIG)
    assert ("soxs_extract_nod", "soxs_telluric_stare") not in pairs(BIG)


def test_a_stage_gets_only_what_triggers_it():
    extract = next(stage for stage in BIG.stages if stage.name == "soxs_extract_nod")
    chosen = {target.name: item.categories for target, item in selections(BIG, extract).items()}
    assert chosen["soxs_response_nod"] == (
        "FLUX_SPECTRUM_ORDERS_VIS",
        "FLUX_SPECTRUM_ORDERS_NIR",
    )
    assert chosen["soxs_merge_nod"] == chosen["soxs_telluric_nod"]
    stare = next(stage for stage in BIG.stages if stage.name == "soxs_stare")
    sent = {target.name: item.categories for target, item in selections(BIG, stare).items()}
    assert sent["soxs_extract_stare_tell"] == ("TELL_SKY_SUB_VIS", "TELL_SKY_SUB_NIR")
    assert len(sent["soxs_extract_stare"]) == 4
    assert selections(CASCADE, CASCADE.stages[-2]) == {}


@pytest.mark.parametrize("cascade", [CASCADE, BIG])
def test_every_input_leaves_the_router_once(cascade):
    tags = [tag for route in routes_of(cascade) for tag in route.categories]
    assert len(tags) == len(set(tags))
    wanted = {
        tag
        for step in cascade.steps
        for tag in step.tags(step.inputs if step.starts_from_raw else step.associated)
    }
    assert set(tags) == wanted


def test_roles_share_a_port():
    ports = {route.port: route for route in routes_of(BIG)}
    assert "STD_FLUX_STARE_NIR" in ports["STARE"].categories
    assert [stage.name for stage in ports["STARE"].triggered] == ["soxs_stare"]
    assert ports["BIAS"].categories == ("BIAS_VIS", "BIAS_ACQ")
    assert not any("OBJECT_NOD_A" in tag for tag in ports["NOD"].categories)
    assert list(ports)[-1] == "CALIBRATIONS"


def test_targets_are_science_or_what_comes_last():
    assert {"OBJECT_STARE_VIS", "OBJECT_STARE_NIR"} == CASCADE.targets
    assert Cascade([MBIAS, MDARK]).targets == {"DARK_VIS", "DARK_NIR", "DARK_ACQ"}
    assert Cascade([MBIAS]).targets == {"BIAS_VIS", "BIAS_ACQ"}
    assert Cascade([]).targets == frozenset()


def test_a_circle_of_required_inputs_is_refused():
    one = recipe("soxs_one", ("VIS",), [raw("BIAS"), calib("TWO")], ["ONE"])
    two = recipe("soxs_two", ("VIS",), [raw("DARK"), calib("ONE")], ["TWO"])
    with pytest.raises(CascadeError, match=r"soxs_(one|two) -> soxs_(two|one)"):
        Cascade([one, two])


def test_an_optional_input_never_closes_a_circle():
    one = recipe("soxs_one", ("VIS",), [raw("BIAS"), calib("TWO", 0)], ["ONE"])
    two = recipe("soxs_two", ("VIS",), [raw("DARK"), calib("ONE"), calib("TWO", 0)], ["TWO"])
    assert pairs(Cascade([one, two])) == {("soxs_one", "soxs_two")}


def test_an_unknown_raw_tag_is_refused():
    odd = recipe("soxs_odd", ("VIS",), [raw("BIAS"), raw("BIASS")], ["X"])
    with pytest.raises(CascadeError, match="BIASS_VIS"):
        Cascade([odd])


def test_alternatives_to_the_main_input_are_left_to_users():
    arc = replace(raw("OBJECT_STARE", 0), alternative=True)
    (step,) = Cascade([recipe("soxs_one", ("VIS",), [raw("SLIT_ARC", 0), arc], ["ONE"])]).steps
    assert step.tags(step.inputs) == ("SLIT_ARC_VIS", "QC_RANGES")


def test_a_main_input_that_no_recipe_makes_starts_from_disk():
    lone = recipe(
        "soxs_lone", ("VIS",), [Input("SPECTRUM_{arm}", "x", Kind.CALIB), calib("TAB", 0)], ["Y"]
    )
    cascade = Cascade([lone])
    assert [step.name for step in cascade.starts] == ["LONE_VIS"]
    port, rest = routes_of(cascade)
    assert (port.port, port.categories) == ("SPECTRUM", ("SPECTRUM_VIS",))
    assert [stage.name for stage in port.triggered] == ["soxs_lone"]
    assert rest.categories == ("TAB_VIS", "QC_RANGES")

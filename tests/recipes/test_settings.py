"""Parameters: defaults, checks, and what 'auto' means in an arm."""

import pytest

from soxs_recipes.cpl_bridge.runner.options import OPTIONS
from soxs_recipes.errors import ParameterError
from soxs_recipes.recipes import RECIPES
from soxs_recipes.recipes.declarations import Parameter
from soxs_recipes.recipes.settings import check_value, for_arm, resolve
from soxs_recipes.recipes.soxs_mbias import DECLARATION


def test_defaults_and_both_ways_to_name_a_parameter():
    values = resolve(DECLARATION, {"kappa": 4, "soxs.soxs_mbias.iterations": 2})
    assert values["soxs.soxs_mbias.kappa"] == 4.0
    assert isinstance(values["soxs.soxs_mbias.kappa"], float)
    assert values["soxs.soxs_mbias.iterations"] == 2
    assert values["soxs.soxs_mbias.stack-method"] == "clipped-mean"


@pytest.mark.parametrize(("arm", "method"), [("VIS", "smooth"), ("ACQ", "none")])
def test_auto_is_resolved_by_arm(arm, method):
    assert for_arm(DECLARATION, resolve(DECLARATION, {}), arm).reference == method


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kapa": 4.0}, "did you mean 'kappa'"),
        ({"kappa": 1000.0}, "1.5 to 100"),
        ({"kappa": "high"}, "a number"),
        ({"kappa": float("nan")}, "1.5 to 100"),
        ({"iterations": 2.5}, "an integer"),
        ({"iterations": True}, "an integer"),
        ({"stack-method": "mode"}, "clipped-mean, mean, median"),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(given, words):
    with pytest.raises(ParameterError, match=words):
        resolve(DECLARATION, given)


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "Kappa", "default": 1},
        {"name": "kappa", "default": 1.0},
        {"name": "kappa", "default": 1.0, "minimum": 2.0, "maximum": 3.0},
        {"name": "mode", "default": "a", "choices": ("b",)},
        {"name": "text", "default": "x" * 43},
    ],
)
def test_declarations_that_contradict_themselves_fail(bad):
    with pytest.raises(ValueError, match=bad["name"]):
        Parameter(help="", **bad)


def test_booleans_are_not_numbers():
    assert check_value(Parameter("flag", False, ""), True) is True
    with pytest.raises(ParameterError):
        check_value(Parameter("flag", False, ""), 1)


RUNNER_OPTIONS = {option.alias for option in OPTIONS} | {
    "mem-check",
    "output-readonly",
    "paf-config",
    "show-hidden",
    "unload-plugin",
}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.declaration.name)
def test_no_parameter_hides_an_option_of_the_runners(recipe):
    assert not RUNNER_OPTIONS & {item.name for item in recipe.declaration.parameters}


def meaning(parameter):
    """What a parameter is, whatever its default in a recipe."""
    kind = type(parameter.default)
    return kind, parameter.help, parameter.unit, parameter.minimum, parameter.maximum


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.declaration.name)
def test_the_same_word_means_the_same_thing_in_every_recipe(recipe):
    words = {}
    for other in RECIPES:
        for item in other.declaration.parameters:
            words.setdefault(item.name, meaning(item))
    for item in recipe.declaration.parameters:
        assert words[item.name] == meaning(item)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.declaration.name)
def test_a_synopsis_fits_the_list_that_esorex_prints(recipe):
    assert len(recipe.declaration.synopsis) <= 54

"""`run_recipe` as a function: several runs in one process, and runs in worker processes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner import discovery
from soxs_recipes.cpl_bridge.runner.errors import (
    BadValueError,
    RecipeFailedError,
    UnknownRecipeError,
    UsageError,
)
from soxs_recipes.cpl_bridge.runner.execution import run_recipe
from soxs_recipes.cpl_bridge.runner.output import Output


@pytest.fixture
def toy(place):
    """The recipe class."""
    return discovery.find_recipes(["recipes"]).recipes["toy"].recipe_class


def in_worker(directory: str) -> list[tuple[str, str]]:
    """Run by name in another process."""
    products = run_recipe("toy", "in.sof", {"niter": 2}, directory, ["recipes"])
    return [(product.file, product.tag) for product in products]


def test_products_are_frames_with_absolute_final_paths(place, toy):
    (product,) = run_recipe(toy, "in.sof", output="out")
    assert (product.file, product.tag) == (str(place.path / "out" / "toy.fits"), "TOY")
    assert product.group == cpl.ui.Frame.FrameGroup.PRODUCT
    assert Path(product.file).is_file()


def test_a_recipe_may_be_a_name_a_class_or_an_object(place, toy):
    for number, recipe in enumerate(["toy", toy, toy()]):
        output = Output(Path(f"out/{number}"), make_directory=True)
        (product,) = run_recipe(recipe, "in.sof", {}, output, ["recipes"])
        assert product.file == str(place.path / "out" / str(number) / "toy.fits")


def test_one_recipe_object_runs_again_and_again(place, toy):
    recipe = toy()
    for _ in range(3):
        assert len(run_recipe(recipe, "in.sof", output="out")) == 1
    assert place.names() == ["toy.fits"]


def test_frames_of_the_caller_are_copied(place, toy):
    frame = cpl.ui.Frame("a.fits", tag="BIAS_VIS", group=cpl.ui.Frame.FrameGroup.RAW)
    run_recipe(toy, [frame], output="out")
    assert frame.file == "a.fits"
    out = place.capfd.readouterr().out
    assert f"FILES ['{place.path / 'a.fits'}'] ['BIAS_VIS']" in out
    assert "GROUPS ['RAW']" in out


def test_products_of_one_run_are_frames_of_the_next(place, toy):
    products = run_recipe(toy, "in.sof", output="out")
    (place.path / "next").mkdir()
    assert len(run_recipe(toy, products, output="next")) == 1


def test_settings_by_alias_or_full_name_as_value_or_text(place, toy):
    settings = {"kappa": "4", "soxs.toy.niter": 5, "plots": True}
    run_recipe(toy, [], settings, "out")
    expected = [("soxs.toy.kappa", 4.0), ("soxs.toy.niter", 5), ("soxs.toy.plots", True)]
    assert f"SETTINGS {expected}" in place.capfd.readouterr().out


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"kapa": 3}, UsageError, "has no parameter 'kapa'.*\n.*Did you mean 'kappa'"),
        ({"kappa": 99}, BadValueError, "outside the permitted range"),
        ({"niter": 2.5}, BadValueError, "not of type int"),
    ],
)
def test_settings_are_checked(toy, settings, error, words):
    with pytest.raises(error, match=words):
        run_recipe(toy, [], settings, "out")


def test_an_unknown_name_is_an_error(place):
    with pytest.raises(UnknownRecipeError):
        run_recipe("toy", [])


def test_after_a_failure_all_is_as_before(place, toy):
    here = Path.cwd()
    with pytest.raises(RecipeFailedError) as raised:
        run_recipe(toy, "in.sof", {"behave": "fail"}, "out")
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert Path.cwd() == here
    assert place.names() == []
    assert len(run_recipe(toy, "in.sof", output="out")) == 1


def test_a_recipe_without_parameters(place):
    place.write(
        "recipes/plain.py",
        "from soxs_recipes.cpl_bridge import cpl\n"
        "class Plain(cpl.ui.PyRecipe):\n"
        "    _name = 'plain'\n"
        "    _author = _copyright = _description = _email = _synopsis = _version = 'x'\n"
        "    def run(self, frameset, settings): return cpl.ui.FrameSet()\n",
    )
    assert place.run("plain", "in.sof") == 0
    assert "[WARNING] pyesorex: Recipe 'plain' has no parameters attribute" in place.out
    assert place.run("--man-page", "plain") == 0
    assert "This recipe has no parameters." in place.out


def test_worker_processes(place):
    folders = ["out/1", "out/2", "out/3"]
    for folder in folders:
        (place.path / folder).mkdir()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        results = list(pool.map(in_worker, folders))
    assert results == [[(str(place.path / folder / "toy.fits"), "TOY")] for folder in folders]


def test_other_threads_of_a_process(place, toy):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(run_recipe, toy, "in.sof", {}, "out").result()) == 1

"""``cpl.ui``: recipes, their parameters and their frames."""

from soxs_recipes.cpl_bridge.embedded.ui_frames import Frame, FrameSet
from soxs_recipes.cpl_bridge.embedded.ui_parameterlists import ParameterList
from soxs_recipes.cpl_bridge.embedded.ui_parameters import (
    Parameter,
    ParameterEnum,
    ParameterRange,
    ParameterValue,
)
from soxs_recipes.cpl_bridge.embedded.ui_recipe import (
    AbstractRecipe,
    CRecipe,
    PyRecipe,
    RecipeNotFoundException,
)

__all__ = [
    "AbstractRecipe",
    "CRecipe",
    "Frame",
    "FrameSet",
    "Parameter",
    "ParameterEnum",
    "ParameterList",
    "ParameterRange",
    "ParameterValue",
    "PyRecipe",
    "RecipeNotFoundException",
]

"""The recipes of SOXS, for PyEsoRex: every recipe class and nothing else."""

from soxs_recipes.recipes.soxs_astro_phot import SoxsAstroPhot
from soxs_recipes.recipes.soxs_disp_solution import SoxsDispSolution
from soxs_recipes.recipes.soxs_extract import SoxsExtract
from soxs_recipes.recipes.soxs_img_mflat import SoxsImgMflat
from soxs_recipes.recipes.soxs_line_check import SoxsLineCheck
from soxs_recipes.recipes.soxs_lingain import SoxsLingain
from soxs_recipes.recipes.soxs_mbias import SoxsMbias
from soxs_recipes.recipes.soxs_mdark import SoxsMdark
from soxs_recipes.recipes.soxs_merge import SoxsMerge
from soxs_recipes.recipes.soxs_nod import SoxsNod
from soxs_recipes.recipes.soxs_offset import SoxsOffset
from soxs_recipes.recipes.soxs_order_centres import SoxsOrderCentres
from soxs_recipes.recipes.soxs_response import SoxsResponse
from soxs_recipes.recipes.soxs_spatial_solution import SoxsSpatialSolution
from soxs_recipes.recipes.soxs_spec_mflat import SoxsSpecMflat
from soxs_recipes.recipes.soxs_stare import SoxsStare
from soxs_recipes.recipes.soxs_straighten import SoxsStraighten
from soxs_recipes.recipes.soxs_telluric import SoxsTelluric

__all__ = [
    "SoxsAstroPhot",
    "SoxsDispSolution",
    "SoxsExtract",
    "SoxsImgMflat",
    "SoxsLineCheck",
    "SoxsLingain",
    "SoxsMbias",
    "SoxsMdark",
    "SoxsMerge",
    "SoxsNod",
    "SoxsOffset",
    "SoxsOrderCentres",
    "SoxsResponse",
    "SoxsSpatialSolution",
    "SoxsSpecMflat",
    "SoxsStare",
    "SoxsStraighten",
    "SoxsTelluric",
]

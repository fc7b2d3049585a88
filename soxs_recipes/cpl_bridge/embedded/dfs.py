"""``cpl.dfs``: products by the rules of ESO's Data Flow System."""

from soxs_recipes.cpl_bridge.embedded.dfs_headers import setup_product_header
from soxs_recipes.cpl_bridge.embedded.dfs_paf import save_paf
from soxs_recipes.cpl_bridge.embedded.dfs_save import (
    save_image,
    save_imagelist,
    save_propertylist,
    save_table,
)
from soxs_recipes.cpl_bridge.embedded.dfs_sign import sign_products, update_product_header

__all__ = [
    "save_image",
    "save_imagelist",
    "save_paf",
    "save_propertylist",
    "save_table",
    "setup_product_header",
    "sign_products",
    "update_product_header",
]

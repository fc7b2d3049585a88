"""What an exposure of the sky is taken for: science, flux standard or telluric standard."""

from __future__ import annotations

from collections.abc import Sequence

from soxs_recipes.recipes.declarations import Hdu, Input, Kind, Product

ROLES = {"SCI": "OBJECT_", "FLUX": "STD_FLUX_", "TELL": "STD_TELLURIC_"}
"""How tags of products start, and how the tags of their raw frames start."""


def role_of(item: Input | Product) -> str:
    """Role in a tag: SCI, FLUX or TELL; empty for what serves all."""
    if isinstance(item, Input) and item.kind is Kind.STATIC:
        return ""
    return role_of_tag(item.tag, isinstance(item, Input) and item.kind is Kind.RAW)


def role_of_tag(tag: str, raw: bool = False) -> str:
    """Role of a raw frame or of a product by its tag; empty for what serves all."""
    starts = ROLES.values() if raw else (f"{role}_" for role in ROLES)
    return next(
        (role for role, start in zip(ROLES, starts, strict=True) if tag.startswith(start)), ""
    )


def role_products(
    stem: str, meaning: str, hdus: tuple[Hdu, ...], roles: Sequence[str] = tuple(ROLES)
) -> dict[str, Product]:
    """Products of one kind, by role: ``SKY_SUB_{arm}`` gives ``SCI_SKY_SUB_{arm}`` and others."""
    return {role: Product(f"{role}_{stem}", meaning, hdus, per_observation=True) for role in roles}


def role_inputs(stem: str, meaning: str, **options: object) -> dict[str, Input]:
    """Product inputs of one kind, by role; `options` are further fields of `Input`."""
    return {role: Input(f"{role}_{stem}", meaning, Kind.CALIB, **options) for role in ROLES}

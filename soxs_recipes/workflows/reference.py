"""The reference page of the recipes, from their declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from soxs_recipes.recipes.declarations import Declaration, Input, Kind, Parameter, Product, Qc

HEAD = """# Recipes

Generated from the declarations in `soxs_recipes/recipes` by `make workflows`; not to be edited.
"""


def reference(declarations: Iterable[Declaration]) -> str:
    """Markdown page with the inputs, products, parameters and QC of every recipe."""
    return "\n".join([HEAD, *(_recipe(declaration) for declaration in declarations)])


def _recipe(declaration: Declaration) -> str:
    paragraphs = declaration.description.strip().split("\n\n")
    parts = [
        f"## {declaration.name}\n",
        f"{declaration.synopsis}. Arms: {', '.join(declaration.arms)}.\n",
        *(f"{paragraph}\n" for paragraph in paragraphs),
        _table(
            ("input", "kind", "number", "meaning", "same as the first input"),
            (_input(declaration, item) for item in declaration.inputs),
        ),
        _table(
            ("product", "extension", "type", "unit", "meaning"),
            (row for item in declaration.products for row in _product(declaration, item)),
        ),
        _table(
            ("parameter", "default", "range or choices", "meaning"),
            (_parameter(declaration, item) for item in declaration.parameters),
        ),
        _table(("QC", "unit", "arms", "meaning"), (_qc(item) for item in declaration.measured)),
    ]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    text = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {line} |" for line in text) + "\n"


def _tags(tag: str, arms: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(f"`{tag.format(arm=arm)}`" for arm in arms))


def _input(declaration: Declaration, item: Input) -> tuple[str, ...]:
    highest = "more" if item.maximum is None else str(item.maximum)
    number = str(item.minimum) if highest == str(item.minimum) else f"{item.minimum} to {highest}"
    if item.minimum == 0 and item.kind is Kind.STATIC:
        number += ", else from the package"
    match = ", ".join(
        match.setting.value + (" (warning)" if match.severity == "warning" else "")
        for match in item.match
    )
    tags = _tags(item.tag, item.arms or declaration.arms)
    return tags, item.kind.value, number, item.help, match


def _product(declaration: Declaration, item: Product) -> list[tuple[str, ...]]:
    rows = [(_tags(item.tag, declaration.arms), "", "", "", item.help)]
    for hdu in item.hdus:
        rows.append(("", hdu.name, hdu.dtype, hdu.unit, hdu.help))
        rows += [("", f"- {c.name}", c.dtype, c.unit, c.help) for c in hdu.columns]
    return rows


def _parameter(declaration: Declaration, item: Parameter) -> tuple[str, ...]:
    if item.choices:
        allowed = ", ".join(map(str, item.choices))
    elif item.minimum is not None:
        allowed = f"{item.minimum:g} to {item.maximum:g}"
    else:
        allowed = ""
    return f"`--{item.name}`", str(item.default), allowed, item.help_text(declaration.arms)


def _qc(item: Qc) -> tuple[str, ...]:
    return f"QC {item.name}", item.unit, ", ".join(item.arms), item.help

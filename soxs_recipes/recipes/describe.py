"""The man-page text of a recipe, from its declaration."""

from __future__ import annotations

from collections.abc import Iterable

from soxs_recipes.recipes.declarations import Declaration, Input, Kind, Qc


def description(declaration: Declaration) -> str:
    """Description with the tables of inputs, products and QC parameters."""
    paragraphs = declaration.description.strip().split("\n\n")
    parts = ["\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)]
    parts += _section(
        "Input frames", (_input_line(declaration, item) for item in declaration.inputs)
    )
    parts += _section(
        "Products",
        (
            f"{_tags(product.tag, declaration.arms)}: {product.help} "
            f"({', '.join(hdu.name for hdu in product.hdus)})"
            for product in declaration.products
        ),
    )
    parts += _section(
        "Quality control parameters",
        (_qc_line(qc) for qc in declaration.measured),
    )
    return "\n".join(parts)


def _qc_line(qc: Qc) -> str:
    unit = f" [{qc.unit}]" if qc.unit else ""
    arms = f" ({', '.join(qc.arms)})" if qc.arms else ""
    return f"QC {qc.name}{unit}{arms}: {qc.help}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines)]


def _input_line(declaration: Declaration, item: Input) -> str:
    tags = _tags(item.tag, item.arms or declaration.arms)
    return f"{tags} ({item.kind.value}, {_count(item)}): {item.help}{_matches(item)}"


def _tags(tag: str, arms: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(tag.format(arm=arm) for arm in arms))


def _count(item: Input) -> str:
    if item.minimum == 0:
        return "optional" if item.kind is not Kind.STATIC else "optional, taken from the package"
    if item.maximum is None:
        return f"{item.minimum} or more"
    if item.minimum == item.maximum:
        return f"exactly {item.minimum}"
    return f"{item.minimum} to {item.maximum}"


def _matches(item: Input) -> str:
    names = ", ".join(match.setting.value for match in item.match)
    return f"; same {names}" if names else ""

"""Check of files against the rules of ESO's Phase 3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soxs_recipes.products.phase3_file import Phase3File, opened
from soxs_recipes.products.phase3_rules import FILE_RULES, Rule
from soxs_recipes.products.phase3_rules_image import IMAGE_RULES
from soxs_recipes.products.phase3_rules_ranges import RANGE_RULES
from soxs_recipes.products.phase3_rules_science import SCIENCE_RULES
from soxs_recipes.products.phase3_rules_spectrum import SPECTRUM_RULES

RULES = (*FILE_RULES, *SCIENCE_RULES, *RANGE_RULES, *SPECTRUM_RULES, *IMAGE_RULES)


@dataclass(frozen=True)
class Problem:
    """What a rule finds wrong.

    Attributes
    ----------
    rule : Rule
        The rule.
    text : str
        What is wrong, in words.
    """

    rule: Rule
    text: str

    def __str__(self) -> str:
        return f"{self.text} [{self.rule.section}: {self.rule.name}]"


def rules_for(category: str) -> tuple[Rule, ...]:
    """Rules that a file of a category has to keep."""
    if not category.startswith("SCIENCE."):
        return FILE_RULES
    own = {"SCIENCE.SPECTRUM": SPECTRUM_RULES, "SCIENCE.IMAGE": IMAGE_RULES}.get(category, ())
    return (*FILE_RULES, *SCIENCE_RULES, *RANGE_RULES, *own)


def check_file(path: Path) -> list[Problem]:
    """What is wrong with a file; nothing if it keeps all rules.

    Raises
    ------
    UnreadableFrameError
        If it is no FITS file.
    """
    with opened(path) as file:
        return [
            Problem(rule, text) for rule in rules_for(file.category) for text in rule.check(file)
        ]


def advice(path: Path) -> list[str]:
    """What is allowed, but will be asked about."""
    with opened(path) as file:
        return list(_advice(file))


def _advice(file: Phase3File) -> list[str]:
    if file.category.startswith("SCIENCE.") and not str(file.primary.get("PROG_ID", "")).strip():
        return ["PROG_ID is empty: set it to the ESO programme, for example 105.20XX.001"]
    return []

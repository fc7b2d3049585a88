"""What a recipe takes, makes and measures, declared once and used by everything else.

The parameter lists, the checks of a set of frames, man pages, EsoRex descriptions, OCA rules,
the EsoReflex workflow and the reference pages are all made from these declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Literal

Value = bool | int | float | str

AUTO = "auto"
LONGEST_TEXT = 42
_ALIAS = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Kind(Enum):
    """What a frame is to a recipe."""

    RAW = "raw"
    CALIB = "calibration"
    STATIC = "static calibration"


class Setting(Enum):
    """A detector or instrument setting in which frames must agree with the main input."""

    BINNING = "binning"
    READ_MODE = "read mode"
    EXPTIME = "exposure time"
    SLIT = "slit"
    FILTER = "filter"


@dataclass(frozen=True)
class Match:
    """A setting that must be that of the main input.

    Attributes
    ----------
    setting : Setting
        What is compared.
    severity : {'error', 'warning'}
        What follows when it differs.
    unless : str
        Name of a boolean parameter that permits the difference when it is set.
    associate : bool
        Whether workflows look for frames that agree even though a difference is only warned of.
    """

    setting: Setting
    severity: Literal["error", "warning"] = "error"
    unless: str = ""
    associate: bool = False


SAME_READOUT = (Match(Setting.BINNING), Match(Setting.READ_MODE))


@dataclass(frozen=True)
class Input:
    """A kind of frame that a recipe takes; the first of a recipe is its main input.

    Attributes
    ----------
    tag : str
        Frame tag; ``{arm}`` stands for the arm.
    help : str
        What the frame is for, one line.
    kind : Kind
        Raw frame, calibration product or static table.
    minimum, maximum : int
        How many are needed and allowed; no upper bound if None.
    arms : tuple of str
        Arms that take it; empty means all of the recipe's.
    match : tuple of Match
        Settings in which it must agree with the main input.
    packaged : str
        File of the package that a static input is taken from unless it is given; ``{arm}`` stands
        for the arm in lower case. Empty if there is none.
    alternative : bool
        Whether it may stand in place of the main input; workflows give the main input.
    """

    tag: str
    help: str
    kind: Kind = Kind.RAW
    minimum: int = 1
    maximum: int | None = None
    arms: tuple[str, ...] = ()
    match: tuple[Match, ...] = ()
    packaged: str = ""
    alternative: bool = False

    def tag_of(self, arm: str) -> str:
        """Frame tag for one arm."""
        return self.tag.format(arm=arm)


QC_RANGES = Input(
    "QC_RANGES",
    "ranges outside which QC parameters are flagged",
    Kind.STATIC,
    minimum=0,
    maximum=1,
    packaged="qc_ranges.ecsv",
)
"""Taken by every recipe."""


@dataclass(frozen=True)
class Column:
    """A table column of a product."""

    name: str
    dtype: str
    unit: str
    help: str


@dataclass(frozen=True)
class Hdu:
    """An extension of a product.

    Attributes
    ----------
    name : str
        EXTNAME.
    dtype : str
        numpy type of the pixels; 'table' for a binary table.
    unit : str
        Unit of the pixels; empty for none.
    help : str
        Meaning, one line.
    columns : tuple of Column
        Columns of a table.
    """

    name: str
    dtype: str
    unit: str
    help: str
    columns: tuple[Column, ...] = ()


def detector_hdus(unit: str, meaning: str) -> tuple[Hdu, ...]:
    """Extensions of a detector frame: flux, its standard error, its quality mask."""
    return (
        Hdu("FLUX", "f4", unit, meaning),
        Hdu("ERRS", "f4", unit, "standard error of FLUX"),
        Hdu("QUAL", "u2", "", "quality bit mask, 0 is good"),
    )


@dataclass(frozen=True)
class Product:
    """A product of a recipe.

    Attributes
    ----------
    tag : str
        PRO CATG, with ``{arm}`` for the arm.
    help : str
        Meaning, one line.
    hdus : tuple of Hdu
        Extensions; none of a product that is no FITS file.
    per_observation : bool
        Whether its file name tells when the first raw frame was taken.
    on_request : bool
        Whether it is made only where it is asked for or where there is something to show.
    suffix : str
        Suffix of its file.
    """

    tag: str
    help: str
    hdus: tuple[Hdu, ...]
    per_observation: bool = False
    on_request: bool = False
    suffix: str = ".fits"

    def tag_of(self, arm: str) -> str:
        """PRO CATG for one arm."""
        return self.tag.format(arm=arm)


@dataclass(frozen=True)
class Parameter:
    """A recipe parameter: its type is that of its default.

    Attributes
    ----------
    name : str
        Command-line name, lower-case words joined by '-'.
    default : bool, int, float or str
        ``'auto'`` where the default differs by arm; `by_arm` then says which.
    help : str
        One sentence.
    unit : str
        Unit of a number; empty for none.
    minimum, maximum : number or None
        Allowed range, ends included.
    choices : tuple
        Allowed values; empty means any.
    by_arm : mapping of str to value
        What 'auto' stands for in each arm.

    Raises
    ------
    ValueError
        If the declaration contradicts itself.
    """

    name: str
    default: Value
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Value, ...] = ()
    by_arm: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not _ALIAS.fullmatch(self.name):
            raise ValueError(f"parameter name {self.name!r} is not lower-case words joined by '-'")
        if self.choices and self.default not in self.choices:
            raise ValueError(f"default of {self.name} is not one of its choices")
        if isinstance(self.default, float) and None in (self.minimum, self.maximum):
            raise ValueError(f"{self.name} needs a range")
        if self.minimum is not None and not self.minimum <= self.default <= self.maximum:
            raise ValueError(f"default of {self.name} is out of its range")
        if isinstance(self.default, str) and len(self.default) > LONGEST_TEXT:
            raise ValueError(f"default of {self.name} is longer than a header card takes")

    @property
    def attribute(self) -> str:
        """Name as a Python attribute."""
        return self.name.replace("-", "_")

    def help_text(self, arms: tuple[str, ...]) -> str:
        """Help with the unit and, where the default depends on the arm, its values."""
        unit = f" [{self.unit}]" if self.unit else ""
        defaults = ", ".join(f"{arm}: {self.by_arm[arm]}" for arm in arms if arm in self.by_arm)
        return f"{self.help}{unit}" + (f" ('auto' is {defaults})" if defaults else "")


PLOTS = Parameter("plots", False, "Whether a quality-control page is drawn")
"""Taken by every recipe of single arms."""


@dataclass(frozen=True)
class Qc:
    """A quality-control parameter, written as ``ESO QC <name>``.

    Attributes
    ----------
    name : str
        Name in the archive's vocabulary; a lower-case ``i`` stands for a running index.
    unit : str
        Unit; empty for none.
    help : str
        Meaning, one line.
    kind : type
        float, int, str or bool.
    arms : tuple of str
        Arms in which it is measured; empty means all of the recipe's.
    optional : bool
        Whether some sets of frames have nothing to measure it with.
    """

    name: str
    unit: str
    help: str
    kind: type = float
    arms: tuple[str, ...] = ()
    optional: bool = False

    @property
    def comment(self) -> str:
        """Header comment: unit in brackets, then the meaning."""
        return f"[{self.unit}] {self.help}" if self.unit else self.help


@dataclass(frozen=True)
class Declaration:
    """Everything a recipe says of itself.

    Attributes
    ----------
    name : str
        Recipe name, ``soxs_...``.
    synopsis : str
        One line without a full stop.
    description : str
        What it does, for the man page.
    arms : tuple of str
        Arms it reduces; one arm per run.
    inputs, products, parameters, qc : tuples
        What it takes, makes, is steered by and measures.
    example : tuple of (str, int)
        Tags and counts of a set of frames of the small simulated night it runs on.
    joint : bool
        Whether one run takes frames of several arms together.
    """

    name: str
    synopsis: str
    description: str
    arms: tuple[str, ...]
    inputs: tuple[Input, ...]
    products: tuple[Product, ...]
    parameters: tuple[Parameter, ...]
    qc: tuple[Qc, ...]
    example: tuple[tuple[str, int], ...]
    joint: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", (*self.inputs, QC_RANGES))
        if not self.joint:
            object.__setattr__(self, "parameters", (*self.parameters, PLOTS))
            object.__setattr__(self, "products", (*self.products, self.page))

    @property
    def page(self) -> Product:
        """The quality-control page."""
        stem = self.name.removeprefix("soxs_").upper()
        return Product(
            f"QC_{stem}_{{arm}}",
            "quality-control page, a picture",
            (),
            any(item.per_observation for item in self.products),
            on_request=True,
            suffix=".png",
        )

    @property
    def main_input(self) -> Input:
        """The input whose settings the others must match."""
        return self.inputs[0]

    def inputs_of(self, arm: str) -> tuple[Input, ...]:
        """Inputs that one arm takes."""
        return tuple(item for item in self.inputs if not item.arms or arm in item.arms)

    @property
    def measured(self) -> tuple[Qc, ...]:
        """QC parameters of any of the recipe's arms."""
        return tuple(item for item in self.qc if not item.arms or set(item.arms) & set(self.arms))

    def qc_of(self, arm: str) -> tuple[Qc, ...]:
        """QC parameters that one arm has."""
        return tuple(item for item in self.qc if not item.arms or arm in item.arms)

    def tags(self) -> Iterator[tuple[str, str, Input]]:
        """Every (tag, arm, input) the recipe takes."""
        for arm in self.arms:
            for item in self.inputs_of(arm):
                yield item.tag_of(arm), arm, item

    def full_name(self, parameter: Parameter) -> str:
        """Full name of a parameter in parameter lists and configuration files."""
        return f"soxs.{self.name}.{parameter.name}"

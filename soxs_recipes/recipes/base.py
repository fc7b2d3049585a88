"""The machinery of a recipe: from a set of frames and settings to published products."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from soxs_recipes import __version__
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.recipes.declarations import (
    QC_RANGES,
    Declaration,
    Hdu,
    Kind,
    Parameter,
    Product,
    Qc,
    Value,
)
from soxs_recipes.recipes.describe import description
from soxs_recipes.recipes.observed import observed_cards
from soxs_recipes.recipes.product_headers import (
    Origin,
    flag_outside,
    measured,
    product_frame,
    product_header,
)
from soxs_recipes.recipes.settings import for_arm, resolve

if TYPE_CHECKING:
    from astropy.io import fits

    from soxs_recipes.instrument.arm import Arm
    from soxs_recipes.qc.ranges import QcRange
    from soxs_recipes.recipes.frames import InputFrame, InputSet

Draw = Callable[[Mapping[str, Sequence[Path]], Path], None]


@dataclass(frozen=True)
class Result:
    """A product in memory.

    Attributes
    ----------
    product : Product
        Which of the recipe's products it is.
    content : mapping of str to ndarray or Table
        Data of each declared extension.
    qc : mapping of str to value
        QC parameters, by declared name.
    exptime_s : float
        Exposure time that the product stands for.
    units : mapping of str to str
        Units of extensions where they are not the declared ones.
    steps : tuple of str
        What was done to the raw frames, in order; written as HISTORY.
    cards : mapping of str to mapping
        Further header cards of extensions, for example of their coordinates; of the primary
        header under ``""``, where None takes a card out.
    frames : tuple of InputFrame
        Raw frames it was made from; empty for all of the run.
    arm : str
        Arm of the product where a run has several; empty for that of the run.
    draw : callable, optional
        Of a product that is no FITS file: writes it, called with the paths of the finished FITS
        products by tag and the path to write.
    """

    product: Product
    content: Mapping[str, Any]
    qc: Mapping[str, Value | None]
    exptime_s: float
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    steps: tuple[str, ...] = ()
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    frames: tuple[InputFrame, ...] = ()
    arm: str = ""
    draw: Draw | None = None

    def tag(self, run: Run) -> str:
        """PRO CATG."""
        return self.product.tag_of(self.arm or run.arm.name)


def drawn(product: Product, draw: Draw, arm: str = "") -> Result:
    """A product that is drawn or written from the finished FITS products of the run."""
    return Result(product, {}, {}, 0.0, arm=arm, draw=draw)


@dataclass(frozen=True)
class Run:
    """What `process` works on: the checked frames, the settings, and a voice."""

    recipe: str
    inputs: InputSet
    settings: SimpleNamespace
    qc_ranges: tuple[QcRange, ...] = ()

    @property
    def arm(self) -> Arm:
        """The arm of all frames."""
        return self.inputs.arm

    def info(self, text: str) -> None:
        """Tell the user what is done."""
        cpl.core.Msg.info(self.recipe, text)

    def warning(self, text: str) -> None:
        """Tell the user what may be amiss."""
        cpl.core.Msg.warning(self.recipe, text)


class SoxsRecipe(cpl.ui.PyRecipe):
    """Base of all recipes: a recipe adds its declaration and `process`."""

    declaration: ClassVar[Declaration]
    _author = "The SOXS recipes developers"
    _email = "https://www.eso.org/sci/facilities/lasilla/instruments/soxs.html"
    _copyright = "GPL-3.0-or-later"
    _version = __version__

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._name = cls.declaration.name
        cls._synopsis = cls.declaration.synopsis
        cls._description = description(cls.declaration)

    def __init__(self) -> None:
        super().__init__()
        declaration = self.declaration
        self.parameters = cpl.ui.ParameterList(
            [_cpl_parameter(declaration, item) for item in declaration.parameters]
        )

    @abstractmethod
    def process(self, run: Run) -> Iterable[Result]:
        """Reduce the frames of a run to products."""

    def run(self, frameset: cpl.ui.FrameSet, settings: Mapping[str, Value]) -> cpl.ui.FrameSet:
        """Check the input, reduce it and publish the products in the working directory.

        Parameters
        ----------
        frameset : cpl.ui.FrameSet
            Input frames with their tags; their groups are set.
        settings : mapping of str to value
            Parameters that were set, by full name.

        Returns
        -------
        cpl.ui.FrameSet
            Product frames, named relative to the working directory.

        Raises
        ------
        SoxsError
            If an input, a setting or the disk does not allow a product; none is left then.
        """
        from soxs_recipes.products.writing import publish, scratch_directory

        run = self._prepare(frameset, settings)
        here = Path.cwd()
        with scratch_directory(here) as scratch:
            written = self._write_all(run, chain(self.process(run), self._page(run)), scratch)
            for path in publish(scratch, here, [name for name, _ in written]):
                run.warning(f"{path.name} was made from other raw files and has been replaced")
        return cpl.ui.FrameSet(
            [product_frame(name, tag, name.endswith(".fits")) for name, tag in written]
        )

    def _page(self, run: Run) -> list[Result]:
        """Return the quality-control page, if it is asked for."""
        from functools import partial

        from soxs_recipes.qc.pages import draw_page

        if self.declaration.joint or not run.settings.plots:
            return []
        return [drawn(self.declaration.page, partial(draw_page, run.recipe))]

    def _write_all(
        self, run: Run, results: Iterable[Result], scratch: Path
    ) -> list[tuple[str, str]]:
        """Write the FITS products, then what is drawn from them; tell what was measured.

        A product is written as soon as the recipe yields it, while it makes the next, so that many
        need not fit into memory together. Returned are their names and tags.
        """
        from soxs_recipes.products.writing import written_aside

        told: list[tuple[Callable[[str], None], str]] = []
        written: list[tuple[str, str]] = []
        pictures: list[Result] = []
        with written_aside() as write:
            for result in results:
                if result.draw is not None:
                    pictures.append(result)
                    continue
                name, lines = self._write(result, run, scratch, write)
                written.append((name, result.tag(run)))
                told += lines
        finished: dict[str, list[Path]] = {}
        for name, tag in written:
            finished.setdefault(tag, []).append(scratch / name)
        for result in pictures:
            name = self._file_name(result, run)
            result.draw(finished, scratch / name)
            written.append((name, result.tag(run)))
            told.append((run.info, f"{result.tag(run)}: {name}"))
        # Products of one run share most of their QC: each value is told once.
        for tell, text in dict.fromkeys(told):
            tell(text)
        return written

    def _prepare(self, frameset: cpl.ui.FrameSet, settings: Mapping[str, Value]) -> Run:
        """Check settings and frames; what is given is noted in the parameter list for DFS."""
        from soxs_recipes.recipes.frames import Entry, check_frames, mismatches

        values = resolve(self.declaration, settings)
        for name, value in values.items():
            self.parameters[name].value = value
        inputs = check_frames(
            self.declaration, [Entry(Path(frame.file), frame.tag) for frame in frameset]
        )
        chosen = for_arm(self.declaration, values, inputs.arm.name)
        run = Run(self.declaration.name, inputs, chosen, _qc_ranges(inputs))
        permitted = [name for name, value in vars(chosen).items() if value is True]
        names = [name.replace("_", "-") for name in permitted]
        for text in mismatches(self.declaration, inputs, names):
            run.warning(text)
        self._set_groups(frameset)
        return run

    def _set_groups(self, frameset: cpl.ui.FrameSet) -> None:
        groups = {
            tag: "RAW" if item.kind is Kind.RAW else "CALIB"
            for tag, _, item in self.declaration.tags()
        }
        for frame in frameset:
            frame.group = getattr(cpl.ui.Frame.FrameGroup, groups[frame.tag])

    def _write(
        self, result: Result, run: Run, scratch: Path, write: Callable[..., None]
    ) -> tuple[str, list[tuple[Callable[[str], None], str]]]:
        """Write one product into the scratch directory; return its name and what to tell of it."""
        tag, name = result.tag(run), self._file_name(result, run)
        arm = result.arm or run.arm.name
        qc = measured(self.declaration, result.qc, arm)
        origin = self._origin(result, run)
        header = product_header(origin, tag, scratch / name, result.exptime_s, qc)
        flag_outside(header, run.qc_ranges, run.recipe, arm, qc)
        if result.product.per_observation:
            _set_cards(header, observed_cards(origin.observed))
        _set_cards(header, result.cards.get("", {}))
        for step in result.steps:
            header.add_history(step)
        write(scratch / name, header, _extensions(result))
        lines = [(run.info, _qc_line(*item)) for item in qc]
        lines += [(run.warning, f"QC {text}") for text in header["QCOUT*"].values()]
        return name, [*lines, (run.info, f"{tag}: {name}")]

    def _origin(self, result: Result, run: Run) -> Origin:
        arm = result.arm if self.declaration.joint else ""
        return Origin(self.declaration, self.parameters, run.inputs, result.frames, arm)

    def _file_name(self, result: Result, run: Run) -> str:
        """Name of the product's file."""
        parts = [result.tag(run).lower()]
        if result.product.per_observation:
            mjd = self._origin(result, run).mjd_obs
            parts += [] if mjd is None else [f"{mjd:.7f}"]
        suffix = run.settings.product_suffix
        return "_".join([*parts, suffix] if suffix else parts) + result.product.suffix


def _set_cards(header: fits.Header, cards: Mapping[str, Any]) -> None:
    """Add cards to a primary header; None takes one out."""
    for name, card in cards.items():
        if card is None:
            header.remove(name, ignore_missing=True)
        else:
            header[name] = card


def _cpl_parameter(declaration: Declaration, item: Parameter) -> Any:
    """Return the PyCPL form of a parameter declaration."""
    common = (
        declaration.full_name(item),
        item.help_text(declaration.arms),
        f"soxs.{declaration.name}",
        item.default,
    )
    if item.choices:
        parameter = cpl.ui.ParameterEnum(*common, item.choices)
    elif item.minimum is not None:
        kind = type(item.default)
        parameter = cpl.ui.ParameterRange(*common, kind(item.minimum), kind(item.maximum))
    else:
        parameter = cpl.ui.ParameterValue(*common)
    parameter.cli_alias = item.name
    return parameter


def _qc_line(item: Qc, value: Value) -> str:
    number = f"{value:.5g}" if isinstance(value, float) else str(value)
    return f"QC {item.name} = {number} {item.unit}".rstrip()


def _qc_ranges(inputs: InputSet) -> tuple[QcRange, ...]:
    from soxs_recipes.qc.ranges import read_ranges

    return read_ranges(inputs.static(QC_RANGES)[0])


def _extensions(result: Result) -> list[Any]:
    """Extensions in the declared order, type and unit."""
    from soxs_recipes.products.detector_frames import HDU_CLASSES
    from soxs_recipes.products.writing import Extension

    def extension(hdu: Hdu) -> Extension:
        data = result.content[hdu.name]
        if hdu.dtype != "table":
            data = data.astype(hdu.dtype, copy=False)
        unit = result.units.get(hdu.name, hdu.unit)
        cards = {**HDU_CLASSES.get(hdu.name, {}), **_column_units(hdu)}
        return Extension(hdu.name, data, unit, {**cards, **result.cards.get(hdu.name, {})})

    return [extension(hdu) for hdu in result.product.hdus]


def _column_units(hdu: Hdu) -> dict[str, str]:
    """Units of the columns of a table, as declared.

    They are written as cards, for astropy leaves units out that FITS does not know, like the
    electron.
    """
    return {f"TUNIT{n}": column.unit for n, column in enumerate(hdu.columns, 1) if column.unit}


def temperatures(frames: Sequence[InputFrame]) -> dict[str, float | None]:
    """Mean temperatures of the frames, as QC values."""
    return {
        name: _mean([frame.header.get(keyword) for frame in frames])
        for name, keyword in frames[0].arm.temperature_keywords.items()
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None

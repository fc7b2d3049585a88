"""The machinery of a recipe: from a set of frames and settings to published products."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from soxs_recipes import __version__
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.recipes.common import QC_RANGES
from soxs_recipes.recipes.declarations import Declaration, Hdu, Kind, Parameter, Product, Qc, Value
from soxs_recipes.recipes.describe import description
from soxs_recipes.recipes.settings import for_arm, resolve

if TYPE_CHECKING:
    from astropy.io import fits

    from soxs_recipes.instrument.arm import Arm
    from soxs_recipes.qc.ranges import QcRange
    from soxs_recipes.recipes.frames import InputFrame, InputSet

PIPELINE_ID = f"soxs/{__version__}"
DICTIONARY_ID = "PRO-1.17"
UNREADABLE_BY_CPL = (".Z", ".fz")
STRUCTURAL = ("SIMPLE", "BITPIX", "EXTEND")


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
        Further header cards of extensions, for example of their coordinates.
    """

    product: Product
    content: Mapping[str, Any]
    qc: Mapping[str, Value | None]
    exptime_s: float
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    steps: tuple[str, ...] = ()
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))


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
    def process(self, run: Run) -> Sequence[Result]:
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
            results = self.process(run)
            written = [self._write(result, run, frameset, scratch) for result in results]
            # Products of one run share most of their QC: each value is told once.
            for tell, text in dict.fromkeys(line for _, lines in written for line in lines):
                tell(text)
            names = [name for name, _ in written]
            for path in publish(scratch, here, names):
                run.warning(f"{path.name} was made from other raw files and has been replaced")
        return cpl.ui.FrameSet(
            [
                _product_frame(name, result.product.tag_of(run.arm.name))
                for name, result in zip(names, results, strict=True)
            ]
        )

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
        self, result: Result, run: Run, frameset: cpl.ui.FrameSet, scratch: Path
    ) -> tuple[str, list[tuple[Callable[[str], None], str]]]:
        """Write one product into the scratch directory; return its name and what to tell of it."""
        from soxs_recipes.products.writing import write_product

        tag = result.product.tag_of(run.arm.name)
        suffix = run.settings.product_suffix
        name = tag.lower() + (f"_{suffix}" if suffix else "") + ".fits"
        header = self._primary_header(result, run, frameset, scratch / name)
        write_product(scratch / name, header, _extensions(result))
        qc = _measured(self.declaration, result.qc, run.arm.name)
        lines = [(run.info, _qc_line(*item)) for item in qc]
        lines += [(run.warning, f"QC {text}") for text in header["QCOUT*"].values()]
        return name, [*lines, (run.info, f"{tag}: {name}")]

    def _primary_header(
        self, result: Result, run: Run, frameset: cpl.ui.FrameSet, path: Path
    ) -> fits.Header:
        """Primary header by ESO's DFS rules, as CPL makes it."""
        tag = result.product.tag_of(run.arm.name)
        cards = cpl.core.PropertyList()
        cards.append(cpl.core.Property("EXPTIME", float(result.exptime_s), "[s] Exposure time"))
        for item, value in _measured(self.declaration, result.qc, run.arm.name):
            cards.append(_qc_card(item, value))
        path.touch()
        cpl.dfs.setup_product_header(
            cards,
            _product_frame(str(path), tag),
            _readable_by_cpl(frameset, run.inputs.frames, path.parent),
            self.parameters,
            self.declaration.name,
            PIPELINE_ID,
            DICTIONARY_ID,
        )
        header = _astropy_header(cards, path.name)
        _flag_qc(header, run, _measured(self.declaration, result.qc, run.arm.name))
        for step in result.steps:
            header.add_history(step)
        return header


def _readable_by_cpl(
    frameset: cpl.ui.FrameSet, frames: Sequence[InputFrame], scratch: Path
) -> cpl.ui.FrameSet:
    """Frames whose headers CPL can read: of a packed file it gets a copy of the header alone."""
    from soxs_recipes.products.writing import write_header

    headers = {str(frame.path): frame.header for frame in frames}
    readable = cpl.ui.FrameSet()
    for frame in frameset:
        file = Path(frame.file)
        if file.suffix in UNREADABLE_BY_CPL:
            file = write_header(scratch / "headers" / file.name, headers[frame.file])
        readable.append(cpl.ui.Frame(str(file), frame.tag, group=frame.group))
    return readable


def _astropy_header(cards: Any, file_name: str) -> fits.Header:
    """Header of an empty primary HDU with the given cards; comments are cut to what fits."""
    import warnings

    from astropy.io import fits

    header = fits.Header()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        for card in cards:
            if card.name in STRUCTURAL or card.name.startswith("NAXIS"):
                continue
            prefix = "HIERARCH " if card.name.startswith("ESO ") else ""
            header[prefix + card.name] = (card.value, card.comment)
        header["PIPEFILE"] = (file_name, "Filename of data product")
        return fits.Header.fromstring(header.tostring())


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


def _measured(
    declaration: Declaration, qc: Mapping[str, Value | None], arm: str
) -> list[tuple[Qc, Value]]:
    """QC values in the declared order; what could not be measured (None, NaN) is left out.

    Raises
    ------
    ValueError
        If a value has no declaration, or a declared parameter was not measured at all.
    """
    declared = {item.name: item for item in declaration.qc_of(arm)}
    if set(qc) != set(declared):
        raise ValueError(f"QC of {declaration.name}: {sorted(set(qc) ^ set(declared))}")
    return [
        (item, _rounded(item.kind(qc[name])))
        for name, item in declared.items()
        if qc[name] is not None and qc[name] == qc[name]
    ]


def _rounded(value: Value) -> Value:
    """Keep as many digits as mean something, so that a header card has room for its comment."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _qc_card(item: Qc, value: Value) -> Any:
    return cpl.core.Property(f"ESO QC {item.name}", value, item.comment)


def _qc_line(item: Qc, value: Value) -> str:
    number = f"{value:.5g}" if isinstance(value, float) else str(value)
    return f"QC {item.name} = {number} {item.unit}".rstrip()


def _qc_ranges(inputs: InputSet) -> tuple[QcRange, ...]:
    """Ranges among the frames, else those of the package."""
    from soxs_recipes.qc.ranges import packaged_ranges, read_ranges

    given = inputs.one(QC_RANGES)
    return packaged_ranges() if given is None else read_ranges(given.path)


def _flag_qc(header: fits.Header, run: Run, measured: Sequence[tuple[Qc, Value]]) -> None:
    """Note in a header which QC parameters lie outside their range."""
    from soxs_recipes.qc.ranges import outside

    values = [(item.name, value) for item, value in measured]
    found = outside(run.qc_ranges, run.recipe, run.arm.name, values)
    header["QCNOUT"] = (len(found), "QC parameters outside their range")
    for number, (name, value, item) in enumerate(found, 1):
        header[f"QCOUT{number}"] = f"{name} = {value:.5g}, not {item}"


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


def _product_frame(name: str, tag: str) -> Any:
    frame = cpl.ui.Frame
    return frame(
        name,
        tag,
        group=frame.FrameGroup.PRODUCT,
        level=frame.FrameLevel.FINAL,
        frameType=frame.FrameType.IMAGE,
    )


def temperatures(frames: Sequence[InputFrame]) -> dict[str, float | None]:
    """Mean temperatures of the frames, as QC values."""
    return {
        name: _mean([frame.header.get(keyword) for frame in frames])
        for name, keyword in frames[0].arm.temperature_keywords.items()
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None

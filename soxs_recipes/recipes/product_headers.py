"""Primary headers of products, by ESO's DFS rules, with quality control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soxs_recipes import __version__
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.recipes.declarations import Declaration, Input, Kind, Qc, Value

if TYPE_CHECKING:
    from astropy.io import fits

    from soxs_recipes.qc.ranges import QcRange
    from soxs_recipes.recipes.frames import InputFrame, InputSet

PIPELINE_ID = f"soxs/{__version__}"
DICTIONARY_ID = "PRO-1.17"
UNREADABLE_BY_CPL = (".Z", ".fz")
STRUCTURAL = ("SIMPLE", "BITPIX", "EXTEND")


@dataclass(frozen=True)
class Origin:
    """What a product is made of and by: all that its header tells beside the measurements.

    Attributes
    ----------
    declaration : Declaration
        The recipe's.
    parameters : cpl.ui.ParameterList
        Settings of the run.
    inputs : InputSet
        Frames of the run.
    raw : tuple of InputFrame
        Raw frames that this product was made from; empty for all.
    arm : str
        Arm of a product that was made from the frames of one arm of several; empty for all.
    """

    declaration: Declaration
    parameters: Any
    inputs: InputSet
    raw: tuple[InputFrame, ...] = ()
    arm: str = ""

    @property
    def frames(self) -> list[InputFrame]:
        """Frames it was made from, those of the main input first."""
        kinds = {tag: item for tag, _, item in self.declaration.tags()}
        main = self.declaration.main_input

        def ours(frame: InputFrame) -> bool:
            if self.arm and frame.arm.name in self.declaration.arms:
                return frame.arm.name == self.arm
            return kinds[frame.tag].kind is not Kind.RAW or not self.raw or frame in self.raw

        used = [frame for frame in self.inputs.frames if ours(frame)]
        return sorted(used, key=lambda frame: kinds[frame.tag] is not main)

    @property
    def observed(self) -> list[InputFrame]:
        """Frames whose times are those of the product.

        Raw frames, or products of the kind of the main input: the times of calibrations are other.
        """
        kinds = {tag: item for tag, _, item in self.declaration.tags()}
        first = kinds[self.frames[0].tag]

        def leads(item: Input) -> bool:
            return item.kind is Kind.RAW if first.kind is Kind.RAW else item is first

        return [frame for frame in self.frames if leads(kinds[frame.tag])]

    @property
    def mjd_obs(self) -> float | None:
        """Start of the first exposure that it was made from."""
        times = [frame.header.get(kw.MJD_OBS) for frame in self.observed]
        return min((float(time) for time in times if time is not None), default=None)


def product_header(
    origin: Origin, tag: str, path: Path, exptime_s: float, qc: Sequence[tuple[Qc, Value]]
) -> fits.Header:
    """Primary header of a product as CPL makes it.

    Parameters
    ----------
    origin : Origin
        What it is made of.
    tag : str
        Its PRO CATG.
    path : Path
        Where it will be written; what CPL has to read is put beside it.
    exptime_s : float
        Exposure time that it stands for.
    qc : sequence of (Qc, value)
        What was measured.
    """
    cards = cpl.core.PropertyList()
    cards.append(cpl.core.Property("EXPTIME", float(exptime_s), "[s] Exposure time"))
    for item, value in qc:
        cards.append(cpl.core.Property(f"ESO QC {item.name}", value, item.comment))
    for name, value in _inherited(origin.frames[0]):
        cards.append(cpl.core.Property(name, value))
    path.touch()
    cpl.dfs.setup_product_header(
        cards,
        product_frame(str(path), tag),
        _readable_by_cpl(origin, path.parent),
        origin.parameters,
        origin.declaration.name,
        PIPELINE_ID,
        DICTIONARY_ID,
    )
    return _astropy_header(cards, path.name)


def product_frame(name: str, tag: str, fits_file: bool = True) -> Any:
    """Frame of a product for a set of frames."""
    frame = cpl.ui.Frame
    kind = frame.FrameType.IMAGE if fits_file else frame.FrameType.ANY
    return frame(
        name,
        tag,
        group=frame.FrameGroup.PRODUCT,
        level=frame.FrameLevel.FINAL,
        frameType=kind,
    )


def measured(
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


def flag_outside(
    header: fits.Header,
    ranges: Sequence[QcRange],
    recipe: str,
    arm: str,
    values: Sequence[tuple[Qc, Value]],
) -> None:
    """Note in a header which QC parameters lie outside their range."""
    from soxs_recipes.qc.ranges import outside

    named = [(item.name, value) for item, value in values]
    found = outside(ranges, recipe, arm, named)
    header["QCNOUT"] = (len(found), "QC parameters outside their range")
    for number, (name, value, item) in enumerate(found, 1):
        header[f"QCOUT{number}"] = f"{name} = {value:.5g}, not {item}"


def _inherited(first: InputFrame) -> list[tuple[str, Value]]:
    """What a product of products takes over from the first: CPL looks for it in raw frames only."""
    if kw.DPR_TECH in first.header:
        return []
    names = (kw.PRO_TECH, kw.PRO_SCIENCE)
    return [(name, first.header[name]) for name in names if name in first.header]


def _readable_by_cpl(origin: Origin, scratch: Path) -> cpl.ui.FrameSet:
    """Frames whose headers CPL can read: of others it gets a copy of the header alone."""
    from soxs_recipes.products.writing import write_header

    readable = cpl.ui.FrameSet()
    groups = {
        tag: "RAW" if item.kind is Kind.RAW else "CALIB"
        for tag, _, item in origin.declaration.tags()
    }
    copies = scratch / "headers"
    for frame in origin.frames:
        file = frame.path
        if file.suffix in UNREADABLE_BY_CPL:
            file = write_header(copies / file.name, frame.header)
        group = getattr(cpl.ui.Frame.FrameGroup, groups[frame.tag])
        readable.append(cpl.ui.Frame(str(file), frame.tag, group=group))
    for tag, paths in origin.inputs.statics.items():
        for path in paths:
            copy = write_header(copies / path.name, _static_header(path))
            readable.append(cpl.ui.Frame(str(copy), tag, group=cpl.ui.Frame.FrameGroup.CALIB))
    return readable


def _static_header(path: Path) -> fits.Header:
    """Header that identifies a static calibration: the MD5 of the file."""
    import hashlib

    from astropy.io import fits

    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
    return fits.Header([("DATAMD5", digest.hexdigest())])


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


def _rounded(value: Value) -> Value:
    """Keep as many digits as mean something, so that a header card has room for its comment."""
    return float(f"{value:.7g}") if isinstance(value, float) else value

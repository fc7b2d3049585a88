"""Product headers by ESO's Data Flow System rules (``cpl_dfs_setup_product_header``).

Keywords of the first raw frame (else the first calibration) are inherited, then the processing
record PRO RECn is added: recipe, pipeline, raw frames, calibrations with their MD5, parameters.
Records of earlier steps are kept, so n counts the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    DataNotFoundError,
    IllegalInputError,
    TypeMismatchError,
    passed_on,
)
from soxs_recipes.cpl_bridge.embedded.core_errors import (
    FileNotFoundError as CplFileNotFoundError,
)
from soxs_recipes.cpl_bridge.embedded.core_msg import Msg
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_propertylists import PropertyList
from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, Type
from soxs_recipes.cpl_bridge.embedded.fits_blocks import is_fits
from soxs_recipes.cpl_bridge.embedded.fits_files import load_header
from soxs_recipes.cpl_bridge.embedded.overloads import signature_error
from soxs_recipes.cpl_bridge.embedded.ui_frames import Frame, FrameGroup, FrameSet
from soxs_recipes.cpl_bridge.embedded.ui_parameterlists import ParameterList
from soxs_recipes.cpl_bridge.embedded.ui_parameters import ParameterValue

DICTIONARY_ID = "PRO-1.17"
DRS_ID = "soxs_recipes-cpl-7.3.2"
_FUNCTION = "cpl_dfs_setup_product_header"
_INHERITED = {
    "ORIGIN": Type.STRING,
    "TELESCOP": Type.STRING,
    "INSTRUME": Type.STRING,
    "OBJECT": Type.STRING,
    "RA": Type.DOUBLE,
    "DEC": Type.DOUBLE,
    "EPOCH": Type.STRING,
    "EQUINOX": Type.DOUBLE,
    "RADESYS": Type.STRING,
    "DATE-OBS": Type.STRING,
    "MJD-OBS": Type.DOUBLE,
    "UTC": Type.DOUBLE,
    "LST": Type.DOUBLE,
    "PI-COI": Type.STRING,
    "OBSERVER": Type.STRING,
}
_NEVER_IN_PRODUCT = ("ARCFILE", "ORIGFILE", "CHECKSUM", "DATASUM", "HDRVER")
_NOT_INHERITED = ("ESO DPR ", "ESO DRS ", "ESO PRO ", "ESO QC ")
_HISTORY = "ESO PRO REC"
_SIGNATURE = (
    "(header: cpl.core.PropertyList, product_frame: cpl.ui.Frame, framelist: cpl.ui.FrameSet, "
    "parlist: cpl.ui.ParameterList, recid: str, pipeline_id: str, dictionary_id: str, "
    "inherit_frame: object = None) -> None"
)


def frame_is_fits(frame: Frame) -> bool:
    """Tell whether a frame's file is FITS.

    Raises
    ------
    cpl.core.FileNotFoundError
        If the file is gone.
    """
    try:
        return is_fits(frame.file)
    except OSError:
        raise passed_on(CplFileNotFoundError, f"filename='{frame.file}'") from None


def _get(properties: PropertyList, name: str) -> Property | None:
    return next((prop for prop in properties._properties if prop.name == name), None)


def _first_frame(frames: FrameSet) -> Frame:
    for group in (FrameGroup.RAW, FrameGroup.CALIB):
        for frame in frames:
            if frame.group is group:
                return frame
    raise passed_on(DataNotFoundError, "Empty set-of-frames")


def _check_inherit(inherit: Frame, frames: FrameSet) -> None:
    if all(frame.file != inherit.file for frame in frames):
        raise passed_on(
            IllegalInputError, "The reference frame does not belong to the input set-of-frames"
        )
    if not frame_is_fits(inherit):
        raise passed_on(IllegalInputError, "Cannot inherit information from non-FITS file")


def _source_keywords(first: Frame, inherit: Frame | None) -> PropertyList:
    """Read what may be inherited; with `inherit`, ESO keywords come from that frame."""
    if not frame_is_fits(first):
        return PropertyList()
    if inherit is None:
        exact = {*_INHERITED, "RADECSYS", "ARCFILE"}
        found = load_header(first.file, 0, lambda n: n in exact or n.startswith("ESO "))
    else:
        found = load_header(first.file, 0, lambda n: n.startswith(tuple(_INHERITED)))
        other = load_header(inherit.file, 0, lambda n: n == "ARCFILE" or n.startswith("ESO "))
        found.append(other)
    radecsys = _get(found, "RADECSYS")
    if radecsys is not None:
        if "RADESYS" not in found:
            found.append(Property._of("RADESYS", radecsys.type, radecsys.value, radecsys.comment))
        del found["RADECSYS"]
    return found


def _drop_mismatches(source: PropertyList, header: PropertyList) -> None:
    """Warn about keywords of unusual type; those that differ in type are not inherited."""
    for name, kind in _INHERITED.items():
        given, mine = _get(source, name), _get(header, name)
        if given is None:
            continue
        for prop, place in ((given, "input"), (mine, "output")):
            if prop is not None and prop.type is not kind:
                Msg.warning(
                    _FUNCTION,
                    f"Unexpected type for keyword {name} in {place} header: "
                    f"{TYPE_NAMES[prop.type]}",
                )
        if mine is not None and mine.type is not given.type:
            del source[name]


def _copy(source: PropertyList, header: PropertyList, wanted: Callable[[str], bool]) -> None:
    """Copy keywords, over those that are there already."""
    chosen = [prop for prop in source if wanted(prop.name)]
    targets = {prop.name: _get(header, prop.name) for prop in chosen}
    for prop in chosen:
        target = targets[prop.name]
        if target is not None and target.type is not prop.type:
            raise passed_on(TypeMismatchError, f"name: {prop.name}")
    for prop in chosen:
        target = targets[prop.name]
        if target is None:
            header.append(prop)
        else:
            target._take(prop)


def _inherit(source: PropertyList, header: PropertyList) -> None:
    _copy(source, header, lambda name: not name.startswith(_NOT_INHERITED))
    _copy(source, header, lambda name: name.startswith(_HISTORY))
    if "ESO PRO ANCESTOR" in header:
        return
    ancestor = _get(source, "ESO PRO ANCESTOR")
    archive_name = _get(source, "ARCFILE")
    if ancestor is not None:
        header.append(ancestor)
    elif archive_name is not None:
        header.append(Property._of("ESO PRO ANCESTOR", Type.STRING, archive_name.value, None))


def _put(header: PropertyList, name: str, value: str, comment: str | None) -> None:
    """Set a text keyword where it stands, or add it."""
    prop = _get(header, name)
    if prop is None:
        header.append(Property._of(name, Type.STRING, value, comment))
        return
    if prop.type is not Type.STRING:
        raise passed_on(TypeMismatchError, f"name: {name}")
    prop._take(Property._of(name, Type.STRING, value, comment))


def _put_default(
    header: PropertyList, name: str, kind: Type, value: str | bool | int, comment: str
) -> None:
    if name not in header:
        header.append(Property._of(name, kind, value, comment))


def _identify(header: PropertyList, product: Frame, dictionary_id: str) -> None:
    _put(header, "DATAMD5", "Not computed", "MD5 checksum")
    _put(header, "PIPEFILE", product.file, "Filename of data product")
    _put(header, "ESO PRO DID", dictionary_id, "Data dictionary for PRO")
    _put(header, "ESO PRO CATG", product.tag, "Category of pipeline product frame")
    if product.group is not FrameGroup.PRODUCT:
        raise IllegalInputError("Illegal input")


def _classify(header: PropertyList, first: Frame) -> None:
    """Set PRO TYPE, TECH and SCIENCE unless the recipe did."""
    origin = PropertyList()
    if frame_is_fits(first):
        origin = load_header(first.file, 0, lambda name: name.startswith("ESO DPR "))
    technique, category = _get(origin, "ESO DPR TECH"), _get(origin, "ESO DPR CATG")
    is_science = category is not None and category.value == "SCIENCE"
    _put_default(header, "ESO PRO TYPE", Type.STRING, "REDUCED", "Product type")
    _put_default(
        header,
        "ESO PRO TECH",
        Type.STRING,
        "UNDEFINED" if technique is None else technique.value,
        "Observation technique",
    )
    _put_default(header, "ESO PRO SCIENCE", Type.BOOL, is_science, "Scientific product if T")


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _record_raws(header: PropertyList, record: str, frames: FrameSet) -> None:
    raws = [frame for frame in frames if frame.group is FrameGroup.RAW]
    for i, frame in enumerate(raws, start=1):
        _put(header, f"{record} RAW{i} NAME", _base_name(frame.file), "File name of raw frame")
        _put(header, f"{record} RAW{i} CATG", frame.tag, "Category of raw frame")
    _put_default(header, "ESO PRO DATANCOM", Type.INT, len(raws), "Number of combined frames")


def _md5_of(frame: Frame) -> str | None:
    """Return the DATAMD5 that a calibration was signed with."""
    if not frame_is_fits(frame):
        return None
    prop = _get(load_header(frame.file, 0, lambda name: name == "DATAMD5"), "DATAMD5")
    if prop is not None and prop.type is not Type.STRING:
        Msg.warning(
            _FUNCTION,
            f"Card DATAMD5 in {frame.file} has non-string type: {TYPE_NAMES[prop.type]}",
        )
        return None
    return None if prop is None else prop.value


def _record_calibrations(header: PropertyList, record: str, frames: FrameSet) -> None:
    calibrations = (frame for frame in frames if frame.group is FrameGroup.CALIB)
    for i, frame in enumerate(calibrations, start=1):
        key = f"{record} CAL{i}"
        _put(header, f"{key} NAME", _base_name(frame.file), "File name of calibration frame")
        _put(header, f"{key} CATG", frame.tag, "Category of calibration frame")
        md5 = _md5_of(frame)
        if md5 is not None:
            _put(header, f"{key} DATAMD5", md5, "MD5 signature of calib frame")


def format_parameter(kind: Type, value: bool | int | float | str) -> str:
    """Write a parameter value as product headers have it: true, 4, 3.5, mean."""
    if kind is Type.BOOL:
        return "true" if value else "false"
    return f"{value:g}" if kind is Type.DOUBLE else str(value)


def _record_parameters(
    header: PropertyList, record: str, parameters: Iterator[ParameterValue]
) -> None:
    for i, parameter in enumerate(parameters, start=1):
        kind = parameter.data_type
        default = format_parameter(kind, parameter.default)
        if kind is Type.STRING:
            default = f"'{default}'"
        key = f"{record} PARAM{i}"
        _put(header, f"{key} NAME", parameter.cli_alias, parameter.help)
        value = format_parameter(kind, parameter.value)
        _put(header, f"{key} VALUE", value, f"Default: {default}")


def _next_record(source: PropertyList) -> str:
    level = 1
    while f"{_HISTORY}{level} ID" in source:
        level += 1
    return f"{_HISTORY}{level}"


def setup_product_header(
    header: PropertyList,
    product_frame: Frame,
    framelist: FrameSet,
    parlist: ParameterList,
    recid: str,
    pipeline_id: str,
    dictionary_id: str,
    inherit_frame: Frame | None = None,
) -> None:
    """Add the keywords of a pipeline product to `header`, in place.

    Parameters
    ----------
    header
        Keywords of the recipe's own.
    product_frame
        The product: file name, tag and group PRODUCT.
    framelist
        Frames that were used; those of group RAW and CALIB count.
    parlist
        The recipe's parameters.
    recid, pipeline_id, dictionary_id
        Recipe name, ``package/version`` and the data dictionary's identifier.
    inherit_frame
        Frame of `framelist` whose ESO keywords are inherited instead of the first raw's.

    Raises
    ------
    DataNotFoundError
        If there is neither a raw nor a calibration frame.
    IllegalInputError
        If `inherit_frame` is not in `framelist` or no FITS file, or the product's group is
        not PRODUCT.
    TypeMismatchError
        If a keyword of `header` and its inherited value differ in type.
    """
    kinds = (PropertyList, Frame, FrameSet, ParameterList, str, str, str, Frame | None)
    args = (
        header,
        product_frame,
        framelist,
        parlist,
        recid,
        pipeline_id,
        dictionary_id,
        inherit_frame,
    )
    if not all(isinstance(value, kind) for value, kind in zip(args, kinds, strict=True)):
        raise signature_error("setup_product_header", [_SIGNATURE], args)
    header._keep(lambda n: n not in _NEVER_IN_PRODUCT and not n.startswith("ESO DPR "))
    first = _first_frame(framelist)
    if inherit_frame is not None:
        _check_inherit(inherit_frame, framelist)
    source = _source_keywords(first, inherit_frame)
    _drop_mismatches(source, header)
    record = _next_record(source)
    _inherit(source, header)
    _identify(header, product_frame, dictionary_id)
    _classify(header, first)
    _put(header, f"{record} ID", recid, "Pipeline recipe (unique) identifier")
    _put(header, f"{record} DRS ID", DRS_ID, "Data Reduction System identifier")
    _put(header, f"{record} PIPE ID", pipeline_id, "Pipeline (unique) identifier")
    _record_raws(header, record, framelist)
    _record_calibrations(header, record, framelist)
    _record_parameters(header, record, iter(parlist))

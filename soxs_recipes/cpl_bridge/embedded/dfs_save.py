"""Saving products with DFS headers: ``save_propertylist``, ``save_image``, ..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    DataNotFoundError,
    Error,
    TypeMismatchError,
    pass_on,
    passed_on,
)
from soxs_recipes.cpl_bridge.embedded.core_images import Image, ImageList
from soxs_recipes.cpl_bridge.embedded.core_msg import Msg
from soxs_recipes.cpl_bridge.embedded.core_propertylists import PropertyList, compile_posix
from soxs_recipes.cpl_bridge.embedded.core_tables import Table
from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, Type, io
from soxs_recipes.cpl_bridge.embedded.dfs_headers import DICTIONARY_ID, setup_product_header
from soxs_recipes.cpl_bridge.embedded.overloads import signature_error
from soxs_recipes.cpl_bridge.embedded.ui_frames import Frame, FrameGroup, FrameLevel, FrameSet
from soxs_recipes.cpl_bridge.embedded.ui_parameterlists import ParameterList

_HEAD = "(allframes: cpl.ui.FrameSet, parlist: cpl.ui.ParameterList, usedframes: cpl.ui.FrameSet"
_MIDDLE = ", recipe: str, applist: cpl.core.PropertyList, pipe_id: str, filename: str"
_TAIL = ", inherit: object = None, remregexp: object = None) -> None"
_SIGNATURES = {
    "propertylist": f"{_HEAD}{_MIDDLE}, header: object = None{_TAIL}",
    "image": f"{_HEAD}, image: cpl.core.Image{_MIDDLE}, header: object = None{_TAIL}",
    "imagelist": f"{_HEAD}, imagelist: cpl.core.ImageList, data_type: cpl.core.Type{_MIDDLE}, "
    f"header: object = None{_TAIL}",
    "table": f"{_HEAD}, table: cpl.core.Table{_MIDDLE}, header: object = None, "
    f"tablelist: object = None{_TAIL}",
}


def _check(what: str, args: Sequence[Any], kinds: Sequence[Any]) -> None:
    if not all(isinstance(value, kind) for value, kind in zip(args, kinds, strict=True)):
        raise signature_error(f"save_{what}", [_SIGNATURES[what]], args)


def _category(applist: PropertyList) -> str:
    if "ESO PRO CATG" not in applist:
        raise passed_on(DataNotFoundError, "ESO PRO CATG")
    prop = applist["ESO PRO CATG"]
    if prop.type is not Type.STRING:
        raise passed_on(TypeMismatchError, f"name={prop.name}, type={TYPE_NAMES[prop.type]}")
    return prop.value


def _product_frame(filename: str, category: str) -> Frame:
    """Describe a product whose file is yet to be written."""
    frame = Frame.__new__(Frame)
    frame._file, frame._tag = filename, category
    frame._group, frame._level = FrameGroup.PRODUCT, FrameLevel.FINAL
    frame._type = Frame.FrameType.ANY
    return frame


def _save(
    what: str,
    common: tuple[ParameterList, FrameSet, str, PropertyList, str, str],
    inherit: Frame | None,
    remregexp: str | None,
    write: Callable[[PropertyList], None],
) -> None:
    parlist, usedframes, recipe, applist, pipe_id, filename = common
    category = _category(applist)
    Msg.info("cpl_dfs_product_save", f"Writing FITS {what} product({category}): {filename}")
    header = PropertyList(applist)
    product = _product_frame(filename, category)
    names = recipe, pipe_id, DICTIONARY_ID
    try:
        setup_product_header(header, product, usedframes, parlist, *names, inherit)
        if remregexp is not None:
            pattern = compile_posix(remregexp)
            header._keep(lambda name: pattern.search(name) is None)
        write(header)
    except Error as error:
        raise pass_on(error) from None


_COMMON = (FrameSet, ParameterList, FrameSet)
_NAMES = (str, PropertyList, str, str)
_OPTIONAL = (PropertyList | None, Frame | None, str | None)


def save_propertylist(
    allframes: FrameSet,
    parlist: ParameterList,
    usedframes: FrameSet,
    recipe: str,
    applist: PropertyList,
    pipe_id: str,
    filename: str,
    header: PropertyList | None = None,
    inherit: Frame | None = None,
    remregexp: str | None = None,
) -> None:
    """Save a product without data, for extensions to be added.

    Parameters
    ----------
    allframes, header
        Taken for the sake of CPL's interface; both stay as they are.
    parlist
        The recipe's parameters.
    usedframes
        Frames that the product was made from, of group RAW or CALIB.
    recipe, pipe_id
        Recipe name and ``package/version``.
    applist
        The recipe's own keywords, ESO PRO CATG among them.
    filename
        File to write.
    inherit
        Frame of `usedframes` whose ESO keywords are inherited.
    remregexp
        Keywords that contain a match are left out.

    Raises
    ------
    DataNotFoundError
        If ESO PRO CATG or frames are missing.
    FileIOError
        If the file can't be written.
    """
    given = (allframes, parlist, usedframes, recipe, applist, pipe_id, filename)
    options = (header, inherit, remregexp)
    _check("propertylist", (*given, *options), (*_COMMON, *_NAMES, *_OPTIONAL))
    common = (parlist, usedframes, recipe, applist, pipe_id, filename)
    _save("propertylist", common, inherit, remregexp, lambda h: h.save(filename, io.CREATE))


def save_image(
    allframes: FrameSet,
    parlist: ParameterList,
    usedframes: FrameSet,
    image: Image,
    recipe: str,
    applist: PropertyList,
    pipe_id: str,
    filename: str,
    header: PropertyList | None = None,
    inherit: Frame | None = None,
    remregexp: str | None = None,
) -> None:
    """Save an image in the primary HDU; see :func:`save_propertylist`."""
    given = (allframes, parlist, usedframes, image, recipe, applist, pipe_id, filename)
    options = (header, inherit, remregexp)
    _check("image", (*given, *options), (*_COMMON, Image, *_NAMES, *_OPTIONAL))
    common = (parlist, usedframes, recipe, applist, pipe_id, filename)
    _save("image", common, inherit, remregexp, lambda h: image.save(filename, h, io.CREATE))


def save_imagelist(
    allframes: FrameSet,
    parlist: ParameterList,
    usedframes: FrameSet,
    imagelist: ImageList,
    data_type: Type,
    recipe: str,
    applist: PropertyList,
    pipe_id: str,
    filename: str,
    header: PropertyList | None = None,
    inherit: Frame | None = None,
    remregexp: str | None = None,
) -> None:
    """Save images of one size as a cube in the primary HDU; see :func:`save_propertylist`."""
    given = (allframes, parlist, usedframes, imagelist, data_type)
    given = (*given, recipe, applist, pipe_id, filename)
    options = (header, inherit, remregexp)
    kinds = (*_COMMON, ImageList, Type, *_NAMES, *_OPTIONAL)
    _check("imagelist", (*given, *options), kinds)
    common = (parlist, usedframes, recipe, applist, pipe_id, filename)

    def write(full: PropertyList) -> None:
        imagelist.save(filename, full, io.CREATE, data_type)

    _save("imagelist", common, inherit, remregexp, write)


def save_table(
    allframes: FrameSet,
    parlist: ParameterList,
    usedframes: FrameSet,
    table: Table,
    recipe: str,
    applist: PropertyList,
    pipe_id: str,
    filename: str,
    header: PropertyList | None = None,
    tablelist: PropertyList | None = None,
    inherit: Frame | None = None,
    remregexp: str | None = None,
) -> None:
    """Save a table in the first extension, with `tablelist` as its keywords.

    See :func:`save_propertylist` for the rest.
    """
    given = (allframes, parlist, usedframes, table, recipe, applist, pipe_id, filename)
    options = (header, tablelist, inherit, remregexp)
    kinds = (*_COMMON, Table, *_NAMES, PropertyList | None, *_OPTIONAL)
    _check("table", (*given, *options), kinds)
    common = (parlist, usedframes, recipe, applist, pipe_id, filename)

    def write(full: PropertyList) -> None:
        table.save(full, tablelist, filename, io.CREATE)

    _save("table", common, inherit, remregexp, write)

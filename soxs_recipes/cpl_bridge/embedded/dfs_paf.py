"""VLT parameter files with quality-control values (``cpl.dfs.save_paf``)."""

from __future__ import annotations

from pathlib import Path

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    FileIOError,
    UnsupportedModeError,
    passed_on,
)
from soxs_recipes.cpl_bridge.embedded.core_msg import Msg
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_propertylists import PropertyList
from soxs_recipes.cpl_bridge.embedded.core_types import Type

_INTEGERS = (Type.BOOL, Type.INT, Type.LONG, Type.LONG_LONG)


def _line(key: str, value: str) -> str:
    return f"{key:<21} {value}\n"


def _property_line(prop: Property) -> str:
    key = prop.name.removeprefix("ESO ").replace(" ", ".")
    space = " "
    if prop.type is Type.STRING:
        value = f'"{prop.value}"'
    elif prop.type in (Type.FLOAT, Type.DOUBLE):
        value = f"{prop.value:.15g}"
    elif prop.type in _INTEGERS or prop.type is Type.CHAR:
        value, space = str(ord(prop.value) if prop.type is Type.CHAR else int(prop.value)), ""
    else:
        raise passed_on(UnsupportedModeError, f"name={prop.name}, type={prop.type}")
    if prop.comment is None:
        return _line(key, value)
    comment = prop.comment.replace("\n", " ")
    return _line(key, f"{value}{space}; # {comment}")


def save_paf(instrume: str, recipe: str, paflist: PropertyList, filename: str) -> None:
    """Write a parameter file.

    Parameters
    ----------
    instrume, recipe
        Instrument and recipe name.
    paflist
        Values; ``ESO QC A B`` is written as ``QC.A.B``.
    filename
        File to write.

    Raises
    ------
    FileIOError
        If the file can't be written.
    UnsupportedModeError
        If a value is complex.
    """
    Msg.info("cpl_dfs_paf_init", f"Writing PAF: {filename}")
    head = (
        _line("PAF.HDR.START", ";# start of header")
        + _line("PAF.TYPE", '"pipeline product" ;')
        + _line("PAF.ID", f'"{instrume}/{recipe}"')
        + _line("PAF.NAME", f'"{filename}"')
        + _line("PAF.DESC", '"QC file"')
        + _line("PAF.CHCK.CHECKSUM", '""')
        + _line("PAF.HDR.END", ";# end of header")
    )
    text = head + "\n" + "".join(map(_property_line, paflist)) + "\n"
    try:
        Path(filename).write_text(text)
    except OSError:
        detail = f"Could not write PAF, instrume={instrume}, recipe={recipe}, filename={filename}"
        raise passed_on(FileIOError, detail) from None

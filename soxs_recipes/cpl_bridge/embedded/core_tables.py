"""Tables of ``cpl.core``, as far as saving and loading products needs them."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    BadFileFormatError,
    DataNotFoundError,
    FileIOError,
    InvalidTypeError,
    described,
)
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_propertylists import PropertyList
from soxs_recipes.cpl_bridge.embedded.core_types import Type
from soxs_recipes.cpl_bridge.embedded.fits_cards import format_card
from soxs_recipes.cpl_bridge.embedded.fits_files import (
    check_mode,
    date_card,
    image_cards,
    reference_cards,
    write_hdu,
)
from soxs_recipes.cpl_bridge.embedded.fits_order import arrange

if TYPE_CHECKING:
    import numpy as np

_FORMATS = {
    "i4": ("1J", "4-byte INTEGER"),
    "i8": ("1K", "8-byte INTEGER"),
    "f4": ("1E", "4-byte REAL"),
    "f8": ("1D", "8-byte DOUBLE"),
}


def _text_column(column: np.ndarray) -> np.ndarray:
    """Encode a text column to bytes as wide as its longest entry, padded with blanks."""
    import numpy as np

    encoded = column if column.dtype.kind == "S" else np.char.encode(column, "utf-8")
    width = int(np.char.str_len(encoded).max(initial=1))
    return np.char.ljust(encoded.astype(f"S{width}"), width)


def _big_endian(rows: np.ndarray) -> np.ndarray:
    """Pack columns as a FITS table stores them.

    Raises
    ------
    InvalidTypeError
        For column types that CPL tables can't save.
    """
    import numpy as np

    columns = {}
    for name in rows.dtype.names:
        column = rows[name]
        if column.dtype.kind in "SU":
            columns[name] = _text_column(column)
        elif column.ndim == 1 and column.dtype.str[1:] in _FORMATS:
            columns[name] = column.astype(column.dtype.newbyteorder(">"))
        else:
            raise described(InvalidTypeError, f"column {name} of type {column.dtype}")
    packed = np.empty(len(rows), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        packed[name] = column
    return packed


def _card(name: str, value: int | str, comment: str) -> str:
    kind = Type.STRING if isinstance(value, str) else Type.LONG
    return format_card(Property._of(name, kind, value, comment))


def _structural_cards(rows: np.ndarray, units: dict[str, str]) -> list[str]:
    """Write the cards that describe the layout of a binary table."""
    names = rows.dtype.names
    cards = [
        _card("XTENSION", "BINTABLE", "binary table extension"),
        _card("BITPIX", 8, "8-bit bytes"),
        _card("NAXIS", 2, "2-dimensional binary table"),
        _card("NAXIS1", rows.dtype.itemsize, "width of table in bytes"),
        _card("NAXIS2", len(rows), "number of rows in table"),
        _card("PCOUNT", 0, "size of special data area"),
        _card("GCOUNT", 1, "one data group (required keyword)"),
        _card("TFIELDS", len(names), "number of fields in each row"),
    ]
    for i, name in enumerate(names, start=1):
        dtype = rows.dtype[name]
        text = f"{dtype.itemsize}A", "ASCII Character"
        form, words = _FORMATS.get(dtype.str[1:], text)
        cards.append(_card(f"TTYPE{i}", name, f"label for field {i:3d}"))
        cards.append(_card(f"TFORM{i}", form, f"data format of field: {words}"))
        if units.get(name):
            cards.append(_card(f"TUNIT{i}", units[name], "physical unit of field"))
    return cards


class Table:
    """A table of named columns: int32, int64, float, double or text.

    Parameters
    ----------
    input
        numpy structured array, astropy table, or a mapping of columns.
    """

    __hash__ = None

    def __init__(self, input: Any):  # noqa: A002 - PyCPL's name
        import numpy as np

        if hasattr(input, "as_array"):
            self._rows = np.ma.filled(input.as_array())
            self._units = {name: str(input[name].unit or "") for name in input.colnames}
            return
        self._units = {}
        if isinstance(input, np.ndarray) and input.dtype.names:
            self._rows = np.array(input)
        elif hasattr(input, "to_records"):
            self._rows = _fixed_width(input.to_records(index=False))
        else:
            columns = {name: np.asarray(values) for name, values in input.items()}
            self._rows = np.rec.fromarrays(list(columns.values()), names=list(columns))

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self._rows.dtype.names)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._rows), len(self.column_names)

    def to_records(self) -> np.ndarray:
        """Return the rows as a structured array."""
        return self._rows

    def get_column_unit(self, name: str) -> str | None:
        """Return a column's unit, None if it has none."""
        return self._units.get(name) or None

    def set_column_unit(self, name: str, unit: str) -> None:
        """Set a column's unit."""
        self._units[name] = unit

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.column_names:
            raise described(DataNotFoundError, name)
        return self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self.column_names

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        n = len(self)
        return f"Table with {n}/{n} selected rows and {len(self.column_names)} columns:\n"

    def save(
        self,
        pheader: PropertyList | None,
        header: PropertyList | None,
        filename: str | PathLike,
        mode: int,
    ) -> None:
        """Save as a binary table extension.

        Parameters
        ----------
        pheader
            Keywords of the primary header, of a new file only.
        header
            Keywords of the extension; coordinate keywords are left out in both.
        filename, mode
            File and ``io.CREATE`` or ``io.EXTEND``.
        """
        path, extend = fspath(filename), check_mode(mode)
        cards, data = self._extension(header)
        if not extend:
            primary = [*image_cards(16, (), extension=False), *reference_cards(), date_card()]
            primary += [format_card(p) for p in arrange(pheader or (), False, wcs=False)]
            write_hdu(path, primary, b"", extend=False)
        write_hdu(path, cards, data, extend=True)

    def _extension(self, header: PropertyList | None) -> tuple[list[str], bytes]:
        rows = _big_endian(self._rows)
        cards = _structural_cards(rows, self._units)
        cards += [format_card(prop) for prop in arrange(header or (), True, wcs=False)]
        return cards, rows.tobytes()

    @staticmethod
    def load(filename: str | PathLike, xtnum: int, check_nulls: bool = True) -> Table:
        """Load a table extension; `check_nulls` is there for CPL's interface only."""
        del check_nulls
        from astropy.io import fits
        from astropy.table import Table as AstropyTable

        path = fspath(filename)
        try:
            with fits.open(path, memmap=False) as hdus:
                if not 0 < xtnum < len(hdus) or not isinstance(hdus[xtnum], fits.BinTableHDU):
                    raise described(DataNotFoundError, f"no table {xtnum} in file: {path}")
                table = AstropyTable.read(hdus[xtnum])
        except OSError as error:
            kind = BadFileFormatError if error.errno is None else FileIOError
            raise described(kind, f"{error}. filename='{path}'") from None
        table.convert_bytestring_to_unicode()
        return Table(table)


def _fixed_width(records: np.ndarray) -> np.ndarray:
    """Turn columns of Python strings into columns of fixed width."""
    import numpy as np

    columns = [records[name] for name in records.dtype.names]
    columns = [c.astype(str) if c.dtype.kind == "O" else c for c in columns]
    return np.rec.fromarrays(columns, names=list(records.dtype.names))

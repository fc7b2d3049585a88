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
from soxs_recipes.cpl_bridge.embedded.core_properties import PropertyList
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

_STRUCTURE = ("XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "T")
_CARD_COMMENTS = {
    "XTENSION": "binary table extension",
    "BITPIX": "8-bit bytes",
    "NAXIS": "2-dimensional binary table",
    "NAXIS1": "width of table in bytes",
    "NAXIS2": "number of rows in table",
    "PCOUNT": "size of special data area",
    "GCOUNT": "one data group (required keyword)",
    "TFIELDS": "number of fields in each row",
}


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
        from astropy.io import fits

        bad = [n for n in self.column_names if self._rows[n].dtype.kind not in "ifSU"]
        if bad:
            raise InvalidTypeError(f"Invalid type: columns {', '.join(bad)}")
        hdu = fits.BinTableHDU(self._rows)
        for i, name in enumerate(self.column_names, start=1):
            if self._units.get(name):
                hdu.columns.change_unit(name, self._units[name])
            hdu.header.comments[f"TTYPE{i}"] = f"label for field {i:3d}"
        for name, comment in _CARD_COMMENTS.items():
            hdu.header.comments[name] = comment
        structure = [card.image for card in hdu.header.cards if card.keyword.startswith(_STRUCTURE)]
        cards = structure + [format_card(p) for p in arrange(header or (), True, wcs=False)]
        return cards, hdu.data.tobytes()

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

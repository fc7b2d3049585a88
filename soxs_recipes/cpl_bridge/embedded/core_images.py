"""Images and image lists of ``cpl.core``, as far as saving and loading products needs them.

A stand-in image is a numpy array with CPL's pixel types; calculations belong to numpy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    BadFileFormatError,
    DataNotFoundError,
    FileIOError,
    IllegalInputError,
    IncompatibleInputError,
    InvalidTypeError,
    described,
)
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_propertylists import PropertyList
from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, Type
from soxs_recipes.cpl_bridge.embedded.fits_files import save_image_hdu

if TYPE_CHECKING:
    import numpy as np

_PIXELS = {Type.INT: "i4", Type.FLOAT: "f4", Type.DOUBLE: "f8"}
_SAVED = {
    Type.UCHAR: ("u1", 8),
    Type.SHORT: (">i2", 16),
    Type.USHORT: (">i2", 16),
    Type.INT: (">i4", 32),
    Type.FLOAT: (">f4", -32),
    Type.DOUBLE: (">f8", -64),
}


def _pixel_type(array: np.ndarray) -> Type:
    if not array.dtype.isnative:
        raise TypeError(
            "numpy array is expected to be one of the supported cpl types, "
            f"not {type(array.dtype).__name__}"
        )
    kinds = {"i4": Type.INT, "i8": Type.INT, "f4": Type.FLOAT, "f8": Type.DOUBLE}
    kind = kinds.get(array.dtype.str[1:])
    if kind is None:
        raise InvalidTypeError(
            f"Python struct pack of type {array.dtype.char} does not cast into a single CPL type"
        )
    return kind


class Image:
    """An image with integer, float or double pixels.

    Parameters
    ----------
    data
        Two-dimensional array or nested lists; row by row, lowest row first. It is copied.
    dtype
        CPL pixel type, by default that of the data.
    width
        Length of a row, if `data` is flat.

    Raises
    ------
    InvalidTypeError
        For pixel types that CPL images can't have (unsigned, 16 bit, bool).
    TypeError
        If the bytes are not in native order.
    """

    __hash__ = None

    def __init__(self, data: Any, dtype: Type | None = None, width: int | None = None):
        import numpy as np

        array = np.asarray(data)
        if width is not None:
            array = array.reshape(-1, width)
        if array.ndim != 2:
            raise ValueError(f"expected 2-dimensional buffer, not {array.ndim}-dimensional buffer")
        kind = dtype or _pixel_type(array)
        if kind not in _PIXELS:
            raise InvalidTypeError("Unsupported CPL Type for this object/class")
        self._array = np.array(array, dtype=_PIXELS[kind])
        self._type = kind

    @classmethod
    def zeros(cls, width: int, height: int, dtype: Type) -> Image:
        """Make an image of zeros."""
        import numpy as np

        return cls(np.zeros((height, width), _PIXELS[dtype]))

    @property
    def type(self) -> Type:
        """CPL pixel type."""
        return self._type

    @property
    def width(self) -> int:
        """Pixels along x."""
        return self._array.shape[1]

    @property
    def height(self) -> int:
        """Pixels along y."""
        return self._array.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self._array.shape

    def as_array(self) -> np.ndarray:
        """Return the pixels, not copied."""
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        import numpy as np

        if copy:
            return np.array(self._array, dtype=dtype)
        return np.asarray(self._array, dtype=dtype)

    def __getitem__(self, row: int) -> np.ndarray:
        return self._array[row]

    def __len__(self) -> int:
        return len(self._array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return False
        return self._type is other._type and bool((self._array == other._array).all())

    def __repr__(self) -> str:
        return (
            f"Image with {self.width} X {self.height} pixel(s) of type "
            f"'{TYPE_NAMES[self._type]}' and 0 bad pixel(s)\n"
        )

    def save(
        self,
        filename: str | PathLike,
        pl: PropertyList | None,
        mode: int,
        dtype: Type = Type.UNSPECIFIED,
    ) -> None:
        """Save to a new file or as a new extension; `dtype` is the type in the file."""
        _save_pixels(self._array, self._type, filename, pl, mode, dtype)

    @staticmethod
    def load(
        filename: str | PathLike,
        dtype: Type = Type.DOUBLE,
        extension: int = 0,
        plane: int = 0,
        area: tuple[int, int, int, int] | None = None,
    ) -> Image:
        """Load an image, or a plane of a cube.

        Parameters
        ----------
        filename, extension
            File and HDU number.
        dtype
            Pixel type wanted; UNSPECIFIED takes the file's.
        plane
            Plane of a cube, from 0.
        area
            Lower left and upper right pixel (x0, y0, x1, y1), from 0, both included.
        """
        cube = _load_pixels(filename, extension)
        if not 0 <= plane < len(cube):
            raise described(DataNotFoundError, f"plane {plane} of {len(cube)}")
        return _image_of(cube[plane], dtype, area)


def _image_of(pixels: np.ndarray, dtype: Type, area: tuple | None) -> Image:
    if area is not None:
        x0, y0, x1, y1 = area
        pixels = pixels[y0 : y1 + 1, x0 : x1 + 1]
    if dtype is Type.UNSPECIFIED:
        integer = pixels.dtype.kind in "iu"
        double = pixels.dtype.itemsize == 8 and not integer
        dtype = Type.INT if integer else Type.DOUBLE if double else Type.FLOAT
    return Image(pixels, dtype)


def _load_pixels(filename: str | PathLike, extension: int) -> np.ndarray:
    """Read an image HDU as a cube (planes, rows, columns)."""
    from astropy.io import fits

    path = fspath(filename)
    try:
        with fits.open(path, memmap=False) as hdus:
            if not 0 <= extension < len(hdus):
                raise described(DataNotFoundError, f"extension {extension} in file: {path}")
            data = hdus[extension].data
    except OSError as error:
        missing = getattr(error, "errno", None) is not None
        kind = FileIOError if missing else BadFileFormatError
        raise described(kind, f"{error}. filename='{path}'") from None
    if data is None or data.dtype.names is not None or data.ndim not in (2, 3):
        raise described(DataNotFoundError, f"no image in extension {extension} of {path}")
    return data.reshape((-1, *data.shape[-2:]))


def _save_pixels(
    array: np.ndarray,
    kind: Type,
    filename: str | PathLike,
    pl: PropertyList | None,
    mode: int,
    dtype: Type,
) -> None:
    import numpy as np

    saved = kind if dtype is Type.UNSPECIFIED else dtype
    if saved not in _SAVED:
        raise IllegalInputError(f"Illegal input: can't save images as {TYPE_NAMES[saved]}")
    code, bitpix = _SAVED[saved]
    extra = []
    if saved is Type.USHORT:
        array = np.rint(array).astype("i4") - 32768
        extra = [
            Property._of("BZERO", Type.INT, 32768, "offset data range to that of unsigned short"),
            Property._of("BSCALE", Type.INT, 1, "default scaling factor"),
        ]
    elif bitpix > 0 and array.dtype.kind == "f":
        array = np.rint(array)
    data = memoryview(array.astype(code)).cast("B") if array.size else b""
    save_image_hdu(pl, filename, mode, bitpix, array.shape, data, extra)


class ImageList:
    """Images in order; they share size and type when saved as a cube."""

    __hash__ = None

    def __init__(self, images: Iterable[Image] = ()):
        self._images = list(images)

    def append(self, image: Image) -> None:
        """Add an image at the end."""
        self._images.append(image)

    def __getitem__(self, index: int) -> Image:
        return self._images[index]

    def __iter__(self) -> Iterator[Image]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageList) and self._images == other._images

    def save(
        self,
        filename: str | PathLike,
        pl: PropertyList | None,
        mode: int,
        dtype: Type = Type.UNSPECIFIED,
    ) -> None:
        """Save as a cube; `dtype` is the type in the file.

        Raises
        ------
        IllegalInputError
            If there are no images.
        IncompatibleInputError
            If they differ in size or type.
        """
        import numpy as np

        if not self._images:
            raise described(IllegalInputError, "the image list is empty")
        first = self._images[0]
        if any((i.shape, i.type) != (first.shape, first.type) for i in self._images):
            raise described(IncompatibleInputError, "images differ in size or type")
        cube = np.stack([image.as_array() for image in self._images])
        _save_pixels(cube, first.type, filename, pl, mode, dtype)

    @staticmethod
    def load(
        filename: str | PathLike,
        dtype: Type = Type.DOUBLE,
        extension: int = 0,
        area: tuple[int, int, int, int] | None = None,
    ) -> ImageList:
        """Load all planes of a cube; see :meth:`Image.load`."""
        cube = _load_pixels(filename, extension)
        return ImageList(_image_of(plane, dtype, area) for plane in cube)

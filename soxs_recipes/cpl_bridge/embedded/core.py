"""``cpl.core``: properties, messages, errors, and the data types that products need."""

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    AccessOutOfRangeError,
    AssigningStreamError,
    BadFileFormatError,
    ContinueError,
    DataNotFoundError,
    DivisionByZeroError,
    DuplicatingStreamError,
    EOLError,
    Error,
    ErrorFrame,
    ErrorLostError,
    FileAlreadyOpenError,
    FileIOError,
    FileNotCreatedError,
    FileNotFoundError,  # noqa: A004 - PyCPL's name
    IllegalInputError,
    IllegalOutputError,
    IncompatibleInputError,
    InvalidTypeError,
    NoWCSError,
    NullInputError,
    SingularMatrixError,
    TypeMismatchError,
    UnspecifiedError,
    UnsupportedModeError,
)
from soxs_recipes.cpl_bridge.embedded.core_images import Image, ImageList
from soxs_recipes.cpl_bridge.embedded.core_msg import Msg
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_propertylists import PropertyList
from soxs_recipes.cpl_bridge.embedded.core_tables import Table
from soxs_recipes.cpl_bridge.embedded.core_types import Type, io

__all__ = [
    "AccessOutOfRangeError",
    "AssigningStreamError",
    "BadFileFormatError",
    "ContinueError",
    "DataNotFoundError",
    "DivisionByZeroError",
    "DuplicatingStreamError",
    "EOLError",
    "Error",
    "ErrorFrame",
    "ErrorLostError",
    "FileAlreadyOpenError",
    "FileIOError",
    "FileNotCreatedError",
    "FileNotFoundError",
    "IllegalInputError",
    "IllegalOutputError",
    "Image",
    "ImageList",
    "IncompatibleInputError",
    "InvalidTypeError",
    "Msg",
    "NoWCSError",
    "NullInputError",
    "Property",
    "PropertyList",
    "SingularMatrixError",
    "Table",
    "Type",
    "TypeMismatchError",
    "UnspecifiedError",
    "UnsupportedModeError",
    "io",
]

"""Pure functions on arrays and frozen dataclasses."""

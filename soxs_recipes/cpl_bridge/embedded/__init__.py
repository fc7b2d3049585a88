"""The embedded stand-in for PyCPL."""

"""Threads of the linear-algebra library under numpy."""

from __future__ import annotations

from collections.abc import MutableMapping

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_unless_told(environment: MutableMapping[str, str]) -> None:
    """Let the library use one thread, unless the user has said how many.

    The matrices of the recipes are small: further threads mostly wait in a loop, which doubled the
    processor time of a spatial solution and slows what runs beside it. It has to be said before
    numpy is imported.
    """
    if not any(name in environment for name in _VARIABLES):
        environment["OPENBLAS_NUM_THREADS"] = environment["OMP_NUM_THREADS"] = "1"

"""What can go wrong while a recipe is found, configured and run, each with its exit status."""

from __future__ import annotations

from enum import IntEnum

from soxs_recipes.errors import SoxsError


class ExitStatus(IntEnum):
    """Exit status of the command; the values are those of EsoRex where it has one.

    The values from 250 to 254 concern the configuration file of a recipe.
    """

    SUCCESS = 0
    RECIPE_FAILED = 1
    BAD_SOF = 9
    UNKNOWN_RECIPE = 13
    BAD_PRODUCT = 61
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143
    UNKNOWN_KEY = 250
    BAD_VALUE = 251
    BAD_QUOTES = 253
    BAD_SYNTAX = 254
    USAGE = 255


class RunnerError(SoxsError):
    """A run cannot start or cannot be completed.

    Parameters
    ----------
    problem : str
        What was expected and what was found, with the file or option concerned.
    remedy : str, optional
        What to do about it.
    """

    status = ExitStatus.USAGE

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy=remedy or None)


class UsageError(RunnerError):
    """An unknown option, a bad value or an unusable directory."""


class BadValueError(UsageError):
    """A value that a parameter does not accept."""


class ConfigError(RunnerError):
    """A configuration file that cannot be read or holds an unusable entry."""

    def __init__(
        self, problem: str, remedy: str = "", status: ExitStatus = ExitStatus.BAD_SYNTAX
    ) -> None:
        super().__init__(problem, remedy)
        self.status = status


class SofError(RunnerError):
    """A set of frames that cannot be read, or that names a file which is not there."""

    status = ExitStatus.BAD_SOF


class UnknownRecipeError(RunnerError):
    """No recipe of that name in the recipe directories."""

    status = ExitStatus.UNKNOWN_RECIPE


class RecipeFailedError(RunnerError):
    """The recipe raised an exception or returned something that is no set of frames."""

    status = ExitStatus.RECIPE_FAILED


class DeliveryError(RunnerError):
    """A product that is missing, misplaced, named twice, or that cannot be put in place."""

    status = ExitStatus.BAD_PRODUCT


class Terminated(BaseException):
    """The process was asked to end; `number` is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

"""The command's own options: their table, the command line, the environment and the rc file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from soxs_recipes.cpl_bridge.runner import rcfile
from soxs_recipes.cpl_bridge.runner.errors import BadValueError, ConfigError, UsageError
from soxs_recipes.cpl_bridge.runner.parameters import Parameter, Value, by_name, suggestion

LEVELS = ("debug", "info", "warning", "error", "off")
PLUGIN_DIR_VARIABLE = "PYESOREX_PLUGIN_DIR"


@dataclass(frozen=True)
class Option(Parameter):
    """An option of the command.

    Attributes
    ----------
    in_rc : bool
        Whether it may stand in the configuration file of the command.
    value_needed : bool
        Whether `--name` alone, without a value, is an error; otherwise it means TRUE.
    """

    in_rc: bool = True
    value_needed: bool = True

    @property
    def variable(self) -> str:
        """Name of the environment variable that sets the option, empty if there is none."""
        if self.alias in ("help", "version"):
            return ""
        if self.alias == "recipe-dir":
            return PLUGIN_DIR_VARIABLE
        return "PYESOREX_" + self.alias.upper().replace("-", "_")


def _flag(alias: str, default: bool, description: str) -> Option:
    return Option(f"pyesorex.{alias}", alias, bool, default, description, value_needed=False)


def _action(alias: str, description: str) -> Option:
    return Option(
        f"pyesorex.{alias}", alias, bool, False, description, in_rc=False, value_needed=False
    )


def _text(alias: str, default: str, description: str, in_rc: bool = True) -> Option:
    return Option(f"pyesorex.{alias}", alias, str, default, description, in_rc=in_rc)


def _level(alias: str, target: str) -> Option:
    description = f"Controls the severity level of messages that will be printed to the {target}."
    return Option(
        f"pyesorex.{alias}", alias, str, "info", description, choices=LEVELS, any_case=True
    )


OPTIONS = (
    _action(
        "help",
        "Display this help and exit. If a recipe name is also given, then help will be given for "
        "it instead.",
    ),
    _action("version", "Display version information and exit."),
    _flag(
        "check-sof-exist",
        True,
        "When TRUE, all the input files must exist and be readable before calling the recipe.",
    ),
    _text("config", "", "Configuration file to be used for pyesorex.", in_rc=False),
    Option(
        "pyesorex.create-config",
        "create-config",
        str,
        "FALSE",
        "Creates a configuration file for pyesorex. If set to TRUE a config file 'pyesorex.rc' is "
        "created in the '.pyesorex' directory in $HOME of the user. If a filename is specified, a "
        "config file will be created accordingly. If a recipe is specified in the command line, "
        "then the configuration file will be created for the recipe instead (called "
        "'recipename.rc'). Note that an existing file will be overwritten, but a backup file will "
        "be copied to 'filename.rc.bak' in the same directory. If the filename ends with extension "
        ".json then a machine-readable JSON format will be used.",
        in_rc=False,
        value_needed=False,
    ),
    _flag(
        "display-import-errors",
        False,
        "When TRUE, recipe files that cannot be imported are reported.",
    ),
    _text(
        "link-dir",
        "/tmp",
        "The directory in which a symbolic link to each of the product files should be written. "
        "The enable/disable switch to control whether the link is actually made is the "
        "'--suppress-link' option.",
    ),
    _text("log-dir", ".", "Directory where to place the logfile."),
    _text("log-file", "pyesorex.log", "Filename of logfile."),
    _level("log-level", "logfile"),
    _action("man-page", "Display a manual page for the specified recipe, and then exit."),
    _level("msg-level", "terminal"),
    _flag(
        "no-checksum",
        False,
        "Disables the computation of the standard FITS product checksums.",
    ),
    _flag(
        "no-datamd5",
        False,
        "Disables the computation of the MD5 data hash for FITS product files.",
    ),
    _text(
        "output-dir",
        ".",
        "The directory where the product files should be finally moved to. They are created in a "
        "hidden directory inside it and appear together when all of them are complete.",
    ),
    _flag("output-mkdir", False, "When TRUE, the output directory is created if it is missing."),
    _text(
        "output-prefix",
        "out",
        "Prefix applied to any output file. For example, specifying 'pre' would translate "
        "'filename.fits' to 'pre_0000.fits'. See also the '--suppress-prefix' option.",
    ),
    _action(
        "params",
        "List the options and their current settings (from the command line, the environment or "
        "a configuration file). If a recipe is also specified, then the list of its parameters "
        "will also be generated in the same way.",
    ),
    _text(
        "products-sof",
        "",
        "Output file which lists the files created by the recipe. If the filename ends with "
        "extension .json then a machine-readable JSON format will be used.",
    ),
    _action(
        "recipes",
        "Display a list of all available recipes (that are available in the directory tree "
        "specified with '--recipe-dir').",
    ),
    _text("recipe-config", "", "Configuration file for any selected recipe."),
    _text(
        "recipe-dir",
        "",
        "Directory containing recipe files. All sub-directories below it are searched as well. "
        "Multiple directory heads may be specified, by separating the starting paths with colons "
        "(:). Unless this option is given, the recipes of this package are always included.",
    ),
    _flag(
        "suppress-link",
        True,
        "When TRUE, no symbolic link is created to the output product. However, if FALSE, then a "
        "symbolic link is created in the directory specified with the option '--link-dir' for "
        "each product that is created by the recipe.",
    ),
    _flag(
        "suppress-prefix",
        True,
        "When TRUE, the original name of the output product, as produced by the recipe, is "
        "maintained. If FALSE, then the name of the output file is changed to the "
        "\"prefix_number\" format. The prefix can be altered using the '--output-prefix' option.",
    ),
    _flag("time", True, "Measure and show the recipe's execution time."),
)
BY_ALIAS = {option.alias: option for option in OPTIONS}
_WITH_RECIPE = ("help", "man-page", "params")


@dataclass
class CommandLine:
    """A command line taken apart.

    Attributes
    ----------
    given : dict
        Values of the command's options by alias.
    recipe : str or None
    rest : list of str
        What concerns the recipe: its parameters and the sets of frames.
    """

    given: dict[str, Value] = field(default_factory=dict)
    recipe: str | None = None
    rest: list[str] = field(default_factory=list)


def split_arguments(arguments: Sequence[str]) -> CommandLine:
    """Separate the command's own options, which may stand anywhere, from the recipe's.

    Raises
    ------
    UsageError
        If an option before the recipe's name is unknown, or a value is missing or not accepted.
    """
    tokens = deque(arguments)
    line = CommandLine()
    while tokens:
        token = tokens.popleft()
        if token == "-h" and line.recipe is None:
            token = "--help"
        option = BY_ALIAS.get(_option_name(token))
        if option is not None:
            _assign(line, option, token, tokens)
        elif line.recipe is None:
            if token.startswith("--"):
                raise unknown_option(token, BY_ALIAS)
            line.recipe = token
        else:
            line.rest.append(token)
    return line


def recipe_arguments(
    rest: Sequence[str], parameters: Iterable[Parameter]
) -> tuple[dict[str, Value], list[str]]:
    """Read the part of the command line that follows the recipe's name.

    Parameters
    ----------
    rest : sequence of str
    parameters : iterable of Parameter
        The recipe's; each may be given by alias or by full name.

    Returns
    -------
    settings : dict
        Values that were given, by full parameter name.
    sofs : list of str
        Files with sets of frames.

    Raises
    ------
    UsageError
        If an option is unknown, or a value is missing or not accepted.
    """
    known = by_name(parameters)
    tokens, settings, sofs = deque(rest), {}, []
    while tokens:
        token = tokens.popleft()
        if not token.startswith("--"):
            sofs.append(token)
            continue
        parameter = known.get(_option_name(token))
        if parameter is None:
            raise unknown_option(token, [*known, *BY_ALIAS])
        needed = parameter.kind is not bool
        settings[parameter.name] = parameter.parse(_option_value(token, parameter, tokens, needed))
    return settings, sofs


def resolve(given: Mapping[str, Value], environ: Mapping[str, str]) -> dict[str, Value]:
    """Complete the options from the environment, the configuration file and the defaults.

    Parameters
    ----------
    given : mapping
        Values from the command line by alias; they come first, the environment second.
    environ : mapping
        Environment variables.

    Raises
    ------
    UsageError, ConfigError
        If a variable or an entry of the configuration file is not accepted.
    """
    stated = {**from_environment(environ), **given}
    file = config_file(stated)
    readable = rcfile.is_readable(file)
    if stated.get("config") and not readable:
        raise UsageError(f"'--config={file}' was specified, but the file could not be found.")
    filed = from_rc(file) if readable else {}
    return {option.alias: option.default for option in OPTIONS} | filed | stated


def from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    """Read the options that environment variables set; an empty variable sets nothing."""
    values = {}
    for option in OPTIONS:
        text = environ.get(option.variable, "") if option.variable else ""
        try:
            if text:
                values[option.alias] = option.parse(text)
        except BadValueError as error:
            problem = f"{error.summary} (environment variable {option.variable})"
            raise UsageError(problem) from error
    return values


def from_rc(file: Path) -> dict[str, Value]:
    """Read the options that a configuration file of the command sets, by alias.

    Keys of other programs and versions are left alone.

    Raises
    ------
    ConfigError
        If the file cannot be read or a value is not accepted.
    """
    known = {option.name: option for option in OPTIONS if option.in_rc}
    entries = [entry for entry in rcfile.read_rc(file) if entry.key in known]
    typed = rcfile.typed_entries(entries, known.values(), file)
    return {known[name].alias: value for name, value in typed.items()}


def config_file(values: Mapping[str, Value]) -> Path:
    """Path of the command's configuration file: the one that is named or the user's."""
    named = values.get("config")
    return Path(named).expanduser() if named else user_file("pyesorex")


def unread_keys(file: Path) -> list[str]:
    """Keys of a configuration file of the command that name no option of it."""
    known = {option.name for option in OPTIONS if option.in_rc}
    try:
        return [entry.key for entry in rcfile.read_rc(file) if entry.key not in known]
    except ConfigError:
        return []


def user_file(stem: str) -> Path:
    """Path of a configuration file in the user's `.pyesorex` directory."""
    return Path("~/.pyesorex").expanduser() / f"{stem}.rc"


def unknown_option(token: str, known: Iterable[str]) -> UsageError:
    """Build the error for an option that nobody knows, with the nearest one that is known."""
    name = _option_name(token)
    return UsageError(
        f"Command line parameter '--{name}' not recognized.",
        suggestion(name, known, prefix="--") or "'--help' lists the options.",
    )


def _option_name(token: str) -> str:
    return token[2:].partition("=")[0] if token.startswith("--") else ""


def _assign(line: CommandLine, option: Option, token: str, tokens: deque[str]) -> None:
    text = _option_value(token, option, tokens, option.value_needed)
    try:
        line.given[option.alias] = option.parse(text)
    except BadValueError:
        # --man-page=RECIPE is as good as --man-page RECIPE
        if option.alias not in _WITH_RECIPE or line.recipe is not None:
            raise
        line.given[option.alias], line.recipe = True, text


def _option_value(token: str, parameter: Parameter, tokens: deque[str], needed: bool) -> str:
    _, equals, text = token.partition("=")
    if equals:
        if not text and parameter.kind is not str:
            raise UsageError(
                f"'--{parameter.alias}' needs an argument but none was specified after the equals "
                'sign ("=").'
            )
        return text
    if not needed:
        truth = parameter.kind is bool and tokens and tokens[0].lower() in ("true", "false")
        return tokens.popleft() if truth else "TRUE"
    if not tokens or tokens[0].startswith("--"):
        raise UsageError(
            f"'--{parameter.alias}' needs an argument but none was specified.",
            f"Write --{parameter.alias}=VALUE.",
        )
    return tokens.popleft()

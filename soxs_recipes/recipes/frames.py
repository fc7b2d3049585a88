"""The set of frames of a run: read, checked against the declaration, sorted by input."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from soxs_recipes.cameras import ARMS, arm_of
from soxs_recipes.errors import (
    ArmMismatchError,
    DuplicateFrameError,
    EmptyInputError,
    ForeignFrameError,
    MissingInputError,
    SettingMismatchError,
    SoxsError,
    UnknownTagError,
    UnreadableFrameError,
)
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.arm import Arm
from soxs_recipes.instrument.classification import SLIT_KEYWORDS, classify
from soxs_recipes.instrument.detector import Header, Readout
from soxs_recipes.products.fits_input import read_header
from soxs_recipes.recipes.declarations import Declaration, Input, Kind, Match, Setting


class Entry(NamedTuple):
    """One line of a set of frames."""

    path: Path
    tag: str


@dataclass(frozen=True)
class InputFrame:
    """A checked frame: its file, tag, primary header, arm and read-out."""

    path: Path
    tag: str
    header: Header
    arm: Arm
    readout: Readout


@dataclass(frozen=True)
class InputSet:
    """The checked frames of a run.

    Attributes
    ----------
    arm : Arm
        Arm of the run; of several, that of the first frame.
    frames : tuple of InputFrame
        All frames but the static calibrations.
    statics : mapping of str to tuple of Path
        Static calibrations by tag, those of the package where none were given.
    """

    arm: Arm
    frames: tuple[InputFrame, ...]
    statics: Mapping[str, tuple[Path, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, item: Input, arm: str = "") -> tuple[InputFrame, ...]:
        """Frames of one declared input, in a run of several arms those of the named one."""
        tag = item.tag_of(arm or self.arm.name)
        return tuple(frame for frame in self.frames if frame.tag == tag)

    def one(self, item: Input, arm: str = "") -> InputFrame | None:
        """The frame of an input that takes at most one."""
        return next(iter(self.of(item, arm)), None)

    def static(self, item: Input, arm: str = "") -> tuple[Path, ...]:
        """Files of a static input."""
        return self.statics.get(item.tag_of(arm or self.arm.name), ())


def check_frames(declaration: Declaration, entries: Sequence[Entry]) -> InputSet:
    """Read the headers of a set of frames and check it against a declaration.

    Raises
    ------
    InputError
        The first thing that is wrong, as the error class of its kind.
    """
    if not entries:
        raise EmptyInputError(
            "The set of frames is empty",
            expected=_wanted(declaration),
            remedy="list one file and its tag per line in the SOF",
        )
    _check_tags(declaration, entries)
    _check_duplicates(entries)
    static = {tag for tag, _, item in declaration.tags() if item.kind is Kind.STATIC}
    frames = tuple(_read(entry) for entry in entries if entry.tag not in static)
    if not frames:
        raise EmptyInputError(
            "The set of frames holds static calibrations alone",
            expected=_wanted(declaration),
            found=", ".join(entry.tag for entry in entries),
            remedy="add the frames that are to be reduced",
        )
    arms = _arms(declaration, frames)
    statics = _statics(declaration, arms, [entry for entry in entries if entry.tag in static])
    inputs = InputSet(arms[0], frames, statics)
    _check_counts(declaration, inputs, arms)
    return inputs


def mismatches(declaration: Declaration, inputs: InputSet, permitted: Iterable[str]) -> list[str]:
    """Refuse frames whose settings differ where they must not; describe where they should not.

    Parameters
    ----------
    permitted : iterable of str
        Names of the boolean parameters that are set, each of which may permit a difference.

    Returns
    -------
    list of str
        Warnings, also for tags that the headers contradict.

    Raises
    ------
    SettingMismatchError
        If a setting differs that is declared an error.
    """
    allowed = set(permitted)
    warnings = list(_tag_warnings(inputs))
    for arm in _arms(declaration, inputs.frames):
        declared = declaration.inputs_of(arm.name)
        # First frame of the main input, or of the first input that has any.
        reference = next(frame for item in declared for frame in inputs.of(item, arm.name))
        for item in declared:
            for match in item.match:
                if match.unless not in allowed:
                    frames = inputs.of(item, arm.name)
                    warnings += _compare(frames, reference, match, item)
    return warnings


def setting(frame: InputFrame, which: Setting) -> object:
    """Value of a setting of a frame; None where the frame does not say."""
    readout = frame.readout
    if which is Setting.BINNING:
        return "{}x{}".format(*readout.binning)
    if which is Setting.READ_MODE:
        return readout.read_mode or None
    if which is Setting.EXPTIME:
        return readout.exptime_s
    if which is Setting.FILTER:
        return frame.header.get(kw.ACQ_FILTER)
    return frame.header.get(SLIT_KEYWORDS.get(frame.arm.name, ""))


def _wanted(declaration: Declaration) -> str:
    needed = [(tag, item) for tag, _, item in declaration.tags() if item.minimum]
    return " or ".join(f"{tag} ({item.minimum} or more)" for tag, item in needed)


def _check_tags(declaration: Declaration, entries: Sequence[Entry]) -> None:
    tags = sorted(declaration.tags(), key=lambda taken: taken[2].kind is Kind.STATIC)
    known = {tag: None for tag, _, _ in tags}
    for entry in entries:
        if entry.tag in known:
            continue
        near = difflib.get_close_matches(entry.tag, known, 1)
        raise UnknownTagError(
            f"{declaration.name} takes no frame with the tag '{entry.tag}'",
            file=entry.path,
            expected=", ".join(known),
            remedy=f"did you mean {near[0]}?" if near else "correct the tag or leave the file out",
        )


def _check_duplicates(entries: Sequence[Entry]) -> None:
    seen: dict[Path, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.path.resolve(), entry)
        if first is not entry:
            raise DuplicateFrameError(
                "A file stands twice in the set of frames",
                file=entry.path,
                found=f"as {first.tag} and as {entry.tag}",
                remedy="keep one of the lines",
            )


def _read(entry: Entry) -> InputFrame:
    header = read_header(entry.path)
    try:
        arm = arm_of(header)
        return InputFrame(entry.path, entry.tag, header, arm, arm.readout(header))
    except SoxsError as error:
        raise _located(error, entry.path) from error


def _located(error: SoxsError, path: Path) -> SoxsError:
    """Return the same error with the file it is about."""
    return type(error)(
        error.summary,
        file=path,
        expected=error.expected,
        found=error.found,
        remedy=error.remedy,
    )


def _arms(declaration: Declaration, frames: Sequence[InputFrame]) -> tuple[Arm, ...]:
    """Arms of the recipe that the frames have, by their headers and by their tags.

    Frames of a camera that the recipe does not reduce, like a table of the acquisition camera for
    spectra, have a tag that names it.
    """
    for frame in frames:
        allowed = _arms_of_tag(declaration, frame.tag)
        if frame.arm.name not in allowed:
            raise ArmMismatchError(
                "A frame is not of the camera that its tag names",
                file=frame.path,
                expected=f"a frame of {' or '.join(allowed)} for {frame.tag}",
                found=f"a frame of {frame.arm.name}{_header_tag(frame)}",
                remedy="correct the tag, or give each arm a set of frames of its own",
            )
    ours = [frame for frame in frames if frame.arm.name in declaration.arms] or list(frames)
    for frame in ours:
        if frame.arm is not ours[0].arm and not declaration.joint:
            raise ArmMismatchError(
                "The set of frames mixes arms",
                file=frame.path,
                expected=f"{ours[0].arm.name} frames, like {ours[0].path.name}",
                found=frame.arm.name,
                remedy="give each arm a set of frames of its own",
            )
    return tuple(dict.fromkeys(frame.arm for frame in ours))


def _arms_of_tag(declaration: Declaration, tag: str) -> tuple[str, ...]:
    named = tag.rpartition("_")[2]
    return (named,) if named in [arm.name for arm in ARMS] else declaration.arms


def _statics(
    declaration: Declaration, arms: Sequence[Arm], entries: Sequence[Entry]
) -> dict[str, tuple[Path, ...]]:
    """Files of the static inputs: those given, else those of the package."""
    statics: dict[str, tuple[Path, ...]] = {}
    for arm in arms:
        for item in declaration.inputs_of(arm.name):
            if item.kind is Kind.STATIC:
                tag = item.tag_of(arm.name)
                given = tuple(entry.path for entry in entries if entry.tag == tag)
                _check_static(item, given)
                statics[tag] = given or packaged(item, arm.name)
    return statics


def packaged(item: Input, arm: str) -> tuple[Path, ...]:
    """File of the package that a static input is taken from, if there is one."""
    from importlib.resources import files

    name = item.packaged.format(arm=arm.lower())
    return (Path(str(files("soxs_recipes.calib") / name)),) if name else ()


def _check_static(item: Input, paths: Sequence[Path]) -> None:
    if item.maximum is not None and len(paths) > item.maximum:
        raise MissingInputError(
            f"There are too many {item.tag} files",
            expected=f"at most {item.maximum}: {item.help}",
            found=", ".join(path.name for path in paths),
            remedy="keep the one that fits best",
        )
    for path in paths:
        if not path.is_file():
            raise UnreadableFrameError(
                "There is no such file",
                file=path,
                expected=item.help,
                remedy="correct its name, or leave it out",
            )


def _header_tag(frame: InputFrame) -> str:
    tag = classify(frame.header).tag
    return f" (its header says {tag})" if tag else ""


def _check_counts(declaration: Declaration, inputs: InputSet, arms: Sequence[Arm]) -> None:
    """Refuse too few frames of an input (of any arm) or too many (of each), and wrong sizes."""
    for item in declaration.inputs_of(inputs.arm.name):
        if item.kind is Kind.STATIC:
            continue
        _check_minimum(item, inputs.arm.name, [len(inputs.of(item, arm.name)) for arm in arms])
    for arm in arms:
        for item in declaration.inputs_of(arm.name):
            _check_maximum(item, item.tag_of(arm.name), inputs.of(item, arm.name))
            if item.kind is Kind.RAW:
                _check_sizes(inputs.of(item, arm.name))


def _check_minimum(item: Input, arm: str, counts: Sequence[int]) -> None:
    tag, count = item.tag_of(arm), max(counts)
    if count < item.minimum:
        raise MissingInputError(
            f"There are not enough {tag} frames",
            expected=f"{item.minimum} or more: {item.help}",
            found=str(count) if count else "none",
            remedy=f"add {tag} frames to the set of frames",
        )


def _check_maximum(item: Input, tag: str, frames: Sequence[InputFrame]) -> None:
    if item.maximum is not None and len(frames) > item.maximum:
        raise MissingInputError(
            f"There are too many {tag} frames",
            expected=f"at most {item.maximum}: {item.help}",
            found=", ".join(frame.path.name for frame in frames),
            remedy="keep the one that fits best",
        )


def _check_sizes(frames: Sequence[InputFrame]) -> None:
    """Refuse raw frames whose header gives another size than the camera's."""
    for frame in frames:
        size = (frame.header.get("NAXIS2", 0), frame.header.get("NAXIS1", 0))
        try:
            frame.arm.check_shape(size, frame.readout)
        except ForeignFrameError as error:
            raise _located(error, frame.path) from error


def _compare(
    frames: Sequence[InputFrame], reference: InputFrame, match: Match, item: Input
) -> Iterator[str]:
    wanted = setting(reference, match.setting)
    for frame in frames:
        found = setting(frame, match.setting)
        if found == wanted or (item.kind is not Kind.RAW and found is None):
            continue
        if match.severity == "error":
            raise _mismatch(frame, reference, match, wanted, found)
        yield (
            f"{frame.path.name}: {match.setting.value} is {found}, but {wanted} in "
            f"{reference.path.name}"
        )


def _mismatch(
    frame: InputFrame, reference: InputFrame, match: Match, wanted: object, found: object
) -> SettingMismatchError:
    permit = f", or set --{match.unless}" if match.unless else ""
    return SettingMismatchError(
        f"Frames differ in {match.setting.value}",
        file=frame.path,
        expected=f"{wanted}, as in {reference.path.name}",
        found=str(found),
        remedy=f"keep frames of one {match.setting.value} in the set{permit}",
    )


def _tag_warnings(inputs: InputSet) -> Iterator[str]:
    """Say where a header contradicts its tag; the tag is taken, as a user's word."""
    for frame in inputs.frames:
        told = classify(frame.header)
        if told.tag is None:
            yield f"{frame.path.name}: taken as {frame.tag}, though {told.reason}"
        elif told.tag != frame.tag:
            yield f"{frame.path.name}: taken as {frame.tag}, though its header says {told.tag}"

"""From a list of planned exposures to a directory of raw frames with their truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .exposure import Exposure
from .frames import Run, SourceFactory, take_frames
from .truth import write_truth


def simulate(
    plans: Sequence[Exposure],
    out: str | Path,
    run: Run,
    factory: SourceFactory | None = None,
    workers: int = 1,
    common: Mapping[str, object] | None = None,
) -> list[Path]:
    """Take the frames and write the truth.

    Parameters
    ----------
    plans : sequence of Exposure
        The frames to make.
    out : path
        Directory for the raw files and ``truth/``; made if absent.
    run : Run
        Seeds and switches.
    factory : callable, optional
        Makes the source of scenes; needed for illuminated frames of the spectrograph.
    workers : int
        Number of processes; the files do not depend on it.
    common : mapping, optional
        Truth of the whole night, for the manifest.

    Returns
    -------
    list of Path
        The raw files in the order of the plans.

    Raises
    ------
    FileExistsError
        ``out`` already holds a frame of the same name.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    records = take_frames(plans, out, run, factory, workers)
    write_truth(out, run, records, common)
    return [out / record.file for record in records]

"""From a list of planned exposures to a directory of raw frames with their truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .contract import SceneSource
from .exposure import Exposure
from .frames import Run, SourceFactory
from .observatory import take_frames
from .truth import write_truth


@dataclass(frozen=True)
class OpticsOfRun:
    """A picklable factory: makes the optics of a run in whatever process it lands."""

    run: Run

    def __call__(self) -> SceneSource:
        """Make the optics."""
        from .scenes import OpticsScenes

        return OpticsScenes(self.run.seed, self.run.ideal, self.run.drift)


def simulate(
    plans: Sequence[Exposure],
    out: str | Path,
    run: Run,
    factory: SourceFactory | None = None,
    workers: int = 1,
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
        Makes the source of scenes; by default the optics of the instrument.
    workers : int
        Number of processes; the files do not depend on it.

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
    present = [plan.file_name for plan in plans if (out / plan.file_name).exists()]
    if present:
        raise FileExistsError(
            f"{out / present[0]} exists: simulate into another directory or start at another time"
        )
    factory = factory or OpticsOfRun(run)
    taken = take_frames(plans, out, run, factory, workers)
    write_truth(out, run, taken.records, taken.optics)
    return [out / record.file for record in taken.records]

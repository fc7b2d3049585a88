"""Simulated pinhole arcs and how far a dispersion solution is from their truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxs_simulator.format import ArmFormat
from soxs_simulator.frames import Run
from soxs_simulator.observations import lamp_set, simulate_lamps


@dataclass(frozen=True)
class Arc:
    """One pinhole arc, in NIR with its lamp-off twin, and the truth of its night."""

    arm: str
    files: tuple[Path, ...]
    truth: dict

    @property
    def path(self):
        return self.files[0]

    @property
    def binning(self):
        header = fits.getheader(self.path)
        return header.get("ESO DET BINX", 1), header.get("ESO DET BINY", 1)

    def sets(self, path=None):
        """Sets of frames with their tags; another file may stand for the arc."""
        on = [([path or self.path], f"PINHOLE_ARC_{self.arm}")]
        return on + ([(self.files[1:], "PINHOLE_ARC_OFF_NIR")] if self.files[1:] else [])

    def position(self, order, wave_nm):
        """True position at the slit centre, pixels of the trimmed frame."""
        optics = ArmFormat.from_dict(self.truth["optics"]["arms"][self.arm]["format"])
        shift = self.truth["frames"][self.path.name]["flexure_px"]
        there = optics.orders[int(order)].to_pixel(np.asarray(wave_nm), 0.0)
        return np.array(
            [
                (value + moved + 0.5) / factor - 0.5
                for value, moved, factor in zip(there, shift, self.binning, strict=True)
            ]
        )

    def errors(self, solution, points=400):
        """Solution minus truth in x and y on the detector: between the outermost lines, beyond."""
        rows, columns = solution.shape
        parts = ([], [])
        for order, low_high, fitted in zip(
            solution.orders, solution.range_nm, solution.fitted_nm, strict=True
        ):
            wave = np.linspace(*low_high, points)
            true = self.position(order, wave)
            seen = (true[0] > -0.5) & (true[0] < columns - 0.5)
            seen &= (true[1] > -0.5) & (true[1] < rows - 0.5)
            error = np.array(solution.to_pixel(order, wave)) - true
            between = (wave >= fitted[0]) & (wave <= fitted[1])
            for part, where in zip(parts, (seen & between, seen & ~between), strict=True):
                part.append(error[:, where])
        return tuple(np.hstack(part) for part in parts)

    def edited(self, path, change):
        """Copy of the arc whose HDU list was changed by a function."""
        with fits.open(self.path) as hdus:
            change(hdus)
            hdus.writeto(path, overwrite=True)
        return path


@pytest.fixture(scope="session")
def pinhole_arc(tmp_path_factory):
    """Simulated arcs, each made when first asked for: arm, seed and options of `lamp_set`."""
    made = {}

    def make(arm, seed, **options):
        key = (arm, seed, *sorted(options.items()))
        if key not in made:
            out = tmp_path_factory.mktemp("arc")
            kind = options.pop("kind", "pinhole_arc")
            frames = lamp_set(kind, arm, 1, options.pop("exptime_s", 60.0), **options)
            files = simulate_lamps(out, frames, run=Run(seed=seed))
            truth = json.loads((out / "truth" / "manifest.json").read_text())
            on = [path for path in files if truth["frames"][path.name]["lamp_on"]]
            off = [path for path in files if path not in on]
            made[key] = Arc(arm, (*on, *off), truth)
        return made[key]

    return make

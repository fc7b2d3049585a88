"""What the three detectors are: sizes, gains, noises, rates.

The values are nominal figures of the instrument; where no figure is published the value is an
assumption of the simulator and its comment says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadMode:
    """One read-out mode of a CCD.

    ``conad_e_per_adu`` is ESO's DET OUT1 CONAD, electrons per ADU; DET OUT1 GAIN is its inverse,
    ADU per electron. ``ron_e`` is the analogue read noise; rounding to whole ADU adds
    ``conad / sqrt(12)`` in quadrature.
    """

    name: str
    number: int
    conad_e_per_adu: float
    ron_e: float
    level_adu: float
    readout_s: float

    @property
    def gain_adu_per_e(self) -> float:
        """Value of the DET OUT1 GAIN card, three decimals as in real headers."""
        return round(1.0 / self.conad_e_per_adu, 3)

    @property
    def total_ron_e(self) -> float:
        """Noise of one raw pixel with the rounding to whole ADU, in electrons."""
        return (self.ron_e**2 + self.conad_e_per_adu**2 / 12) ** 0.5


@dataclass(frozen=True)
class CcdSpec:
    """A CCD camera (UV-VIS spectrograph or acquisition camera); lengths in unbinned pixels."""

    arm: str
    rows: int
    columns: int
    prescan: int
    pixel_um: float
    thickness_um: float
    electrons_per_um: float
    full_well_e: float
    dark_e_per_s: float
    hot_fraction: float
    hot_range_e_per_s: tuple[float, float]
    dead_pixels: int
    dead_columns: int
    nonlinearity_per_e: float
    binnings: tuple[tuple[int, int], ...]
    modes: tuple[ReadMode, ...]

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Rows and columns of an unbinned raw frame."""
        return self.rows, self.prescan + self.columns

    def mode(self, name: str) -> ReadMode:
        """Return the read mode of that name: ``Slow High Gain`` or ``slow-high``."""
        wanted = name.lower().replace("-", " ").removesuffix(" gain")
        for mode in self.modes:
            if mode.name.lower().removesuffix(" gain") == wanted:
                return mode
        known = ", ".join(mode_option(mode.name) for mode in self.modes)
        raise ValueError(f"{self.arm} has no read mode {name!r}; use one of: {known}")


@dataclass(frozen=True)
class H2rgSpec:
    """The HAWAII-2RG of the NIR arm.

    ``read_s`` is the time of one full read, ``max_reads`` the number of reads kept of a ramp;
    ``nonlinearity_per_e`` is the relative loss per accumulated electron.
    """

    arm: str = "NIR"
    size: int = 2048
    border: int = 4
    channels: int = 32
    pixel_um: float = 18.0
    thickness_um: float = 8.0
    electrons_per_um: float = 300.0
    conad_e_per_adu: float = 2.3
    read_noise_e: float = 12.0
    reset_level_adu: float = 4000.0
    full_well_e: float = 120_000.0
    dark_e_per_s: float = 0.005
    hot_fraction: float = 3e-3
    hot_range_e_per_s: tuple[float, float] = (0.5, 200.0)
    dead_pixels: int = 4000
    dead_columns: int = 1
    nonlinearity_per_e: float = 1.5e-7
    read_s: float = 1.4
    max_reads: int = 8
    channel_offset_e: float = 4.0
    channel_drift_e: float = 1.5
    column_offset_e: float = 2.0
    row_drift_e: float = 4.0
    curid: int = 3
    curname: str = "Nondest"

    @property
    def rows(self) -> int:
        """Rows of science pixels."""
        return self.size - 2 * self.border

    @property
    def columns(self) -> int:
        """Columns of science pixels."""
        return self.size - 2 * self.border


def mode_option(name: str) -> str:
    """Spelling of a read mode on the command line: ``Slow High Gain`` -> ``slow-high``."""
    return name.lower().removesuffix(" gain").replace(" ", "-")


# Only Slow High Gain is known from real frames (CONAD 1.1, RON 3.3, number 1). The others follow
# the design figures (slow < 3 e-, fast < 8 e-, low gain about 2 e-/ADU); numbers 2-4 are assumed.
VIS_MODES = (
    ReadMode("Slow High Gain", 1, 1.1, 3.3, 850.0, 60.0),
    ReadMode("Slow Low Gain", 2, 2.0, 3.8, 640.0, 60.0),
    ReadMode("Fast High Gain", 3, 1.1, 7.2, 910.0, 20.0),
    ReadMode("Fast Low Gain", 4, 2.0, 7.6, 700.0, 20.0),
)

VIS = CcdSpec(
    arm="VIS",
    rows=4096,
    columns=808,
    prescan=50,
    pixel_um=15.0,
    thickness_um=40.0,
    electrons_per_um=80.0,
    full_well_e=200_000.0,
    dark_e_per_s=1e-5,
    hot_fraction=4e-4,
    hot_range_e_per_s=(0.005, 20.0),
    dead_pixels=150,
    dead_columns=2,
    nonlinearity_per_e=7e-8,
    binnings=((1, 1), (2, 1), (2, 2)),
    modes=VIS_MODES,
)

# 130 ke full well on 16 bits asks for 2 e-/ADU; level and read-out time are assumptions.
ACQ = CcdSpec(
    arm="ACQ",
    rows=1024,
    columns=1024,
    prescan=0,
    pixel_um=13.0,
    thickness_um=20.0,
    electrons_per_um=80.0,
    full_well_e=130_000.0,
    dark_e_per_s=1.2e-4,
    hot_fraction=4e-4,
    hot_range_e_per_s=(0.05, 50.0),
    dead_pixels=40,
    dead_columns=1,
    nonlinearity_per_e=7e-8,
    binnings=((1, 1),),
    modes=(ReadMode("Normal", 1, 2.0, 2.9, 520.0, 2.0),),
)

NIR = H2rgSpec()

DETECTORS: dict[str, CcdSpec | H2rgSpec] = {"VIS": VIS, "NIR": NIR, "ACQ": ACQ}

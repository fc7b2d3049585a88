"""Read-out of frames: geometry, gain, noise, binning."""

import pytest

from soxs_recipes.cameras import ARMS, arm_named, arm_of
from soxs_recipes.errors import ForeignFrameError, HeaderError
from soxs_recipes.instrument.classification import ALL_ARMS

VIS = {"INSTRUME": "SOXS", "ESO SEQ ARM": "VIS", "EXPTIME": 0.0}
NIR = {"INSTRUME": "SOXS", "ESO SEQ ARM": "NIR", "EXPTIME": 20.0}
ACQ = {"INSTRUME": "SOXS", "ESO DET3 CAM NAME": "ACQ", "ESO DET3 EXPO TIME": 5.0}


def readout(header):
    return arm_of(header).readout(header)


def test_arms_are_known_by_name():
    assert tuple(arm.name for arm in ARMS) == ALL_ARMS


def test_real_vis_header_values_win():
    """'Slow High Gain' of a real frame: CONAD 1.1 e-/ADU, GAIN 0.909 ADU/e-, RON 3.3 e-."""
    read = readout(
        VIS
        | {
            "ESO DET OUT1 CONAD": 1.1,
            "ESO DET OUT1 GAIN": 0.909,
            "ESO DET CHIP RON": 3.3,
            "ESO DET READ CURNAME": "Slow High Gain",
            "ESO DET BINX": 1,
            "ESO DET BINY": 1,
        }
    )
    assert (read.gain_e_per_adu, read.read_noise_e) == (1.1, 3.3)
    assert read.read_mode == "Slow High Gain"
    assert read.raw_shape == (4096, 858)
    assert (read.science_columns, read.science_rows) == (slice(50, 858), slice(0, 4096))
    assert read.prescan_columns == slice(0, 50)


def test_gain_without_conad_is_inverted():
    assert readout(VIS | {"ESO DET OUT1 GAIN": 0.5}).gain_e_per_adu == 2.0


def test_nir_placeholders_are_not_believed():
    read = readout(NIR | {"ESO DET OUT1 GAIN": 1.0, "ESO DET CHIP RON": 0.0})
    assert (read.gain_e_per_adu, read.read_noise_e) == (2.3, 7.3)
    assert read.science_shape == (2040, 2040)
    assert read.science_rows == slice(4, 2044)


def test_nir_real_values_are_believed():
    read = readout(NIR | {"ESO DET OUT1 CONAD": 2.1, "ESO DET CHIP RON": 9.0})
    assert (read.gain_e_per_adu, read.read_noise_e) == (2.1, 9.0)


def test_nir_exposure_is_one_dit():
    read = readout(NIR | {"ESO DET SEQ1 DIT": 10.0, "ESO DET NDIT": 2})
    assert (read.exptime_s, read.ndit) == (10.0, 2)


def test_camera_exposure_time_stands_elsewhere():
    assert readout(ACQ).exptime_s == 5.0
    assert readout(ACQ).raw_shape == (1024, 1024)


@pytest.mark.parametrize(
    ("binning", "columns", "science"),
    [((2, 1), (4096, 429), (4096, 404)), ((2, 2), (2048, 429), (2048, 404))],
)
def test_binned_geometry(binning, columns, science):
    read = readout(VIS | {"ESO DET BINX": binning[0], "ESO DET BINY": binning[1]})
    assert read.raw_shape == columns
    assert read.science_shape == science
    assert read.prescan_columns == slice(0, 25)


def test_unknown_binning_is_refused():
    with pytest.raises(ForeignFrameError, match="1x1, 2x1, 1x2, 2x2"):
        readout(VIS | {"ESO DET BINX": 4, "ESO DET BINY": 4})


def test_another_instrument_is_refused():
    with pytest.raises(ForeignFrameError, match="XSHOOTER"):
        arm_of(VIS | {"INSTRUME": "XSHOOTER"})


@pytest.mark.parametrize("value", ["long", float("nan"), -1.0])
def test_senseless_exposure_time_is_refused(value):
    with pytest.raises(HeaderError, match="EXPTIME"):
        readout(VIS | {"EXPTIME": value})


def test_missing_exposure_time_is_refused():
    with pytest.raises(HeaderError, match="DET3 EXPO TIME"):
        readout({key: ACQ[key] for key in list(ACQ)[:2]})


def test_wrong_shape_is_refused_with_both_sizes():
    arm = arm_named("VIS")
    with pytest.raises(ForeignFrameError, match=r"858 x 4096.*\n.*2048 x 2048"):
        arm.check_shape((2048, 2048), arm.readout(VIS))

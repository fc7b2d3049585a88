"""What names of slits tell."""

import pytest

from soxs_recipes.instrument.spectrograph import slit_width_of_name


@pytest.mark.parametrize(
    ("name", "width"),
    [("SLIT1.0", 1.0), ("SLIT0.5 ", 0.5), ("slit5", 5.0), ("PINHOLE", None), ("", None)],
)
def test_slits_are_named_by_their_width(name, width):
    assert slit_width_of_name(name) == width

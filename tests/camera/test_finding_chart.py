"""The finding chart and the table of sources, from products alone."""

import numpy as np
import pytest

from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.phot_tables import read_phot_table
from soxs_recipes.qc.finding_chart import draw_finding_chart, finding_chart


def test_chart_marks_stars_target_and_slit(field, tmp_path):
    one = field("PL_17", "r", 7, 20.0)
    figure = finding_chart(one.image, one.path)
    axes = figure.axes[0]
    circles, squares = axes.collections[:2]
    matched = np.column_stack([one.table.x, one.table.y])[one.table.is_matched]
    assert np.allclose(circles.get_offsets(), matched)
    assert len(squares.get_offsets()) == (~one.table.is_matched & ~one.table.is_target).sum()
    (slit,) = axes.patches
    scale = 0.205
    assert slit.get_height() * scale == pytest.approx(12.0, rel=0.01)
    assert slit.get_center() == pytest.approx((512.5, 512.5))
    row = one.table.target
    assert axes.lines[0].get_ydata()[0] == pytest.approx(one.table.y[row])
    text = axes.get_title() + figure.get_suptitle()
    assert "PL_17" in text and f"{one.table.magnitude_ab[row]:.3f}" in text
    draw_finding_chart(one.image, one.path, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_compass_points_north_and_east(field):
    one = field("MIRRORED", "r", 4, 20.0)
    axes = finding_chart(one.image, one.path).axes[0]
    arrows = {}
    for text in axes.texts:
        if text.get_text() in ("N", "E"):
            arrows[text.get_text()] = np.array(text.get_position()) - 0.15 * 1024
    x, y = one.plate.pixel(one.plate.ra_deg + 0.001, one.plate.dec_deg + 0.001)
    centre = one.plate.pixel(one.plate.ra_deg, one.plate.dec_deg)
    step = np.array([x - centre[0], y - centre[1]])
    assert step @ arrows["E"] > 0 and step @ arrows["N"] > 0


def test_chart_of_a_field_without_stars(field, tmp_path):
    one = field("EMPTY", "r", 7, 20.0)
    axes = finding_chart(one.image, one.path).axes[0]
    assert "no match" in axes.get_title() and "no zero point" in axes.get_title()


def test_other_files_are_no_table(field):
    one = field("PL_17", "r", 7, 20.0)
    with pytest.raises(UnreadableFrameError, match="table that is needed"):
        read_phot_table(one.image)

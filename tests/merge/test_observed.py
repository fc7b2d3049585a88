"""Times and raw files that products carry on, against exposures written down by hand."""

from types import SimpleNamespace

import pytest

from soxs_recipes.recipes.observed import observed_cards


def raw(name, start_s, exptime_s=100.0, kind="OBJECT"):
    return SimpleNamespace(
        header={
            "ARCFILE": f"{name}.fits",
            "MJD-OBS": 60000.0 + start_s / 86400,
            "EXPTIME": exptime_s,
            "ESO DPR TYPE": kind,
        }
    )


def product_of(*frames):
    """A product as the next recipe sees it."""
    cards = {key: value for key, (value, _) in observed_cards(frames).items()}
    first = frames[0].header
    return SimpleNamespace(header={"MJD-OBS": first["MJD-OBS"], "EXPTIME": 100.0, **cards})


def test_two_raw_frames():
    cards = observed_cards([raw("A", 0), raw("B", 150, 300.0, "OBJECT,ASYNC")])
    assert cards["TEXPTIME"][0] == 400.0
    assert (cards["MJD-END"][0] - 60000) * 86400 == pytest.approx(450, abs=1e-4)
    # Weighted by exposure time: (100 * 50 + 300 * 300) / 400.
    assert (cards["MJD-MID"][0] - 60000) * 86400 == pytest.approx(237.5, abs=1e-4)
    assert (cards["PROV1"][0], cards["PROV2"][0]) == ("A", "B")
    assert cards["OBSTYPE"][0] == "OBJECT"


def test_a_raw_file_counts_once_however_often_it_was_used():
    first, second = product_of(raw("A", 0), raw("B", 150)), product_of(raw("B", 150), raw("A", 0))
    cards = observed_cards([first, second])
    assert cards["TEXPTIME"][0] == 200.0
    assert "PROV3" not in cards
    assert (cards["MJD-END"][0] - 60000) * 86400 == pytest.approx(250, abs=1e-4)


def test_products_of_several_exposures_name_all_of_them():
    pairs = [product_of(raw("A", 0), raw("B", 150)), product_of(raw("C", 300), raw("D", 450))]
    cards = observed_cards([product_of(*pairs)])
    assert [cards[f"PROV{n}"][0] for n in (1, 2, 3, 4)] == ["A", "B", "C", "D"]
    assert cards["TEXPTIME"][0] == 400.0


@pytest.mark.parametrize("missing", ["MJD-OBS", "EXPTIME"])
def test_headers_that_do_not_tell(missing):
    silent = raw("A", 0)
    del silent.header[missing]
    assert observed_cards([silent]) == {}
    assert observed_cards([silent, raw("B", 0)])["PROV1"][0] == "B"

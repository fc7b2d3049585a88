"""The checker of static calibrations: passes what is good, names what is not."""

import json

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes import cli
from soxs_recipes.calib_check import check_file, check_folder, main

GOOD = """# %ECSV 1.0
# ---
# datatype:
# - {name: wave, unit: nm, datatype: float64}
# - {name: name, datatype: string}
# meta: !!omap
# - {source: measured here}
# - {licence: CC0}
# schema: astropy-2.0
wave name
500.0 a
501.0 b
"""


def test_the_package_is_whole(capsys):
    assert cli.main(["calib", "check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 8
    assert all(line.endswith(": good") for line in lines)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("# - {licence: CC0}\n", ""), "licence"),
        (("# - {source: measured here}\n", ""), "comes from"),
        ((", unit: nm", ""), "unit"),
        (("500.0", "nan"), "wavelengths"),
        (("500.0", "-1"), "wavelengths"),
        (("500.0 a", "five a"), "cannot be read"),
    ],
)
def test_a_table_with_one_fault_is_told(change, problem, tmp_path):
    path = tmp_path / "table.ecsv"
    path.write_text(GOOD)
    assert check_file(path) == []
    path.write_text(GOOD.replace(*change))
    assert any(problem in text for text in check_file(path))


def test_json_and_fits_faults_are_told(tmp_path):
    path = tmp_path / "format.json"
    path.write_text(json.dumps({"source": "a", "licence": "b", "X": [1.0, float("nan")]}))
    assert check_file(path) == ["X is not finite"]
    table = fits.BinTableHDU(np.rec.fromarrays([np.full(3, np.nan)], names="FLUX"), name="T")
    header = fits.Header({"ORIGIN": "here", "LICENCE": "CC0"})
    path = tmp_path / "table.fits"
    fits.HDUList([fits.PrimaryHDU(header=header), table]).writeto(path)
    assert check_file(path) == ["column FLUX holds no number"]
    path.write_bytes(path.read_bytes()[:-3000])
    assert check_file(path)


def test_a_file_must_be_described(tmp_path, capsys):
    (tmp_path / "table.ecsv").write_text(GOOD)
    assert check_folder(tmp_path) == {"table.ecsv": ["is not described in README.md"]}
    (tmp_path / "README.md").write_text("| `table.ecsv` | lines |\n")
    assert main(["check", str(tmp_path)]) == 0
    (tmp_path / "table.ecsv").unlink()
    assert main(["check", str(tmp_path)]) == 1
    assert "no static calibrations" in capsys.readouterr().out

"""soxs_astro_phot: astrometry and photometry of images of the acquisition camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.errors import MissingInputError
from soxs_recipes.recipes.base import Result, Run, SoxsRecipe
from soxs_recipes.recipes.camera_images import MASTER_IMG_FLAT, ONE_FILTER
from soxs_recipes.recipes.camera_products import PHOT_TAB, QUALITY, SCI_IMAGE
from soxs_recipes.recipes.common import PRODUCT_SUFFIX
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import SAME_READOUT, Declaration, Input, Parameter
from soxs_recipes.recipes.statics import EXTINCTION_TAB, FILTER_TAB, FLUX_STD_TAB, PHOT_CATALOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soxs_recipes.algorithms.zero_point import ZeroPoint
    from soxs_recipes.products.star_catalogues import StarCatalogue
    from soxs_recipes.recipes.camera_calibration import PhotometricSystem, Solved
    from soxs_recipes.recipes.camera_images import CameraImage
    from soxs_recipes.recipes.frames import InputFrame

IMG_OBJECT = Input(
    "IMG_OBJECT_{arm}",
    "images of a field; each is reduced",
    minimum=0,
    match=(*SAME_READOUT, ONE_FILTER),
)
IMG_STD = Input(
    "IMG_STD_{arm}",
    "images of a flux standard: zero points of the night; without other images reduced themselves",
    minimum=0,
    match=(*SAME_READOUT, ONE_FILTER),
)
DETECT_SIGMA = Parameter(
    "detect-sigma", 5.0, "Signal over noise from which a source counts", "sigma", 3.0, 100.0
)
MAX_OFFSET = Parameter("max-offset", 60.0, "Largest error of the pointing", "arcsec", 1.0, 600.0)
MAX_ROTATION = Parameter(
    "max-rotation", 5.0, "Largest error of the position angle, half turns apart", "deg", 0.1, 90.0
)
TARGET_RADIUS = Parameter(
    "target-radius",
    1.5,
    "Distance from the header's position within which a source is the target",
    "arcsec",
    0.1,
    60.0,
)

DECLARATION = Declaration(
    name="soxs_astro_phot",
    synopsis="Calibrate images of the acquisition camera",
    description="""
Each image is detrended (bias, dark, flat of its filter) and its cosmic rays are flagged. Sources
are peaks of the image filtered with the profile of a star; the profile is measured in bright stars,
and positions and fluxes of all sources are fitted at once, so that blends are taken apart; aperture
fluxes stand beside them. The brightest stars are matched with the catalogue by triangles, whatever
the pointing within --max-offset, the rotation within --max-rotation, and with either axis turned
round; a match that chance might give is refused. Plate: tangent projection with distortion as far
as the number of stars allows.

The zero point in g, r, i and z is tied to the catalogue, whose magnitudes (Pan-STARRS) are brought
to the camera's filters by colour terms from the filter curves. In u, y and V, and where no star
matches, it is that of images of a flux standard taken through the same filter (ZPTYPE = NIGHTLY),
with the extinction of the site; else magnitudes are left out (ZPTYPE = NONE). The target is the
source nearest to the header's position; if it is not seen, a 3-sigma limit is given. The catalogue
is ATLAS-RefCat2 as native tiles (rrr+dd.rc2), CSV or a FITS table; proper motions are applied.
Nothing is asked of the network.
""",
    arms=("ACQ",),
    inputs=(
        IMG_OBJECT,
        IMG_STD,
        *detrending_inputs(("ACQ",)),
        MASTER_IMG_FLAT,
        PHOT_CATALOG,
        FILTER_TAB,
        FLUX_STD_TAB,
        EXTINCTION_TAB,
    ),
    products=(SCI_IMAGE, PHOT_TAB),
    parameters=(
        *DETRENDING_PARAMETERS,
        DETECT_SIGMA,
        MAX_OFFSET,
        MAX_ROTATION,
        TARGET_RADIUS,
        PRODUCT_SUFFIX,
    ),
    qc=QUALITY,
    example=(
        ("IMG_OBJECT_ACQ", 1),
        ("MASTER_BIAS_ACQ", 1),
        ("MASTER_IMG_FLAT_ACQ", 1),
        ("PHOT_CATALOG", 1),
    ),
)


class SoxsAstroPhot(SoxsRecipe):
    """Calibrate images of the acquisition camera."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Reduce each image; standards give the zero points of the night."""
        from soxs_recipes.recipes.camera_calibration import (
            catalogue_of,
            nightly_zero_point,
            photometric_system,
            solve,
        )
        from soxs_recipes.recipes.camera_images import camera_image, filter_of, read_flats
        from soxs_recipes.recipes.detrending import read_calibrations

        objects, standards = run.inputs.of(IMG_OBJECT), run.inputs.of(IMG_STD)
        _check_images(objects or standards)
        calibrations, flats = read_calibrations(run), read_flats(run)
        system = photometric_system(run)
        catalogue = catalogue_of(run)
        wanted = {filter_of(file) for file in objects or standards}
        nightly: dict[str, ZeroPoint] = {}
        results: list[Result] = []
        for file in (file for file in standards if filter_of(file) in wanted):
            image = camera_image(run, file, calibrations, flats)
            solved = _solved_standard(run, image, catalogue)
            zero = nightly_zero_point(run, image, solved, system)
            if zero is not None:
                nightly[image.filter_name] = zero
            if not objects:
                results += _results(run, image, solved, system, zero)
        for file in objects:
            image = camera_image(run, file, calibrations, flats)
            solved = solve(run, image, catalogue)
            results += _results(run, image, solved, system, nightly.get(image.filter_name))
        return results


def _check_images(files: Sequence[InputFrame]) -> None:
    if not files:
        raise MissingInputError(
            "There is no image to reduce",
            expected=f"{IMG_OBJECT.tag_of('ACQ')} or {IMG_STD.tag_of('ACQ')}",
            found="none",
            remedy="add one to the set of frames",
        )


def _solved_standard(run: Run, image: CameraImage, catalogue: StarCatalogue | None) -> Solved:
    """Solve the image of a standard, whose field the catalogue need not cover."""
    from soxs_recipes.products.star_catalogues import CatalogueFieldError
    from soxs_recipes.recipes.camera_calibration import solve

    try:
        return solve(run, image, catalogue)
    except CatalogueFieldError:
        run.warning(f"The catalogue does not cover {image.file.path.name}")
        return solve(run, image, None)


def _results(
    run: Run,
    image: CameraImage,
    solved: Solved,
    system: PhotometricSystem,
    nightly: ZeroPoint | None,
) -> list[Result]:
    """Image and table of an image."""
    from soxs_recipes.recipes import camera_products as products
    from soxs_recipes.recipes.camera_calibration import calibrate, find_target

    calibrated = calibrate(run, image, solved, system, nightly)
    target, is_absent = find_target(image, solved, run.settings.target_radius)
    qc = products.image_quality(image, calibrated)
    common = {"qc": qc, "exptime_s": image.exptime_s, "frames": (image.file,)}
    return [
        Result(
            SCI_IMAGE,
            products.image_planes(image),
            **common,
            steps=image.steps,
            cards=products.image_cards(image, calibrated),
        ),
        Result(
            PHOT_TAB,
            {"SOURCES": products.source_table(image, calibrated, target, is_absent)},
            **common,
            steps=image.steps,
            cards=products.table_cards(image, calibrated),
        ),
    ]

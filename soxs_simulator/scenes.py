"""The light of any exposure: the optical half of the simulator.

>>> from soxs_simulator.contract import SceneRequest
>>> from soxs_simulator.scenes import OpticsScenes
>>> source = OpticsScenes(seed=1)
>>> request = SceneRequest("NIR", "std_flux", "SLIT5.0", target="EG274", mode="STARE")
>>> rate = source.scene(request).rate_e_per_s  # doctest: +SKIP

The image is in science pixels without the reference border (NIR) and prescan (VIS): element
``[row, column]`` is the pixel ``x = column, y = row`` of ``spectral_format_<arm>.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .contract import ExposureScene, SceneRequest
from .optics import SLIT_WIDTH_ARCSEC
from .optics_render import render
from .optics_scatter import ghost, scattered_light
from .optics_slit import SLIT_GRID
from .scenes_arm import ArmScene
from .scenes_lamps import lamp_lights, lamp_truth
from .scenes_sky import sky_scene

Array32 = NDArray[np.float32]

SKY_KINDS = ("object", "std_flux", "std_telluric")
NIR_GLOW_E_PER_S = 0.03
"""Diffuse thermal glow of the NIR spectrograph at the red edge of the detector (assumed)."""


@dataclass
class OpticsScenes:
    """Makes the scenes of one night; geometry and tables are kept between exposures.

    Attributes
    ----------
    seed : int
        Seed of the night.
    ideal : bool
        The truth follows the recipes' tables exactly (atmosphere, lamps, standards, line spread).
    drift : float
        Factor on the distortion of the spectral format; 0: the tabulated format.
    ghosts : bool
        Whether ghosts are added.
    """

    seed: int = 1
    ideal: bool = False
    drift: float = 1.0
    ghosts: bool = False
    _arms: dict[str, ArmScene] = field(default_factory=dict, repr=False)

    def arm(self, arm: str) -> ArmScene:
        """Return what all exposures of an arm share."""
        if arm not in self._arms:
            self._arms[arm] = ArmScene(arm, self.seed, self.ideal, self.drift)
        return self._arms[arm]

    def scene(self, request: SceneRequest) -> ExposureScene:
        """Expected photo-electron rate of one exposure.

        The night's seed and ``ideal`` are those of this object.

        Raises
        ------
        UnknownTargetError
            The target has no name known to the simulator.
        """
        scene = self.arm(request.arm)
        truth = self._frame_truth(request)
        if request.slit == "BLANK":
            rate = np.zeros(scene.format.shape, np.float32)
            return ExposureScene(request.arm, request.kind, rate, truth=truth)
        geometry, rest = scene.shifted_geometry(request.flexure_px)
        if request.kind in SKY_KINDS:
            parts = sky_scene(scene, request, geometry)
            lights, plan = parts.lights, parts.plan
        else:
            lights, plan = lamp_lights(scene, request, geometry)
        image = render(geometry, lights, replace(plan, flexure_px=rest))
        self._add_stray(scene, image)
        return ExposureScene(request.arm, request.kind, image, truth=truth)

    def truth(self) -> Mapping[str, object]:
        """JSON-serialisable truth of the night: formats, distortions, atmosphere, sky, arcs."""
        return {
            "optics": {"seed": self.seed, "ideal": self.ideal, "drift": self.drift},
            "arms": {arm: self._arm_truth(self.arm(arm)) for arm in ("VIS", "NIR")},
            "atmosphere": self.arm("VIS").atmosphere.to_dict(),
            "sky": self.arm("VIS").sky.to_dict(),
        }

    def _add_stray(self, scene: ArmScene, image: Array32) -> None:
        optics = scene.optics
        stray = scattered_light(image, optics.scatter_fraction, optics.scatter_px)
        if self.ghosts:
            stray += ghost(image)
        if scene.arm == "NIR":
            rows = np.arange(image.shape[0], dtype=np.float32) / image.shape[0]
            stray += (np.float32(NIR_GLOW_E_PER_S) * (1 - np.float32(0.7) * rows))[:, None]
        image += stray

    def _frame_truth(self, request: SceneRequest) -> dict[str, object]:
        """Truth of one frame; the request reproduces everything else."""
        optics: dict[str, object] = {"request": asdict(request)}
        if request.kind not in SKY_KINDS:
            optics |= lamp_truth(self.arm(request.arm), request)
        return {"optics": optics}

    def _slit_truth(self, scene: ArmScene) -> dict[str, object]:
        """Transmission along each slit, every 0.1 arcsec."""
        place = np.arange(-6.5, 6.55, 0.1)
        table = {
            slit: np.round(np.interp(place, SLIT_GRID, scene.transmission_along(slit)), 5).tolist()
            for slit in SLIT_WIDTH_ARCSEC
        }
        return {"slit_arcsec": np.round(place, 2).tolist(), **table}

    def _arm_truth(self, scene: ArmScene) -> dict[str, object]:
        arcs = scene.arcs
        return {
            "format": scene.format.to_dict(),
            "distortion": scene.distortion.to_dict(),
            "optics": asdict(scene.optics),
            "slit_transmission": self._slit_truth(scene),
            "arc_lines": {
                "listed_nm": arcs.listed_nm.tolist(),
                "true_nm": np.round(arcs.true_nm, 6).tolist(),
                "photons_per_s_arcsec2": np.round(arcs.photons, 3).tolist(),
                "lamp": arcs.lamp.tolist(),
            },
        }

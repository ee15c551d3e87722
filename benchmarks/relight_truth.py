"""Truth of synthetic light-stage people: the same person and pose ray-cast under other light, albedo and normals."""

from dataclasses import dataclass

import numpy as np
import torch

from lca_dataparsers.dataset.reader import Subject
from lca_dataparsers.synthetic.body_fields import body_fields
from lca_dataparsers.synthetic.light_stage import MIDDLE, POWER, RADIUS, StageLight
from lca_dataparsers.synthetic.materials import shade_inputs
from lca_dataparsers.synthetic.person import person_mesh, random_appearance
from lca_dataparsers.synthetic.raycast import SAMPLES, render
from lca_dataparsers.synthetic.scene import Scene, dot
from lca_dataparsers.synthetic.subject import person_vertices
from lca_method.networks.relight_shading import viewing_rays
from lca_shared.cameras import Cameras
from lca_shared.lighting.environment import Environment
from lca_shared.lighting.lights import Lights
from lca_shared.tensors import Bool, Float, Tensor

_FAR = 60.0
"""Metres to the lights that stand for a map."""
_MATERIALS = ("skin", "face", "face", "hair")
"""Of ``person.SKIN`` and on; eyes and mouth count as face."""


@dataclass(frozen=True)
class Intrinsics:
    """Of a picture."""

    albedo: Float[Tensor, "3 h w"]
    """Linear."""
    normal: Float[Tensor, "3 h w"]
    """Unit, world, towards the camera."""
    hit: Bool[Tensor, "h w"]


@dataclass(frozen=True)
class Factors:
    """What a picture under a map is made of, means over each pixel's samples; 0 where nobody is."""

    albedo: Float[Tensor, "3 h w"]
    """Linear."""
    normal: Float[Tensor, "3 h w"]
    """Unit, world, towards the camera."""
    light: Float[Tensor, "3 h w"]
    """Radiance that a white matt surface would send back."""
    unshadowed: Float[Tensor, "3 h w"]
    """The same if nothing threw a shadow."""
    coverage: Float[Tensor, "1 h w"]


class Truth:
    """One person of a dataset of ``lca-data synth``.

    Args:
        seed: of the dataset.
        number: of the person in it.
        subject: the same person's frames.
    """

    def __init__(self, seed: int, number: int, subject: Subject) -> None:
        self._person = random_appearance(seed, number, None)
        self._mesh = person_mesh(self._person)
        self._subject = subject
        if not np.allclose(self._person.shape, subject.shape.numpy(), atol=1e-5):
            raise SystemExit(f"{subject.id} is not person {number} of seed {seed}")

    def scene(self, row: int) -> Scene:
        """The posed person of a row."""
        frames = self._subject.frames
        pose, expression = frames.poses([row])[0], frames.expressions([row])[0]
        return Scene(
            self._mesh, person_vertices(body_fields().body, self._mesh, self._person, expression, pose).numpy()
        )

    def under(self, row: int, camera: Cameras, lights: Lights) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "1 h w"]]:
        """Picture (sRGB) and mask under point and directional lights, and under those that stand for a map, each with
        its shadow.

        Args:
            row: pose and expression.
            camera: one camera.
            lights: without batch axes and without even light.

        Raises:
            ValueError: there is even light, which no ray is cast for.
        """
        if bool((lights.ambient > 0).any()):
            raise ValueError("truth is cast from points and directions, not from even light")
        known = lights.with_keys()
        near, far = known.positions.double().numpy(), known.directions.double().numpy()
        positions = np.concatenate([near, np.array(MIDDLE) + _FAR * far])
        strengths = [known.strengths.double().numpy(), known.sun_strengths.double().numpy() * _FAR**2]
        light = StageLight(positions, np.concatenate(strengths) / (POWER * RADIUS**2))
        picture = render(self._person, self.scene(row), camera, None, np.random.default_rng(0), light)  # type: ignore[arg-type]
        image = torch.from_numpy(picture.image).movedim(-1, 0).float() / 255
        return image, torch.from_numpy(picture.mask)[None].float() / 255

    def factors(self, row: int, camera: Cameras, environment: Environment) -> Factors:
        """Of the picture that :meth:`under` gives of a map."""
        scene, keys = self.scene(row), environment.world_keys()
        origin, size = camera.world_centers().float().numpy(), (camera.height, camera.width)
        sums = np.zeros((13, camera.height * camera.width), np.float32)
        for x, y in SAMPLES:
            rays = viewing_rays(camera, (float(x), float(y))).flatten(0, 1)
            rays = torch.nn.functional.normalize(rays, dim=-1).float().numpy()
            hit, hits = scene.first_hits(origin, rays)
            albedo, _ = shade_inputs(self._person, self._mesh.materials[hits.face], hits.paint)
            facing = np.where(dot(hits.flat, rays[hit]) > 0, -1.0, 1.0).astype(np.float32)[:, None]
            normal, raised = hits.normal * facing, hits.point + hits.flat * facing * np.float32(0.002)
            light, unshadowed = np.zeros_like(normal), np.zeros_like(normal)
            for direction, strength in zip(keys.directions.numpy(), keys.strengths.numpy()):
                taken = np.clip(normal @ direction, 0, None)[:, None] * strength
                unshadowed += taken
                light += taken * ~scene.occluded(raised, np.tile(direction, (len(raised), 1)), _FAR)[:, None]
            parts = [albedo, normal, light, unshadowed, np.ones((len(normal), 1))]
            sums[:, hit] += np.concatenate(parts, axis=1).T.astype(np.float32)
        sums = torch.from_numpy(sums).reshape(13, *size)
        covered = sums[12:]
        albedo, normal, light, unshadowed = (sums[:12] / covered.clamp(min=1)).split(3)
        normal = torch.nn.functional.normalize(normal, dim=0)
        return Factors(albedo, normal, light, unshadowed, covered / len(SAMPLES))

    def regions(self, row: int, camera: Cameras) -> np.ndarray:
        """Names [h, w] of what is seen at the pixels' centres: ``face``, ``skin``, ``hair``, kinds of garments; empty
        where nobody is."""
        scene = self.scene(row)
        rays = torch.nn.functional.normalize(viewing_rays(camera).flatten(0, 1), dim=-1).float().numpy()
        hit, hits = scene.first_hits(camera.world_centers().float().numpy(), rays)
        names = np.array([*_MATERIALS, *(garment.kind for garment in self._person.outfit)], object)
        found = names[self._mesh.materials[hits.face]]
        found[self._mesh.face_region[hits.face]] = "face"
        whole = np.full(len(rays), "", object)
        whole[hit] = found
        return whole.reshape(camera.height, camera.width)

    def intrinsics(self, row: int, camera: Cameras) -> Intrinsics:
        """Albedo and normals at the pixels' centres."""
        scene = self.scene(row)
        rays = viewing_rays(camera).flatten(0, 1)
        rays = torch.nn.functional.normalize(rays, dim=-1).float().numpy()
        hit, hits = scene.first_hits(camera.world_centers().float().numpy(), rays)
        albedo, _ = shade_inputs(self._person, self._mesh.materials[hits.face], hits.paint)
        facing = np.where(dot(hits.flat, rays[hit]) > 0, -1.0, 1.0)[:, None]
        size = (camera.height, camera.width)
        whole = [np.zeros((len(rays), 3), np.float32) for _ in range(2)]
        whole[0][hit], whole[1][hit] = albedo, hits.normal * facing
        pictures = [torch.from_numpy(part).reshape(*size, 3).movedim(-1, 0) for part in whole]
        return Intrinsics(pictures[0], pictures[1], torch.from_numpy(hit).reshape(size))

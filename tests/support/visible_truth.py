"""Which anchors of synthetic people are seen, known without the visibility test: by the ids of the cast rays, and by
brute force over all triangles."""

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial import cKDTree

from lca_dataparsers.synthetic.body_fields import body_fields
from lca_dataparsers.synthetic.person import CLOTH, HAIR, Appearance, person_mesh, random_appearance
from lca_dataparsers.synthetic.scene import Scene, unit
from lca_dataparsers.synthetic.subject import person_vertices
from lca_shared.body.anchors import SurfacePoints
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics


def random_pose(body: CompactBody, seed: int) -> BodyPose:
    """Arms and legs turned at random, radians; standing anywhere around the origin."""
    generator = torch.Generator().manual_seed(seed)
    rest = BodyPose.rest(len(body.driven_joints))
    joints = 0.15 * torch.randn(rest.joint_rotations.shape, generator=generator)
    for name in ("upperarm01.L", "upperarm01.R", "lowerarm01.L", "lowerarm01.R", "upperleg01.L", "upperleg01.R"):
        joints[body.driven_joints.index(name)] += 0.5 * torch.randn(3, generator=generator)
    turned = torch.tensor([0.0, 0.0, float(6.28 * torch.rand((), generator=generator))])
    return replace(rest, joint_rotations=joints, root_rotation=turned)


def camera_in_front(size: int, distance: float = 3.0, height: float = 0.2) -> Cameras:
    """Looks at the origin's person from -Y; the whole body fits."""
    eye, target = torch.tensor([0.0, -distance, height]), torch.tensor([0.0, 0.0, 0.0])
    return Cameras(look_at(eye, target), pinhole_intrinsics(0.66 * distance / 1.3 * size, size, size), size, size)


def hidden_by_brute_force(
    vertices: np.ndarray, faces: np.ndarray, points: np.ndarray, center: np.ndarray, tolerance: float
) -> np.ndarray:
    """Moeller and Trumbore's test of every segment from the camera to a point against every triangle, float64."""
    corner = vertices[faces].astype(float)
    first, second = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    start = center - corner[:, 0]
    across = np.cross(start, first)
    hidden = np.zeros(len(points), bool)
    for index, point in enumerate(points.astype(float)):
        way = point - center
        distance = np.linalg.norm(way)
        way = way / distance
        normal = np.cross(way, second)
        determinant = (first * normal).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = (start * normal).sum(1) / determinant
            v = (across @ way) / determinant
            t = (second * across).sum(1) / determinant
        hit = (np.abs(determinant) > 1e-14) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6)
        hidden[index] = bool((t[hit] < distance - tolerance).any())
    return hidden


def clothed_truth(
    person: Appearance, pose: BodyPose, camera: Cameras, anchors: SurfacePoints, angle: float, radius: float = 0.01
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What rays from the camera hit of a dressed person, told by the template position of skin and clothes that the
    rays' faces carry.

    Returns:
        Anchors [n] whose place on the template, ``radius`` metres around it, is hit within ``angle`` degrees of the
        hit surface's normal; anchors [n] for which that says something (hair, skirts and dresses carry no template
        position: not what they cover); the person's mask [h, w] 0..1.
    """
    body = body_fields().body
    mesh = person_mesh(person)
    expression = torch.zeros(len(body.expression_names))
    scene = Scene(mesh, person_vertices(body, mesh, person, expression, pose).numpy())
    origin = camera.world_centers().numpy()
    row, column = np.divmod(np.arange(camera.width * camera.height), camera.width)
    pixels = np.stack([column + 0.5, row + 0.5, np.ones(len(row))], axis=-1)
    rotation = camera.camera_from_world[:3, :3].double().numpy()
    rays = unit(((pixels @ np.linalg.inv(camera.intrinsics.double().numpy()).T) @ rotation).astype(np.float32))
    hit, hits = scene.first_hits(origin, rays)
    swinging = [CLOTH + index for index, garment in enumerate(person.outfit) if garment.kind in ("skirt", "swinging")]
    unknown = [HAIR, *swinging]
    facing = np.abs((hits.flat * rays[hit]).sum(axis=1)) > np.cos(np.radians(angle))
    used = facing & ~np.isin(mesh.materials[hits.face], unknown)
    template = anchors.read(body.template_vertices, body.faces).numpy()
    near = cKDTree(hits.paint[used, :3]).query(template, distance_upper_bound=radius)[0]

    points = anchors.read(body.skinned(body.shaped(torch.from_numpy(person.shape)), pose), body.faces).numpy()
    ways = points - origin
    distance = np.linalg.norm(ways, axis=1)
    met, first = scene.first_hits(origin, (ways / distance[:, None]).astype(np.float32))
    covered = np.zeros(len(points), bool)
    close = distance[met] - np.linalg.norm(first.point - origin, axis=1) < 0.15
    covered[met] = close & np.isin(mesh.materials[first.face], unknown)
    inside = anchors.read(body.regions["mouth_interior"][:, None].float(), body.faces).numpy()[:, 0] > 0
    mask = hit.reshape(camera.height, camera.width).astype(np.float32)
    return np.isfinite(near), ~covered & ~inside, mask


def plain_person(seed: int, start: int = 0) -> Appearance:
    """The first person from ``start`` on without skirt, dress or jacket."""
    for index in range(start, start + 50):
        person = random_appearance(seed, index)
        if {garment.name for garment in person.outfit} <= {"shoes", "trousers", "shorts", "leggings", "top"}:
            return person
    raise LookupError("nobody is dressed plainly")

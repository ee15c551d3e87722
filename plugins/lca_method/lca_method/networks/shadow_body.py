"""What the posed body keeps from places on it: which lights reach them past its other parts."""

from dataclasses import dataclass, replace

import torch
from torch.nn.functional import embedding_bag

from lca_method.networks.irradiance import received
from lca_method.networks.occlusion import occluded
from lca_method.networks.shadow_layout import ShadowLayout
from lca_shared.body.anchors import SurfacePoints, body_at
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.lighting.lights import Lights
from lca_shared.skinning import apply_blended, blend_transforms
from lca_shared.tensors import Float, Int, Tensor

LIFT, AHEAD = 0.006, 0.012
"""Metres: rays start so far above the body, and so far on their way: the coarse mesh does not meet its own surface."""
BELOW = -0.5
"""Least cosine of a place's normal and a light that clothes over it may still face: they turn away from the body."""


@dataclass(frozen=True)
class ShadowBody:
    """The body as far as shadows need it."""

    body: CompactBody
    """Vertices of the coarse mesh first, then the places where light is measured."""
    faces: Int[Tensor, "faces 3"]
    """Of the coarse mesh."""
    normals: Float[Tensor, "places 3"]
    """At rest, outward, unit."""
    neighbours: Int[Tensor, "gaussians neighbours"]
    """Places that each Gaussian reads."""
    weights: Float[Tensor, "gaussians neighbours"]
    """Of each, sum 1."""

    @staticmethod
    def of(body: CompactBody, places: SurfacePoints, layout: ShadowLayout) -> "ShadowBody":
        """Args: the whole template; the places on it; the layout of both."""
        count = len(layout.occluder)
        corner = torch.zeros(len(body.template_vertices), dtype=torch.long, device=body.faces.device)
        for column in range(3):  # some face, and which corner of it, for each vertex
            corner[body.faces[:, column]] = torch.arange(len(body.faces), device=corner.device) * 3 + column
        chosen = corner[layout.occluder]
        at_vertices = SurfacePoints(chosen // 3, torch.nn.functional.one_hot(chosen % 3, 3).to(places.barycentric))
        points = SurfacePoints(
            torch.cat([at_vertices.faces, places.faces]), torch.cat([at_vertices.barycentric, places.barycentric])
        )
        read = body_at(body, points)
        normals = places.normals(body.template_vertices, body.faces)
        assert len(read.template_vertices) == count + len(normals)
        return ShadowBody(read, layout.faces, normals, layout.neighbours, layout.weights)

    def posed(
        self,
        shape: Float[Tensor, "*#b coefficients"],
        pose: BodyPose,
        shift: Float[Tensor, "*#b points 3"] | None = None,
    ) -> tuple[Float[Tensor, "*b vertices 3"], Float[Tensor, "*b places 3"], Float[Tensor, "*b places 3"]]:
        """Vertices of the coarse mesh, places and their normals in a pose; metres, world.

        Args: as of :meth:`visible`.
        """
        body, count = self.body, len(self.body.template_vertices) - len(self.normals)
        shaped = body.shaped(shape)
        blended = blend_transforms(body.active_weights, body.active_transforms(shaped.joints, pose))
        points = apply_blended(blended, shaped.vertices if shift is None else shaped.vertices + shift)
        turned = (blended[..., count:, :, :3] @ self.normals[..., None])[..., 0]
        return points[..., :count, :], points[..., count:, :], torch.nn.functional.normalize(turned, dim=-1)

    @torch.no_grad()
    def visible(
        self,
        shape: Float[Tensor, "*#b coefficients"],
        pose: BodyPose,
        lights: Lights,
        horizon: float = BELOW,
        shift: Float[Tensor, "*#b points 3"] | None = None,
    ) -> Float[Tensor, "*b places lights"]:
        """Which lights reach each place past the body: 1, or 0 if a part of it is in the way. Lights as
        ``Lights.with_keys().arriving`` orders them.

        Args:
            shape: of the person.
            pose: batch shape ``[*b]``.
            lights: batch shape ``[*b]``, or none for light that is the same in all.
            horizon: cosine of the place's normal and a light below which the place's own surface hides it.
            shift: of vertices and places at rest, metres (``ClothedShadows``); None = they are as they should be.
        """
        vertices, places, normals = self.posed(shape, pose, shift)
        raised = places + LIFT * normals
        directions, strengths, distances = lights.with_keys().arriving(raised)
        cosine = (directions * normals[..., None, :]).sum(-1)
        shining = (strengths > 0).any(dim=-1).expand(cosine.shape)
        pictures = places.shape[:-2].numel()
        seen = ((cosine > horizon) & shining).to(places).reshape(pictures, *cosine.shape[-2:])
        origins, meshes = (part.reshape(pictures, *part.shape[-2:]) for part in (raised, vertices))
        directions = directions.expand(*cosine.shape, 3).reshape(*seen.shape, 3)
        distances = distances.expand(cosine.shape).reshape(seen.shape)
        for picture in range(pictures):
            place, which = torch.nonzero(seen[picture] > 0, as_tuple=True)
            ray = directions[picture, place, which]
            hit = occluded(
                origins[picture, place] + AHEAD * ray,
                ray,
                distances[picture, place, which] - AHEAD,
                meshes[picture],
                self.faces,
            )
            seen[picture, place[hit], which[hit]] = 0.0
        return seen.reshape(cosine.shape)

    @torch.no_grad()
    def light(
        self, shape: Float[Tensor, "*#b coefficients"], pose: BodyPose, lights: Lights
    ) -> Float[Tensor, "*b places 3"]:
        """Radiance that white matt places on the bare body send back, with its shadows.

        Args: as of :meth:`visible`.
        """
        _, places, normals = self.posed(shape, pose)
        seen = self.visible(shape, pose, lights, horizon=0.0)
        return received(normals, places + LIFT * normals, seen, lights)[0]

    def spread(self, values: Float[Tensor, "*b places numbers"]) -> Float[Tensor, "*b gaussians numbers"]:
        """What is known at the places, at the Gaussians."""
        if values.shape[-1] == 0:  # no lights at all, which the kernel below does not take
            return values.new_zeros(*values.shape[:-2], len(self.neighbours), 0)
        flat = values.flatten(0, -3) if values.ndim > 2 else values[None]
        found = [
            embedding_bag(self.neighbours, part, per_sample_weights=self.weights.to(part), mode="sum") for part in flat
        ]
        return torch.stack(found).reshape(*values.shape[:-2], len(self.neighbours), values.shape[-1])

    def to(self, device: torch.device | str) -> "ShadowBody":
        """On another device."""
        moved = (getattr(self, name).to(device) for name in ("faces", "normals", "neighbours", "weights"))
        faces, normals, neighbours, weights = moved
        return ShadowBody(self.body.to(device), faces, normals, neighbours, weights)

    def with_body(self, body: CompactBody) -> "ShadowBody":
        """With another body at the same points."""
        return replace(self, body=body)

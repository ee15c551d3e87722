"""Irradiance on the posed body: with the shadows that one part throws on another, and without."""

from dataclasses import dataclass, replace

import torch

from lca_method.networks.occlusion import occluded
from lca_method.networks.shadow_layout import ShadowLayout
from lca_shared.body.anchors import SurfacePoints, body_at
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.lighting.lights import Lights
from lca_shared.skinning import apply_blended, blend_transforms
from lca_shared.tensors import Float, Int, Tensor

LIFT, AHEAD = 0.012, 0.025
"""Metres: rays start so far above the body, and so far on their way: the coarse mesh does not meet its own surface."""
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_DARK = 0.02
"""Light, as a share of the person's mean, below which a place counts as lit by nothing and shadowed by nobody."""


@dataclass(frozen=True)
class ShadowBody:
    """The body as far as shadows need it."""

    body: CompactBody
    """Vertices of the coarse mesh first, then the places where light is measured (one a token)."""
    faces: Int[Tensor, "faces 3"]
    """Of the coarse mesh."""
    normals: Float[Tensor, "places 3"]
    """At rest, outward, unit."""
    neighbours: Int[Tensor, "gaussians neighbours"]
    """Places that each Gaussian reads."""
    weights: Float[Tensor, "gaussians neighbours"]
    """Of each, sum 1."""

    @staticmethod
    def of(body: CompactBody, tokens: SurfacePoints, layout: ShadowLayout) -> "ShadowBody":
        """Args: the whole template; the tokens on it; the layout of both."""
        count = len(layout.occluder)
        corner = torch.zeros(len(body.template_vertices), dtype=torch.long, device=body.faces.device)
        for column in range(3):  # some face, and which corner of it, for each vertex
            corner[body.faces[:, column]] = torch.arange(len(body.faces), device=corner.device) * 3 + column
        chosen = corner[layout.occluder]
        at_vertices = SurfacePoints(chosen // 3, torch.nn.functional.one_hot(chosen % 3, 3).to(tokens.barycentric))
        points = SurfacePoints(
            torch.cat([at_vertices.faces, tokens.faces]), torch.cat([at_vertices.barycentric, tokens.barycentric])
        )
        read = body_at(body, points)
        normals = tokens.normals(body.template_vertices, body.faces)
        assert len(read.template_vertices) == count + len(normals)
        return ShadowBody(read, layout.faces, normals, layout.neighbours, layout.weights)

    def posed(
        self, shape: Float[Tensor, "*#b coefficients"], pose: BodyPose
    ) -> tuple[Float[Tensor, "*b vertices 3"], Float[Tensor, "*b places 3"], Float[Tensor, "*b places 3"]]:
        """Vertices of the coarse mesh, places and their normals in a pose; metres, world."""
        body, count = self.body, len(self.body.template_vertices) - len(self.normals)
        shaped = body.shaped(shape)
        blended = blend_transforms(body.active_weights, body.active_transforms(shaped.joints, pose))
        points = apply_blended(blended, shaped.vertices)
        turned = (blended[..., count:, :, :3] @ self.normals[..., None])[..., 0]
        return points[..., :count, :], points[..., count:, :], torch.nn.functional.normalize(turned, dim=-1)

    @torch.no_grad()
    def light(
        self, shape: Float[Tensor, "*#b coefficients"], pose: BodyPose, lights: Lights
    ) -> tuple[Float[Tensor, "*b places 3"], Float[Tensor, "*b places 3"]]:
        """Radiance that white matt places send back with the shadows of the body, and without.

        Args: as of :meth:`irradiance`.
        """
        vertices, places, normals = self.posed(shape, pose)
        raised = places + LIFT * normals
        directions, strengths, distances = lights.with_keys().arriving(raised)
        taken = (directions * normals[..., None, :]).sum(-1).clamp(min=0)
        even = lights.ambient[..., None, :]
        pictures = places.shape[:-2].numel()
        seen = (taken * (strengths.sum(-1) > 0)).reshape(pictures, *taken.shape[-2:]).clone()
        origins, meshes = (part.reshape(pictures, *part.shape[-2:]) for part in (raised, vertices))
        directions = directions.reshape(pictures, *directions.shape[-3:])
        distances = distances.reshape(pictures, *distances.shape[-2:])
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
        shadowed, open_light = (
            (part[..., None, :] @ strengths)[..., 0, :] for part in (seen.reshape(taken.shape), taken)
        )
        return shadowed + even, open_light + even

    def irradiance(
        self, shape: Float[Tensor, "*#b coefficients"], pose: BodyPose, lights: Lights
    ) -> Float[Tensor, "*b places 6"]:
        """Of each place: the share of its light that no part of the body keeps away; light with shadows; light
        without; the latter two over the person's mean, so that they do not depend on how bright it is. These are of
        luminance. Then the same share of red, green and blue over the first: where the sun is kept away, what is left
        is the sky's blue.

        Args:
            shape: of the person.
            pose: batch shape ``[*b]``.
            lights: batch shape ``[*b]``, or none for light that is the same in all.
        """
        shadowed, open_light = self.light(shape, pose, lights)
        luminance = shadowed.new_tensor(_LUMINANCE)
        dim, bright = (part @ luminance for part in (shadowed, open_light))
        mean = bright.mean(dim=-1, keepdim=True).clamp(min=1e-6)
        share = (dim + _DARK * mean) / (bright + _DARK * mean)
        dark = _DARK * mean[..., None]
        of_colors = (shadowed + dark) / (open_light + dark) / share[..., None]
        return torch.cat([torch.stack([share, dim / mean, bright / mean], dim=-1), of_colors], dim=-1)

    def spread(self, values: Float[Tensor, "*b places numbers"]) -> Float[Tensor, "*b gaussians numbers"]:
        """What is known at the places, at the Gaussians."""
        found = values[..., self.neighbours.flatten(), :].unflatten(-2, self.neighbours.shape)
        return (found * self.weights[..., None]).sum(-2)

    def to(self, device: torch.device | str) -> "ShadowBody":
        """On another device."""
        moved = (getattr(self, name).to(device) for name in ("faces", "normals", "neighbours", "weights"))
        faces, normals, neighbours, weights = moved
        return ShadowBody(self.body.to(device), faces, normals, neighbours, weights)

    def with_body(self, body: CompactBody) -> "ShadowBody":
        """With another body at the same points."""
        return replace(self, body=body)

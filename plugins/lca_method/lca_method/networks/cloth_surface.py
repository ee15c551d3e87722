"""Where the cloth is that nodes carry: the legs' Gaussians laid around a skirt.

Weights that keep a skirt whole show only where there is cloth. Gaussians start on the legs, and half of them face the
other leg. Here each leg's ring of points is unrolled to half an oval around both legs, its inner side to the middle in
front and behind, and starts from there, carried by nodes as each reference view shows the person, as far out as most
views that show the place show the person. A small network corrects that. It acts by how far the nodes' gates are open:
shut, a Gaussian starts as ever. Not in the paper.
"""

from dataclasses import replace

import torch

from lca_method.networks.gaussian_heads import GaussianStart
from lca_method.networks.own_heads import of_cloth
from lca_method.networks.projected_outline import ProfileReader
from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Bool, Float, Tensor

DISTANCES = (0.0, 0.03, 0.06, 0.1, 0.14, 0.18, 0.23, 0.28, 0.34)
"""Metres outwards from the oval."""
FEATURES = 4 * len(DISTANCES) + 1
_CORRECTION = 0.2
"""Metres: bound of what the network adds along the direction, and to each coordinate."""
_NO, _YES = 0.6, 1.0
"""Share of the views up to which there is no cloth, and from which there is: it swings, and where it was in one view it
is not in another."""
_STRETCH = 0.5
"""Gaussians grow with this power of how much longer their ring has become."""
_BAND = 0.03
"""Metres of height over which a leg's middle and radius are averaged."""
_BELOW_HIPS = (0.08, 0.18)
"""Metres below the joints of the hips between which rings turn from the body's to the oval."""


class ClothSurface(ProfileReader):
    """Profiles outwards from an oval around both legs -> starts of Gaussians on cloth."""

    def __init__(self, position_code: int, hidden: int = 64):
        """Args: length of the points' position code; width of the network."""
        super().__init__(FEATURES, position_code, hidden)
        self.register_buffer("away", torch.empty(0), persistent=False)
        self.register_buffer("shift", torch.empty(0), persistent=False)
        self.register_buffer("rings", torch.empty(0), persistent=False)

    away: Tensor
    shift: Tensor
    rings: Tensor

    def read_template(self, points: CompactBody, body: CompactBody) -> None:
        """Args: the Gaussians' points on the template with their weights; the body model."""
        found = oval_around_legs(points.template_vertices, points.active_weights, body)
        self.away, self.shift, self.rings = found

    def share(self, replaced: Float[Tensor, "*b points"]) -> Float[Tensor, "*b points 1"]:
        """How far Gaussians lie on cloth, 0..1, from the share of their weights that nodes replaced. What is on trunk
        and hips stays where outlines put it: cloth is near the body there."""
        return self.rings[:, :1] * of_cloth(replaced)[..., None]

    def stretched(self, reach: Float[Tensor, "*b points 1"]) -> Float[Tensor, "*b points 1"]:
        """Logarithm of how much longer a leg's ring becomes that opens to half an oval so far out."""
        _, radius, wide, deep = self.rings.split(1, dim=-1)
        around = (0.5 * ((wide + reach).square() + (deep + reach).square())).sqrt() / (2 * radius)
        return around.clamp(min=1).log()

    def forward(
        self,
        profile: Float[Tensor, "*b points features"],
        position_code: Float[Tensor, "points code"],
        colors: Float[Tensor, "*b points 3"],
        replaced: Float[Tensor, "*b points"],
        bare: GaussianStart,
    ) -> GaussianStart:
        """Starts of Gaussians on cloth, and of the others as they were.

        Args:
            profile: of ``outline_profile`` at :data:`DISTANCES` from the oval.
            position_code: of the points on the template.
            colors: sRGB.
            replaced: share of each Gaussian's skinning weights that nodes replaced, 0..1.
            bare: starts without cloth.
        """
        along, beside, opacities, log_scales, tint = self.read(profile, position_code, colors)
        share = self.share(replaced) * cloth_shown(profile)[..., :1]  # no cloth where views show none
        reach = reach_of(profile)
        offsets = (reach + _CORRECTION * along.tanh()) * self.away + _CORRECTION * beside.tanh()
        offsets = self.shift + offsets
        log_scales = log_scales + _STRETCH * self.stretched(reach)
        return replace(
            bare,
            offsets=torch.lerp(bare.offsets, offsets, share),
            opacities=bare.opacities + (share * opacities)[..., 0],
            log_scales=bare.log_scales + (share * log_scales)[..., 0],
            colors=bare.colors + share * tint,
        )


def cloth_shown(profile: Float[Tensor, "*b points features"]) -> Float[Tensor, "*b points distances"]:
    """How far the views that show the place agree that the person is there: 0..1."""
    votes = profile[..., 3 * len(DISTANCES) : 4 * len(DISTANCES)]
    return ((votes - _NO) / (_YES - _NO)).clamp(0, 1)


def reach_of(profile: Float[Tensor, "*b points features"]) -> Float[Tensor, "*b points 1"]:
    """Metres along the direction over which the views that show the place show the person without a gap."""
    distances = profile.new_tensor(DISTANCES)
    shown = cloth_shown(profile).cumprod(dim=-1)
    return (0.5 * (shown[..., 1:] + shown[..., :-1]) * distances.diff()).sum(dim=-1, keepdim=True)


def oval_around_legs(
    points: Float[Tensor, "points 3"], template: Float[Tensor, "points joints"], body: CompactBody
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"], Float[Tensor, "points 4"]]:
    """Level unit directions outwards, how far each point is from its place on the oval, metres, at rest, and of its
    ring: how far it is one of a leg (0..1), the leg's radius, and half the oval's width and depth, metres.

    Args:
        points: on the template: x to the side, y from front to back, z up.
        template: skinning weights over the joints that move.
        body: names and places of the joints.
    """
    on_legs = template[:, leg_joints(body)].sum(dim=-1) > 0.5
    folded = torch.stack([points[:, 0].abs(), points[:, 1]], dim=-1)
    seen, heights = folded[on_legs], points[on_legs, 2]
    hips = float(body.template_joints[body.joint_names.index("upperleg01.L"), 2])
    ankles = float(body.template_joints[body.joint_names.index("foot.L"), 2])
    levels = torch.linspace(ankles, hips, 48, dtype=points.dtype, device=points.device)
    near = torch.exp(-0.5 * ((levels[:, None] - heights) / _BAND).square())
    near = near / near.sum(dim=-1, keepdim=True)
    middles = near @ seen
    radii = (near * torch.cdist(middles, seen)).sum(dim=-1)
    place = ((points[:, 2] - ankles) / (hips - ankles) * (len(levels) - 1)).clamp(0, len(levels) - 1.001)
    low, part = place.long(), place.frac()[:, None]
    middle, radius = (torch.lerp(v[low], v[low + 1], part) for v in (middles, radii[:, None]))
    across = folded - middle
    angle = torch.atan2(across[:, 1], across[:, 0]) / 2
    side = torch.where(points[:, 0] < 0, -1.0, 1.0).to(points)
    out = torch.stack([angle.cos() * side, angle.sin(), torch.zeros_like(side)], dim=-1)
    half = torch.cat([middle[:, :1] + radius, radius, torch.zeros_like(radius)], dim=-1)
    depth = torch.stack([torch.zeros_like(side), middle[:, 1], points[:, 2]], dim=-1)
    from_hips = ((hips - _BELOW_HIPS[0] - points[:, 2]) / (_BELOW_HIPS[1] - _BELOW_HIPS[0])).clamp(0, 1)
    legs = (from_hips * on_legs * (points[:, 2] > ankles))[:, None]
    return out, (legs > 0) * (depth + half * out - points), torch.cat([legs, radius, half[:, :2]], dim=-1)


def leg_joints(body: CompactBody) -> Bool[Tensor, "joints"]:
    """Which of a body's joints that move are those of legs, below the hips."""
    names = [body.joint_names[joint] for joint in body.active.joints.tolist()]
    return torch.tensor([name.startswith(("upperleg", "lowerleg", "foot", "toe")) for name in names])

"""Pictures of an avatar in chosen light, and what such a picture is made of."""

from dataclasses import dataclass, field

import torch

from lca_method.avatar.avatar import Avatar
from lca_method.networks.relight import relit
from lca_method.networks.relight_intrinsics import Intrinsic
from lca_method.networks.relight_shading import Shaded
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.tone import ToneCurve, to_srgb, tone_mapped
from lca_shared.rendering import rasterize
from lca_shared.rotations import matrix_to_six_numbers, quaternion_to_matrix, six_numbers_to_matrix
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Look:
    """The light, and how it becomes a picture."""

    lights: Lights
    """Without batch axes."""
    exposure: float = 0.0
    """Stops."""
    curve: ToneCurve = "clip"
    shown: Intrinsic = "relit"
    turned_per_frame: float = field(default=0.0)
    """Degrees by which the environment turns about the vertical from frame to frame."""


def relit_picture(
    avatar: Avatar,
    gaussians: Gaussians,
    pose: BodyPose,
    pose_hidden: Float[Tensor, "tokens hidden"] | None,
    camera: Cameras,
    look: Look,
) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "1 h w"]]:
    """A frame as sRGB (not multiplied by alpha), and alpha.

    Args:
        avatar: a relightable one.
        gaussians: of the frame, world, without batch axes.
        pose: of the frame, ``[1]``.
        pose_hidden: what the pose-dependent head's last layer reads; None = as at rest.
        camera: without batch axes.
        look: the light.

    Raises:
        UserError: the avatar is not relightable.
    """
    picture = lit_frame(avatar, gaussians, pose, pose_hidden, camera, look.lights, look.shown == "albedo")
    return shown_part(picture, look), picture.alpha


def lit_frame(
    avatar: Avatar,
    gaussians: Gaussians,
    pose: BodyPose,
    pose_hidden: Float[Tensor, "tokens hidden"] | None,
    camera: Cameras,
    lights: Lights,
    albedo: bool = False,
) -> Shaded:
    """A frame's radiance; arguments and errors as of :func:`relit_picture`."""
    buffers = lit_buffers(avatar, gaussians, pose, pose_hidden, lights, albedo)
    return relit(buffers, camera, lights, rasterize)


def lit_buffers(
    avatar: Avatar,
    gaussians: Gaussians,
    pose: BodyPose,
    pose_hidden: Float[Tensor, "tokens hidden"] | None,
    lights: Lights,
    albedo: bool = False,
) -> Gaussians:
    """Gaussians with the channels of the deferred pass; arguments and errors as of :func:`relit_picture`."""
    relight = avatar.relight
    if relight is None:
        raise UserError(
            "This avatar is not relightable: the model that made it has no radiance transfer. Make it with one that "
            "has it: `lca create --model demo-relight`, or a model that `ns-train lca-relight` trained."
        )
    frame = Gaussians(gaussians.means[None], gaussians.quaternions[None], gaussians.scales[None],
                      gaussians.opacities[None], gaussians.colors[None])  # fmt: skip
    return relight.per_frame.buffers_of(
        relight.transfer.of_frames(1),
        frame,
        lights,
        relight.shadow_body,
        gaussians.means.new_zeros(0),
        pose,
        None if pose_hidden is None else pose_hidden[None],
        albedo,
        turned_frames(avatar, pose),
    )[0]


def turned_frames(avatar: Avatar, pose: BodyPose) -> Float[Tensor, "1 gaussians 3 3"]:
    """Frames of the Gaussians at rest, turned as the pose turns the body there. Args: an avatar; ``[1]``."""
    body = avatar.body
    joints = body.shaped_joints(avatar.token_half.new_zeros(1, 0))
    transforms = body.active_transforms(joints, pose)
    blended = (avatar.skinning_weights @ transforms.flatten(-2)).unflatten(-1, (3, 4))
    turn = six_numbers_to_matrix(matrix_to_six_numbers(blended[..., :3]))
    return turn @ quaternion_to_matrix(avatar.canonical.quaternions)


def shown_part(picture: Shaded, look: Look) -> Float[Tensor, "3 h w"]:
    """One of ``INTRINSICS`` as sRGB 0..1."""
    if look.shown == "shading normals":
        return (0.5 + 0.5 * picture.normal).clamp(0, 1)
    if look.shown == "shadow":
        return picture.shadow.expand(3, -1, -1).clamp(0, 1)
    if look.shown == "albedo":
        assert picture.albedo is not None
        return to_srgb(picture.albedo.clamp(0, 1))
    part = {"relit": picture.radiance, "diffuse": picture.diffuse, "specular": picture.specular}[look.shown]
    return tone_mapped(part, look.exposure, look.curve)


def over(
    colors: Float[Tensor, "3 h w"], alpha: Float[Tensor, "1 h w"], background: Float[Tensor, "3"] | None
) -> Float[Tensor, "channels h w"]:
    """On a background, or with alpha as a fourth channel."""
    if background is None:
        return torch.cat([colors, alpha])
    return colors * alpha + background.to(colors)[:, None, None] * (1 - alpha)

"""One person's avatar: Gaussians at rest, and what it takes to move them. No encoder, no photos, no nerfstudio."""

from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lca_method.batch import DrivingSignal
from lca_method.networks.deformer import frame_of_body
from lca_method.networks.driving import DrivingConfig, DrivingVector
from lca_method.networks.gaussian_heads import GaussianHeadsConfig, PoseDeltas
from lca_method.networks.node_skinning import NodeSkinning
from lca_method.networks.relight_config import RelightConfig
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Backend, Rendering, rasterize
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.avatar.relight_avatar import AvatarRelight

_GAUSSIAN_FIELDS = tuple(f.name for f in fields(Gaussians))


@dataclass(frozen=True)
class AvatarNetworks:
    """Sizes of the networks that an avatar carries."""

    heads: GaussianHeadsConfig = field(default_factory=GaussianHeadsConfig)
    driving: DrivingConfig = field(default_factory=DrivingConfig)
    gaussians_per_token: int = 8
    alone: bool = False
    """A single branch (see ``LCAConfig.branches``)."""
    template_expression: bool = False
    """The template's own expressions move the Gaussians before the networks do."""
    relight: RelightConfig = field(default_factory=RelightConfig)
    """Radiance transfer, off by default."""


class Avatar(nn.Module):
    """Made by :func:`lca_method.avatar.from_network.avatar_of` or read by :func:`lca_method.avatar.bundle.load_avatar`.

    All methods take any leading axes of frames. Parameters take no gradients; what drives may.
    """

    canonical_means: Tensor
    canonical_quaternions: Tensor
    canonical_scales: Tensor
    canonical_opacities: Tensor
    canonical_colors: Tensor
    token_half: Tensor
    followed_weights: Tensor | None
    head_dtype: torch.dtype = torch.float32
    """Of the pose-dependent network's products; Gaussians are always float32. May be set."""

    def __init__(
        self,
        networks: AvatarNetworks,
        body: CompactBody,
        canonical: Gaussians,
        token_half: Float[Tensor, "tokens hidden"],
        shape: Float[Tensor, "coefficients"],
        nodes: NodeSkinning | None = None,
        relight: "AvatarRelight | None" = None,
    ):
        """Args: sizes; the person's body at the Gaussians' points (``body_of_person``); their Gaussians at rest; the
        token half of the pose-dependent head's first layer; their shape coefficients, for the record; what carries
        their loose garments, if anything; how they turn light into radiance, if it is known.

        Raises:
            ValueError: these do not have as many Gaussians or tokens as each other.
        """
        tokens = (canonical.count // networks.gaussians_per_token, networks.heads.hidden)
        if token_half.shape != tokens or len(body.template_vertices) != canonical.count:
            raise ValueError(
                f"{canonical.count} Gaussians, {len(body.template_vertices)} points, tokens {tuple(token_half.shape)}"
            )
        if nodes is not None and len(nodes.graph.neighbours) != canonical.count:
            raise ValueError(f"{canonical.count} Gaussians, nodes for {len(nodes.graph.neighbours)}")
        super().__init__()
        self.networks = networks
        self._body = body
        self._nodes = None if nodes is None else nodes.detached()
        followed = None if self._nodes is None else self._nodes.followed(body.active_weights)
        self.register_buffer("followed_weights", followed, persistent=False)
        self.shape = shape
        for name in _GAUSSIAN_FIELDS:
            self.register_buffer(f"canonical_{name}", getattr(canonical, name).detach().clone())
        self.register_buffer("token_half", token_half.detach().clone())
        self.driving_vector = DrivingVector(len(body.driven_joints), len(body.expression_names), networks.driving)
        self.pose_head = PoseDeltas(
            self.driving_vector.width, networks.gaussians_per_token, networks.heads, networks.alone
        )
        self.relight = relight
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, place: str | Path, device: torch.device | str = "cpu") -> "Avatar":
        """Read an avatar.

        Args:
            place: ``NAME.avatar``, or ``OWNER/NAME`` or ``OWNER/NAME@REVISION`` on the Hugging Face Hub.
            device: where it goes.

        Raises: as of :func:`lca_method.avatar.bundle.load_avatar`.
        """
        from lca_method.avatar.bundle import load_avatar

        return load_avatar(place, device).avatar

    @property
    def device(self) -> torch.device:
        """Where the avatar is."""
        return self.token_half.device

    @property
    def body(self) -> CompactBody:
        """The person's body at the Gaussians' points, on the avatar's device."""
        if self._body.template_vertices.device != self.device:
            self._body = self._body.to(self.device)
        return self._body

    @property
    def nodes(self) -> NodeSkinning | None:
        """What carries loose garments, on the avatar's device; None = the template's skinning weights alone."""
        if self._nodes is not None and self._nodes.gates.device != self.device:
            self._nodes = self._nodes.to(self.device)
        return self._nodes

    @property
    def skinning_weights(self) -> Float[Tensor, "gaussians joints"]:
        """Of the Gaussians, over the joints that move: the template's, or those of Gaussians that follow nodes."""
        return self.body.active_weights if self.followed_weights is None else self.followed_weights

    @property
    def canonical(self) -> Gaussians:
        """At rest, metres; no batch axes."""
        return Gaussians(**{name: getattr(self, f"canonical_{name}") for name in _GAUSSIAN_FIELDS})

    @property
    def rest_pose(self) -> BodyPose:
        """Standing at rest, looking straight ahead; no batch axes."""
        return BodyPose.rest(len(self.body.driven_joints)).to(self.device)

    def drive(
        self,
        pose: BodyPose,
        expression: Float[Tensor, "*frames expressions"] | None = None,
        gaze: Float[Tensor, "*frames 2 2"] | None = None,
        *,
        code: Float[Tensor, "*frames code"] | None = None,
        joint_confidence: Float[Tensor, "*frames driven"] | None = None,
        pose_dependent: bool = True,
    ) -> Gaussians:
        """Gaussians of frames, world.

        Args:
            pose: of the body, batch shape ``[*frames]``.
            expression: coefficients named by ``body.expression_names``; None = neutral.
            gaze: in place of ``pose.gaze``.
            code: learned expression code in place of the coefficients, for models that have one.
            joint_confidence: 0 hides a joint's rotation from the network.
            pose_dependent: False skins the Gaussians at rest without what the network adds for this frame.
        """
        frames = pose.root_rotation.shape[:-1]
        if expression is None:
            expression = pose.root_rotation.new_zeros(*frames, len(self.body.expression_names))
        pose = pose if gaze is None else replace(pose, gaze=gaze)
        if not frames:  # signals have an axis of frames
            given = {"code": code, "joint_confidence": joint_confidence}
            given = {name: None if value is None else value[None] for name, value in given.items()}
            return self.drive(pose[None], expression[None], **given, pose_dependent=pose_dependent)[0]
        signal = DrivingSignal(pose, expression, joint_confidence, code)
        moved = (
            self.driving_vector.expression.template_coefficients(signal) if self.networks.template_expression else None
        )
        frame = frame_of_body(self.body, expression.new_zeros(*frames, 0), pose, moved, self.followed_weights)
        if not pose_dependent:
            return frame.carried(self.canonical)
        half = self.head_dtype != torch.float32
        with torch.autocast(self.device.type, self.head_dtype) if half else nullcontext():
            deltas = self.pose_head(self.token_half, self.driving_vector(signal))
        return frame.carried(deltas.in_full().applied_to(self.canonical))

    def render(
        self,
        cameras: Cameras,
        pose: BodyPose,
        expression: Float[Tensor, "*frames expressions"] | None = None,
        gaze: Float[Tensor, "*frames 2 2"] | None = None,
        *,
        background: Float[Tensor, "3"] | None = None,
        backend: Backend = "auto",
        **driving: Any,
    ) -> Rendering:
        """:meth:`drive`, then :func:`lca_shared.rendering.rasterize`; frames and cameras broadcast.

        Args:
            cameras: batch shape ``[*cameras]``.
            pose, expression, gaze, driving: of :meth:`drive`.
            background: sRGB; black if not given.
            backend: of the rasterizer.
        """
        gaussians = self.drive(pose, expression, gaze, **driving)
        return rasterize(gaussians, cameras, background=background, backend=backend)

"""LCA: reference pictures -> a person's canonical Gaussians -> Gaussians of any pose and expression (Section 3.1)."""

from dataclasses import replace

import torch
from torch import nn

from lca_method.batch import DrivingSignal, FaceViews, ReferenceViews
from lca_method.hub.pretrained import PretrainedNetwork
from lca_method.networks import gaussian_heads as heads
from lca_method.networks.color_lookup import ColorLookup, color_logits
from lca_method.networks.config import LCAConfig
from lca_method.networks.decoding import decoded
from lca_method.networks.deformer import FrameOfBody, frame_of_body
from lca_method.networks.driving import DrivingVector, LearnedExpression
from lca_method.networks.encoder import Encoder
from lca_method.networks.face_surface import FaceSurface
from lca_method.networks.flat_start import z_axis_along
from lca_method.networks.fourier import fourier_features, fourier_width
from lca_method.networks.frozen_encoder import drop_frozen_encoder, fill_frozen_encoder
from lca_method.networks.image_tokens import ImageTokenizer, ImageTokens
from lca_method.networks.node_head import NodeHead
from lca_method.networks.placement import offset_shares, place
from lca_method.networks.projected_colors import ProjectedColors
from lca_method.networks.projected_outline import ProjectedOutline
from lca_method.networks.projected_reading import read_projections
from lca_method.networks.reference_features import ReferenceFeatures
from lca_method.networks.relight import Relight
from lca_method.networks.subject import SubjectCode
from lca_method.networks.token_code import TokenCode
from lca_method.networks.unseen_colors import likeness
from lca_shared.body.anchors import SurfacePoints, body_at
from lca_shared.body.compact_body import CompactBody
from lca_shared.encoders import ImageEncoder, build_encoder
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor


class LCA(nn.Module, PretrainedNetwork):
    """All networks of the method.

    The sampled points of the template are buffers, so a checkpoint holds them. A frozen encoder's weights are not part
    of the state dict.
    """

    token_faces: Tensor
    token_barycentric: Tensor
    gaussian_faces: Tensor
    gaussian_barycentric: Tensor
    initial_scales: Tensor
    initial_quaternions: Tensor
    token_code: Tensor
    point_code: Tensor
    offset_shares: Tensor

    def __init__(self, config: LCAConfig, body: CompactBody, encoder: ImageEncoder | None = None):
        """Args: sizes; body model (kept beside, on the module's device); image encoder, by default the config's.

        Raises:
            UserError: the encoder's weights are missing, or a size in the config cannot be.
        """
        super().__init__()
        self.config = config
        self._body = body
        self._point_body = body
        self._face_surface: FaceSurface | None = None
        self._normals = body.template_vertices  # both follow from the sampled points: see _read_template
        width, each = config.transformer.width, config.placement.gaussians_per_token
        self.image_encoder = build_encoder(config.encoder) if encoder is None else encoder
        self.tokenizer = ImageTokenizer(self.image_encoder.width, width, config.background_tokens, config.patch_colors)
        self.geometric_projection = nn.Linear(fourier_width(config.fourier_frequencies), width)
        self.encoder = Encoder(config.transformer)
        self.color_lookup = ColorLookup(width, each, config.color_lookup) if config.color_lookup else None
        if config.projected_colors and not config.color_lookup:
            raise UserError("projected_colors needs color_lookup (query numbers > 0) for what no reference view shows.")
        self.projected_colors = ProjectedColors() if config.projected_colors else None
        if (config.projected_outline or config.unseen_like_seen) and not config.projected_colors:
            raise UserError("projected_outline and unseen_like_seen need projected_colors.")
        self.projected_outline = (
            ProjectedOutline(fourier_width(_POINT_FREQUENCIES)) if config.projected_outline else None
        )
        alone = config.branches == "single"
        self.canonical_head = None if alone else heads.CanonicalHead(width, each, config.heads)
        self.driving_vector = DrivingVector(len(body.driven_joints), len(body.expression_names), config.driving)
        self.pose_head = heads.PoseDependentHead(width, self.driving_vector.width, each, config.heads, alone)
        if config.deformer.cloth_surface and not config.projected_outline:
            raise UserError("deformer.cloth_surface needs projected_outline.")
        if config.deformer.ask_outline and not config.projected_colors:
            raise UserError("deformer.ask_outline needs projected_colors.")
        if config.deformer.own_heads and alone:
            raise UserError("deformer.own_heads needs a canonical head: --pipeline.model.network.branches dual.")
        sizes = (width, each, body.active, config.deformer, config.heads, fourier_width(_POINT_FREQUENCIES))
        self.node_head = NodeHead(*sizes) if config.deformer.nodes else None
        self.relight = Relight(config.relight, width, config.heads.hidden, each) if config.relight.lobes else None
        placement = place(body, config.placement)
        self.register_buffer("token_faces", placement.tokens.faces)
        self.register_buffer("token_barycentric", placement.tokens.barycentric)
        self.register_buffer("gaussian_faces", placement.gaussians.faces)
        self.register_buffer("gaussian_barycentric", placement.gaussians.barycentric)
        self.register_buffer("initial_scales", config.heads.starting_scales(placement.spacing))
        self.register_buffer("initial_quaternions", torch.empty(0), persistent=False)
        self.register_buffer("token_code", torch.empty(0), persistent=False)
        self.register_buffer("point_code", torch.empty(0), persistent=False)
        self.register_buffer("likenesses", None, persistent=False)
        self.register_buffer("offset_shares", torch.empty(0), persistent=False)
        self._read_template()
        self.register_load_state_dict_post_hook(lambda module, _: module._read_template())
        self.register_state_dict_post_hook(drop_frozen_encoder)
        self.register_load_state_dict_pre_hook(fill_frozen_encoder)

    @property
    def body(self) -> CompactBody:
        """The body model, on the module's device."""
        return self._body.to(self.initial_scales.device)

    @property
    def point_body(self) -> CompactBody:
        """The body model read at the Gaussians' points, on the module's device."""
        if self._point_body.template_vertices.device != self.initial_scales.device:
            self._point_body = self._point_body.to(self.initial_scales.device)
        return self._point_body

    @property
    def normals(self) -> Float[Tensor, "gaussians 3"]:
        """Of the template at the Gaussians' points: at rest, outward, unit."""
        return self._normals

    @property
    def face_surface(self) -> FaceSurface:
        """The points of the template's face, on the module's device."""
        known = self._face_surface
        if known is None or known.normals.device != self.initial_scales.device:
            known = self._face_surface = FaceSurface.of(self._body.to(self.initial_scales.device))
        return known

    def train(self, mode: bool = True) -> "LCA":
        """Training mode for all but a frozen image encoder."""
        super().train(mode)
        if self.image_encoder.frozen:
            self.image_encoder.eval()
        return self

    def encode_pictures(
        self, images: Float[Tensor, "*b 3 h w"], masks: Float[Tensor, "*b 1 h w"]
    ) -> Float[Tensor, "*b patches features"]:
        """The image encoder's features of pictures on the plain background (no gradients if it is frozen)."""
        background = self.config.reference_background
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.image_encoder.frozen):
            return self.image_encoder(images * masks + background * (1 - masks))

    def features(self, references: ReferenceViews) -> ReferenceFeatures:
        """:meth:`encode_pictures` of whole bodies and of faces."""
        return ReferenceFeatures(
            self.encode_pictures(references.images, references.masks),
            self.encode_pictures(references.face_images, references.face_masks),
        )

    def encode(
        self,
        references: ReferenceViews,
        shape: Float[Tensor, "*b coefficients"],
        features: ReferenceFeatures | None = None,
        step: int | None = None,
    ) -> SubjectCode:
        """What is done once a person: :meth:`read` and :meth:`decode`.

        Args: any number of views, in any order; coefficients of the body model; features of :meth:`features`, if they
        were kept; training step, for the bound on scales (``GaussianHeadsConfig``), None = after training.
        """
        return self.decode(self.read(references, shape, features), shape, step)

    def read(
        self,
        references: ReferenceViews,
        shape: Float[Tensor, "*b coefficients"],
        features: ReferenceFeatures | None = None,
    ) -> TokenCode:
        """The encoder: all that the heads will know of a person. Args: as of :meth:`encode`."""
        return self.started(*self.encoded(references, shape, features), references, shape)

    def encoded(
        self,
        references: ReferenceViews,
        shape: Float[Tensor, "*b coefficients"],
        features: ReferenceFeatures | None = None,
    ) -> tuple[Float[Tensor, "*b tokens width"], Float[Tensor, "*b gaussians 3"] | None]:
        """Geometric tokens after the transformer, and colours that attention finds, for models with
        ``LCAConfig.color_lookup``. Args: as of :meth:`encode`."""
        features = self.features(references) if features is None else features
        body_tokens = self._tokens(features.body, references.images, references.masks)
        face_tokens = self._tokens(features.face, references.face_images, references.face_masks)
        geometric = self.geometric_projection(self.token_code).expand(*shape.shape[:-1], -1, -1)
        face_count = self.config.placement.face_tokens
        tokens, body_tokens, face_tokens = self.encoder(geometric, body_tokens, face_tokens, face_count)
        with torch.autocast(tokens.device.type, enabled=False):  # Gaussians need more digits than half precision has
            tokens = tokens.float()
            body_tokens, face_tokens = (
                replace(seen, tokens=seen.tokens.float()) for seen in (body_tokens, face_tokens)
            )
            found = None if self.color_lookup is None else self.color_lookup(tokens, (body_tokens, face_tokens))
        return tokens, found

    def started(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        found: Float[Tensor, "*b gaussians 3"] | None,
        references: ReferenceViews,
        shape: Float[Tensor, "*b coefficients"],
    ) -> TokenCode:
        """What :meth:`encoded` says, with the starts that are read off the references' pictures."""
        start = joined = None
        with torch.autocast(tokens.device.type, enabled=False):
            if found is not None and self.projected_colors is not None:
                found, start, joined = read_projections(self, references, shape, tokens, found)
            return TokenCode(tokens, None if found is None else color_logits(found), start, joined)

    def decode(self, code: TokenCode, shape: Float[Tensor, "*b coefficients"], step: int | None = None) -> SubjectCode:
        """Canonical head: what tokens say of a person, from pictures (:meth:`read`) or made otherwise.

        Args: tokens and starts; shape coefficients; ``step`` of :meth:`encode`.
        """
        with torch.autocast(code.tokens.device.type, enabled=False):
            return decoded(self, code, shape, step)

    def drive(self, code: SubjectCode, driving: DrivingSignal) -> tuple[Gaussians, Gaussians]:
        """What is done per frame: pose-dependent head and skinning.

        Args:
            code: persons, batch shape ``[*b]``.
            driving: frames of each, batch shape ``[*b targets]``.

        Returns:
            World-space Gaussians ``[*b targets]``: the canonical ones skinned, and with the pose-dependent deltas.
        """
        deltas = self.pose_head(code.token_half[..., None, :, :], self.driving_vector(driving))
        with torch.autocast(code.tokens.device.type, enabled=False):  # half precision would move points by millimetres
            frame = self.frame(code, driving)
            canonical = code.canonical_of_frames(driving.expression.shape[-2])
            return frame.carried(canonical), frame.carried(deltas.in_full().applied_to(canonical))

    def frame(self, code: SubjectCode, driving: DrivingSignal) -> FrameOfBody:
        """How frames carry people's Gaussians; batch shapes as of :meth:`drive`."""
        expression = None
        if self.config.template_expression:
            expression = self.driving_vector.expression.template_coefficients(driving).float()
        weights = None if code.weights is None else code.weights[..., None, :, :]
        return frame_of_body(self.point_body, code.shape[..., None, :], driving.pose, expression, weights)

    def coded(self, driving: DrivingSignal, faces: FaceViews | None) -> DrivingSignal:
        """The driving signal with the expression code of the faces that drive; unchanged for models driven by
        coefficients, and where no faces are given (the adapter then makes the code)."""
        expression = self.driving_vector.expression
        if faces is None or not isinstance(expression, LearnedExpression):
            return driving
        return replace(driving, code=expression.encoder.of(faces))

    def surface_points(self, shape: Float[Tensor, "*b coefficients"]) -> Float[Tensor, "*b gaussians 3"]:
        """Each Gaussian's point on the shaped rest body, metres."""
        return self.point_body.shaped(shape).vertices

    def _tokens(self, features: Tensor, images: Tensor, masks: Tensor) -> ImageTokens:
        grid = self.image_encoder.grid(images.shape[-2], images.shape[-1])
        return self.tokenizer(features, grid, images, masks)

    def _read_template(self) -> None:
        """Fill what follows from the sampled points."""
        tokens = SurfacePoints(self.token_faces, self.token_barycentric)
        gaussians = SurfacePoints(self.gaussian_faces, self.gaussian_barycentric)
        body = self._body = self._body.to(self.token_faces.device)
        points = tokens.read(body.template_vertices, body.faces)
        self.token_code = fourier_features(points, self.config.fourier_frequencies)
        if self.config.unseen_like_seen:
            self.likenesses = likeness(points, float(body.template_joints[body.joint_names.index("head"), 2]))
        self.offset_shares = offset_shares(body, gaussians, self.config.bare_offsets)
        self._point_body = body_at(body, gaussians)
        self._normals = gaussians.normals(body.template_vertices, body.faces)
        if self.node_head is not None and self.node_head.surface is not None:
            self.node_head.surface.read_template(self._point_body, body)
        self.point_code = fourier_features(self._point_body.template_vertices, _POINT_FREQUENCIES)
        if self.config.heads.initial_flatness == 1.0:
            self.initial_quaternions = self._normals.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(len(self._normals), 1)
        else:
            self.initial_quaternions = z_axis_along(self._normals)


_POINT_FREQUENCIES = 4
"""Of the position code of the Gaussians' points that ``ProjectedOutline`` reads."""

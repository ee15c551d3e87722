"""Every size of LCA, and the two sets of sizes that ship."""

from dataclasses import dataclass, field
from typing import Literal

from lca_method.networks.driving import DrivingConfig
from lca_method.networks.encoder import TransformerConfig
from lca_method.networks.gaussian_heads import GaussianHeadsConfig
from lca_method.networks.image_tokens import BackgroundTokens
from lca_method.networks.node_head import DeformerConfig
from lca_method.networks.placement import PlacementConfig
from lca_method.networks.relight_config import RelightConfig
from lca_shared.encoders.protocol import EncoderConfig


@dataclass(frozen=True)
class LCAConfig:
    """Sizes and choices of the networks; the defaults are the paper's where it states them."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    heads: GaussianHeadsConfig = field(default_factory=GaussianHeadsConfig)
    driving: DrivingConfig = field(default_factory=DrivingConfig)
    branches: Literal["dual", "single"] = "dual"
    """dual: a canonical head and a head of pose-dependent residuals (the paper's). single: one pose-dependent head for
    everything, the ablation of Table S1; train it with ``losses.canonical`` 0, for it has nothing to say at rest."""
    fourier_frequencies: int = 8
    """Of the geometric tokens' position code (LHM's number: 51 inputs)."""
    reference_background: float = 1.0
    """Grey level that replaces what is not the person in reference pictures (our choice)."""
    background_tokens: BackgroundTokens = "keep"
    """What becomes of image tokens without a person pixel (our choice; the paper does not say)."""
    patch_colors: bool = False
    """Give the tokenizer each patch's mean person colour beside the encoder's features (not in the paper)."""
    color_lookup: int = 0
    """Start colours from a soft lookup of patch colours in the reference pictures, with this many numbers per query;
    0 = off (not in the paper; it carries colours over to new people after little training)."""
    projected_colors: bool = False
    """Start colours from the pixels where the body fitted to each reference view projects (not in the paper; needs
    ``color_lookup`` for what no view shows)."""
    unseen_like_seen: bool = False
    """Where no view shows a point, start from what is seen at its mirror image, on its other side and around it (not in
    the paper; needs ``projected_colors``)."""
    projected_outline: bool = False
    """Start the Gaussians where the reference views' masks say that hair and clothes are (not in the paper; needs
    ``projected_colors``)."""
    bare_offsets: float = 1.0
    """Share of the others' reach of offsets that Gaussians on face, eyes, inside of the mouth and hands have (our
    choice). There the fitted body is where the person is: offsets are for hair and clothes, and lips, lids and fingers
    that are painted on other points do not follow them."""
    template_expression: bool = False
    """Let the template's own expression displacements move the Gaussians' points before the pose-dependent head
    corrects them (not in the paper, which leaves expression to the head)."""
    deformer: DeformerConfig = field(default_factory=DeformerConfig)
    """Nodes that carry loose garments (Section 3.4); a post-training extension, off by default."""
    relight: RelightConfig = field(default_factory=RelightConfig)
    """Radiance transfer (Section 3.4); a post-training extension, off by default."""


def tiny_config() -> LCAConfig:
    """Sizes for two CPU cores."""
    return LCAConfig(
        encoder=EncoderConfig(name="patch", patch_size=8, width=96),
        transformer=TransformerConfig(layers=2, width=96, heads=4, mlp_ratio=2.0, gate_start=1.0),
        placement=PlacementConfig(tokens=512, gaussians_per_token=8, face_share=0.25),
        heads=GaussianHeadsConfig(
            hidden=96,
            offset_range=0.5,
            initial_opacity=0.7,
            initial_scale=None,
            start_from_lookup=True,
            scale_limit_start=0.05,
        ),
        background_tokens="drop",
        patch_colors=True,
        color_lookup=16,
        projected_colors=True,
        projected_outline=True,
        template_expression=True,
    )

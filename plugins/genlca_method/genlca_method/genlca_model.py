"""GenLCA's transformer as a nerfstudio model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from nerfstudio.models.base_model import Model, ModelConfig
from torch.nn import Parameter

from genlca_method.conditioning.encoders import Conditioner, ConditioningConfig
from genlca_method.conditioning.tokens import MODALITIES, dropped
from genlca_method.transformer.flow_config import FlowConfig
from genlca_method.transformer.sizes import TransformerSize
from lca_method.plain_configs import from_text_tensor, plain, text_tensor
from lca_shared.errors import UserError
from lca_shared.tensors import Bool, Float, Tensor

if TYPE_CHECKING:
    from genlca_method.training.people import FlowBatch
    from lca_method.avatar.avatar import Avatar
    from lca_method.viewing.signals import PanelState


@dataclass
class GenLCAModelConfig(ModelConfig):
    """Transformer, conditions and flow."""

    _target: type = field(default_factory=lambda: GenLCAModel)
    """Target class to instantiate."""
    enable_collider: bool = False
    """No rays here."""
    latents: Path | None = None
    """Folder of the autoencoder (`genlca latents`)."""
    checkpoint: str | None = None
    """The LCA model that made the tokens."""
    size: TransformerSize = field(default_factory=TransformerSize)
    """Of the transformer."""
    conditioning: ConditioningConfig = field(default_factory=ConditioningConfig)
    """Encoders of texts and pictures."""
    flow: FlowConfig = field(default_factory=FlowConfig)
    """Noise levels and losses."""
    drop: float = 0.2
    """Share of people of whom a text or a part's picture is left out, each on its own."""
    drop_pictures: float = 0.5
    """Share of people of whom all pictures are left out, so that texts alone are learned."""
    drop_text: float = 0.5
    """Share of people with pictures whose text is left out, and as often each of their pictures, so that pictures, and
    one alone, are learned."""
    drop_all: float = 0.1
    """Share of people of whom everything is left out, for classifier-free guidance."""
    gradient_checkpointing: bool = False
    """Less memory for a third more time."""
    pretrained: str | None = None
    """Begin training with the weights of a checkpoint: its file, or the folder or config.yml of its run."""
    eval_samples: int = 4
    """Avatars that an evaluation generates from held-out prompts."""
    eval_steps: int = 20
    """Of their sampling."""
    eval_guidance: float = 3.0
    """Of their sampling."""
    eval_size: int = 128
    """Pixels of each picture of the sheet."""


class GenLCAModel(Model):
    """Wraps the transformer for nerfstudio: ``forward(batch, step)`` gives the losses of a step."""

    config: GenLCAModelConfig
    made_with: Tensor
    _stage: "Callable[[], tuple[Avatar, PanelState]] | None" = None
    _parts: "Tensor | None" = None

    def populate_modules(self) -> None:
        """Make the transformer; sizes of tokens come with the metadata (``anchors``, ``latent_channels``,
        ``shape_coefficients``).

        Raises:
            UserError: the weights of an encoder of conditions are missing.
        """
        super().populate_modules()
        from genlca_method.transformer.mmdit import GenLCATransformer

        sizes, config = self.kwargs["metadata"], self.config
        self._conditioner = {"conditioner": Conditioner.build(config.conditioning)}  # weights belong to no checkpoint
        encoders, size = self._conditioner["conditioner"], config.size
        self.transformer = GenLCATransformer(
            sizes["anchors"],
            sizes["latent_channels"],
            sizes["shape_coefficients"],
            encoders.text.channels,
            encoders.image.channels,
            size.width,
            size.layers,
            size.heads,
            size.mlp_ratio,
            patch=size.patch,
            conditioning=plain(config.conditioning),
            modalities=len(MODALITIES),
            image_norm=not encoders.image.plain,
            hints=True,
        )
        if config.gradient_checkpointing:
            self.transformer.enable_gradient_checkpointing()
        made_with = dict(self.transformer.config)
        self.register_buffer("made_with", text_tensor({k: v for k, v in made_with.items() if not k.startswith("_")}))

    @property
    def conditioner(self) -> Conditioner:
        """Encoders of texts and pictures."""
        return self._conditioner["conditioner"]

    def forward(self, batch: "FlowBatch", step: int) -> dict[str, Float[Tensor, ""]]:  # type: ignore[override]
        """Weighted losses of some people.

        Args: latents, shapes and conditions; the step (conditions are left out in training alone).
        """
        from genlca_method.transformer.flow import flow_losses

        conditions = self.conditioner(batch.captions, batch.pictures).to(batch.latents.device)
        if self.training:
            some = self.config
            conditions = dropped(
                conditions, some.drop, some.drop_all, pictures_rate=some.drop_pictures, alone_rate=some.drop_text
            ).closed_up()
        shapes = self.transformer.normalised_shape(batch.shapes)
        return flow_losses(
            self.transformer,
            batch.latents,
            shapes,
            batch.valid,
            conditions,
            self.config.flow,
            others=batch.others,
            parts=self._parts,
        )

    def know_parts(self, parts: Bool[Tensor, "parts anchors"]) -> None:
        """Say which anchors each part of the body has: what edits change."""
        self._parts = parts

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load weights.

        Raises:
            UserError: they were made with other sizes or conditions.
        """
        if "made_with" not in state_dict:
            raise UserError("The checkpoint holds no GenLCA model. Name one that `ns-train genlca...` wrote.")
        ours, theirs = from_text_tensor(self.made_with), from_text_tensor(state_dict["made_with"])
        if differing := sorted(name for name in ours if ours[name] != theirs.get(name)):
            raise UserError(
                f"The checkpoint was made with another configuration ({', '.join(differing)} differ). Use the method, "
                "flags and tokens it was trained with, or train anew."
            )
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

    def get_param_groups(self) -> dict[str, list[Parameter]]:
        """Everything learns alike."""
        return {"transformer": list(self.transformer.parameters())}

    def get_loss_dict(self, outputs: Any, batch: Any, metrics_dict: Any = None) -> dict[str, Tensor]:
        """What ``forward`` gave."""
        return outputs

    def get_metrics_dict(self, outputs: Any, batch: Any) -> dict[str, Tensor]:
        """None but the losses."""
        return {}

    def get_outputs(self, ray_bundle: Any) -> dict[str, Tensor]:
        """Raises: RuntimeError: there are no rays here."""
        raise RuntimeError("a generator of people renders no rays; see `genlca generate`")

    def get_image_metrics_and_images(self, outputs: Any, batch: Any) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Raises: RuntimeError: there are no rays here."""
        raise RuntimeError("a generator of people renders no rays; see `genlca generate`")

    def show(self, stage: "Callable[[], tuple[Avatar, PanelState]]") -> None:
        """Say where :meth:`get_outputs_for_camera` gets its avatar, on the model's device, and how it is driven."""
        self._stage = stage

    @torch.no_grad()
    def get_outputs_for_camera(self, camera: Any, obb_box: Any = None) -> dict[str, Tensor]:
        """What :meth:`show` was given, seen by one camera: ``rgb`` [height, width, 3], ``accumulation`` [height, width,
        1], ``depth`` [height, width, 1] metres.

        Raises:
            RuntimeError: no pipeline has said what to show.
        """
        if self._stage is None:
            raise RuntimeError("there is nobody to show: call GenLCAModel.show first")
        from lca_method.batch import moved_to
        from lca_method.lca_model_viewing import only_inside, single_camera, untraced
        from lca_method.viewing.modes import pictured
        from lca_method.viewing.signals import PanelState, signal_of
        from lca_shared.rendering import rasterize

        with untraced():
            avatar, state = self._stage()
            signal = moved_to(
                signal_of(PanelState() if state.shown == "canonical" else state, avatar.body), self.device
            )
            still = not state.corrected or state.shown == "canonical"
            gaussians = avatar.drive(signal.pose[0], signal.expression[0], pose_dependent=not still)
            gaussians = gaussians if obb_box is None else only_inside(gaussians, obb_box)
            seen_by, white = single_camera(camera).to(self.device), torch.ones(3, device=self.device)
            drawn = rasterize(gaussians, seen_by)
            rgb = pictured(gaussians, seen_by, state.mode, white)
        return {name: value.movedim(0, -1) for name, value in
                {"rgb": rgb, "accumulation": drawn.alpha, "depth": drawn.depth}.items()}  # fmt: skip

"""LCA as a nerfstudio model: training renders, evaluation, and whatever a viewer or camera path asks for."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.data.scene_box import OrientedBox
from nerfstudio.models.base_model import Model, ModelConfig
from torch.nn import Parameter

from lca_method.batch import DrivingSignal, SubjectBatch, moved_to
from lca_method.drawing import Background, background_color, drawn, view_outputs
from lca_method.evaluation import person_mask, score
from lca_method.lca_model_viewing import only_inside, single_camera, untraced
from lca_method.losses import LossConfig
from lca_method.made_with import EXTENSIONS, differences, made_with
from lca_method.networks.config import LCAConfig
from lca_method.plain_configs import from_text_tensor, text_tensor
from lca_method.showing import ShownAvatar
from lca_method.target_lights import SYNTHETIC_STRENGTH
from lca_method.viewing.modes import Mode, pictured
from lca_shared.body import get_body_model
from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.metrics import masked_psnr
from lca_shared.perceptual import LPIPS, Backbone, load_lpips
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.feature_cache import FeatureCache
    from lca_method.networks.subject import SubjectCode
    from lca_method.training_step import CodeOutputs, TrainingOutputs
    from lca_shared.rendering import Rendering


@dataclass
class LCAModelConfig(ModelConfig):
    """Networks, losses and how to render."""

    _target: type = field(default_factory=lambda: LCAModel)
    """Target class to instantiate."""
    enable_collider: bool = False
    """No rays here."""
    network: LCAConfig = field(default_factory=LCAConfig)
    """Sizes of the networks."""
    pretrained: str | None = None
    """Begin training with the weights of a checkpoint: its file, or the folder or config.yml of its run."""
    compile_encoder: bool = False
    """Compile the transformer with ``torch.compile``: the first steps take minutes, the others less time."""
    losses: LossConfig = field(default_factory=LossConfig)
    """Weights of the losses."""
    background: Background = "white"
    """Behind the person, in training, evaluation and the viewer."""
    stage_strength: float = SYNTHETIC_STRENGTH
    """Of the lights of light-stage datasets: radiance that a white matt surface sends back which faces a light of full
    power from 1 m away."""
    random_background: bool = False
    """Put a colour that changes with every step behind training renders and targets (our choice): what shows through a
    half-transparent person can then never pass for the person's colour, so people become opaque."""
    rasterizer: Literal["auto", "gsplat", "numba", "torch"] = "auto"
    """auto: gsplat on CUDA, Numba on the CPU."""
    model_dir: Path | None = None
    """Folder of weight files (encoders, LPIPS); LCA_MODEL_DIR and the user's cache come after it."""
    eval_lpips: bool = True
    """Measure LPIPS in evaluation; needs its weights."""
    eval_lpips_backbone: Backbone = "alex"
    """Network behind the LPIPS that is measured."""
    feature_cache: Path | None = None
    """Folder for the frozen image encoder's features of the reference crops; None computes them at each step."""


class LCAModel(Model):
    """Wraps the networks for nerfstudio.

    ``forward(batch, step)`` renders a training batch. ``get_outputs_for_batch`` renders one evaluation view.
    ``get_outputs_for_camera`` renders what :meth:`show` was given: whose avatar, driven how.
    """

    config: LCAModelConfig
    training_step: int | None
    """Step of the last training batch, or of the checkpoint loaded; None before the first."""

    def populate_modules(self) -> None:
        """Make the networks.

        Raises:
            UserError: weights that are missing, or a size in the config that cannot be.
        """
        super().populate_modules()
        from lca_method.networks import LCA  # not needed by `ns-train --help`

        self.body = get_body_model(self.kwargs.get("metadata", {}).get("body_model", "anny"))
        self.network = LCA(self.config.network, self.body)
        for alone, part in (
            (self.config.network.relight.light_alone, self.network.relight),
            (self.config.network.deformer.alone, self.network.node_head),
        ):
            if alone and part is not None:
                self.network.requires_grad_(False)
                part.requires_grad_(True)
        self.register_buffer("made_with", text_tensor(made_with(self.config.network, self.body)))
        self._stage: Callable[[float | None], ShownAvatar] | None = None
        self.training_step = None
        self._perceptual: dict[Backbone, LPIPS] = {}  # in a dictionary: its weights belong to no checkpoint
        self._kept_code: tuple[tuple, SubjectCode] | None = None
        self._feature_cache = self._make_feature_cache()
        self.shown_weights: Callable[[], AbstractContextManager[None]] = nullcontext
        if self.config.compile_encoder:
            self.network.encoder.compile(dynamic=True)  # in place: names in checkpoints stay as they are

    def show(self, stage: Callable[[float | None], ShownAvatar]) -> None:
        """From now on show what ``stage`` gives for a time (0..1, None = unknown) of the recording."""
        self._stage = stage

    def _make_feature_cache(self) -> "FeatureCache | None":
        if self.config.feature_cache is None:
            return None
        from lca_method.feature_cache import FeatureCache

        return FeatureCache(self.config.feature_cache, self.network)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load weights and sampled points.

        Raises:
            UserError: they were made with another configuration; the message names the fields that differ.
        """
        if "made_with" not in state_dict:
            raise UserError("The checkpoint holds no LCA model. Name one that `ns-train lca-...` wrote.")
        ours = made_with(self.config.network, self.body)
        if differing := differences(ours, from_text_tensor(state_dict["made_with"])):
            raise UserError(
                "The checkpoint was made with another configuration:\n  "
                + "\n  ".join(differing)
                + "\nUse the method and flags it was trained with (its config.yml has them), or train anew."
            )
        # Older checkpoints lack fields that have a default in made_with; shared models lack nerfstudio's own entry.
        own = {"device_indicator_param": self.device_indicator_param}
        state_dict = {**own, **state_dict, "made_with": self.made_with}
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

    def update_to_step(self, step: int) -> None:
        """A checkpoint of ``step`` is being loaded: bounds that grow in training are where they were."""
        self.training_step = step

    def get_param_groups(self) -> dict[str, list[Parameter]]:
        """``encoder``: all that runs once a person up to the tokens; ``heads``: both heads, and what post-training
        adds."""
        heads = ("canonical_head.", "pose_head.", "driving_vector.", *EXTENSIONS.values())
        groups: dict[str, list[Parameter]] = {"encoder": [], "heads": []}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                groups["heads" if name.startswith(heads) else "encoder"].append(parameter)
        return {name: parameters for name, parameters in groups.items() if parameters}

    @property
    def background_color(self) -> Float[Tensor, "3"]:
        """sRGB behind the person."""
        return background_color(self.config.background, self.device)

    def forward(  # type: ignore[override]
        self, batch: SubjectBatch, step: int | None = None
    ) -> "TrainingOutputs | CodeOutputs":
        """Render a batch twice: canonical attributes skinned to the target poses, and with the deltas; or read only the
        expression codes, in the steps between (``LossConfig.whole_step_every``).

        Args:
            batch: leading axis: subjects.
            step: training step; None = not in training.
        """
        from lca_method.training_step import code_step, training_renders

        losses = self.config.losses
        if step is not None and losses.code_alone(step):
            return code_step(self.network, batch, losses)
        code = self.encode(batch, step)
        background = self.background_color
        if self.config.random_background and step is not None:
            generator = torch.Generator().manual_seed(step)  # the same after a resume
            background = torch.rand(3, generator=generator).to(self.device)
        strength = self.config.stage_strength
        return training_renders(self.network, code, batch.targets, losses, step or 0, self.render, background, strength)

    get_outputs = forward  # type: ignore[assignment]

    def get_loss_dict(  # type: ignore[override]
        self,
        outputs: "TrainingOutputs | CodeOutputs",
        batch: dict[str, Any],
        metrics_dict: dict[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        """The weighted losses by name."""
        from lca_method.training_step import training_losses

        losses = self.config.losses
        lpips = partial(self.lpips, losses.lpips_backbone)
        return training_losses(outputs, batch["subject_batch"], losses, self.training_step or 0, lpips)

    def get_metrics_dict(self, outputs: "TrainingOutputs | CodeOutputs", batch: dict[str, Any]) -> dict[str, Tensor]:
        """Masked PSNR (dB) of both renders, mean over the batch; nothing where nothing was rendered."""
        from lca_method.training_step import CodeOutputs

        if isinstance(outputs, CodeOutputs):
            return {}
        targets = batch["subject_batch"].targets
        mask = targets.masks if targets.valid is None else targets.masks * targets.valid
        renders = {"psnr": outputs.posed, "psnr_canonical": outputs.canonical}
        with torch.no_grad():
            return {n: masked_psnr(r.colors, targets.images, mask).nanmean() for n, r in renders.items()}

    def get_outputs_for_batch(self, batch: SubjectBatch) -> dict[str, Tensor]:
        """Outputs (see :meth:`get_outputs_for_camera`) of a batch's first subject and target, in its light if known."""
        from lca_method.relit_targets import relit_view

        with torch.no_grad():
            targets = batch.targets
            targets = replace(targets, driving=self.network.coded(targets.driving, targets.faces))
            code = self.encode(batch, self.training_step)
            outputs = self._outputs(code, targets.driving, targets.cameras[0, 0])
            light = (self.config.stage_strength, self.render, self.background_color)
            return outputs | relit_view(self.network, code, targets, *light)

    def get_outputs_for_camera(  # type: ignore[override]
        self, camera: NerfstudioCameras, obb_box: OrientedBox | None = None
    ) -> dict[str, Tensor]:
        """What :meth:`show` was given, seen by one camera.

        Returns:
            ``rgb`` [height, width, 3] posed, with the deltas; ``canonical`` [height, width, 3] without them;
            ``depth`` [height, width, 1] metres along the viewing ray (the farthest where there is nobody);
            ``accumulation`` [height, width, 1].

        Raises:
            RuntimeError: no pipeline has said what to show.
        """
        if self._stage is None:
            raise RuntimeError("there is nobody to show: call LCAModel.show first")
        with untraced(), torch.no_grad(), self.shown_weights():
            time = None if camera.times is None else float(camera.times.flatten()[0])
            shown = moved_to(self._stage(time), self.device)
            code = self._kept_encoding(shown)
            driving = self.network.coded(shown.driving, shown.faces)
            seen_by = single_camera(camera).to(self.device)
            return self._outputs(code, driving, seen_by, obb_box, shown.mode, shown.corrected)

    def get_image_metrics_and_images(
        self, outputs: dict[str, Tensor], batch: dict[str, Any]
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Masked PSNR, L1, LPIPS of the posed render, masked PSNR of the canonical one; pictures [h, w, 3 or 1]."""
        targets = batch["subject_batch"].targets
        truth, mask = targets.images[0, 0], person_mask(batch["subject_batch"])
        posed, canonical = outputs["rgb"].movedim(-1, 0), outputs["canonical"].movedim(-1, 0)
        lpips = self.lpips(self.config.eval_lpips_backbone) if self.config.eval_lpips else None
        metrics = score(posed, truth, mask, lpips)
        metrics["psnr_canonical"] = float(masked_psnr(canonical, truth, mask))
        shown_truth = (truth * mask + self.background_color[:, None, None] * (1 - mask)).movedim(0, -1)
        images = {
            "img": torch.cat([shown_truth, outputs["canonical"], outputs["rgb"]], dim=1),
            "accumulation": outputs["accumulation"],
            "depth": outputs["depth"] / outputs["depth"].max().clamp(min=1e-6),
        }
        return {name: value for name, value in metrics.items() if value is not None}, images

    def encode(self, batch: SubjectBatch | ShownAvatar, step: int | None) -> "SubjectCode":
        """What is done once a person, with features from the cache if there is one. ``step``: of the training, for
        bounds that grow with it; None = after training."""
        cached = self._feature_cache
        features = None if cached is None else cached.features(batch.references)
        return self.network.encode(batch.references, batch.shape, features=features, step=step)

    def _kept_encoding(self, shown: ShownAvatar) -> "SubjectCode":
        """The code of the avatar shown, made again when other frames are chosen or training went on."""
        key = (shown.key, self.training_step)
        if self._kept_code is None or self._kept_code[0] != key:
            self._kept_code = (key, self.encode(shown, self.training_step))
        return self._kept_code[1]

    def render(
        self, gaussians: Gaussians, cameras: Cameras, background: Float[Tensor, "3"] | None = None
    ) -> "Rendering":
        """Rasterize on a background (the configured one if not given), in full precision."""
        background = self.background_color if background is None else background
        return drawn(gaussians, cameras, background, self.config.rasterizer)

    def _outputs(
        self,
        code: "SubjectCode",
        driving: DrivingSignal,
        camera: Cameras,
        obb_box: OrientedBox | None = None,
        mode: Mode = "rgb",
        corrected: bool = True,
    ) -> dict[str, Tensor]:
        canonical, posed = (gaussians[0, 0] for gaussians in self.network.drive(code, driving))
        posed = posed if corrected else canonical
        if obb_box is not None:
            canonical, posed = (only_inside(gaussians, obb_box) for gaussians in (canonical, posed))
        outputs = view_outputs(canonical, posed, camera, self.render)
        if mode != "rgb":
            outputs["rgb"] = pictured(posed, camera, mode, self.background_color).movedim(0, -1)
        return outputs

    def lpips(self, backbone: Backbone) -> LPIPS:
        """LPIPS, loaded when first asked for.

        Raises:
            MissingWeightsError: its weights are nowhere.
        """
        if backbone not in self._perceptual:
            self._perceptual[backbone] = load_lpips(backbone, self.config.model_dir).to(self.device)
        return self._perceptual[backbone]

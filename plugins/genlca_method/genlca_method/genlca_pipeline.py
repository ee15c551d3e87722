"""Data manager and model of GenLCA together, and what sampling needs besides."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
import torch.distributed as dist
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.models.base_model import Model
from nerfstudio.pipelines.base_pipeline import Pipeline, VanillaPipelineConfig
from torch.nn.parallel import DistributedDataParallel

from genlca_method.genlca_datamanager import GenLCADataManager, GenLCADataManagerConfig
from genlca_method.genlca_model import GenLCAModel, GenLCAModelConfig
from genlca_method.genlca_viewer import Asked, SamplePanel
from lca_method.checkpoints import model_state
from lca_method.ema import WeightAverage, WeightAverageConfig
from lca_method.lca_trainer import user_errors_end_the_command
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from genlca_method.sampling.pipeline import GenLCAPipeline
    from lca_method.avatar.avatar import Avatar


@dataclass
class GenLCATrainingPipelineConfig(VanillaPipelineConfig):
    """Data manager and model."""

    _target: type = field(default_factory=lambda: GenLCATrainingPipeline)
    """Target class to instantiate."""
    datamanager: GenLCADataManagerConfig = field(default_factory=GenLCADataManagerConfig)  # type: ignore[assignment]
    """What steps see."""
    model: GenLCAModelConfig = field(default_factory=GenLCAModelConfig)  # type: ignore[assignment]
    """Transformer, conditions and flow."""
    average: WeightAverageConfig = field(default_factory=WeightAverageConfig)
    """Moving average of the weights: what samples."""


class GenLCATrainingPipeline(Pipeline):
    """nerfstudio's pipeline around the transformer; also on several processes, with CUDA or without.

    Training randomness depends on the step and the process alone. Autoencoder and decoder are frozen and no part of
    checkpoints.
    """

    config: GenLCATrainingPipelineConfig
    datamanager: GenLCADataManager

    def __init__(
        self,
        config: GenLCATrainingPipelineConfig,
        device: torch.device | str,
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        grad_scaler: Any = None,
    ) -> None:
        """Args: as of nerfstudio's.

        Raises:
            UserError: tokens, autoencoder or LCA model are not named, missing, or do not belong together.
        """
        super().__init__()
        self.config, self.test_mode = config, test_mode
        self.world_size, self.local_rank = world_size, local_rank
        with user_errors_end_the_command():
            self._load_frozen(device, world_size, local_rank)
            layout, autoencoder = self.datamanager.shards.info.layout, self._frozen["autoencoder"]
            sizes = {
                "anchors": layout.anchors,
                "latent_channels": autoencoder.config["latent_channels"],
                "shape_coefficients": len(self.datamanager.shards.info.shape_names),
            }
            from nerfstudio.data.scene_box import SceneBox

            from genlca_method.editing.regions import parts_of
            from lca_shared.body import get_body_model

            box = SceneBox(torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
            count = len(self.datamanager.shards.of_split("train"))
            self._model = config.model.setup(
                scene_box=box, num_train_data=count, metadata=sizes, grad_scaler=grad_scaler
            )
        transformer = self.genlca.transformer
        transformer.set_template(autoencoder.positions.cpu())
        self.genlca.know_parts(torch.stack(list(parts_of(self._frozen["decoder"]).values())))
        if test_mode == "val":  # training; else they come with the checkpoint
            transformer.set_shape_statistics(*self.datamanager.people.shape_statistics())
        self.genlca.to(device)
        self.average = WeightAverage(transformer, config.average) if config.average.decay else None
        self.samples = SamplePanel(get_body_model(), config.model.eval_steps, config.model.eval_guidance)
        self._shown: "tuple[Asked, Avatar] | None" = None
        self.genlca.show(lambda: (self.shown_sample(), self.samples.controls.state))
        if world_size > 1:
            devices = [local_rank] if torch.device(device).type == "cuda" else None
            wrapped = DistributedDataParallel(self._model, device_ids=devices, find_unused_parameters=True)
            self._model = cast(Model, wrapped)
            dist.barrier()

    @property
    def genlca(self) -> GenLCAModel:
        """The model, unwrapped."""
        return cast(GenLCAModel, self.model)

    def _load_frozen(self, device: torch.device | str, world_size: int, local_rank: int) -> None:
        """Data manager, autoencoder, decoder."""
        from genlca_method.latents.training import check_model, load_autoencoder
        from genlca_method.sampling.decoder import LCADecoder
        from lca_method.trained_network import load_network

        model = self.config.model
        if model.latents is None or model.checkpoint is None:
            raise UserError(
                "Name the autoencoder with --pipeline.model.latents (`genlca latents` makes it) and the LCA model with "
                "--pipeline.model.checkpoint."
            )
        self.datamanager = self.config.datamanager.setup(
            device=device, test_mode=self.test_mode, world_size=world_size, local_rank=local_rank
        )
        shards = self.datamanager.shards
        trained = load_network(model.checkpoint)
        check_model(shards, trained)
        autoencoder, layout = load_autoencoder(model.latents, device), shards.info.layout
        if (autoencoder.config["anchors"], autoencoder.config["channels"]) != (layout.anchors, layout.channels):
            raise UserError(f"The autoencoder in {model.latents} is for other tokens than those in {shards.root}.")
        self._frozen: dict[str, Any] = {  # in a dictionary: their weights belong to no checkpoint
            "autoencoder": autoencoder,
            "decoder": LCADecoder.of(trained, dict(shards.info.checkpoint)),
        }
        flow = self.config.model.flow
        self.datamanager.encode_with(autoencoder, hidden=flow.masked_loss or flow.placeholder)

    def get_train_loss_dict(self, step: int) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """Nothing to look at, weighted losses and metrics of a step; the metric ``loss`` is over all processes."""
        rank = dist.get_rank() if self.world_size > 1 else 0
        torch.manual_seed(hash((self.datamanager.config.seed, rank, step)))
        _, batch = self.datamanager.next_train(step)
        losses = self._model(batch["flow_batch"], step)
        loss = torch.stack(list(losses.values())).sum().detach().clone()
        if self.world_size > 1:
            dist.all_reduce(loss)
        return {}, losses, {"loss": loss / self.world_size}

    @torch.no_grad()
    def get_eval_loss_dict(self, step: int) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """The same of held-out people with the averaged weights; noise is the same at every evaluation."""
        self.eval()
        _, batch = self.datamanager.next_eval(step)
        with torch.random.fork_rng(devices=[]), self._averaged():
            torch.manual_seed(self.datamanager.config.seed)
            losses = self.genlca(batch["flow_batch"], step)
        self.train()
        return {}, losses, {}

    @torch.no_grad()
    def get_eval_image_metrics_and_images(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """A sheet of avatars generated from held-out prompts, and nothing to measure on it; the viewer's sample is made
        anew."""
        self.eval()
        self._shown = None
        sheet = self.sample_sheet()
        self.train()
        return {"num_rays": sheet.shape[0] * sheet.shape[1]}, {"samples": sheet}

    def get_average_eval_image_metrics(
        self, step: int | None = None, output_path: Path | None = None, get_std: bool = False
    ) -> dict[str, Any]:
        """The evaluation's losses, and the sheet in ``output_path``."""
        _, losses, _ = self.get_eval_loss_dict(step or 0)
        if output_path is not None:
            from lca_dataparsers.pictures import write_picture

            self.eval()
            write_picture((self.sample_sheet() * 255).round().byte().numpy(), output_path / "samples.png")
        return {name: float(value) for name, value in losses.items()}

    def sample_sheet(self) -> Float[Tensor, "height width 3"]:
        """Avatars from the prompts of held-out people, beside pictures of those people."""
        from genlca_method.training.sheet import sheet

        config, people = self.config.model, self.datamanager.eval_people
        firsts: dict[tuple[Path, str], int] = {}
        for row, index in enumerate(people.data.indices):
            firsts.setdefault(people.shards.person(index), row)
        batch = people.batch(list(firsts.values())[: config.eval_samples])
        generator = torch.Generator().manual_seed(self.datamanager.config.seed)
        with self._averaged():
            made = self.sampler()(list(batch.captions), None, config.eval_steps, config.eval_guidance, 1, generator)
        return sheet(made.avatars, [given.get("whole") for given in batch.pictures], config.eval_size)

    @torch.no_grad()
    def shown_sample(self) -> "Avatar":
        """What the viewer's panel asks for; kept until it asks for another or the next evaluation."""
        asked = self.samples.asked
        if self._shown is None or self._shown[0] != asked:
            generator = torch.Generator().manual_seed(asked.seed)
            with self._averaged():
                made = self.sampler()(asked.prompt, None, asked.steps, asked.guidance, 1, generator)
            self._shown = asked, made.avatars[0]
        return self._shown[1]

    def sampler(self) -> "GenLCAPipeline":
        """The diffusers pipeline around the weights as they are now."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        from genlca_method.sampling.pipeline import GenLCAPipeline
        from genlca_method.transformer.flow import shift_for

        flow, transformer = self.config.model.flow, self.genlca.transformer
        shift = shift_for(transformer.config["anchors"]) if flow.shift is None else flow.shift
        scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
        decoder = self._frozen["decoder"]
        torch.nn.Module.to(decoder, self.genlca.device)
        made = GenLCAPipeline(transformer, self._frozen["autoencoder"], decoder, scheduler)
        made.set_progress_bar_config(disable=True)
        return made

    def save_sampler(self, folder: Path) -> None:
        """Write the diffusers pipeline with the averaged weights: whole, in place of an older one.

        Raises:
            UserError: it cannot be written.
        """
        writing, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{what}") for what in ("writing", "old"))
        try:
            with self._averaged():
                self.sampler().save_pretrained(writing)
            if folder.exists():
                os.rename(folder, old)
            os.rename(writing, folder)
        except OSError as error:
            raise UserError(f"Cannot write {folder} ({error}). Free space, or choose another --output-dir.") from error
        finally:
            shutil.rmtree(writing, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)

    def _averaged(self) -> Any:
        from contextlib import nullcontext

        shown = self.average is not None and self.config.average.evaluate
        return self.average.shown_by(self.genlca.transformer) if shown and self.average else nullcontext()

    def finish_training(self, step: int) -> None:
        """Nothing is left to do after the last step."""

    def get_param_groups(self) -> dict[str, Any]:
        """Those of the model."""
        return self.genlca.get_param_groups()

    def get_training_callbacks(self, training_callback_attributes: TrainingCallbackAttributes) -> list[Any]:
        """The average of the weights after each step."""
        if self.average is None:
            return []
        return [TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN_ITERATION], self._count_weights_in)]

    def _count_weights_in(self, step: int) -> None:
        if self.average is not None:
            self.average.update(self.genlca.transformer, step)

    def load_pipeline(self, loaded_state: dict[str, Any], step: int) -> None:
        """Load a checkpoint's pipeline state.

        Raises:
            UserError: it was made with another configuration.
        """
        with user_errors_end_the_command():
            self.load_state_dict(loaded_state)
        if self.average is not None and not any(name.startswith("average.") for name in loaded_state):
            self.average.reset(self.genlca.transformer)

    def load_pretrained(self, checkpoint: Mapping[str, Any]) -> None:
        """Begin with the weights of another training.

        Raises:
            UserError: it was made with another configuration.
        """
        with user_errors_end_the_command():
            self.genlca.load_state_dict(model_state(checkpoint, averaged=False))
        if self.average is not None:
            self.average.reset(self.genlca.transformer)

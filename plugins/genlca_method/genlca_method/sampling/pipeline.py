"""``GenLCAPipeline``: prompts and pictures of parts to avatars, as a diffusers pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.utils.import_utils import is_accelerate_available
from diffusers.utils.outputs import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from huggingface_hub import HfApi, snapshot_download

from genlca_method.conditioning.encoders import Conditioner, ConditioningConfig
from genlca_method.conditioning.tokens import MODALITIES, ConditionTokens
from genlca_method.latents.autoencoder import TokenAutoencoder
from genlca_method.sampling.card import pipeline_card
from genlca_method.sampling.decoder import LCADecoder
from genlca_method.sampling.guidance import guided_velocity, joined, parted
from genlca_method.tokens.parts import SCRIBBLES
from genlca_method.transformer.mmdit import GenLCATransformer
from lca_method.avatar.avatar import Avatar
from lca_method.hub.failures import hub_errors
from lca_method.plain_configs import from_plain
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


@dataclass
class GenLCAOutput(BaseOutput):
    """What the pipeline makes."""

    avatars: list[Avatar]
    """Drivable and exportable like any other; empty with ``output_type="latent"``."""
    latents: Tensor
    """[people, anchors, latent], normalised."""
    shapes: Tensor
    """[people, coefficients] of the body model."""


class GenLCAPipeline(DiffusionPipeline):
    """Generates avatars.

    Parts: ``transformer``, ``autoencoder`` (latents to tokens), ``decoder`` (tokens to avatars), ``scheduler`` (any of
    diffusers' flow-matching schedulers). ``save_pretrained`` is diffusers'.
    """

    model_cpu_offload_seq = "transformer->autoencoder->decoder"

    def __init__(
        self, transformer: GenLCATransformer, autoencoder: TokenAutoencoder, decoder: LCADecoder, scheduler: Any
    ):
        """Args: the parts; text and image encoders are those that the transformer's config names."""
        super().__init__()
        self.register_modules(transformer=transformer, autoencoder=autoencoder, decoder=decoder, scheduler=scheduler)
        self._conditioner: Conditioner | None = None

    @property
    def conditioner(self) -> Conditioner:
        """Encoders of texts and pictures, made when first asked for.

        Raises:
            UserError: their weights are missing.
        """
        if self._conditioner is None:
            self._conditioner = Conditioner.build(
                from_plain(ConditioningConfig, self.transformer.config["conditioning"])
            )
        return self._conditioner

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] = "",
        images: Mapping[str, Float[Tensor, "3 h w"]] | None = None,
        num_inference_steps: int = 30,
        guidance_scale: float = 3.0,
        num_avatars_per_prompt: int = 1,
        generator: torch.Generator | None = None,
        output_type: str = "avatar",
        scribbles: Mapping[str, Float[Tensor, "3 h w"]] | None = None,
    ) -> GenLCAOutput:
        """Generate.

        Args:
            prompt: a text, or several; empty = nothing is said.
            images: pictures of parts (face, hair, upper, lower, shoes, whole), sRGB 0..1, for all prompts.
            num_inference_steps: of the scheduler.
            guidance_scale: 1 = none.
            num_avatars_per_prompt: how many of each.
            generator: the same seed gives the same people; of the CPU, on any device.
            output_type: ``avatar`` or ``latent``.
            scribbles: line drawings of parts, black on white.

        Raises:
            UserError: no such part, or a number that makes no sense.
        """
        if num_inference_steps < 1 or num_avatars_per_prompt < 1 or output_type not in ("avatar", "latent"):
            raise UserError("Generating needs at least 1 step and 1 avatar, and the output type avatar or latent.")
        texts = [prompt] if isinstance(prompt, str) else list(prompt)
        texts = [text for text in texts for _ in range(num_avatars_per_prompt)]
        device, model = self._execution_device, self.transformer
        conditions = self.conditions(texts, images or {}, scribbles or {})
        sizes = (model.config["anchors"], model.config["latent_channels"])
        shapes = (len(texts), *sizes), (len(texts), model.config["shape_coefficients"])
        state = joined(*(randn_tensor(shape, generator=generator, device=device) for shape in shapes))
        self.scheduler.set_timesteps(num_inference_steps, device=device)
        with self.progress_bar(total=len(self.scheduler.timesteps)) as bar:  # type: ignore[call-issue]
            for timestep in self.scheduler.timesteps:
                velocity = guided_velocity(model, state, timestep, conditions, guidance_scale)
                state = self.scheduler.step(velocity, timestep, state, return_dict=False)[0]
                bar.update()
        latents, found = parted(state, *sizes)
        shape = model.shape_of(found)
        avatars = self.avatars(latents, shape) if output_type == "avatar" else []
        self.maybe_free_model_hooks()
        return GenLCAOutput(avatars=avatars, latents=latents, shapes=shape)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> "GenLCAPipeline":
        """As of ``DiffusionPipeline``, of a folder or a name on the Hub. From the Hub all files are fetched first:
        diffusers would look there for the code of parts that this package has.

        Raises:
            UserError: the Hub refuses, or cannot be reached.
        """
        place = pretrained_model_name_or_path
        if not Path(place).is_dir():
            options = ("revision", "cache_dir", "token", "local_files_only", "force_download")
            given = {name: kwargs.pop(name) for name in options if name in kwargs}
            with hub_errors(place):
                place = snapshot_download(str(place), allow_patterns=["*.json", "*.safetensors"], **given)
        kwargs.setdefault("low_cpu_mem_usage", is_accelerate_available())  # else diffusers warns for each part
        return super().from_pretrained(place, **kwargs)

    def push_to_hub(
        self,
        repo_id: str,
        licence: str = "unknown",
        trained_on: str = "",
        commit_message: str = "GenLCA pipeline",
        private: bool | None = None,
        token: str | None = None,
        create_pr: bool = False,
    ) -> str:
        """Share all parts as safetensors and JSON, with a card of their own in place of diffusers' empty one.

        Args: ``OWNER/NAME``, made if it is not there; licence of the weights; for the card, what it has learnt from;
            the rest as of diffusers.

        Returns:
            Address of the commit.

        Raises:
            UserError: the Hub refuses, or cannot be reached.
        """
        with hub_errors(repo_id), TemporaryDirectory() as folder:
            api = HfApi(token=token)
            found = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
            self.save_pretrained(folder)
            pipeline_card(self, found, licence, trained_on).save(Path(folder) / "README.md")
            commit = api.upload_folder(
                folder_path=folder, repo_id=found, commit_message=commit_message, create_pr=create_pr
            )
        return str(commit)

    def conditions(
        self,
        texts: Sequence[str],
        images: Mapping[str, Float[Tensor, "3 h w"]],
        scribbles: Mapping[str, Float[Tensor, "3 h w"]],
    ) -> ConditionTokens:
        """A text for each person, and pictures and line drawings of parts for all, on the pipeline's device.

        Raises:
            UserError: no such part, or the transformer has learnt no line drawings.
        """
        shown = dict(images) | {SCRIBBLES.get(part, part): drawing for part, drawing in scribbles.items()}
        unknown = MODALITIES[self.transformer.config["modalities"] :]
        if scribbles and any(name in unknown for name in shown):
            raise UserError("This pipeline was trained before there were line drawings: give no scribbles.")
        return self.conditioner(texts, [shown] * len(texts)).to(self._execution_device)

    @torch.no_grad()
    def avatars(
        self, latents: Float[Tensor, "people anchors latent"], shapes: Float[Tensor, "people coefficients"]
    ) -> list[Avatar]:
        """Avatars of latents."""
        tokens = self.autoencoder.decode(latents)
        return [self.decoder.avatar(one, shape) for one, shape in zip(tokens, shapes)]

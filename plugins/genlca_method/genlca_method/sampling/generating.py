"""From a prompt to bundles on disk."""

import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from genlca_method.editing.person import everywhere, write_person
from genlca_method.sampling.command import GenerateConfig
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.parts import IMAGE_PARTS
from lca_method.avatar.bundle import CONFIG_FILE, SUFFIX, AvatarRecord, save_avatar
from lca_method.avatar.creating import preview
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

MODEL_INDEX = "model_index.json"
RUN_FOLDER = "pipeline"
"""In the folder of a training run."""
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def generate(config: GenerateConfig) -> None:
    """See :func:`genlca_method.sampling.command.run`."""
    if config.num < 1:
        raise UserError("--num needs at least 1.")
    paths = [config.output_dir / f"{config.name}-{index:03d}{SUFFIX}" for index in range(config.num)]
    for path in paths:
        if path.exists() and not (config.overwrite and (path / CONFIG_FILE).is_file()):
            raise UserError(f"{path} exists already. Choose another --output-dir or --name, or give --overwrite.")
    images, drawings = (dict(part_picture(given, o) for given in getattr(config, o)) for o in ("image", "scribble"))
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    made = with_scheduler(load_pipeline(config.pipeline), config.scheduler)
    made.to(device)
    generator = torch.Generator().manual_seed(config.seed)
    found = made(config.prompt, images, config.steps, config.guidance, config.num, generator, scribbles=drawings)
    origin = {"method": "genlca", "prompt": config.prompt, "seed": config.seed, "steps": config.steps}
    origin |= {"guidance": config.guidance, "pipeline": config.pipeline, "pictures": sorted(images)}
    origin["scribbles"] = sorted(drawings)
    origin |= {f"lca_{name}": value for name, value in (made.decoder.config["checkpoint"] or {}).items()}
    tokens = made.autoencoder.decode(found.latents)
    for path, avatar, own, shape in zip(paths, found.avatars, tokens, found.shapes):
        record = AvatarRecord(path.name.removesuffix(SUFFIX), ("none: generated",), "generated", origin)
        save_avatar(avatar, record, path, overwrite=config.overwrite)
        write_person(everywhere(own, shape), path, str((made.decoder.config["checkpoint"] or {}).get("sha256", "")))
        preview(avatar, path, config.turntable)
    print(
        f"Wrote {len(paths)} avatars to {config.output_dir}. Next: lca drive {paths[0]} --motion DATASET --output "
        "video.mp4"
    )


def with_scheduler(pipeline: GenLCAPipeline, name: str) -> GenLCAPipeline:
    """The pipeline with the scheduler of that name (euler or heun) and its own shift of noise levels."""
    if name == "heun":
        from diffusers import FlowMatchHeunDiscreteScheduler

        pipeline.scheduler = FlowMatchHeunDiscreteScheduler(shift=pipeline.scheduler.config["shift"])
    return pipeline


def load_pipeline(place: str) -> GenLCAPipeline:
    """A trained pipeline.

    Raises:
        UserError: there is none at ``place``.
    """
    folder = Path(place).expanduser()
    for candidate in (folder, folder / RUN_FOLDER):
        if (candidate / MODEL_INDEX).is_file():
            folder = candidate
    if folder.exists() and not (folder / MODEL_INDEX).is_file():
        raise UserError(f"{place} holds no GenLCA pipeline. Name the folder of a run of `ns-train genlca-tiny`.")
    if not folder.exists() and not _HUB_NAME.fullmatch(place):
        raise UserError(
            f"There is no folder {place}. Name the folder of a run of `ns-train genlca-tiny`, or OWNER/NAME on the Hub."
        )
    try:
        return GenLCAPipeline.from_pretrained(str(folder) if folder.exists() else place)
    except (OSError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"There is no GenLCA pipeline at {place} ({first}).") from error


def part_picture(given: str, option: str = "image") -> tuple[str, Float[Tensor, "3 h w"]]:
    """``PART=FILE`` as the part and the square picture, sRGB 0..1, filled up with white.

    Raises:
        UserError: no such part, or no such picture.
    """
    part, equals, name = given.partition("=")
    if not equals or part not in IMAGE_PARTS:
        raise UserError(f"--{option} {given}: write PART=FILE with one of the parts {', '.join(IMAGE_PARTS)}.")
    try:
        with Image.open(name) as file:
            upright = ImageOps.exif_transpose(file).convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{name} is not a picture that can be read ({error}).") from error
    side = max(picture.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return part, torch.from_numpy(np.array(square)).movedim(-1, 0).float() / 255

"""From an avatar with its tokens to a changed one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from genlca_method.editing.command import EditConfig
from genlca_method.editing.person import TokenPerson, read_person, write_person
from genlca_method.editing.regions import kept_anchors, part_names, parts_of
from genlca_method.editing.sampling import resampled
from genlca_method.sampling.generating import load_pipeline, part_picture, with_scheduler
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.parts import PARTS
from lca_method.avatar.bundle import CONFIG_FILE, SUFFIX, AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.creating import preview
from lca_shared.errors import UserError
from lca_shared.tensors import Bool, Float, Tensor


def edit(config: EditConfig) -> None:
    """See :func:`genlca_method.editing.command.run`."""
    if config.output.exists() and not (config.overwrite and (config.output / CONFIG_FILE).is_file()):
        raise UserError(f"{config.output} exists already. Choose another --output, or give --overwrite.")
    images, drawings = (dict(part_picture(given, o) for given in getattr(config, o)) for o in ("image", "scribble"))
    keep, change = part_names(config.keep, "--keep"), part_names(config.change, "--change")
    if (images or drawings) and not (keep or change or config.complete):
        change = tuple(name for name in PARTS if name in images or name in drawings)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    made = with_scheduler(load_pipeline(config.pipeline), config.scheduler)
    made.to(device)
    before = load_avatar(config.avatar)
    person = read_person(before.path, lca_of(made))
    parts = parts_of(made.decoder)
    kept = kept_anchors(parts, person.valid, keep, change, config.complete)
    changed = torch.stack([parts[name] for name in change]).any(dim=0) if change else torch.zeros_like(kept)
    settings = {name: getattr(config, name) for name in ("strength", "steps", "guidance")}
    generator = torch.Generator().manual_seed(config.seed)
    after = edited(
        made,
        person,
        kept,
        config.prompt,
        images,
        drawings,
        hinted=~kept & ~person.valid & ~changed if config.complete else None,
        draws=config.draws if config.complete else 1,
        keep_shape=not config.new_shape,
        generator=generator,
        **settings,
    )
    avatar = made.decoder.avatar(after.tokens.to(made.device), after.shape.to(made.device))
    origin: dict[str, Any] = {"method": "genlca edit", "of": before.record.name, "prompt": config.prompt}
    origin |= settings | {"keep": keep, "change": change, "complete": config.complete, "seed": config.seed}
    origin |= {"draws": config.draws} if config.complete else {}
    origin |= {
        "pictures": sorted(images),
        "scribbles": sorted(drawings),
        "pipeline": config.pipeline,
        "before": dict(before.record.checkpoint),
    }
    name = config.output.name.removesuffix(SUFFIX)
    record = AvatarRecord(name, before.record.pictures, before.record.source_licence, origin)
    save_editable(made, avatar, after, record, config.output, overwrite=config.overwrite)
    print(
        f"Wrote {config.output}: {int((~kept).sum())} of {len(kept)} tokens made anew. Next: lca drive {config.output} "
        "--motion DATASET --output video.mp4"
    )


@torch.no_grad()
def edited(
    pipeline: GenLCAPipeline,
    person: TokenPerson,
    kept: Bool[Tensor, "anchors"],
    prompt: str = "",
    images: Mapping[str, Float[Tensor, "3 h w"]] | None = None,
    scribbles: Mapping[str, Float[Tensor, "3 h w"]] | None = None,
    *,
    hinted: Bool[Tensor, "anchors"] | None = None,
    draws: int = 1,
    keep_shape: bool = True,
    strength: float = 1.0,
    steps: int = 30,
    guidance: float = 3.0,
    generator: torch.Generator | None = None,
) -> TokenPerson:
    """A person of whom only ``kept`` tokens are as they were, exactly.

    Args: pipeline; person; anchors to keep; text, pictures and line drawings of parts; anchors where the person's
        tokens, though no picture showed anything, are hints; how many people are drawn and averaged; the rest as of
        :func:`genlca_method.editing.sampling.resampled`.

    Raises:
        UserError: nobody is to be drawn, or as of ``resampled``.
    """
    if draws < 1:
        raise UserError("--draws needs at least 1.")
    model, device = pipeline.transformer, pipeline.device
    tokens, valid, shape = (value.to(device)[None] for value in (person.tokens, person.valid, person.shape))
    kept = kept.to(device)
    conditions = pipeline.conditions([prompt] * draws, images or {}, scribbles or {})
    given = pipeline.autoencoder.encode(tokens, valid)

    def each(values: Tensor) -> Tensor:
        return values.expand(draws, *values.shape[1:])

    latents, found = resampled(
        model,
        pipeline.scheduler,
        conditions,
        each(given),
        each(model.normalised_shape(shape)),
        each(kept[None]),
        each(valid),
        guesses=None if hinted is None else each(pipeline.autoencoder.encode(tokens, torch.ones_like(valid))),
        guessed=None if hinted is None else each(hinted.to(device)[None]),
        keep_shape=keep_shape,
        strength=strength,
        steps=steps,
        guidance=guidance,
        generator=generator,
    )
    fresh = pipeline.autoencoder.decode(latents.mean(dim=0, keepdim=True))[0]
    after = shape[0] if keep_shape else model.shape_of(found).mean(dim=0)
    return TokenPerson(torch.where(kept[:, None], tokens[0], fresh), valid[0] | ~kept, after)


def lca_of(pipeline: GenLCAPipeline) -> str:
    """Checksum of the LCA model behind a pipeline."""
    return str((pipeline.decoder.config["checkpoint"] or {}).get("sha256", ""))


def save_editable(
    pipeline: GenLCAPipeline, avatar: Any, person: TokenPerson, record: AvatarRecord, path: Path, *, overwrite: bool
) -> None:
    """Write a bundle with its tokens and a preview.

    Raises:
        UserError: it cannot be written.
    """
    save_avatar(avatar, record, path, overwrite=overwrite)
    write_person(person, path, lca_of(pipeline))
    preview(avatar, path, turntable=False)

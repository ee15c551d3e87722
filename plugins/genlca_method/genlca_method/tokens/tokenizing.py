"""From a dataset to token shards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from genlca_method.tokens.captions import build_captioner
from genlca_method.tokens.command import TokenizeConfig
from genlca_method.tokens.format import TOKENS_FILE, SampleInfo, TokensInfo, read_tokens_info, write_tokens_info
from genlca_method.tokens.layout import TokenLayout
from genlca_method.tokens.part_pictures import part_pictures
from genlca_method.tokens.parts import anchor_parts
from genlca_method.tokens.shards import WrittenSample, shard_name, write_shard
from genlca_method.visibility.anchor_views import VisibilityConfig
from genlca_method.visibility.people import person_views
from lca_method.analysis.people import ShownPeople
from lca_method.batch import ReferenceViews, moved_to, stacked
from lca_method.checkpoints import fingerprint
from lca_method.crops import frame_weights
from lca_method.sampling import step_generator
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.body.anchors import SurfacePoints
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Planned:
    """A sample to be: who, and which rows show them."""

    key: str
    subject: str
    rows: tuple[int, ...]


def tokenize(config: TokenizeConfig) -> None:
    """See :func:`genlca_method.tokens.command.run`."""
    if min(config.references, config.samples, config.batch, config.shard_samples) < 1:
        raise UserError("--references, --samples, --batch and --shard-samples need at least 1.")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    trained = load_network(config.checkpoint, device)
    people = ShownPeople.open(config.data, trained)
    info = _info(config, trained)
    info = _taken_up(config.output_dir, info)
    planned = _planned(config, people)
    tokenizer = Tokenizer(config, trained, people)
    done = sum(info.samples)
    for _ in islice(planned, done):
        pass
    if not info.complete:
        write_tokens_info(config.output_dir, info)
        with tqdm(desc="tokenize", unit="sample", initial=done, disable=None) as progress:
            while shard := list(islice(planned, config.shard_samples)):
                name = shard_name(len(info.shards))
                write_shard(config.output_dir / name, tokenizer.samples(shard, progress))
                info = replace(info, shards=(*info.shards, name), samples=(*info.samples, len(shard)))
                write_tokens_info(config.output_dir, info)
        if not info.shards:
            raise UserError(f"{config.data} holds nobody with a usable frame. See `lca-data inspect {config.data}`.")
        info = replace(info, complete=True)
        write_tokens_info(config.output_dir, info)
    print(
        f"Wrote {sum(info.samples) - done} samples ({done} were there already) of {info.layout.anchors} anchors x "
        f"{info.layout.channels} numbers to {config.output_dir}. Next: genlca latents --tokens {config.output_dir} "
        f"--checkpoint {config.checkpoint} --output-dir LATENTS"
    )


class Tokenizer:
    """Makes samples with a frozen model."""

    def __init__(self, config: TokenizeConfig, trained: TrainedNetwork, people: ShownPeople) -> None:
        network = trained.network
        self.config, self.trained, self.people = config, trained, people
        self.layout = TokenLayout.of(network.config)
        self.anchors = SurfacePoints(network.token_faces, network.token_barycentric)
        self.parts = anchor_parts(trained.body, self.anchors)
        self.visibility = VisibilityConfig(angle=config.angle)
        self.caption = build_captioner(config.captions, config.caption_model, str(trained.device))

    def samples(self, planned: Sequence[Planned], progress: Any) -> Iterator[WrittenSample]:
        """The samples in their order; those with as many views go through the encoder together."""
        for start in range(0, len(planned), self.config.batch):
            chunk = planned[start : start + self.config.batch]
            references = [moved_to(self._references(sample), str(self.trained.device)) for sample in chunk]
            vectors: dict[int, Tensor] = {}
            for views in {len(sample.rows) for sample in chunk}:
                index = [i for i, sample in enumerate(chunk) if len(sample.rows) == views]
                shapes = torch.stack([self.people.shape(chunk[i].subject) for i in index])
                with torch.inference_mode():
                    code = self.trained.network.read(stacked([references[i] for i in index]), shapes)
                    vectors |= dict(zip(index, self.layout.pack(code)))
            for i, sample in enumerate(chunk):
                yield self._written(sample, references[i], vectors[i])
            progress.update(len(chunk))

    def _references(self, sample: Planned) -> ReferenceViews:
        return self.people.reader.references(sample.subject, sample.rows)

    def _written(
        self, sample: Planned, references: ReferenceViews, vectors: Float[Tensor, "anchors channels"]
    ) -> WrittenSample:
        body, shape = self.trained.body, self.people.shape(sample.subject)
        views = person_views(body, self.anchors, shape, references, self.visibility)
        pictures = {}
        if self.config.part_size:
            fit = references.fit
            assert fit is not None
            posed = body.skinned(body.shaped(shape, fit.expression), fit.pose)
            points = self.anchors.read(posed, body.faces)
            pictures = part_pictures(references, points, views, self.parts, self.config.part_size)
        person = self.people.dataset.subjects[sample.subject].info
        caption = self.caption(person, pictures)
        info = SampleInfo(
            sample.subject,
            person.split,
            sample.rows,
            caption.text,
            caption.by,
            tuple(pictures),
            person.report.get("attributes", {}),
            person.source,
            person.licence,
        )
        return WrittenSample(sample.key, info, vectors, views.counts, views.soft_counts, shape, pictures)


def _planned(config: TokenizeConfig, people: ShownPeople) -> Iterator[Planned]:
    """All samples, the same whenever it is asked."""
    for number, subject in enumerate(people.names()):
        usable = np.flatnonzero(frame_weights(people.dataset, subject).numpy() > 0)
        for sample in range(config.samples if len(usable) else 0):
            rows = people.reference_rows(subject, config.references)
            if sample:
                generator = step_generator(config.seed, sample, number)
                count = min(int(generator.integers(1, config.references + 1)), len(usable))
                rows = tuple(int(row) for row in np.sort(generator.permutation(usable)[:count]))
            yield Planned(f"{subject.replace('.', '_')}-{sample:02d}", subject, rows)


def _info(config: TokenizeConfig, trained: TrainedNetwork) -> TokensInfo:
    names = ["references", "samples", "shard_samples", "captions", "part_size", "seed"]
    names += ["caption_model"] * bool(config.caption_model)
    settings = {name: getattr(config, name) for name in names} | {"data": str(config.data)}
    return TokensInfo(
        TokenLayout.of(trained.network.config),
        trained.body.name,
        tuple(trained.body.shape_names),
        {"steps": trained.steps, "sha256": fingerprint(trained.checkpoint)},
        VisibilityConfig(angle=config.angle),
        settings,
    )


def _taken_up(root: Path, info: TokensInfo) -> TokensInfo:
    """What an earlier run with the same settings has written so far.

    Raises:
        UserError: the folder holds tokens of other data, another model or other settings.
    """
    if not (root / TOKENS_FILE).is_file():
        return info
    found = read_tokens_info(root)
    if replace(found, shards=(), samples=(), complete=False) != info:
        raise UserError(f"{root} holds tokens of other data, another model or other settings. Choose another folder.")
    if missing := [name for name in found.shards if not (root / name).is_file()]:
        raise UserError(f"{root / missing[0]} is missing. Remove {root} and run the command again.")
    return found

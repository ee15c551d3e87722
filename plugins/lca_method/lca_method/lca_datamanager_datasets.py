"""The datasets of a training: opened by their dataparsers, read together, drawn from by weight."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs

from lca_dataparsers.lca_studio import LCAStudioDataParserConfig
from lca_dataparsers.lca_wild import LCAWildDataParserConfig
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_method.crops import CropReader
    from lca_method.lca_datamanager import LCADataManagerConfig
    from lca_method.people import People
    from lca_method.subject_sources import StepSampler

KINDS = {"wild": LCAWildDataParserConfig, "studio": LCAStudioDataParserConfig}
"""The dataparser of each kind of dataset."""


@dataclass(frozen=True)
class OpenedDatasets:
    """All datasets of a data manager."""

    people: "dict[str, People]"
    """By the prefix of their people's ids."""
    dataparser: DataParser
    """Of the first dataset; so are the outputs, which nerfstudio shows."""
    train: DataparserOutputs
    held_out: DataparserOutputs


def open_datasets(config: "LCADataManagerConfig", split: str) -> OpenedDatasets:
    """Open the dataset, or the datasets of a mixture.

    Args:
        config: ``dataparser.data`` or ``datasets`` say where they are.
        split: of what is evaluated, ``val`` or ``test``.

    Raises:
        UserError: one is no dataset, of another kind than its dataparser, or has nobody to train on.
    """
    from lca_method.people import SourceOptions, people_of, prefixes  # reads Parquet: not needed by --help

    roots = config.datasets or (config.dataparser.data,)
    window = config.stream_window if config.reading == "stream" else 0
    options = SourceOptions(config.balance, window, config.eval_subjects, config.seed)
    people, parsed = {}, []
    for root, prefix in zip(roots, prefixes(roots)):
        parser = (config.dataparser if len(roots) == 1 else parser_of(Path(root), config.dataparser)).setup()
        train, held_out = (parser.get_dataparser_outputs(split=name) for name in ("train", split))
        parsed.append((parser, train, held_out))
        people[prefix] = people_of(
            Path(root), train.metadata["rows"], held_out.metadata["rows"], split, options, prefix
        )
    return OpenedDatasets(people, *parsed[0])


def parser_of(root: Path, given: DataParserConfig) -> DataParserConfig:
    """The dataparser of a dataset of a mixture: the given one where the kind is its own, else the kind's."""
    from lca_dataparsers.dataset.reader import read_dataset_info
    from lca_dataparsers.shards.format import is_shards, read_info

    info = read_info(root).dataset if is_shards(root) else read_dataset_info(root)
    return replace(given, data=root) if isinstance(given, KINDS[info.kind]) else KINDS[info.kind](data=root)


def reader_of(config: "LCADataManagerConfig", people: "dict[str, People]") -> "CropReader":
    """What cuts crops out of the datasets' frames."""
    from lca_method.crops import CropReader, CropSizes
    from lca_method.people import together

    sides = (config.image_size, config.face_size, config.target_size)
    sizes = CropSizes(*sides, config.crop_margin, config.target_faces, config.target_lights)
    return CropReader(together(people, config.datasets), sizes, config.cache_megabytes * 1024 * 1024)


def sampler_of(config: "LCADataManagerConfig", people: "dict[str, People]", world_size: int) -> "StepSampler":
    """What draws the people and frames of a step.

    Raises:
        UserError: weights that cannot be.
    """
    from lca_method.sampling_order import Mixture
    from lca_method.subject_sources import StepSampler

    weights = config.weights or (1.0,) * len(people)
    if len(weights) != len(people):
        raise UserError(f"--pipeline.datamanager.weights has {len(weights)} numbers for {len(people)} datasets.")
    try:
        mixture = Mixture.of_weights(weights, config.seed)
    except ValueError as error:
        raise UserError(f"--pipeline.datamanager.weights: {error}.") from error
    return StepSampler(
        tuple(part.source for part in people.values()),
        mixture,
        config.subjects_per_step * world_size,
        config.references,
        config.targets_per_step,
        config.target_views_per_moment,
        config.seed,
    )

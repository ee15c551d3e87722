"""The ``lca-wild`` dataparser: people filmed by one camera each, split by person or, where nobody is held out, by
time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs


@dataclass
class LCAWildDataParserConfig(DataParserConfig):
    """How a wild dataset is split. Shards keep the split that they were written with."""

    _target: type = field(default_factory=lambda: LCAWildDataParser)
    """Target class to instantiate."""
    data: Path = Path("data/people")
    """The dataset's folder, or a folder of shards."""
    eval_frame_fraction: float = 0.1
    """Where no person is held out: share of the frames held out for evaluation, in a few stretches of time."""
    eval_stretches: int = 4
    """Where no person is held out: stretches of time that are held out, spread over the recording."""
    eval_guard: int = 1
    """Frames on each side of a held-out stretch that are neither trained on nor evaluated."""


@dataclass
class LCAWildDataParser(DataParser):
    """Hands nerfstudio the pictures and cameras of one split; see ``lca_wild_outputs.dataset_outputs``."""

    config: LCAWildDataParserConfig

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        from lca_dataparsers.lca_wild_outputs import dataset_outputs
        from lca_dataparsers.split import FrameSplit

        config = self.config
        by_time = FrameSplit("time", config.eval_frame_fraction, config.eval_stretches, config.eval_guard)
        return dataset_outputs(config.data, "wild", split, by_time)

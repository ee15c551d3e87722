"""The ``lca-studio`` dataparser: people in front of several calibrated cameras, split by person or, where nobody is
held out, by camera or time."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs


@dataclass
class LCAStudioDataParserConfig(DataParserConfig):
    """How a studio dataset is split. Shards keep the split that they were written with."""

    _target: type = field(default_factory=lambda: LCAStudioDataParser)
    """Target class to instantiate."""
    data: Path = Path("data/studio")
    """The dataset's folder, or a folder of shards."""
    eval_by: Literal["camera", "time"] = "camera"
    """Where no person is held out: hold out whole cameras, or moments (all cameras of them)."""
    eval_fraction: float = 0.1
    """Where no person is held out: share of the cameras, or of the moments, held out for evaluation."""
    eval_stretches: int = 4
    """By time: stretches that are held out, spread over the recording."""
    eval_guard: int = 1
    """By time: moments on each side of a held-out stretch that are neither trained on nor evaluated."""


@dataclass
class LCAStudioDataParser(DataParser):
    """Hands nerfstudio the pictures and cameras of one split; see ``lca_wild_outputs.dataset_outputs``."""

    config: LCAStudioDataParserConfig

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        from lca_dataparsers.lca_wild_outputs import dataset_outputs
        from lca_dataparsers.split import FrameSplit

        config = self.config
        rule = FrameSplit(config.eval_by, config.eval_fraction, config.eval_stretches, config.eval_guard)
        return dataset_outputs(config.data, "studio", split, rule)

"""What expression, gaze and hand pose carry, as a part of ``lca eval``."""

from pathlib import Path
from typing import Any

from lca_method.analysis.expression_report import expression_report
from lca_method.evaluating.command import EvalConfig
from lca_method.evaluating.test_set import TestSet
from lca_method.trained_network import TrainedNetwork


def expression_of(trained: TrainedNetwork, data: Path, config: EvalConfig) -> dict[str, Any]:
    """The report on a test set; the probe of a learned code is fitted to the dataset's training people."""
    test_set = TestSet.open(data, trained, max(config.references), config.targets_per_subject, config.max_subjects)
    fitted = {frames.subject: sorted({*frames.references, *frames.targets}) for frames in test_set.trained}
    return expression_report(trained.network, trained.body, test_set.reader, fitted, test_set.draws)

"""What expression, gaze and hand pose carry, as a part of ``lca eval``."""

from pathlib import Path
from typing import Any

from lca_method.analysis.expression_report import expression_report
from lca_method.evaluating.command import EvalConfig


def expression_of(trained: Any, data: Path, config: EvalConfig) -> dict[str, Any]:
    """The report on a test set; the probe of a learned code is fitted to the dataset's training people.

    Args:
        trained: :class:`lca_method.lca_trained.Trained`.
        data: the test set.
        config: of the command.
    """
    manager = trained.people_of(data, max(config.references), config.targets_per_subject, config.max_subjects)
    fitted = {frames.subject: sorted({*frames.references, *frames.targets}) for frames in manager.train_subjects}
    return expression_report(trained.model.network, trained.model.body, manager.reader, fitted, manager.eval_draws)

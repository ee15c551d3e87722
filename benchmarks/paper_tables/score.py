"""Scores of one trained model on one held-out set."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import torch


def scored(config: Path, data: Path, references: int, lpips: bool) -> dict[str, Any]:
    """Means over held-out people (each counts the same) on person pixels, and each person's PSNR.

    Args:
        config: a run's ``config.yml``.
        data: the dataset whose held-out people are shown to it.
        references: reference views of a person.
        lpips: also measure LPIPS.
    """
    from nerfstudio.utils.eval_utils import eval_setup

    from lca_dataparsers.lca_studio import LCAStudioDataParserConfig
    from lca_dataparsers.lca_wild import LCAWildDataParserConfig
    from lca_method.batch import moved_to
    from lca_method.demo.show import KeptCode, posed_predictor
    from lca_method.evaluation import evaluate

    def on_these_people(run: Any) -> Any:
        manager = run.pipeline.datamanager
        kind = LCAStudioDataParserConfig if data.name.startswith("studio") else LCAWildDataParserConfig
        manager.data, manager.dataparser = data, kind(data=data)
        manager.eval_references, manager.eval_targets_per_subject = references, 8
        manager.datasets, manager.weights = (), ()
        return run

    _, pipeline, _, _ = eval_setup(config, update_config_callback=on_these_people)
    model: Any = pipeline.model
    manager: Any = pipeline.datamanager

    def batches() -> Iterator[tuple]:
        for draw in manager.eval_draws:
            for row in draw.targets:
                yield row, moved_to(manager.evaluation_batch(draw, row), model.device)

    with torch.no_grad():
        predict = {"posed": posed_predictor(model, KeptCode(model))}
        scores = evaluate(batches(), predict, model.lpips("alex") if lpips else None)["posed"]
    people: dict[str, list] = defaultdict(list)
    for score in scores:
        people[score.subject].append(score)
    means = {name: [fmean(getattr(s, name) for s in own) for own in people.values()] for name in ("psnr", "l1")}
    result: dict[str, Any] = {name: fmean(values) for name, values in means.items()}
    result["lpips"] = fmean(fmean(s.lpips for s in own) for own in people.values()) if lpips else None
    result["people"] = dict(zip(people, means["psnr"]))
    result["images"] = len(scores)
    return result

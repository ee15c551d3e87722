"""How well an expression code is learned, with labels (a control) or without, in minutes: nobody's avatar is trained.

Example: ``python -m benchmarks.expression_code --data faces --steps 300``. Prints R² of the coefficients predicted
linearly from the code on held-out people, how often the code gives its owner away, and what driving the untrained
avatars of held-out people with the code is worth on face, eye and hand pixels.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.analysis.expression_report import expression_report
from lca_method.batch import stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.expression_training import coded_driving, with_reference_faces
from lca_method.lca_config_face import lca_pretrain_face_tiny
from lca_method.losses.total import code_terms
from lca_method.networks import LCA
from lca_method.networks.driving import LearnedExpression
from lca_method.sampling import Draw
from lca_shared.body import get_body_model


@dataclass(frozen=True)
class Options:
    """Of the run; sizes and losses are those of ``lca-pretrain-face-tiny``."""

    data: Path
    """Close-ups: ``lca-data synth --framing head``, with people in the test split."""
    steps: int = 300
    """Of training; 0 measures the untrained encoder."""
    people: int = 10
    """In a step, with all their frames."""
    learn_from: Literal["textures", "labels"] = "textures"
    seed: int = 0


def main(options: Options) -> None:
    """Train, then print the report."""
    torch.manual_seed(options.seed)
    pipeline = lca_pretrain_face_tiny.config.pipeline  # type: ignore[union-attr]
    config, sizes = pipeline.model, pipeline.datamanager
    dataset = AvatarDataset.open(options.data)
    crops = CropSizes(sizes.image_size, sizes.face_size, sizes.target_size, target_faces=True)
    reader = CropReader(dataset, crops, 1 << 30)
    network = LCA(config.network, get_body_model(dataset.info.body_model))
    expression = network.driving_vector.expression
    assert isinstance(expression, LearnedExpression)
    rows = {name: tuple(range(len(person.frames))) for name, person in dataset.subjects.items()}
    test = [name for name, person in dataset.subjects.items() if person.info.split == "test"]
    train = [name for name in rows if name not in test]
    optimizer = torch.optim.AdamW(expression.parameters(), 2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, options.steps))
    deviation, mean = coefficient_statistics(reader, train)
    start = time.time()
    for step in range(options.steps):
        chosen = [train[i] for i in torch.randperm(len(train))[: options.people].tolist()]
        batch = stacked([reader.batch(name, rows[name][:1], rows[name][1:]) for name in chosen])
        targets = with_reference_faces(batch)
        _, views = coded_driving(network, batch.shape, targets, config.losses)
        assert views is not None and views.template is not None
        if options.learn_from == "labels":
            wrong = (expression.readout(views.codes) - (targets.driving.expression - mean)) / deviation
            loss = (wrong.square().mean(dim=-1) * views.seen).sum() / views.seen.sum()
            terms = {"labels": loss}
        else:
            terms = code_terms(config.losses, views, step=1)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(expression.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            spread = float(views.template.detach().flatten(0, 1).std(dim=0).mean())
            shown = {name: round(float(value.detach()), 4) for name, value in terms.items()}
            print(f"{step} {time.time() - start:.0f} s {shown} deviation of coefficients {spread:.3f}", flush=True)
    draws = [Draw(name, rows[name][:3], rows[name][3:]) for name in test]
    report = expression_report(network, get_body_model(), reader, {name: rows[name] for name in train}, draws)
    for name, value in report.items():
        print(name, value)


def rate(step: int, steps: int) -> float:
    """Share of the learning rate: a short rise, then a cosine."""
    fall = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / max(steps, 1))))
    return float(min((step + 1) / 30, 1.0) * fall.clamp(min=0.02))


def coefficient_statistics(reader: CropReader, people: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Deviation (at least 0.05) and mean of each coefficient over people's frames, for the control."""
    frames = (reader.dataset.subjects[name].frames for name in people)
    values = torch.cat([f.expressions(list(range(len(f)))) for f in frames])
    return values.std(dim=0).clamp(min=0.05), values.mean(dim=0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(tyro.cli(Options, description=__doc__))

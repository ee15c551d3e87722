"""``lca eval``: the paper's table of a trained model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class EvalConfig:
    """Score a trained model on held-out people: PSNR, L1, SSIM, LPIPS on person pixels, face and hands apart."""

    checkpoint: Path
    """Folder of a training run, its config.yml, or a checkpoint inside it."""
    data: tuple[Path, ...]
    """Test sets: datasets (folders or shards) whose held-out people (else held-out frames) are shown to the model."""
    references: tuple[int, ...] = (8, 4, 1)
    """Numbers of reference views to evaluate with."""
    targets_per_subject: int = 16
    """Pictures of each person, spread evenly over time; -1 for all."""
    max_subjects: int = -1
    """The first so many people of each test set; -1 for all."""
    output_dir: Path | None = None
    """Where the results go; by default `eval` in the run's folder."""
    lpips: bool = True
    """Measure LPIPS (AlexNet), whose weights are needed then."""
    expression: bool | None = None
    """Also examine what expression, gaze and hands carry (and the learned code, where there is one); slower. None:
    where there is a learned code."""
    sheet_people: int = 6
    """Rows of the side-by-side sheet of each test set; 0 draws none."""
    bootstrap_samples: int = 2000
    """Resamplings of people behind the 95 % intervals."""
    seed: int = 0
    """Of the resampling."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


def run(config: EvalConfig) -> None:
    """Evaluate, print the table and write it.

    Raises:
        UserError: a checkpoint, dataset or weight file that cannot be used.
    """
    from lca_method.evaluating.evaluation_run import evaluate_and_write  # heavy: torch

    evaluate_and_write(config)

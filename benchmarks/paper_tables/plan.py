"""What each row of a table trains on, in which order, and what the paper reports for it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """A preset: how much data and training a row gets."""

    pretrain_method: str
    posttrain_method: str
    wild_people: int
    wild_frames: int
    studio_people: int
    studio_moments: int
    studio_cameras: int
    test_people: int
    """Held out, of each kind."""
    image_size: int
    pretrain_steps: int
    posttrain_steps: int
    fewer_people: tuple[int, ...]
    """Smaller pre-training sets of Table 3, smallest first."""
    references: tuple[int, ...]
    """Reference views in evaluation."""


PRESETS = {
    "cpu": Sizes("lca-pretrain-tiny", "lca-posttrain-tiny", 32, 8, 12, 4, 6, 8, 256, 400, 200, (4, 12), (4,)),
    "gpu": Sizes(
        "lca-pretrain", "lca-posttrain", 2000, 32, 200, 16, 16, 50, 512, 100_000, 10_000, (20, 200), (8, 4, 1)
    ),
}
"""cpu: two hours at most on two cores for a table with two seeds. gpu: not run yet."""


@dataclass(frozen=True)
class Stage:
    """One run of ``ns-train``."""

    method: str
    data: tuple[str, ...]
    """Names of datasets; several are mixed half and half."""
    steps: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A line of a table: stages, each starting from the weights of the one before."""

    name: str
    stages: tuple[Stage, ...]
    paper: tuple[float, float] | None = None
    """PSNR (dB) in the paper on its studio and in-the-wild test sets."""


def table1(sizes: Sizes) -> list[Row]:
    """Training source (Table 1); every row has the same number of steps."""
    both = sizes.pretrain_steps + sizes.posttrain_steps
    first, second = sizes.pretrain_method, sizes.posttrain_method
    return [
        Row("in the wild only", (Stage(first, ("wild",), both),), (27.464, 27.669)),
        Row("studio only", (Stage(first, ("studio",), both),), (29.741, 26.632)),
        Row("mixed", (Stage(first, ("wild", "studio"), both),), (30.025, 27.998)),
        Row("pre-train, then post-train", _pre_then_post(sizes, first, second), (30.514, 28.175)),
    ]


def table3(sizes: Sizes) -> list[Row]:
    """How many people pre-training sees (Table 3), always followed by the same post-training."""
    first, second = sizes.pretrain_method, sizes.posttrain_method
    paper = [(30.393, 27.665), (30.457, 27.755), (30.514, 28.175)]  # 10K, 100K and 1M videos
    data = [(count, f"wild_{count}") for count in sizes.fewer_people] + [(sizes.wild_people, "wild")]
    return [
        Row(f"{count} people", _pre_then_post(sizes, first, second, data=name), figures)
        for (count, name), figures in zip(data, paper, strict=True)
    ]


def table_s1(sizes: Sizes) -> list[Row]:
    """Dual against single branch, and gamma of the layer-wise learning-rate decay (Table S1)."""
    first, second = sizes.pretrain_method, sizes.posttrain_method
    single = ("--pipeline.model.network.branches", "single", "--pipeline.model.losses.canonical", "0")
    rows = [
        Row("single branch", _pre_then_post(sizes, first, second, options=single), (30.370, 27.936)),
        Row("dual branch, gamma 0.65", _pre_then_post(sizes, first, second), (30.514, 28.175)),
    ]
    for gamma in ("0.0", "0.5", "0.8", "1.0"):  # the paper's other values of gamma were lost in conversion
        decay = ("--layer-decay", gamma)
        rows.append(Row(f"dual branch, gamma {gamma}", _pre_then_post(sizes, first, second, only_post=decay)))
    return rows


TABLES = {"table1": table1, "table3": table3, "s1": table_s1}


def _pre_then_post(
    sizes: Sizes,
    first: str,
    second: str,
    data: str = "wild",
    options: tuple[str, ...] = (),
    only_post: tuple[str, ...] = (),
) -> tuple[Stage, ...]:
    return (
        Stage(first, (data,), sizes.pretrain_steps, options),
        Stage(second, ("studio",), sizes.posttrain_steps, (*options, *only_post)),
    )

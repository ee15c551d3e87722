"""``lca analyze latents``: how people of several datasets lie in the space of mean geometric tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class LatentsConfig:
    """Principal components of people's mean geometric tokens, coloured by kind of dataset."""

    checkpoint: Path
    """Folder of a training run, its config.yml, or a checkpoint inside it."""
    data: tuple[Path, ...]
    """Datasets (folders or shards) to compare, e.g. one from a studio and one from the wild."""
    split: Literal["all", "train", "held-out"] = "all"
    """Which people: everybody, those in `train`, or the others."""
    max_subjects: int = -1
    """The first so many people of each dataset; -1 for all."""
    references: int = 8
    """Reference views of a person, spread over the recording."""
    components: int = 8
    """Principal components in the CSV, 2 or more."""
    output: Path | None = None
    """The picture (.png, .svg or .pdf); coordinates go beside it as CSV. By default analysis/latents.png in the run's
    folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


def run(config: LatentsConfig) -> None:
    """Draw the picture and write the coordinates.

    Raises:
        UserError: a checkpoint or dataset that cannot be used, or fewer than three people.
    """
    from itertools import islice

    import torch
    from tqdm import tqdm

    from lca_method.analysis.latents import group_share, mean_token, numbered_groups, principal_components
    from lca_method.analysis.latents_sheet import draw_latents
    from lca_method.analysis.people import ShownPeople
    from lca_method.analysis.writing import device_named, print_rows, write_csv
    from lca_method.trained_network import load_network
    from lca_shared.errors import UserError

    if config.references < 1 or config.components < 2:
        raise UserError("Give --references of at least 1 and --components of at least 2.")
    roots = {path.resolve().name: path for path in config.data}
    if len(roots) < len(config.data):
        raise UserError(
            "Give each dataset once, and datasets in folders of different names: the names tell them apart."
        )
    if config.output is not None and config.output.suffix not in (".png", ".svg", ".pdf"):
        raise UserError(f"{config.output} must end in .png, .svg or .pdf.")
    trained = load_network(config.checkpoint, device_named(config.device))
    people: list[dict] = []
    means: list[torch.Tensor] = []
    for name, root in roots.items():
        shown = ShownPeople.open(root, trained)
        dataset = shown.dataset
        most = config.max_subjects if config.max_subjects >= 0 else None
        chosen = list(islice(shown.names(config.split), most))
        for subject in tqdm(chosen, name, unit="person", disable=None):
            if not shown.reference_rows(subject, config.references):
                print(f"{root}: {subject} has no usable frame and is left out.")
                continue
            references = shown.references(subject, config.references)
            means.append(mean_token(trained.network, references, shown.shape(subject)).cpu())
            split = dataset.subjects[subject].info.split
            people.append({"dataset": name, "kind": dataset.info.kind, "subject": subject, "split": split})
    if len(means) < 3:
        raise UserError(f"{len(means)} people are too few for two principal components: give three or more.")
    vectors = torch.stack(means)
    found = principal_components(vectors, config.components)
    path = config.output or trained.folder / "analysis" / "latents.png"
    kinds, datasets = [person["kind"] for person in people], [person["dataset"] for person in people]
    title = f"mean geometric tokens of {len(people)} people, {config.references} reference views"
    draw_latents(path, found.coordinates[:, :2], found.shares[:2], kinds, datasets, title)
    columns = [f"pc{number + 1}" for number in range(found.coordinates.shape[1])]
    coordinates = found.coordinates.tolist()
    write_csv(
        path.with_suffix(".csv"),
        [{**person, **dict(zip(columns, values))} for person, values in zip(people, coordinates)],
    )
    print_rows("share of the variance", [dict(zip(columns, (f"{float(share):.1%}" for share in found.shares)))])
    for what, names in (("kind of dataset", kinds), ("dataset", datasets)):
        if len(set(names)) > 1 and (what != "dataset" or len(set(datasets)) > len(set(kinds))):
            share = group_share(vectors, numbered_groups(names))
            print(
                f"The {what} explains {share.share:.1%} of the variance of all {vectors.shape[1]} numbers "
                f"({share.chance:.1%} if drawn at random, p = {share.at_least:.3f})."
            )
    print(f"Wrote {path} and {path.with_suffix('.csv').name}.")

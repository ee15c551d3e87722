"""``lca-data inspect``: a summary of a dataset in the terminal, and a contact sheet with everything drawn on it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from lca_dataparsers.dataset.reader import AvatarDataset, Subject
    from lca_dataparsers.shards.reader import ShardedDataset

    Dataset = AvatarDataset | ShardedDataset

LISTED_PEOPLE = 30
"""Rows of the table of subjects."""


@dataclass(frozen=True)
class InspectConfig:
    """Summarise a dataset and draw a contact sheet: picture, body mesh, mask outline, face box."""

    dataset: tyro.conf.Positional[Path]
    """The dataset's folder, or a folder of shards."""
    sheet: Path | None = None
    """Where the contact sheet goes; by default DATASET/inspect.png."""
    subjects: int = 8
    """Rows of the sheet at most: so many people, evenly chosen."""
    frames: int = 6
    """Pictures of each person, evenly chosen."""
    size: int = 224
    """Height of each picture on the sheet, pixels."""
    overlay: bool = True
    """Draw mesh, outline and box beside each picture."""


def run(config: InspectConfig) -> None:
    """Print the summary and write the contact sheet.

    Raises:
        UserError, SchemaError: the folder is no dataset this release reads, or is empty.
    """
    from rich.console import Console

    from lca_dataparsers.shards.reader import open_dataset
    from lca_shared.errors import UserError

    dataset = open_dataset(config.dataset)
    if not people(dataset, 1):
        raise UserError(f"{config.dataset} has no subjects yet. Fill it with `lca-data process` or `lca-data synth`.")
    console = Console()
    for table in summary(dataset):
        console.print(table)
    path = config.sheet or config.dataset / "inspect.png"
    write_sheet(contact_sheet(dataset, config), path)
    parser = "" if dataset.info.kind == "wild" else f" lca-{dataset.info.kind}"
    print(f"Wrote {path}. Next: ns-train lca-pretrain-tiny --data {config.dataset}{parser}")


def people(dataset: "Dataset", most: int) -> "list[Subject]":
    """Up to ``most`` people, evenly chosen, of shards from every split."""
    import numpy as np

    from lca_dataparsers.shards.reader import ShardedDataset

    if not isinstance(dataset, ShardedDataset):
        ids = list(dataset.subjects)
        count = min(most, len(ids))
        return [dataset.subjects[ids[i]] for i in np.unique(np.linspace(0, len(ids) - 1, count).astype(int))]
    groups = {name: group.subjects for name, group in dataset.shards.groups.items() if name != "unused"}
    total = sum(groups.values())
    counts = {name: max(1, most * count // total) for name, count in groups.items() if count}
    names = dict.fromkeys(name for group, count in counts.items() for name in dataset.people(group, count))
    return [dataset.subjects[name] for name in list(names)[:most]]


def summary(dataset: "Dataset") -> "list[Table]":
    """Two rich tables: the dataset, and its subjects (:data:`LISTED_PEOPLE` at most: of a folder the first, of shards
    evenly chosen ones)."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lca_dataparsers.shards.reader import ShardedDataset

    about = Table(title=str(dataset.root), show_header=False)
    info = dataset.info
    names = f"{info.body_model}, {len(info.driven_joints)} joints, {len(info.expression_names)} expressions"
    for row in (("kind", info.kind), ("body model", names), ("source", info.source), ("licence", info.licence)):
        about.add_row(*row)
    if isinstance(dataset, ShardedDataset):
        counts, listed = _shard_counts(dataset), people(dataset, LISTED_PEOPLE)
        sizes = [group.subjects for name, group in dataset.shards.groups.items() if name != "unused"]
        total = sum(sizes) if dataset.shards.by_person else max(sizes)
    else:
        counts, listed = _folder_counts(dataset), list(dataset.subjects.values())[:LISTED_PEOPLE]
        total = len(dataset.subjects)
    for name, value in counts.items():
        about.add_row(name, value)
    table = Table(title="subjects", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("id", "split", "images", "cameras", "seconds", "size", "face", "quality", "refused"):
        table.add_column(column, justify="left" if column in ("id", "split") else "right", no_wrap=True)
    for subject in listed:
        table.add_row(*_row(subject))
    if total > len(listed):
        table.caption = f"and {total - len(listed)} more"
    return [about, table]


def _folder_counts(dataset: "AvatarDataset") -> dict[str, str]:
    subjects = list(dataset.subjects.values())
    splits, images, refused = Counter[str](), Counter[str](), Counter[str]()
    for subject in subjects:
        splits[subject.info.split] += 1
        images[subject.info.split] += len(subject)
        refused.update(refusals(subject))
    return {
        "subjects": f"{len(subjects)} ({_listed(splits)})",
        "images": f"{images.total()} ({_listed(images)})",
        "refused": ", ".join(f"{count} {reason}" for reason, count in refused.most_common()) or "none",
    }


def _shard_counts(dataset: "ShardedDataset") -> dict[str, str]:
    """What ``shards.json`` says; people are not opened for it."""
    info = dataset.shards
    images = Counter({name: group.rows for name, group in info.groups.items()})
    shards = len(info.files) + sum(len(group.shards) for group in info.groups.values())
    groups = Counter({name: group.subjects for name, group in info.groups.items() if name != "unused"})
    return {
        "subjects": _listed(groups) + ("" if info.by_person else ", with frames of the same people held out"),
        "images": f"{images.total()} ({_listed(images)})",
        "shards": f"{shards}, {sum(group.blocks for group in info.groups.values())} blocks",
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def refusals(subject: "Subject") -> dict[str, int]:
    """Frames kept out of a subject, by reason."""
    counts = subject.info.report.get("refused", {})
    return {str(reason): int(count) for reason, count in counts.items()} if isinstance(counts, dict) else {}


def _row(subject: "Subject") -> list[str]:
    frames = subject.frames
    sizes = Counter(zip(frames["width"].tolist(), frames["height"].tolist())).most_common(2)
    quality = frames["fit_quality"]
    return [
        subject.id,
        subject.info.split,
        str(len(frames)),
        str(len(set(frames["camera"]))),
        f"{frames['time'].max() - frames['time'].min():.1f}",
        f"{sizes[0][0][0]}x{sizes[0][0][1]}" + (" ..." if len(sizes) > 1 else ""),
        f"{(frames['confidence_face'] > 0).mean():.0%}",
        f"{quality.mean():.2f}",
        str(sum(refusals(subject).values())),
    ]


def contact_sheet(dataset: "Dataset", config: InspectConfig) -> "np.ndarray":
    """The sheet, uint8 [h, w, 3] RGB: one row of pictures per person."""
    import numpy as np

    rows = []
    for subject in people(dataset, config.subjects):
        picked = np.unique(np.linspace(0, len(subject) - 1, min(config.frames, len(subject))).astype(int))
        rows.append(np.concatenate([_tile(dataset, subject, int(row), config) for row in picked], axis=1))
    width = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0))) for row in rows])


def _tile(dataset: "Dataset", subject: "Subject", row: int, config: InspectConfig) -> "np.ndarray":
    import cv2
    import numpy as np

    frame = subject.load(row)
    image = (frame.image.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
    pictures = [image]
    if config.overlay:
        from lca_dataparsers.overlay import draw_box, draw_mask_outline, draw_mesh_overlay
        from lca_shared.body import get_body_model

        body = get_body_model(dataset.info.body_model)
        vertices = body.skinned(body.shaped(subject.shape, frame.expression), frame.pose)
        drawn = draw_mesh_overlay(image, vertices, body.faces, frame.camera)
        line = max(1, round(image.shape[0] / config.size))  # still a pixel wide on the sheet
        drawn = draw_mask_outline(drawn, (frame.mask[0].numpy() * 255).astype(np.uint8), thickness=line)
        pictures.append(draw_box(drawn, frame.face_box.numpy(), thickness=line))
    width = max(1, round(config.size * image.shape[1] / image.shape[0]))
    return np.concatenate(
        [cv2.resize(picture, (width, config.size), interpolation=cv2.INTER_AREA) for picture in pictures], axis=1
    )


def write_sheet(sheet: "np.ndarray", path: Path) -> None:
    """Write a picture (uint8 RGB) atomically."""
    import cv2

    from lca_shared.storage import atomic_path

    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), sheet[..., ::-1])

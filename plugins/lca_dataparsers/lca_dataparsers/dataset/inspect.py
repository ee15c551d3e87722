"""``lca-data inspect``: a summary of a dataset in the terminal, and a contact sheet with everything drawn on it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    import numpy as np

    from lca_dataparsers.dataset.reader import AvatarDataset, Subject


@dataclass(frozen=True)
class InspectConfig:
    """Summarise a dataset and draw a contact sheet: picture, body mesh, mask outline, face box."""

    dataset: tyro.conf.Positional[Path]
    """The dataset's folder."""
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

    from lca_dataparsers.dataset.reader import AvatarDataset
    from lca_shared.errors import UserError

    dataset = AvatarDataset.open(config.dataset)
    if not dataset.subjects:
        raise UserError(f"{config.dataset} has no subjects yet. Fill it with `lca-data process` or `lca-data synth`.")
    console = Console()
    for table in summary(dataset):
        console.print(table)
    path = config.sheet or config.dataset / "inspect.png"
    write_sheet(contact_sheet(dataset, config), path)
    parser = "" if dataset.info.kind == "wild" else f" lca-{dataset.info.kind}"
    print(f"Wrote {path}. Next: ns-train lca-pretrain-tiny --data {config.dataset}{parser}")


def summary(dataset: "AvatarDataset") -> list:
    """Two rich tables: the dataset, and its subjects (the first 30)."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    subjects = list(dataset.subjects.values())
    frames = {subject.id: len(subject) for subject in subjects}
    about = Table(title=str(dataset.root), show_header=False)
    info = dataset.info
    splits = Counter(subject.info.split for subject in subjects)
    split_frames = Counter()
    refused: Counter[str] = Counter()
    for subject in subjects:
        split_frames[subject.info.split] += frames[subject.id]
        refused.update(refusals(subject))
    for name, value in (
        ("kind", info.kind),
        (
            "body model",
            f"{info.body_model}, {len(info.driven_joints)} joints, {len(info.expression_names)} expressions",
        ),
        ("source", info.source),
        ("licence", info.licence),
        ("subjects", f"{len(subjects)} (" + ", ".join(f"{count} {split}" for split, count in splits.items()) + ")"),
        ("images", f"{sum(frames.values())} (" + ", ".join(f"{n} {s}" for s, n in split_frames.items()) + ")"),
        ("refused", ", ".join(f"{count} {reason}" for reason, count in refused.most_common()) or "none"),
    ):
        about.add_row(name, value)
    table = Table(title="subjects", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("id", "split", "images", "cameras", "seconds", "size", "face", "quality", "refused"):
        table.add_column(column, justify="left" if column in ("id", "split") else "right", no_wrap=True)
    for subject in subjects[:30]:
        table.add_row(*_row(subject))
    if len(subjects) > 30:
        table.caption = f"and {len(subjects) - 30} more"
    return [about, table]


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


def contact_sheet(dataset: "AvatarDataset", config: InspectConfig) -> "np.ndarray":
    """The sheet, uint8 [h, w, 3] RGB: one row of pictures per person."""
    import numpy as np

    ids = list(dataset.subjects)
    chosen = [ids[i] for i in np.unique(np.linspace(0, len(ids) - 1, min(config.subjects, len(ids))).astype(int))]
    rows = []
    for name in chosen:
        subject = dataset.subjects[name]
        count = min(config.frames, len(subject))
        picked = np.unique(np.linspace(0, len(subject) - 1, count).astype(int))
        rows.append(np.concatenate([_tile(dataset, subject, int(row), config) for row in picked], axis=1))
    width = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0))) for row in rows])


def _tile(dataset: "AvatarDataset", subject: "Subject", row: int, config: InspectConfig) -> "np.ndarray":
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

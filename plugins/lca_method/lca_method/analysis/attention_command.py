"""``lca analyze attention``: where in the reference views chosen points of the body look."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DEFAULT_POINTS = ("nose", "left_hand", "belly", "right_knee", "back")


@dataclass(frozen=True)
class AttentionConfig:
    """Heat maps of the last layer's attention from points of the body over a person's reference views."""

    checkpoint: Path
    """Folder of a training run, its config.yml, or a checkpoint inside it."""
    data: Path
    """The dataset (a folder, or shards) with the person."""
    subject: str | None = None
    """The person's id; by default the first who is not trained on, else the first."""
    points: tuple[str, ...] = DEFAULT_POINTS
    """Named points of the body, or `all`; a wrong name lists them."""
    references: int = 4
    """Reference views, spread over the recording."""
    cell: int = 160
    """Side of each picture on the sheet, pixels."""
    output: Path | None = None
    """The sheet; figures go beside it as CSV. By default analysis/attention_SUBJECT.png in the run's folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


def run(config: AttentionConfig) -> None:
    """Draw the sheet and write the figures.

    Raises:
        UserError: a checkpoint, dataset, person or point that cannot be used.
    """
    from itertools import chain

    from lca_dataparsers.pictures import write_picture
    from lca_method.analysis.attention_maps import last_layer_attention
    from lca_method.analysis.attention_places import focus, places_in_views
    from lca_method.analysis.attention_sheet import attention_sheet
    from lca_method.analysis.body_points import POINTS, tokens_at
    from lca_method.analysis.people import ShownPeople
    from lca_method.analysis.writing import device_named, print_rows, write_csv
    from lca_method.trained_network import load_network
    from lca_shared.errors import UserError

    if config.references < 1 or not config.points or config.cell < 16:
        raise UserError("Give at least one of --references, one of --points, and a --cell of 16 pixels or more.")
    points = tuple(POINTS) if config.points == ("all",) else config.points
    trained = load_network(config.checkpoint, device_named(config.device))
    people = ShownPeople.open(config.data, trained)
    subject = config.subject or next(chain(people.names("held-out"), people.names()), "")
    references, shape = people.references(subject, config.references), people.shape(subject)
    tokens, distances = tokens_at(trained.network, trained.body, points)
    maps = last_layer_attention(trained.network, references, shape, tokens)
    places, visible = places_in_views(trained.network, trained.body, references, shape, tokens)
    found = focus(maps.body, references.masks, places, visible)
    sheet = attention_sheet(list(points), maps, references, places, visible, config.cell)
    path = config.output or trained.folder / "analysis" / f"attention_{subject}.png"
    write_picture(sheet, path)
    rows = [
        {
            "point": name,
            "token": tokens[i],
            "token_distance_m": round(float(distances[i]), 4),
            "share_on_body_pictures": round(float(maps.body_share[i]), 4),
            "share_on_face_crops": round(float(maps.face_share[i]), 4),
            "views_that_see_it": int((visible[i] > 0).sum()),
            "focus": round(float(found[i]), 3),
        }
        for i, name in enumerate(points)
    ]
    write_csv(path.with_suffix(".csv"), rows)
    title = f"{subject}: last layer's attention over {references.images.shape[0]} reference views"
    caption = "focus: attention on patches around the point, over that on an average patch of the person (1 = chance)"
    print_rows(title, rows, caption)
    print(f"Wrote {path} and {path.with_suffix('.csv').name}.")

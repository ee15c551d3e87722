"""The sheet of ``genlca visibility``."""

from dataclasses import dataclass

import cv2
import numpy as np

from genlca_method.visibility.anchor_views import AnchorViews, VisibilityConfig
from genlca_method.visibility.command import VisibilityCommandConfig
from genlca_method.visibility.people import person_views
from lca_dataparsers.dataset.inspect import people as some_people
from lca_dataparsers.shards.reader import open_dataset
from lca_method.batch import ReferenceViews, moved_to
from lca_method.crops import CropReader, CropSizes, frame_scores, frame_weights
from lca_method.networks.placement import PlacementConfig, place
from lca_method.sampling import spread_references
from lca_shared.body import get_body_model
from lca_shared.body.anchors import SurfacePoints
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import project
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Tensor

SHEET_FILE = "visibility.png"
_GREEN, _RED, _BLUE, _YELLOW, _GREY = (60, 200, 60), (220, 50, 40), (70, 90, 220), (235, 200, 40), (205, 205, 205)
_CELL = 384
"""Pixels of a picture on the sheet."""


@dataclass(frozen=True)
class SeenPerson:
    """A person's reference views and what they show; no batch axes."""

    name: str
    shape: Float[Tensor, "coefficients"]
    references: ReferenceViews
    views: AnchorViews


def show(config: VisibilityCommandConfig) -> None:
    """See :func:`genlca_method.visibility.command.run`."""
    settings = VisibilityConfig(config.angle, config.tolerance)
    dataset = open_dataset(config.data)
    body = get_body_model(dataset.info.body_model).to(config.device)
    anchors = place(body, PlacementConfig(tokens=config.anchors, gaussians_per_token=1)).tokens
    reader = CropReader(dataset, CropSizes(config.size, 16, 16), cache_bytes=0)
    rows = []
    for subject in some_people(dataset, config.people):
        usable = np.flatnonzero(frame_weights(dataset, subject.id).numpy() > 0).tolist()
        if not usable:
            continue
        scores = frame_scores(dataset, subject.id)[usable].tolist()
        references = reader.references(subject.id, spread_references(usable, scores, config.references))
        references, shape = moved_to(references, config.device), subject.shape.to(config.device)
        views = person_views(body, anchors, shape, references, settings)
        print(f"{subject.id}: {summary(body, anchors, views)}")
        rows.append(row_of(SeenPerson(subject.id, shape, references, views), body, anchors))
    if not rows:
        raise UserError(f"{config.data} holds nobody with a usable frame. See `lca-data inspect {config.data}`.")
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    path = config.output_dir / SHEET_FILE
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.concatenate(rows)[..., ::-1])
    print(f"Wrote {path}. Next: genlca tokenize --checkpoint RUN --data {config.data} --output-dir TOKENS")


def summary(body: CompactBody, anchors: SurfacePoints, views: AnchorViews) -> str:
    """Shares of anchors that are seen, one line."""
    shares = [f"{float(views.valid.float().mean()):.0%} of the anchors seen in {views.seen.shape[0]} views"]
    for name in ("face", "hands", "feet"):
        inside = anchors.read(body.regions[name][:, None].float(), body.faces)[:, 0] > 0.99
        if bool(inside.any()):
            shares.append(f"{name} {float(views.valid[inside].float().mean()):.0%}")
    return ", ".join(shares)


def row_of(person: SeenPerson, body: CompactBody, anchors: SurfacePoints) -> np.ndarray:
    """One row of the sheet, uint8 [h, w, 3] RGB."""
    fit, views = person.references.fit, person.views
    assert fit is not None
    vertices = body.skinned(body.shaped(person.shape, fit.expression), fit.pose)
    pixels, _ = project(fit.cameras, anchors.read(vertices, body.faces))
    scale = _CELL / person.references.images.shape[-1]
    cells = []
    for view, picture in enumerate(person.references.images):
        shown = cv2.resize(_bytes(picture), (_CELL, _CELL), interpolation=cv2.INTER_LINEAR)
        shown = (shown * 0.6 + 255 * 0.4).astype(np.uint8)
        parts = (views.inside, views.facing, views.uncovered, views.on_person)
        for at, *flags in zip(pixels[view].tolist(), *(part[view].tolist() for part in parts)):
            color, radius = _color(*flags)
            if color is not None:
                _dot(shown, (at[0] * scale, at[1] * scale), color, radius)
        cells.append(shown)
    cells += [_at_rest(person, body, anchors, behind) for behind in (False, True)]
    cv2.putText(cells[0], person.name, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate(cells, axis=1)


def _color(inside: bool, facing: bool, uncovered: bool, on_person: bool) -> tuple[tuple[int, int, int] | None, int]:
    if not inside:
        return None, 0
    if not facing:
        return _BLUE, 1
    if not uncovered:
        return _RED, 2
    return (_GREEN, 2) if on_person else (_YELLOW, 3)


def _at_rest(person: SeenPerson, body: CompactBody, anchors: SurfacePoints, behind: bool) -> np.ndarray:
    """The anchors of the body at rest that face the viewer, coloured by how well they are shown."""
    shaped = body.shaped(person.shape).vertices
    points, normals = anchors.read(shaped, body.faces).cpu(), anchors.normals(shaped, body.faces).cpu()
    side = -1.0 if behind else 1.0
    low, high = points.amin(0), points.amax(0)
    scale = 0.94 * _CELL / float((high - low).max())
    across = _CELL / 2 + side * scale * (points[:, 0] - (low[0] + high[0]) / 2)
    down = _CELL / 2 - scale * (points[:, 2] - (low[2] + high[2]) / 2)
    soft, seen = person.views.soft_counts.cpu(), person.views.valid.cpu()
    shares = (soft / max(float(soft.max()), 1e-6)).numpy()
    colors = cv2.applyColorMap((shares * 255).astype(np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]
    cell = np.full((_CELL, _CELL, 3), 255, np.uint8)
    for index in (side * points[:, 1]).argsort(descending=True).tolist():
        if float(side * normals[index, 1]) < 0.1:
            color = tuple(colors[index].tolist()) if seen[index] else _GREY
            _dot(cell, (float(across[index]), float(down[index])), color, 3)
    label = "back" if behind else "front"
    cv2.putText(cell, label, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    return cell


def _dot(picture: np.ndarray, place: tuple[float, float], color: tuple[int, ...], radius: int) -> None:
    center = (round(place[0] * 8), round(place[1] * 8))
    cv2.circle(picture, center, radius * 8, color, -1, cv2.LINE_AA, shift=3)


def _bytes(picture: Tensor) -> np.ndarray:
    return (picture.cpu().clamp(0, 1) * 255).round().byte().movedim(0, -1).contiguous().numpy()

"""One real person driven by another's learned codes, as a sheet to look at and as numbers.

Example: ``python -m benchmarks.reenactment --checkpoint RUN --person A --driver B --output sheet.png`` with the
datasets of two videos that ``lca-data process`` made. The sheet shows the driver's faces (widest mouth, most shut eyes,
broadest smile, then the frames most unlike those shown), below each the person driven by its code, and the person
itself with its own and with the zero code. Printed: how what the template reads from the driver's codes goes with the
coefficients that processing estimated (which take no part in driving), and how large it is against them.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from torch.nn import functional as F

from lca_dataparsers.pictures import write_picture
from lca_method.analysis.expression_drive import reenacted, without_expression
from lca_method.analysis.expression_size import expression_size
from lca_method.avatar.recorded import Recorded, recorded
from lca_method.batch import DrivingSignal, FaceViews, stacked
from lca_method.crops import CropReader
from lca_method.demo.contact_sheet import Row, contact_sheet
from lca_method.networks.driving import LearnedExpression
from lca_method.trained_network import load_network
from lca_shared.rendering import rasterize
from lca_shared.tensors import Tensor

SHOWN = ("jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "browInnerUp", "browDownLeft", "mouthPucker")
"""Coefficients printed; the frames with the most of the first three are shown."""
GREY = 0.5
SIDE = 256
"""Of the sheet's pictures, pixels: an avatar is drawn finer than the crops it was made from."""


@dataclass(frozen=True)
class Options:
    """Whom to drive by whom."""

    checkpoint: Path
    """Of a model with a learned code: the folder of its run, or a checkpoint."""
    person: Path
    """Dataset of the video of who is driven."""
    driver: Path
    """Dataset of the video of who drives."""
    output: Path
    """The sheet, a .png."""
    frames: int = 7
    """Of the driver."""
    references: int = 3
    """Pictures of the person from which the avatar is made."""
    every: int = 4
    """Every so many of the driver's frames are compared."""


def main(options: Options) -> None:
    """Draw the sheet, print the numbers."""
    torch.set_num_threads(1)
    trained = load_network(options.checkpoint, "cpu")
    network = trained.network.eval()
    expression = network.driving_vector.expression
    assert isinstance(expression, LearnedExpression), "this model has no learned code"
    names = list(trained.body.expression_names)
    driver, person = recorded(options.driver), recorded(options.person)
    driver_reader, reader = (CropReader(one.dataset, trained.sizes, 1) for one in (driver, person))

    rows = with_faces(driver)[:: options.every]
    true = driver_reader.driving(driver.name, rows).expression
    with torch.no_grad():
        codes = torch.cat([expression.encoder.of(driver_reader.faces(driver.name, part)) for part in parts(rows, 16)])
        read = expression.readout(codes)
    for name in SHOWN:
        both = torch.stack([read[:, names.index(name)], true[:, names.index(name)]])
        print(f"{name}: correlation {float(torch.corrcoef(both)[0, 1]):.2f} over {len(rows)} frames")
    print("size", {key: round(value, 3) for key, value in asdict(expression_size(trained.body, read, true)).items()})

    columns = chosen(true, [names.index(name) for name in SHOWN[:3]], options.frames)
    shown = [rows[column] for column in columns]
    seen = with_faces(person)
    references = [seen[i] for i in np.linspace(0, len(seen) - 1, options.references + 2).round().astype(int)[1:-1]]
    own = seen[len(seen) // 3]
    batch = stacked([reader.batch(person.name, references, [own] * len(shown))])
    drivers = stacked([driver_reader.faces(driver.name, shown)])
    faces = batch.targets.faces
    assert faces is not None
    fine = replace(faces, cameras=faces.cameras.resized(SIDE, SIDE))
    larger = replace(batch, targets=replace(batch.targets, faces=fine))
    driven = reenacted(network, larger, drivers, true[columns][None])[0]
    with torch.no_grad():
        encoded = network.encode(batch.references, batch.shape)
        signals = (
            network.coded(batch.targets.driving, faces),
            without_expression(network, batch.targets.driving, trained.body),
        )
        itself = [picture(network, encoded, signal, fine) for signal in signals]
    rest = (masked(faces)[0, 0], *itself)
    sheet = [
        Row((tuple(masked(drivers)[0]),), f"{driver.name}: widest mouth, most shut eyes, broadest smile, others"),
        Row((tuple(driven),), f"{person.name} driven by the codes of these faces"),
        Row((rest,), f"{person.name}: picture, own code, zero code"),
    ]
    write_picture(contact_sheet([""], sheet), options.output)
    print(f"Wrote {options.output}; made from rows {references}, driven by rows {shown}.")


def with_faces(one: Recorded) -> list[int]:
    """Usable rows whose face was seen."""
    confidence = one.person.frames["confidence_face"]
    boxes = one.person.frames["face_box"]
    return [row for row in one.rows if confidence[row] > 0 and np.isfinite(boxes[row]).all()]


def parts(rows: list[int], size: int) -> list[list[int]]:
    """Consecutive parts."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def chosen(values: Tensor, largest: list[int], count: int) -> list[int]:
    """Frames with the most of some coefficients, then those farthest from all chosen before."""
    columns = list(dict.fromkeys(int(values[:, index].argmax()) for index in largest))
    while len(columns) < min(count, len(values)):
        columns.append(int(torch.cdist(values, values[columns]).amin(dim=1).argmax()))
    return columns


def masked(faces: FaceViews) -> Tensor:
    """Faces on grey, as large as the sheet's pictures."""
    pictures = (faces.images * faces.masks + GREY * (1 - faces.masks)).flatten(0, 1)
    larger = F.interpolate(pictures, (SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 1)
    return larger.unflatten(0, faces.images.shape[:2])


def picture(network, encoded, signal: DrivingSignal, faces: FaceViews) -> Tensor:
    """The first of the frames."""
    gaussians = network.drive(encoded, signal)[1]
    return rasterize(gaussians[0, 0], faces.cameras[0, 0], background=torch.full((3,), GREY)).colors.clamp(0, 1)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

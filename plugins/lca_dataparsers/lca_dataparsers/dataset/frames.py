"""What a reader hands out: a table of rows, and one frame with its picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from lca_dataparsers.dataset.crop import boxes_in_crop, crop_and_resize
from lca_dataparsers.dataset.schema import ARRAY_FIELDS, ROW_FIELDS, VISIBLE_FIELD, FrameRecord
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Frame:
    """One image with everything known about it."""

    image: Float[Tensor, "3 h w"]
    """sRGB, 0..1."""
    mask: Float[Tensor, "1 h w"]
    """1 = person."""
    camera: Cameras
    """No batch axes; its size is that of the image."""
    distortion: Float[Tensor, "4"]
    """k1, k2, p1, p2; zeros when the image is undistorted."""
    pose: BodyPose
    """No batch axes."""
    expression: Float[Tensor, "expressions"]
    joint_confidence: Float[Tensor, "driven"]
    """0 = the joint was not seen, 1 = seen."""
    person_box: Float[Tensor, "4"]
    """left, top, right, bottom, pixels of ``image``."""
    face_box: Float[Tensor, "4"]
    """A square around the head, pixels of ``image``; NaN when the face was not seen."""
    confidence_face: float
    fit_quality: float
    time: float
    """Seconds from the start."""
    subject: str
    row: int
    """Row of the subject's table."""
    light_pattern: int = -1
    """Index into the patterns of the subject's lights; -1 = uncontrolled light."""
    garment: Float[Tensor, "1 h w"] | None = None
    """1 = the person's loose garment; None where nothing is known of one."""

    @property
    def face_seen(self) -> bool:
        """Whether there is a face to crop."""
        return bool(torch.isfinite(self.face_box).all()) and self.confidence_face > 0

    def cropped(self, box: Float[Tensor, "4"], size: int) -> "Frame":
        """The frame of the square ``box`` (pixels; may leave the picture), resampled to ``size`` x ``size``.

        Camera and boxes follow exactly; resampling is antialiased; outside the picture the image is 0 and the mask 0.

        Raises:
            ValueError: the box is not a square with positive sides.
        """
        sides = box[2:] - box[:2]
        if not float(sides.min()) > 0 or float((sides[0] - sides[1]).abs()) > 1e-3 * float(sides.max()):
            raise ValueError(f"not a square box: {box.tolist()}")
        layers = [self.image, self.mask] if self.garment is None else [self.image, self.mask, self.garment]
        stacked, coverage = crop_and_resize(torch.cat(layers), box, size)
        return replace(
            self,
            image=stacked[:3],
            mask=stacked[3:4] * coverage,
            garment=None if self.garment is None else stacked[4:] * coverage,
            camera=crop_camera(self.camera, box, size),
            person_box=boxes_in_crop(self.person_box, box, size),
            face_box=boxes_in_crop(self.face_box, box, size),
        )


def crop_camera(camera: Cameras, box: Float[Tensor, "4"], size: int) -> Cameras:
    """The camera of the picture inside ``box`` (pixels, any corners) resampled to ``size`` x ``size``."""
    left, top, right, bottom = (float(value) for value in box)
    intrinsics = camera.intrinsics.clone()
    intrinsics[..., 0, 2] -= left
    intrinsics[..., 1, 2] -= top
    factors = intrinsics.new_tensor([size / (right - left), size / (bottom - top), 1.0])
    return Cameras(camera.camera_from_world, intrinsics * factors[:, None], size, size)


@dataclass(frozen=True)
class FrameTable:
    """All rows of a subject: stacked arrays by column name (the fields of :class:`FrameRecord`)."""

    columns: Mapping[str, np.ndarray]
    """Arrays of shape [rows, ...]; strings as object arrays."""

    def __len__(self) -> int:
        return len(self.columns["frame"])

    def __getitem__(self, name: str) -> np.ndarray:
        """One column."""
        return self.columns[name]

    @staticmethod
    def from_records(records: Sequence[FrameRecord]) -> "FrameTable":
        """Stack rows."""
        columns = {}
        text = {field.name for field in fields(FrameRecord) if field.type is str}
        whole = bool(records) and all(record.joint_visible is not None for record in records)
        for name in (*ROW_FIELDS, VISIBLE_FIELD) if whole else ROW_FIELDS:
            values = [getattr(record, name) for record in records]
            if name in ARRAY_FIELDS or name == VISIBLE_FIELD:
                columns[name] = np.stack([np.asarray(value, np.float32) for value in values])
            else:
                columns[name] = np.array(values, object if name in text else None)
        return FrameTable(columns)

    @property
    def weights(self) -> np.ndarray:
        """How much each row counts, float32 [rows]: how well the body explains it, 0 where no body was seen."""
        return np.clip(self["fit_quality"], 0.0, 1.0).astype(np.float32) * (self["confidence_body"] > 0)

    def record(self, row: int) -> FrameRecord:
        """One row.

        Raises:
            IndexError: there is no such row.
        """
        values = {}
        for name, column in self.columns.items():
            value = column[row]
            array = name in ARRAY_FIELDS or name == VISIBLE_FIELD
            values[name] = value if array else (value.item() if isinstance(value, np.generic) else value)
        return FrameRecord(**values)

    def poses(self, rows: slice | Sequence[int] = slice(None)) -> BodyPose:
        """The poses of some rows, batch shape ``[rows]``."""
        return BodyPose(
            self._tensor("joint_rotations", rows),
            self._tensor("root_rotation", rows),
            self._tensor("root_translation", rows),
            self._tensor("gaze", rows),
        )

    def expressions(self, rows: slice | Sequence[int] = slice(None)) -> Float[Tensor, "rows expressions"]:
        """The expression coefficients of some rows."""
        return self._tensor("expression", rows)

    def cameras(self, rows: slice | Sequence[int] = slice(None)) -> Cameras:
        """The cameras of some rows, batch shape ``[rows]``.

        Raises:
            ValueError: their images have different sizes.
        """
        sizes = {(int(w), int(h)) for w, h in zip(self["width"][rows], self["height"][rows])}
        if len(sizes) != 1:
            raise ValueError(f"the images have {len(sizes)} different sizes; take the cameras one by one")
        width, height = sizes.pop()
        return Cameras(self._tensor("camera_from_world", rows), self._tensor("intrinsics", rows), width, height)

    def _tensor(self, name: str, rows: slice | Sequence[int]) -> Tensor:
        index = rows if isinstance(rows, slice) else list(rows)
        return torch.from_numpy(np.ascontiguousarray(self[name][index], np.float32).copy())

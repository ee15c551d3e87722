"""Decoded square crops of a dataset's frames, kept in a bounded memory cache."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from lca_dataparsers.dataset.crop import square_box
from lca_dataparsers.dataset.frames import Frame
from lca_dataparsers.dataset.reader import Subject
from lca_dataparsers.dataset.schema import DatasetInfo
from lca_dataparsers.shards.reader import Block
from lca_method.batch import DrivingSignal, FaceViews, ReferenceFit, ReferenceViews, SubjectBatch, TargetViews, stacked
from lca_method.face_places import FaceMarks
from lca_method.target_lights import TargetLights, target_lights
from lca_shared.cameras import Cameras
from lca_shared.memory import return_large_blocks
from lca_shared.tensors import Float, Tensor, UInt8


@dataclass(frozen=True)
class Crop:
    """A square crop as it is kept: eight bits a channel."""

    image: UInt8[Tensor, "3 size size"]
    mask: UInt8[Tensor, "1 size size"]
    valid: UInt8[Tensor, "1 size size"]
    """255 = inside the picture."""
    camera: Cameras
    """No batch axes."""
    garment: UInt8[Tensor, "1 size size"] | None = None
    """255 = the person's loose garment; None where nothing is known of one."""

    @property
    def bytes(self) -> int:
        """Memory of the pictures."""
        garment = 0 if self.garment is None else self.garment.numel()
        return self.image.numel() + self.mask.numel() + self.valid.numel() + garment


@dataclass(frozen=True)
class CropSizes:
    """Sides of the square crops, pixels."""

    reference: int
    """Whole body, for the encoder."""
    face: int
    """Head, for the encoder."""
    target: int
    """Whole body, to be explained."""
    margin: float = 0.05
    """Added around the person on each side, as a fraction of the person's longer side."""
    target_faces: bool = False
    """Also cut the heads of the targets (``TargetViews.faces``), ``face`` pixels."""
    target_lights: int = 0
    """Also give the lights of targets and references (``TargetViews.lights``), so many at most; 0 = none."""
    target_garments: bool = False
    """Also give the masks of the targets' loose garments (``TargetViews.garments``), for evaluation: augmentation does
    not change them."""


class CropCache:
    """Least-recently-used cache of crops, bounded in bytes; safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        """Bytes of pictures to keep at most."""
        self.size = 0
        self._crops: OrderedDict[tuple, Crop] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple, make: Callable[[], Crop]) -> Crop:
        """The crop under ``key``, made if it is not kept. ``make`` runs outside the lock."""
        with self._lock:
            if key in self._crops:
                self._crops.move_to_end(key)
                return self._crops[key]
        crop = make()
        with self._lock:
            if key not in self._crops:
                self._crops[key] = crop
                self.size += crop.bytes
            while self.size > self.capacity and len(self._crops) > 1:
                self.size -= self._crops.popitem(last=False)[1].bytes
        return crop

    def __len__(self) -> int:
        return len(self._crops)


@runtime_checkable
class PeopleDataset(Protocol):
    """A dataset folder (``AvatarDataset``), shards (``ShardedDataset``), or several of them together."""

    @property
    def info(self) -> DatasetInfo:
        """What the numbers mean."""
        ...

    @property
    def subjects(self) -> Mapping[str, Subject]:
        """People by id."""
        ...


class CropReader:
    """Makes the containers of :mod:`lca_method.batch` from rows of a dataset.

    People are named by their id in the dataset, or given opened (a block of a shard, whose rows count from 0).
    """

    def __init__(self, dataset: PeopleDataset, sizes: CropSizes, cache_bytes: int) -> None:
        return_large_blocks()  # whole pictures are decoded and dropped, small crops stay
        self.dataset, self.sizes = dataset, sizes
        self.cache = CropCache(cache_bytes)

    def references(self, subject: str | Subject, rows: Sequence[int]) -> ReferenceViews:
        """Reference views of some rows, ``[views, ...]``.

        Raises:
            UserError: a picture is missing or broken.
        """
        body = [self._crop(subject, row, "body", self.sizes.reference) for row in rows]
        face = [self._crop(subject, row, "face", self.sizes.face) for row in rows]
        frames = self.opened(subject).frames
        cameras, face_cameras = (stacked([crop.camera for crop in crops]) for crops in (body, face))
        poses, places = frames.poses(list(rows)), self._places(subject, rows, face_cameras)
        fit = ReferenceFit(poses, cameras, face_cameras, frames.expressions(list(rows)), places)
        lights = self.lights(subject, rows)
        return ReferenceViews(_images(body), _masks(body), _images(face), _masks(face), fit, lights)

    def targets(self, subject: str | Subject, rows: Sequence[int]) -> TargetViews:
        """Target views of some rows, ``[targets, ...]``.

        Raises:
            UserError: a picture is missing or broken.
        """
        crops = [self._crop(subject, row, "body", self.sizes.target) for row in rows]
        weights = torch.from_numpy(self.opened(subject).frames.weights[list(rows)])
        valid = torch.stack([crop.valid for crop in crops]).float() / 255.0
        cameras = stacked([crop.camera for crop in crops])
        faces = self.faces(subject, rows) if self.sizes.target_faces else None
        driving, lights = self.driving(subject, rows), self.lights(subject, rows)
        worn = [crop.garment for crop in crops if crop.garment is not None] if self.sizes.target_garments else []
        garments = torch.stack(worn).float() / 255.0 if worn and len(worn) == len(crops) else None
        return TargetViews(_images(crops), _masks(crops), cameras, driving, weights, valid, faces, lights, garments)

    def faces(self, subject: str | Subject, rows: Sequence[int]) -> FaceViews:
        """Heads of some rows, ``[targets, ...]``.

        Raises:
            UserError: a picture is missing or broken.
        """
        crops = [self._crop(subject, row, "face", self.sizes.face) for row in rows]
        frames = self.opened(subject).frames
        boxes, confidence = frames["face_box"][list(rows)], frames["confidence_face"][list(rows)]
        seen = torch.from_numpy(np.isfinite(boxes).all(-1) & (confidence > 0)).float()
        cameras = stacked([crop.camera for crop in crops])
        return FaceViews(_images(crops), _masks(crops), cameras, seen, self._places(subject, rows, cameras))

    def lights(self, subject: str | Subject, rows: Sequence[int]) -> TargetLights | None:
        """The light of some rows, ``[targets, ...]``; None unless it was asked for.

        Raises:
            UserError: a pattern has too many lights.
        """
        if self.sizes.target_lights == 0:
            return None
        person = self.opened(subject)
        patterns = [int(pattern) for pattern in person.frames["light_pattern"][list(rows)]]
        return target_lights(person.lights, patterns, self.sizes.target_lights)

    def driving(self, subject: str | Subject, rows: Sequence[int]) -> DrivingSignal:
        """The driving signal of some rows, ``[targets, ...]``."""
        frames = self.opened(subject).frames
        confidence = torch.from_numpy(frames["joint_confidence"][list(rows)]).float()
        return DrivingSignal(frames.poses(list(rows)), frames.expressions(list(rows)), confidence)

    def batch(
        self, subject: str | Subject, references: Sequence[int], targets: Sequence[int], name: str | None = None
    ) -> SubjectBatch:
        """A subject's part of a step; no batch axes. ``name`` goes to ``ids`` in place of the subject's own id."""
        person = self.opened(subject)
        return SubjectBatch(
            self.references(subject, references),
            self.targets(subject, targets),
            person.shape,
            (name or (subject if isinstance(subject, str) else subject.id),),
        )

    def _places(
        self, subject: str | Subject, rows: Sequence[int], cameras: Cameras
    ) -> Float[Tensor, "rows grid_rows grid_columns 2"] | None:
        if not self.sizes.target_faces:
            return None
        person = self.opened(subject)
        marks = FaceMarks.of(self.dataset.info.body_model)
        return marks.places(person.shape, person.frames.poses(list(rows)), cameras)

    def opened(self, subject: str | Subject) -> Subject:
        """The person of an id, or as given."""
        return self.dataset.subjects[subject] if isinstance(subject, str) else subject

    def _crop(self, subject: str | Subject, row: int, region: str, size: int) -> Crop:
        if isinstance(subject, Block) and subject.held:  # of a stream: it will not be seen again for long
            return self._make(subject, row, region, size)
        key = subject.origin if isinstance(subject, Block) else subject
        return self.cache.get((key, row, region, size), lambda: self._make(self.opened(subject), row, region, size))

    def _make(self, subject: Subject, row: int, region: str, size: int) -> Crop:
        frame = subject.load(row)
        if region == "face" and not frame.face_seen:
            nothing = torch.zeros(1, size, size, dtype=torch.uint8)
            return Crop(nothing.expand(3, -1, -1), nothing, nothing, frame.camera.resized(size, size))
        box = frame.face_box if region == "face" else square_box(frame.person_box, self.sizes.margin)
        return crop_of(frame, box, size)


def crop_of(frame: Frame, box: Float[Tensor, "4"], size: int) -> Crop:
    """The square ``box`` (pixels) of a frame as a crop of ``size`` x ``size``."""
    cut = frame.cropped(box, size)
    steps = (torch.arange(size) + 0.5) / size
    columns = box[0] + steps * (box[2] - box[0])
    rows = box[1] + steps * (box[3] - box[1])
    height, width = frame.image.shape[1:]
    inside = ((rows > 0) & (rows < height))[:, None] & ((columns > 0) & (columns < width))
    garment = None if cut.garment is None else _bytes(cut.garment)
    return Crop(_bytes(cut.image), _bytes(cut.mask), inside[None].to(torch.uint8) * 255, cut.camera, garment)


def frame_weights(dataset: PeopleDataset, subject: str) -> Float[Tensor, "rows"]:
    """Weight of each row of a subject in the losses: how well the fitted body explains it, 0 if no body was seen."""
    return torch.from_numpy(dataset.subjects[subject].frames.weights)


def frame_scores(dataset: PeopleDataset, subject: str) -> Float[Tensor, "rows"]:
    """How much each row shows of the person: used to choose reference frames for evaluation."""
    frames = dataset.subjects[subject].frames
    face = torch.from_numpy(frames["confidence_face"].astype("float32"))
    body = torch.from_numpy(frames["confidence_body"].astype("float32"))
    return frame_weights(dataset, subject) * (body + face)


def _bytes(values: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    return (values * 255.0).round().clamp(0.0, 255.0).to(torch.uint8)


def _images(crops: Sequence[Crop]) -> Float[Tensor, "crops 3 size size"]:
    return torch.stack([crop.image for crop in crops]).float() / 255.0


def _masks(crops: Sequence[Crop]) -> Float[Tensor, "crops 1 size size"]:
    return torch.stack([crop.mask for crop in crops]).float() / 255.0

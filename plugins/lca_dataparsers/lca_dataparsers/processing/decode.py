"""Pictures from whatever the user has: a video, a folder of frames, photos. One at a time, upright, sRGB."""

import itertools
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from lca_dataparsers.processing.choosing import Track
from lca_dataparsers.processing.photos import is_photo, photo_size, read_photo
from lca_dataparsers.processing.video import Span, VideoFile
from lca_shared.errors import UserError

FRAMES_RATE = 30.0
"""Frames per second of a folder of frames, when the user does not say."""

SourceKind = Literal["video", "frames", "photos"]


@dataclass(frozen=True)
class Picture:
    """One decoded picture."""

    index: int
    """Position in the source, counted before any frame is left out."""
    time: float
    """Seconds from the start."""
    image: np.ndarray
    """uint8 [h, w, 3] sRGB."""
    alpha: np.ndarray | None
    """uint8 [h, w], or None where all is opaque."""
    focal: float | None
    """Focal length in pixels of this picture from metadata, or None."""
    name: str
    """File name of a photo; empty in a video."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.image.shape[1], self.image.shape[0]

    def fitted(self, long_side: int) -> "Picture":
        """The same picture with its long side at most ``long_side`` pixels."""
        factor = long_side / max(self.size)
        if factor >= 1:
            return self
        width, height = (max(1, round(side * factor)) for side in self.size)
        small = [
            None if pixels is None else cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            for pixels in (self.image, self.alpha)
        ]
        focal = None if self.focal is None else self.focal * width / self.size[0]
        return Picture(self.index, self.time, small[0], small[1], focal, self.name)  # type: ignore[arg-type]


@dataclass
class Source:
    """Pictures of one clip or set of photos, readable again and again."""

    path: Path
    kind: SourceKind
    files: tuple[Path, ...]
    """The video, or the photos in order."""
    fps: float | None
    max_frames: int | None
    notices: list[str]
    """Told to the user when done."""
    span: Span | None = None
    """Of a video: the part that is meant."""
    track: Track | None = None
    """Of several people: the one that is meant."""

    @property
    def expected(self) -> int | None:
        """How many pictures will come, as far as one can know."""
        if self.kind == "video":
            video = VideoFile(self.files[0])
            count = self.span.frames if self.span else video.frames
            if self.fps and video.rate and self.fps < video.rate:
                count = int(count * self.fps / video.rate) + 1
        else:
            count = len(self.files)
        return (min(count, self.max_frames) if self.max_frames else count) or None

    @property
    def rate(self) -> float:
        """Pictures a second of a clip, as far as one can know; 0 where nothing tells."""
        if self.kind != "video":
            return (self.fps or FRAMES_RATE) if self.kind == "frames" else 0.0
        rate = VideoFile(self.files[0]).rate
        return min(rate, self.fps) if self.fps else rate

    def pictures(self) -> Generator[Picture, None, None]:
        """The pictures in order.

        Raises:
            UserError: one cannot be read, or frames of one clip differ in size.
        """
        taken = self._video() if self.kind == "video" else self._photos()
        for count, picture in enumerate(taken):
            if self.max_frames is not None and count >= self.max_frames:
                return
            yield picture

    def _video(self) -> Iterator[Picture]:
        video = VideoFile(self.files[0])
        due = 0.0
        first = self.span.first_index if self.span else 0
        for index, (time, image, alpha) in enumerate(video.read(self.span), first):
            # half a millisecond of slack: timestamps are rounded to the container's clock
            if self.fps and time < due - 5e-4:
                continue
            if self.fps:
                due = max(due + 1 / self.fps, time + 0.5 / self.fps)
            focal = video.focal_per_width * max(image.shape) if video.focal_per_width else None
            yield Picture(index, time, image, alpha, focal, "")
        self.notices[:] = video.notices

    def _photos(self) -> Iterator[Picture]:
        rate, size = self.fps or FRAMES_RATE, None
        for index, path in enumerate(self.files):
            image, alpha, focal = read_photo(path)
            size = size or image.shape[:2]
            if self.kind == "frames" and image.shape[:2] != size:
                raise UserError(
                    f"{path} is {image.shape[1]} x {image.shape[0]}, the frames before it {size[1]} x {size[0]}. "
                    f"If these are photos and not frames of one clip, add --folder-holds photos."
                )
            yield Picture(
                index, index / rate if self.kind == "frames" else float(index), image, alpha, focal, path.name
            )


def open_source(
    path: Path, fps: float | None = None, max_frames: int | None = None, kind: SourceKind | None = None
) -> Source:
    """Find out what ``path`` is.

    Args:
        path: a video, a photo, or a folder of frames or photos.
        fps: of a video: take at most this many frames a second; of a folder of frames: their rate.
        max_frames: stop after so many.
        kind: what a folder holds; None looks: files of one size, numbered without gaps, are frames, others photos.

    Raises:
        UserError: there is nothing that can be read.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist.")
    if path.is_dir():
        files = tuple(sorted((file for file in path.iterdir() if is_photo(file)), key=natural_order))
        if not files:
            raise UserError(f"{path} holds no photos or frames (looked for names such as *.jpg, *.png, *.heic).")
        if kind is None:
            kind = "frames" if _are_frames(files) else "photos"
        return Source(path, kind, files, fps, max_frames, [])
    if is_photo(path):
        photo_size(path)
        return Source(path, "photos", (path,), fps, max_frames, [])
    VideoFile(path)
    return Source(path, "video", (path,), fps, max_frames, [])


def natural_order(path: Path) -> tuple:
    """Sorts 2.jpg before 10.jpg."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.name))


def _are_frames(files: tuple[Path, ...]) -> bool:
    """Numbered in equal steps with one prefix, and of one size: exported from a video."""
    if len(files) < 3:
        return False
    names = [re.fullmatch(r"(.*?)(\d+)", file.stem) for file in files]
    if any(name is None for name in names) or len({name[1] for name in names if name}) != 1:
        return False
    numbers = [int(name[2]) for name in names if name]
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    return len(steps) == 1 and len({photo_size(file) for file in (files[0], files[len(files) // 2], files[-1])}) == 1

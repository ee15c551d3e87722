"""Writing and reading the tar files of token shards."""

import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from genlca_method.tokens.format import SampleInfo, read_tokens_info
from lca_dataparsers.shards.tar_members import append
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Int, Tensor

_QUALITY = 95


@dataclass(frozen=True)
class WrittenSample:
    """A sample on its way to a shard."""

    key: str
    info: SampleInfo
    vectors: Float[Tensor, "anchors channels"]
    counts: Int[Tensor, "anchors"]
    soft_counts: Float[Tensor, "anchors"]
    shape: Float[Tensor, "coefficients"]
    pictures: Mapping[str, Float[Tensor, "3 size size"]]
    """Of parts, sRGB 0..1."""


@dataclass(frozen=True)
class TokenSample:
    """A sample as it is read."""

    info: SampleInfo
    vectors: Float[Tensor, "anchors channels"]
    counts: Int[Tensor, "anchors"]
    """Views that show each anchor; 0 = not valid."""
    soft_counts: Float[Tensor, "anchors"]
    shape: Float[Tensor, "coefficients"]
    pictures: Mapping[str, Float[Tensor, "3 size size"]]


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"tokens-{number:06d}.tar"


def write_shard(path: Path, samples: Iterable[WrittenSample]) -> None:
    """Write a shard, whole or not at all.

    Raises:
        UserError: it cannot be written, or a sample has values that float16 cannot hold.
    """
    with atomic_path(path) as temporary:
        try:
            with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
                for sample in samples:
                    for suffix, content in _members(sample):
                        append(tar, f"{sample.key}.{suffix}", content)
        except OSError as error:
            raise UserError(f"Cannot write {path}: {error.strerror}. Run the same command again.") from error


def _members(sample: WrittenSample) -> list[tuple[str, bytes]]:
    vectors = sample.vectors.detach().cpu().half()
    if not bool(torch.isfinite(vectors).all()):
        raise UserError(f"The tokens of {sample.info.subject} are not finite in float16. Is the model trained?")
    tensors = {
        "vectors": vectors.contiguous(),
        "counts": sample.counts.cpu().to(torch.uint8),
        "soft_counts": sample.soft_counts.cpu().half(),
        "shape": sample.shape.cpu().float().contiguous(),
    }
    members = [("safetensors", save(tensors)), ("json", json.dumps(asdict(sample.info)).encode())]
    return members + [(f"{part}.jpg", _encoded(picture)) for part, picture in sample.pictures.items()]


class TokenShards:
    """A folder of token shards, read by sample: ``shards[i]`` is a :class:`TokenSample`.

    The places of members are read once from the tar headers; contents are read when asked for.
    """

    def __init__(self, root: Path) -> None:
        """Args: the folder.

        Raises:
            UserError, SchemaError: it holds no tokens of this release, the run that writes them has not ended, or a
                shard is missing or broken.
        """
        self.root, self.info = Path(root), read_tokens_info(root)
        if not self.info.complete:
            raise UserError(f"The tokens in {root} are not complete: run the same `genlca tokenize` again.")
        self._members: list[tuple[Path, dict[str, tuple[int, int]]]] = []
        for name in self.info.shards:
            found: dict[str, dict[str, tuple[int, int]]] = {}
            try:
                with tarfile.open(self.root / name) as tar:
                    for member in tar:
                        key, _, suffix = member.name.partition(".")
                        found.setdefault(key, {})[suffix] = (member.offset_data, member.size)
            except (OSError, tarfile.TarError) as error:
                raise UserError(
                    f"{self.root / name} is missing or broken ({error}). Write the tokens again."
                ) from error
            self._members += [(self.root / name, members) for members in found.values()]
        if len(self._members) != sum(self.info.samples):
            raise UserError(f"{root} holds {len(self._members)} samples, not {sum(self.info.samples)}. Write it again.")

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, index: int) -> TokenSample:
        """Raises: UserError: the sample is broken."""
        path, members = self._members[index]
        try:
            tensors = load(self._read(path, members["safetensors"]))
            info = _sample_info(json.loads(self._read(path, members["json"])))
            pictures = {part: _decoded(self._read(path, members[f"{part}.jpg"])) for part in info.parts}
            return TokenSample(
                info,
                tensors["vectors"].float(),
                tensors["counts"].long(),
                tensors["soft_counts"].float(),
                tensors["shape"],
                pictures,
            )
        except (KeyError, TypeError, ValueError, SafetensorError, OSError) as error:
            raise UserError(f"A sample in {path} is broken ({error}). Write the tokens again.") from error

    def of_split(self, *splits: str) -> list[int]:
        """Indices of the samples of people in these splits."""
        return [index for index in range(len(self)) if self.sample_info(index).split in splits]

    def sample_info(self, index: int) -> SampleInfo:
        """A sample's ``KEY.json`` alone."""
        path, members = self._members[index]
        return _sample_info(json.loads(self._read(path, members["json"])))

    def person(self, index: int) -> tuple[Path, str]:
        """Who a sample shows: people of two folders are two, whatever they are called."""
        return self.root, self.sample_info(index).subject

    def _read(self, path: Path, place: tuple[int, int]) -> bytes:
        with path.open("rb") as file:
            file.seek(place[0])
            return file.read(place[1])


def _sample_info(values: Mapping[str, Any]) -> SampleInfo:
    known: dict[str, Any] = {f.name: values[f.name] for f in fields(SampleInfo)}
    known["rows"], known["parts"] = tuple(known["rows"]), tuple(known["parts"])
    return SampleInfo(**known)


def _encoded(picture: Float[Tensor, "3 size size"]) -> bytes:
    pixels = (picture.detach().cpu().clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()
    return cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[
        1
    ].tobytes()


def _decoded(content: bytes) -> Float[Tensor, "3 size size"]:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a picture cannot be decoded")
    return torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1])).movedim(-1, 0).float() / 255

"""``Avatar.drive`` for frame after frame of the same shape, on any device: plain, compiled, or as a CUDA graph."""

from collections.abc import Callable, Sequence
from dataclasses import fields

import torch

from lca_method.avatar.acceleration import Compiled
from lca_method.avatar.avatar import Avatar
from lca_method.batch import DrivingSignal
from lca_shared.body.model import BodyPose
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Tensor

_POSE, _GAUSSIANS = [f.name for f in fields(BodyPose)], [f.name for f in fields(Gaussians)]
_EXTRA = ("joint_confidence", "code")
_WARM_UP = 3
Tensors = tuple[Tensor, ...]


class DeviceDriver:
    """Drives one avatar.

    Args:
        avatar: where it shall be driven.
        compiled: how. With ``graph`` the next call writes over what the last one gave, and all calls have the shapes of
            the first.
    """

    def __init__(self, avatar: Avatar, compiled: Compiled = "no") -> None:
        self._avatar, self._compiled = avatar, compiled
        self._ways: dict[tuple[str, ...], Callable[..., Tensors]] = {}

    def gaussians(self, signal: DrivingSignal) -> Gaussians:
        """Gaussians of frames, world.

        Args:
            signal: ``[frames, ...]``, on any device.
        """
        device = self._avatar.device
        extra = [name for name in _EXTRA if getattr(signal, name) is not None]
        given = [getattr(signal.pose, name) for name in _POSE] + [signal.expression]
        given = [value.to(device) for value in given + [getattr(signal, name) for name in extra]]
        with torch.inference_mode():
            way = self._ways.get(tuple(extra))
            if way is None:
                way = self._ways[tuple(extra)] = self._way(extra, given)
            return Gaussians(*way(*given))

    def _way(self, extra: Sequence[str], given: Sequence[Tensor]) -> Callable[..., Tensors]:
        def plain(*tensors: Tensor) -> Tensors:
            pose = BodyPose(*tensors[: len(_POSE)])
            more = dict(zip(extra, tensors[len(_POSE) + 1 :], strict=True))
            driven = self._avatar.drive(pose, tensors[len(_POSE)], **more)  # type: ignore[arg-type]
            return tuple(getattr(driven, name) for name in _GAUSSIANS)

        if self._compiled == "no":
            return plain
        plain(*given)  # what the body keeps from its first use is made now
        if self._compiled == "torch":
            return torch.compile(plain, dynamic=False)
        return Graph(plain, given)


class Graph:
    """A function of tensors, captured as a CUDA graph.

    Args:
        function: of CUDA tensors; it may neither wait for the device nor copy from the host.
        example: what it is captured with; later calls have the same shapes.
    """

    def __init__(self, function: Callable[..., Tensors], example: Sequence[Tensor]) -> None:
        self._inputs = [value.clone() for value in example]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries choose their kernels outside the graph
            for _ in range(_WARM_UP):
                function(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = function(*self._inputs)

    def __call__(self, *given: Tensor) -> Tensors:
        """Compute; the next call writes over the outputs."""
        for kept, value in zip(self._inputs, given, strict=True):
            kept.copy_(value)
        self._graph.replay()
        return self._outputs

"""An avatar driven frame after frame on a CPU: what ``Avatar.drive`` does, in buffers that every frame uses again."""

from dataclasses import fields

import numpy as np
import torch
from torch import nn

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.cpu_kernels import carry, to_bytes
from lca_method.batch import DrivingSignal
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Convention
from lca_shared.rendering.numba_backend import render
from lca_shared.tensors import Float, Tensor, UInt8


class CpuDriver:
    """Drives one avatar; not for several threads at once.

    Args:
        avatar: on a CPU.
        compiled: the pose-dependent network by ``torch.compile``; the first frame then waits for a C++ compiler.

    Raises:
        ValueError: it is elsewhere.
    """

    def __init__(self, avatar: Avatar, compiled: bool = False) -> None:
        if avatar.device.type != "cpu":
            raise ValueError(f"the avatar is on {avatar.device}")
        self._avatar = avatar
        canonical, body, head = avatar.canonical, avatar.body, avatar.pose_head
        count, each = canonical.count, avatar.networks.gaussians_per_token
        self._rest = tuple(getattr(canonical, f.name).float().contiguous().numpy() for f in fields(Gaussians))
        self._joints, self._weights = _without_zeros(avatar.skinning_weights)
        row = np.full(count, -1, np.int64)
        row[body.expression_index.numpy()] = np.arange(len(body.expression_index))
        self._moved_row = row
        self._moved = torch.zeros(len(body.expression_index), 3)
        self._driven = Gaussians(*(torch.empty_like(getattr(canonical, f.name)) for f in fields(Gaussians)))
        hidden = [layer for layer in head.layers if isinstance(layer, nn.Linear)]
        order = _by_kind(each, head.alone)
        last = (head.deltas.weight[order].T.contiguous(), head.deltas.bias[order].contiguous())
        layers, dtype = [(layer.weight.T.contiguous(), layer.bias) for layer in hidden] + [last], avatar.head_dtype
        self._layers = [(weight.to(dtype), bias.to(dtype)) for weight, bias in layers]
        self._first = torch.empty_like(avatar.token_half, dtype=dtype)
        self._between = [torch.empty(len(self._first), bias.shape[0], dtype=dtype) for _, bias in self._layers]
        self._raw = self._between[-1].float()  # the same memory if it is float32 already
        self._compiled = torch.compile(self._deltas, dynamic=False) if compiled else None
        self._hidden = self._first
        self._slopes = [layer.negative_slope for layer in head.layers if isinstance(layer, nn.LeakyReLU)]

    def gaussians(self, signal: DrivingSignal, *, pose_dependent: bool = True) -> Gaussians:
        """Gaussians of a frame, world, without batch axes; the next call writes over them.

        Args:
            signal: of one frame, ``[1, ...]``, float32; expressions in the order of the avatar's rig.
            pose_dependent: as of :meth:`lca_method.avatar.avatar.Avatar.drive`.
        """
        with torch.inference_mode():
            raw = self.deltas(self._avatar.driving_vector(signal)) if pose_dependent else None
            return self.carried(raw, self.transforms(signal))

    def picture(
        self,
        signal: DrivingSignal,
        camera: Cameras,
        background: Float[Tensor, "3"] | None,
        out: UInt8[Tensor, "height width channels"],
    ) -> None:
        """Draw a frame into ``out``: three channels over the background, or four with alpha where there is none.

        Args:
            signal: as of :meth:`gaussians`.
            camera: without batch axes.
            background: sRGB.
            out: of the camera's size.
        """
        draw(self.gaussians(signal), camera, background, out)

    def deltas(self, vector: Float[Tensor, "1 driving"]) -> Float[Tensor, "tokens channels"]:
        """What the pose-dependent head's last layer gives, tanh taken, ordered as the kernel reads it.

        Args:
            vector: the driving vector.
        """
        avatar = self._avatar
        if self._compiled is not None:
            self._raw, self._hidden = self._compiled(vector[0])
            return self._raw
        values = torch.add(avatar.token_half, avatar.pose_head.of_driving(vector[0]), out=self._first)
        nn.functional.leaky_relu_(values)
        for (weight, bias), buffer, slope in zip(self._layers, self._between, [*self._slopes, None], strict=True):
            self._hidden = values
            values = torch.addmm(bias, values, weight, out=buffer)
            if slope is not None:
                nn.functional.leaky_relu_(values, slope)
        if values.dtype != torch.float32:
            values = self._raw.copy_(values)
        values[:, : 9 * avatar.networks.gaussians_per_token].tanh_()
        return values

    def _deltas(self, vector: Float[Tensor, "driving"]) -> tuple[Tensor, Tensor]:
        """What :meth:`deltas` gives and the last layer reads, in memory of its own: for ``torch.compile``."""
        avatar = self._avatar
        values = (avatar.token_half + avatar.pose_head.of_driving(vector)).to(self._first.dtype)
        values = hidden = nn.functional.leaky_relu(values)
        for (weight, bias), slope in zip(self._layers, [*self._slopes, None], strict=True):
            hidden = values
            values = torch.addmm(bias, values, weight)
            values = values if slope is None else nn.functional.leaky_relu(values, slope)
        squashed = 9 * avatar.networks.gaussians_per_token
        values = values.float()
        return torch.cat([values[:, :squashed].tanh(), values[:, squashed:]], dim=1), hidden

    @property
    def hidden(self) -> Float[Tensor, "tokens hidden"]:
        """What the pose-dependent head's last layer read in the last call of :meth:`deltas`."""
        return self._hidden.float()

    def transforms(self, signal: DrivingSignal) -> Float[np.ndarray, "active 12"]:
        """Joints from rest to world, three rows of four; the expression's displacements go into their buffer."""
        avatar, body = self._avatar, self._avatar.body
        moved = None
        if avatar.networks.template_expression:
            moved = avatar.driving_vector.expression.template_coefficients(signal)
            torch.mv(body.expression_vertices.flatten(1).T, moved[0], out=self._moved.view(-1))
        joints = body.shaped_joints(signal.expression.new_zeros(1, 0), moved)
        return body.active_transforms(joints, signal.pose)[0].flatten(1).contiguous().numpy()

    def carried(
        self, raw: Float[Tensor, "tokens channels"] | None, transforms: Float[np.ndarray, "active 12"]
    ) -> Gaussians:
        """Gaussians with their deltas (none if ``raw`` is None) in the pose; the next call writes over them."""
        avatar = self._avatar
        carry(
            self._joints, self._weights, transforms, raw is None, self._moved_row, self._moved.numpy(),
            (self._raw if raw is None else raw).numpy(), avatar.networks.gaussians_per_token,
            np.float32(avatar.pose_head.reach), avatar.pose_head.alone, *self._rest,
            *(getattr(self._driven, f.name).numpy() for f in fields(Gaussians)),
        )  # fmt: skip
        return self._driven

    @property
    def influences(self) -> int:
        """Joints that are looked at for each Gaussian."""
        return self._joints.shape[1]


def draw(
    gaussians: Gaussians,
    camera: Cameras,
    background: Float[Tensor, "3"] | None,
    out: UInt8[Tensor, "height width channels"],
) -> None:
    """Rasterize on a CPU straight into bytes.

    Args:
        gaussians, camera: without batch axes.
        background, out: as of :meth:`CpuDriver.picture`.
    """
    with torch.inference_mode():
        image, alpha, _ = render(
            gaussians, camera.camera_from_world, camera.intrinsics, camera.width, camera.height, Convention.installed()
        )
        solid = background is not None
        behind = np.zeros(3, np.float32) if background is None else background.numpy()
        to_bytes(image.numpy(), alpha.numpy(), behind, solid, out.numpy())


def _without_zeros(dense: Float[Tensor, "gaussians joints"]) -> tuple[np.ndarray, np.ndarray]:
    most = int((dense != 0).sum(dim=1).max())
    weights, joints = dense.topk(most, dim=1)
    return joints.to(torch.int32).contiguous().numpy(), weights.contiguous().numpy()


def _by_kind(each: int, alone: bool) -> Tensor:
    """Rows of the last layer as the kernel reads them: colours, offsets, log scales; quaternions; opacities."""
    channels = 14 if alone else 13
    rows = torch.arange(each * channels).reshape(each, channels)
    parts = [rows[:, [0, 1, 2, 3, 4, 5, 10, 11, 12]], rows[:, 6:10], rows[:, 13:]]
    return torch.cat([part.flatten() for part in parts])

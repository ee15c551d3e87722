"""A made TorchScript module of the signature and buffers of MHR's published one."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lca_shared.body.mhr import EXPRESSIONS, IDENTITIES, JOINTS, PARAMETERS, POSE_PARAMETERS

VERTICES = 2 * len(JOINTS)
SCALED = [JOINTS.index(name) for name in ("l_lowleg", "r_lowleg", "l_wrist_twist", "c_neck")]


def parents() -> list[int]:
    """A made tree: every joint hangs on one before it."""
    random = np.random.default_rng(3)
    return [-1, 0, *(int(random.integers(max(1, j - 6), j)) for j in range(2, len(JOINTS)))]


def euler_matrix(angles: Tensor) -> Tensor:
    """Turns about x, then y, then z, [..., 3, 3] of [..., 3]."""
    matrix = torch.eye(3, dtype=angles.dtype).expand(*angles.shape[:-1], 3, 3)
    for axis in range(3):
        c, s = angles[..., axis].cos(), angles[..., axis].sin()
        a, b = [(1, 2), (2, 0), (0, 1)][axis]
        turn = torch.eye(3, dtype=angles.dtype).repeat(*angles.shape[:-1], 1, 1)
        turn[..., a, a], turn[..., b, b] = c, c
        turn[..., a, b], turn[..., b, a] = -s, s
        matrix = turn @ matrix
    return matrix


def quaternion_xyzw(matrix: Tensor) -> Tensor:
    """The unit quaternion of rotations near the identity's half of the sphere."""
    w = 0.5 * (1 + matrix[..., 0, 0] + matrix[..., 1, 1] + matrix[..., 2, 2]).clamp(min=1e-9).sqrt()
    x = (matrix[..., 2, 1] - matrix[..., 1, 2]) / (4 * w)
    y = (matrix[..., 0, 2] - matrix[..., 2, 0]) / (4 * w)
    z = (matrix[..., 1, 0] - matrix[..., 0, 1]) / (4 * w)
    return torch.stack([x, y, z, w], dim=-1)


class Skeleton(nn.Module):
    offsets: Tensor
    prerotations: Tensor

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(1)
        self.register_buffer("joint_parents", torch.tensor(parents(), dtype=torch.int32))
        self.register_buffer("offsets", torch.from_numpy(random.normal(size=(len(JOINTS), 3)) * 8).float())
        self.register_buffer(
            "prerotations", euler_matrix(torch.from_numpy(random.uniform(-0.3, 0.3, (len(JOINTS), 3))))
        )


class Mesh(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("faces", torch.arange(3 * (VERTICES // 3), dtype=torch.int32).reshape(-1, 3))
        self.register_buffer("texcoords", torch.rand(10, 2))
        self.register_buffer("texcoord_faces", torch.zeros(VERTICES // 3, 3, dtype=torch.int32))


class Skinning(nn.Module):
    skin_indices_flattened: Tensor
    skin_weights_flattened: Tensor
    vert_indices_flattened: Tensor

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(2)
        share = torch.from_numpy(random.uniform(0.2, 0.8, VERTICES)).float()
        joint = 1 + torch.arange(VERTICES) % (len(JOINTS) - 1)  # nothing hangs on body_world, which stands still
        other = torch.tensor([max(p, 1) for p in parents()])[joint]
        self.register_buffer("skin_indices_flattened", torch.stack([joint, other], -1).flatten().int())
        self.register_buffer("skin_weights_flattened", torch.stack([share, 1 - share], -1).flatten())
        self.register_buffer("vert_indices_flattened", torch.arange(VERTICES).repeat_interleave(2))


class Character(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.skeleton, self.mesh, self.linear_blend_skinning = Skeleton(), Mesh(), Skinning()


class LookAlike(nn.Module):
    """MHR's behaviour in small: joints placed by offsets, prerotations, Euler angles and scales; linear skinning."""

    base: Tensor
    identities: Tensor
    expressions: Tensor

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(4)
        self.character_torch = Character()
        self.register_buffer("base", torch.from_numpy(random.normal(size=(VERTICES, 3)) * 20).float())
        self.register_buffer("identities", torch.from_numpy(random.normal(size=(IDENTITIES, VERTICES, 3))).float())
        self.register_buffer("expressions", torch.from_numpy(random.normal(size=(EXPRESSIONS, VERTICES, 3))).float())

    def states(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        skeleton = self.character_torch.skeleton
        count = parameters.shape[0]
        angles = torch.zeros(count, len(JOINTS), 3)
        angles[:, 1:44] = parameters[:, 3:132].reshape(count, 43, 3)
        local = skeleton.prerotations.float() @ euler_matrix(angles)
        offsets = skeleton.offsets.expand(count, -1, -1).clone()
        offsets[:, 1] = offsets[:, 1] + 10 * parameters[:, :3]
        longer = torch.ones(count, len(JOINTS), 1)
        longer[:, SCALED, 0] = 2 ** parameters[:, POSE_PARAMETERS : POSE_PARAMETERS + len(SCALED)]
        offsets = offsets * longer
        turned, placed = [local[:, 0]], [offsets[:, 0]]
        for joint, parent in enumerate(parents()[1:], start=1):
            turned.append(turned[parent] @ local[:, joint])
            placed.append(placed[parent] + (turned[parent] @ offsets[:, joint, :, None])[..., 0])
        return torch.stack(turned, 1), torch.stack(placed, 1), longer

    def forward(self, identity: Tensor, parameters: Tensor, expression: Tensor) -> tuple[Tensor, Tensor]:
        rest = self.base + torch.einsum("ni,ivk->nvk", identity, self.identities)
        rest = rest + torch.einsum("ni,ivk->nvk", expression, self.expressions)
        turned, placed, longer = self.states(parameters)
        bind_turned, bind_placed, _ = self.states(torch.zeros_like(parameters))
        skinning = self.character_torch.linear_blend_skinning
        moved = turned @ bind_turned.mT
        shifted = placed - (moved @ bind_placed[..., None])[..., 0]
        index = skinning.skin_indices_flattened.long()
        points = rest[:, skinning.vert_indices_flattened]
        each = (moved[:, index] @ points[..., None])[..., 0] + shifted[:, index]
        blended = torch.zeros_like(rest).index_add(
            1, skinning.vert_indices_flattened, each * skinning.skin_weights_flattened[:, None]
        )
        return blended, torch.cat([placed, quaternion_xyzw(turned), longer], dim=-1)


def write_mhr(path: Path) -> Path:
    """The module as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = torch.zeros(2, IDENTITIES), torch.zeros(2, PARAMETERS), torch.zeros(2, EXPRESSIONS)
    torch.jit.trace(LookAlike().eval(), inputs, check_trace=False).save(str(path))
    return path

"""Everything as named arrays in one ``.npz``: canonical or driven Gaussians, and what moves them."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from lca_method.avatar.point_body import body_tensors
from lca_method.exports.axes import axes_from_world, turned
from lca_method.exports.posing import gaussians_of
from lca_method.exports.registry import Export
from lca_shared.gaussians import Gaussians
from lca_shared.storage import atomic_path


def write_arrays(export: Export) -> list[Path]:
    """``canonical_*`` at rest; with a motion also ``frames_*`` [frames, gaussians, ...] and its driving signals; the
    person's rest points, joints, and the template's skinning weights; where nodes carry a loose garment, ``nodes_*``
    and ``followed_weights`` [gaussians, joints that move]; names of joints and expressions.

    Axes: ``canonical_*`` and ``frames_*`` are in the axes asked for, the body's arrays in ours (Z up, facing -Y).

    Raises:
        UserError: the file cannot be written.
    """
    avatar, motion = export.loaded.avatar, export.motion
    rotation = axes_from_world(export.axes)
    arrays: dict[str, np.ndarray] = {}

    def put(prefix: str, gaussians: Gaussians) -> None:
        for field in fields(Gaussians):
            arrays[f"{prefix}_{field.name}"] = getattr(gaussians, field.name).numpy()

    put("canonical", turned(gaussians_of(avatar, None, 0), rotation))
    if motion is not None:
        frames = [turned(gaussians_of(avatar, motion, frame), rotation) for frame in range(len(motion))]
        stacked = {f.name: torch.stack([getattr(frame, f.name) for frame in frames]) for f in fields(Gaussians)}
        put("frames", Gaussians(**stacked))
        pose = motion.signal.pose
        arrays |= {f"signal_{field.name}": getattr(pose, field.name).numpy() for field in fields(pose)}
        arrays |= {"signal_expression": motion.signal.expression.numpy(), "signal_times": motion.times.numpy()}
    arrays |= {f"body_{name}": value.cpu().numpy() for name, value in body_tensors(avatar.body).items()}
    if avatar.nodes is not None:
        arrays |= {f"nodes_{name}": value.cpu().numpy() for name, value in avatar.nodes.tensors().items()}
        arrays["followed_weights"] = avatar.skinning_weights.cpu().numpy()
        arrays["moving_joint_names"] = np.array(
            [avatar.body.joint_names[i] for i in avatar.body.active.joints.tolist()]
        )
    arrays["joint_names"] = np.array(avatar.body.joint_names)
    arrays["joint_parents"] = np.array(avatar.body.joint_parents)
    arrays["driven_joints"] = np.array(avatar.body.driven_joints)
    arrays["expression_names"] = np.array(avatar.body.expression_names)
    arrays["axes"] = np.array(export.axes)
    with atomic_path(export.path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    return [export.path]

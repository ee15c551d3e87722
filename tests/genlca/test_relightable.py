"""Where the LCA behind a pipeline is relightable, so is what the pipeline makes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from small_generator import LCA_SHA, small_pipeline
from small_runs import small_network

from genlca_method.sampling.decoder import LCADecoder
from genlca_method.sampling.generating import load_pipeline
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.filming import filmed
from lca_method.avatar.motion import Motion
from lca_method.avatar.relight_options import LightOptions, look_of
from lca_method.avatar.viewpoints import cameras_around
from lca_method.batch import DrivingSignal
from lca_method.networks.relight_config import RelightConfig
from lca_method.plain_configs import plain


def test_generated_people_are_relightable(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = replace(small_network(), relight=RelightConfig(lobes=2, hidden=16, occluder_cell=0.06))
    pipeline = small_pipeline(LCADecoder(plain(network), "anny", None, {"steps": 0, "sha256": LCA_SHA}))
    pipeline.save_pretrained(tmp_path / "pipeline")
    made = load_pipeline(str(tmp_path / "pipeline"))
    made.set_progress_bar_config(disable=True)
    person = made("a tall person", num_inference_steps=2, generator=torch.Generator().manual_seed(0)).avatars[0]
    save_avatar(person, AvatarRecord("somebody"), tmp_path / "somebody.avatar")
    again = load_avatar(tmp_path / "somebody.avatar").avatar
    plainly, lit, turned = picture(again), picture(again, 0.0), picture(again, 180.0)
    assert lit.std() > 5
    assert np.abs(lit.astype(float) - turned).max() > 5
    assert np.abs(lit.astype(float) - plainly).max() > 5
    assert np.array_equal(picture(person, 0.0), lit)


def picture(avatar: Avatar, rotation: float | None = None) -> np.ndarray:
    """At rest, from in front; ``rotation`` of the map that ships, None = not relit."""
    expression = torch.zeros(1, len(avatar.body.expression_names))
    pose = avatar.rest_pose[None]
    motion = Motion(
        DrivingSignal(pose, expression), torch.zeros(1), avatar.body.driven_joints, avatar.body.expression_names
    )
    cameras = cameras_around(avatar.body, torch.zeros(1, 3), (48, 48))
    look = None if rotation is None else look_of(LightOptions("window", rotation, (), 0.0, "clip", "relit"), "cpu")
    return next(iter(filmed(avatar, motion, cameras, torch.ones(3), look=look)))

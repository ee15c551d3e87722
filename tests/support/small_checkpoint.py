"""A training run's folder written without training: config.yml and one checkpoint."""

from pathlib import Path

import torch
import yaml

from lca_method.made_with import made_with
from lca_method.networks import LCA
from lca_method.plain_configs import text_tensor


def write_run(folder: Path, network: LCA, data: Path, averaged: bool = True, steps: int = 7) -> Path:
    """The folder of a run of 32-pixel pictures. Averaged weights are 0.5 above the last step's."""
    state = {f"_model.network.{name}": value for name, value in network.state_dict().items()}
    state["_model.made_with"] = text_tensor(made_with(network.config, network.body))
    state["steps_before"] = torch.tensor(0)
    if averaged:
        for name, value in network.named_parameters():
            state["average." + name.replace(".", "/")] = value.detach() + 0.5
    (folder / "nerfstudio_models").mkdir(parents=True)
    torch.save({"step": steps - 1, "pipeline": state}, folder / "nerfstudio_models" / f"step-{steps - 1:09d}.ckpt")
    manager = {
        "data": list(data.parts),
        "datasets": [],
        "image_size": 32,
        "face_size": 16,
        "target_size": 32,
        "crop_margin": 0.05,
        "eval_subjects": 8,
        "subjects_per_step": 2,
        "targets_per_step": 3,
        "references": [1, 4],
        "seed": 0,
    }
    run = {
        "method_name": "lca-pretrain-tiny",
        "machine": {"device_type": "cpu", "num_devices": 1, "num_machines": 1},
        "mixed_precision": False,
        "pipeline": {"datamanager": manager, "model": {"background": "white", "rasterizer": "auto"}},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(run))
    return folder

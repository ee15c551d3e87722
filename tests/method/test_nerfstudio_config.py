import json
import subprocess
import sys

import pytest
import torch
import yaml
from nerfstudio.configs.method_configs import all_descriptions, all_methods
from nerfstudio.engine.trainer import TrainerConfig

from lca_method.lca_trainer_schedulers import WarmupCosineSchedulerConfig, warmup_cosine

HEAVY = ("numba", "transformers", "open3d", "mediapipe", "lpips", "anny", "diffusers", "pyarrow", "numba.core")
METHODS = ("lca-pretrain", "lca-pretrain-tiny")


@pytest.mark.parametrize("name", METHODS)
def test_nerfstudio_lists_the_method(name: str) -> None:
    assert all_methods[name].method_name == name
    assert all_descriptions[name]


@pytest.mark.parametrize("name", METHODS)
def test_the_config_survives_the_file_nerfstudio_writes(name: str) -> None:
    config = all_methods[name]
    again = yaml.load(yaml.dump(config), Loader=yaml.Loader)
    assert isinstance(again, TrainerConfig)
    assert again.pipeline.model.network == config.pipeline.model.network
    assert again == config


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_group_has_an_optimizer_and_clips(name: str) -> None:
    optimizers = all_methods[name].optimizers
    assert set(optimizers) == {"encoder", "heads"}
    assert all(group["optimizer"].max_norm == 1.0 for group in optimizers.values())
    assert all(group["scheduler"].max_steps is None for group in optimizers.values())  # ends with the training


def test_importing_the_methods_loads_nothing_heavy() -> None:
    script = (
        "import json, sys\n"
        "import nerfstudio.configs.method_configs\n"
        "import lca_method.lca_config\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_the_learning_rate_warms_up_and_falls_in_plain_floats() -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    config = WarmupCosineSchedulerConfig(warmup_steps=10, max_steps=100, final_fraction=0.1)
    scheduler = config.setup().get_scheduler(optimizer, 2.0)
    rates = []
    for _ in range(120):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert all(type(rate) is float for rate in rates)
    assert rates[:10] == sorted(rates[:10]) and rates[10] == pytest.approx(2.0)
    assert rates[10:101] == sorted(rates[10:101], reverse=True) and rates[-1] == pytest.approx(0.2)
    assert {type(value) for value in flattened(scheduler.state_dict())} <= {int, float, bool, str, type(None)}


def flattened(content):
    if isinstance(content, dict):
        return [leaf for value in content.values() for leaf in flattened(value)]
    if isinstance(content, list | tuple):
        return [leaf for value in content for leaf in flattened(value)]
    return [content]


def test_half_way_down_the_cosine_is_the_mean() -> None:
    assert warmup_cosine(60, 20, 100, 0.2) == pytest.approx(0.6)

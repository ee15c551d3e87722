"""What each process of a training on two does. Here, because a spawned process finds this folder but not the tests."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist


def train(rank: int, world_size: int, address: str, data: Path, output: Path) -> None:
    torch.set_num_threads(1)
    from nerfstudio.configs.method_configs import all_methods
    from nerfstudio.utils import comms

    dist.init_process_group("gloo", init_method=address, world_size=world_size, rank=rank)
    comms.LOCAL_PROCESS_GROUP = dist.new_group(list(range(world_size)))
    config = deepcopy(all_methods["lca-pretrain-tiny"])
    config.output_dir, config.timestamp, config.max_num_iterations = output, "ddp", 3
    config.vis, config.viewer.quit_on_train_completion = "tensorboard", True
    config.logging.local_writer.enable = False
    config.pipeline.datamanager.data = data
    config.pipeline.datamanager.target_size = 32
    model = config.pipeline.model
    model.eval_lpips, model.losses = False, replace(model.losses, lpips=0.0)
    model.network = replace(model.network, placement=replace(model.network.placement, tokens=48))
    torch.manual_seed(rank)
    trainer = config.setup(local_rank=rank, world_size=world_size)
    trainer.setup()
    trainer.train()
    subjects = trainer.pipeline.datamanager.draw_batch(0).targets.images
    weights = torch.cat([value.detach().flatten() for value in trainer.pipeline.model.parameters()])
    torch.save({"weights": weights, "seen": subjects}, output / f"rank{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()

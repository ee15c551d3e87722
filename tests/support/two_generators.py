"""What each process of a GenLCA training on two does. Here, because a spawned process finds this folder."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


def train(rank: int, world_size: int, address: str, where: dict[str, Path], output: Path) -> None:
    torch.set_num_threads(1)
    from nerfstudio.configs.method_configs import all_methods
    from nerfstudio.utils import comms

    from genlca_method.conditioning.encoders import ConditioningConfig
    from genlca_method.conditioning.images import PartEncoderConfig
    from genlca_method.conditioning.text import TextEncoderConfig
    from genlca_method.transformer.sizes import TransformerSize

    dist.init_process_group("gloo", init_method=address, world_size=world_size, rank=rank)
    comms.LOCAL_PROCESS_GROUP = dist.new_group(list(range(world_size)))
    config: Any = deepcopy(all_methods["genlca-tiny"])
    config.output_dir, config.timestamp, config.max_num_iterations = output, "ddp", 3
    config.logging.local_writer.enable, config.viewer.quit_on_train_completion = False, True
    config.pipeline.datamanager.data, config.pipeline.datamanager.people_per_step = where["tokens"], 2
    model = config.pipeline.model
    model.latents, model.checkpoint = where["latents"], str(where["lca"])
    model.size = TransformerSize(32, 2, 2, 2.0)
    model.conditioning = ConditioningConfig(
        TextEncoderConfig("words", channels=16), PartEncoderConfig("pixels", size=8, patch=4)
    )
    torch.manual_seed(rank)
    trainer = config.setup(local_rank=rank, world_size=world_size)
    trainer.setup()
    trainer.train()
    weights = torch.cat([value.detach().flatten() for value in trainer.pipeline.model.parameters()])
    drawn = trainer.pipeline.datamanager.next_train(0)[1]["flow_batch"]
    torch.save({"weights": weights, "seen": drawn.latents}, output / f"rank{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()

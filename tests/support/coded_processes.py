"""One training step of a learned expression code, by one process or a share of it by each of several."""

from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

SEED = 3


def step(rank: int, world_size: int, address: str, data: Path, output: Path) -> None:
    """Writes the loss and the gradients, averaged over the processes as in training, to ``output/rank.pt``."""
    torch.set_num_threads(1)
    from lca_dataparsers.dataset.reader import AvatarDataset
    from lca_method.batch import stacked
    from lca_method.crops import CropReader, CropSizes
    from lca_method.losses import LossConfig
    from lca_method.networks import LCA
    from lca_method.networks.config import tiny_config
    from lca_method.networks.driving import DrivingConfig
    from lca_method.networks.expression_encoder import ExpressionEncoderConfig
    from lca_method.training_step import code_step, training_losses
    from lca_shared.body import get_body_model

    if world_size > 1:
        dist.init_process_group("gloo", init_method=address, world_size=world_size, rank=rank)
    torch.manual_seed(0)
    encoder = ExpressionEncoderConfig(width=12, picture=32, channels=(8, 16), adapter_hidden=16)
    tiny = tiny_config()
    placement = replace(tiny.placement, tokens=16)
    config = replace(tiny, placement=placement, driving=DrivingConfig(expression="code", encoder=encoder))
    network = LCA(config, get_body_model())
    losses = LossConfig(code_texture=1.0, code_identity=0.5, code_range=1.0, code_adapter=1.0, code_agreement=1.0)
    reader = CropReader(AvatarDataset.open(data), CropSizes(32, 32, 32, target_faces=True), 10**7)
    names = ("anna", "bela", "cleo", "dora")
    own = len(names) // world_size
    batch = stacked([reader.batch(name, [0, 1], [2, 3, 4]) for name in names[rank * own : (rank + 1) * own]])
    torch.manual_seed(SEED)
    terms = training_losses(code_step(network, batch, losses), batch, losses, 1, lambda: None)  # type: ignore[arg-type]
    torch.stack(list(terms.values())).sum().backward()
    gradients = {n: p.grad for n, p in network.driving_vector.expression.named_parameters() if p.grad is not None}
    if world_size > 1:
        for gradient in gradients.values():
            dist.all_reduce(gradient)
            gradient /= world_size
    content = {"terms": {name: value.detach() for name, value in terms.items()}, "gradients": gradients}
    torch.save(content, output / f"{world_size}_{rank}.pt")
    if world_size > 1:
        dist.destroy_process_group()

"""What computing the token half of the pose-dependent head once per person saves in a frame.

The first layer is linear in [token; driving]. Plain: the whole layer for every token in every frame. Split: the token
half is there already, and the driving half is one product shared by all tokens. Both give the same numbers.

    python -m benchmarks.pose_head                       # the paper's sizes, on this machine
    python -m benchmarks.pose_head --device cuda
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import tyro

from benchmarks.machine import describe
from lca_method.networks.config import LCAConfig, tiny_config
from lca_method.networks.driving import DrivingConfig, DrivingVector
from lca_method.networks.gaussian_heads import GaussianDeltas, PoseDependentHead
from lca_shared.body import get_body_model


@dataclass(frozen=True)
class Options:
    """What to measure."""

    sizes: Literal["paper", "tiny"] = "paper"
    device: Literal["cpu", "cuda"] = "cpu"
    repeats: int = 10
    """The fastest of so many frames counts."""


def main(options: Options) -> None:
    """Measure and print a table."""
    config = LCAConfig(driving=DrivingConfig(expression="code")) if options.sizes == "paper" else tiny_config()
    body = get_body_model()
    vector = DrivingVector(len(body.driven_joints), len(body.expression_names), config.driving)
    width, placement = config.transformer.width, config.placement
    torch.manual_seed(0)
    head = PoseDependentHead(width, vector.width, placement.gaussians_per_token, config.heads).to(options.device)
    torch.nn.init.normal_(head.deltas.weight, std=0.1)
    tokens = torch.randn(placement.tokens, width, device=options.device)
    driving = torch.randn(vector.width, device=options.device)
    weight = torch.cat([head.of_tokens.weight, head.of_driving.weight], dim=1)
    nothing = torch.zeros_like(driving)

    def plain() -> GaussianDeltas:
        together = torch.cat([tokens, driving.expand(len(tokens), -1)], dim=-1)
        return head(torch.nn.functional.linear(together, weight, head.of_tokens.bias), nothing)

    with torch.inference_mode():
        half = head.first_layer_of_tokens(tokens)

        def split() -> GaussianDeltas:
            return head(half, driving)

        error = float((plain().offsets - split().offsets).abs().max())
        seconds = {name: fastest(run, options) for name, run in (("plain", plain), ("split", split))}
    print("| | |\n|---|---|")
    print(f"| machine | {describe()}, {torch.get_num_threads()} threads |")
    print(f"| head | {len(tokens)} tokens of {width}, driving vector of {vector.width}, hidden {config.heads.hidden} |")
    print(f"| whole head in every frame | {1e3 * seconds['plain']:.2f} ms |")
    print(f"| token half once a person | {1e3 * seconds['split']:.2f} ms |")
    print(f"| ratio | {seconds['plain'] / seconds['split']:.2f} |")
    print(f"| largest difference of an offset | {1e3 * error:.1g} mm |")


def fastest(run: Callable[[], GaussianDeltas], options: Options) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(options.repeats + 1):  # the first warms up
        start = time.perf_counter()
        run()
        if options.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

"""Ways to compute a frame's Gaussians faster: half precision, torch.compile, CUDA graphs."""

import importlib.util
import os
import shutil
from typing import Literal

import torch

from lca_shared.errors import UserError

Precision = Literal["fp32", "bf16", "fp16"]
"""Of the pose-dependent network's products. What it adds is at most some centimetres, so that half precision moves
points by fractions of a millimetre; where the body stands is always computed in fp32."""
Compiled = Literal["no", "torch", "graph"]
"""torch: ``torch.compile``; graph: a CUDA graph, captured once and replayed for every frame."""
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def check_acceleration(precision: Precision, compiled: Compiled, device: str | torch.device) -> None:
    """Find out whether a device can do what is asked for.

    Raises:
        UserError: it cannot; the message says what can.
    """
    on_cpu = torch.device(device).type == "cpu"
    if on_cpu and precision == "fp16":
        raise UserError("--precision fp16 is for GPUs. On a processor use bf16 or fp32.")
    if on_cpu and compiled == "graph":
        raise UserError("--compiled graph needs a CUDA GPU. On a processor use --compiled torch, or leave it out.")
    if not on_cpu and precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise UserError(f"{torch.cuda.get_device_name()} cannot compute in bf16. Use --precision fp16 or fp32.")
    if compiled != "torch":
        return
    compilers = (os.environ.get("CXX", "g++"), "clang++", "cl")
    if on_cpu and not any(shutil.which(name) for name in compilers):
        raise UserError(
            "--compiled torch needs a C++ compiler (g++), and none is installed. Leave it out, or install one."
        )
    if not on_cpu and importlib.util.find_spec("triton") is None:
        raise UserError("--compiled torch needs Triton on a GPU (pip install triton). Or use --compiled graph.")

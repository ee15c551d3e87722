"""A line that names the machine a table was measured on."""

import os
import platform
from pathlib import Path

import torch


def describe() -> str:
    """Processor, cores, accelerator, and versions."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line.split(":", 1)[1].strip() for line in information.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {accelerator}; torch {torch.__version__}, Python {platform.python_version()}"

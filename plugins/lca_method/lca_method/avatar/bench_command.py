"""``lca bench``: how long each part of a frame takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from lca_method.avatar.avatar import Avatar
    from lca_method.avatar.frame_timing import FrameTiming


@dataclass(frozen=True)
class BenchConfig:
    """Time an avatar: each part of a frame and frames a second, by number of Gaussians and size of the picture.

    Other numbers of Gaussians than the avatar's own are made by repeating or leaving out its tokens.
    """

    avatar: Annotated[Path, tyro.conf.Positional]
    """NAME.avatar"""
    gaussians: tuple[int, ...] = (0, 8192, 16384, 65536)
    """Numbers of Gaussians; 0 = the avatar's own."""
    sizes: tuple[int, ...] = (256, 512, 1024)
    """Sides of the square pictures, pixels."""
    frames: int = 30
    """Timed, after a few that are not."""
    threads: int = 0
    """Of the processor; 0 = all cores."""
    compiled: bool = False
    """Also time what torch.compile and, on a GPU, CUDA graphs make of it (a minute or more to compile)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


def run(config: BenchConfig) -> None:
    """Print the table.

    Raises:
        UserError: the avatar cannot be used.
    """
    import torch
    from rich.console import Console
    from rich.table import Table

    from lca_method.avatar.bundle import load_avatar
    from lca_method.avatar.frame_floors import frame_work, measured_peak
    from lca_method.avatar.frame_timing import PARTS, timed_frames
    from lca_method.avatar.node_cost import node_cost
    from lca_method.avatar.resizing import resized

    if config.threads:
        torch.set_num_threads(config.threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    own = load_avatar(config.avatar, device).avatar
    table = Table(title=f"Milliseconds a frame (median of {config.frames}) on {_machine(device)}")
    for heading in ("Gaussians", "picture", *PARTS, "whole frame", "frames a second"):
        table.add_column(heading, justify="right")
    peak = measured_peak(device)
    for count in config.gaussians:
        avatar: Avatar = own if count == 0 else resized(own, count)
        for size in config.sizes:
            timing: FrameTiming = timed_frames(avatar, size, config.frames)
            parts = [f"{timing.parts[name]:.2f}" for name in PARTS]
            whole = [f"{timing.whole:.2f}", f"{1000 / timing.whole:.1f}"]
            table.add_row(f"{avatar.canonical.count}", f"{size}²", *parts, *whole)
            least = {name: work.milliseconds(peak) for name, work in frame_work(avatar, size).items()}
            total = sum(least.values())
            floors = [f"{least[name]:.2f}" for name in PARTS]
            table.add_row("", "at least", *floors, f"{total:.2f}", f"{1000 / total:.0f}", style="dim")
    console = Console()
    Console(width=max(console.width, 110)).print(table)
    if own.relight is not None:
        _relit_table(config, own, device)
    print(
        f"At least: operations and bytes of each part, counted, at {peak.operations / 1e9:.0f} billion operations "
        f"(matrix product) and {peak.bytes / 1e9:.1f} GB (copy) a second, both measured here. Encoding is not in it."
    )
    _ways_table(config, own, device)
    if own.nodes is not None:
        print(node_cost(own, config.frames))


def _ways_table(config: BenchConfig, own: "Avatar", device: str) -> None:
    """Gaussians of a frame, in every way there is to compute them."""
    from rich.console import Console
    from rich.table import Table

    from lca_method.avatar.acceleration import check_acceleration
    from lca_method.avatar.resizing import resized
    from lca_method.avatar.ways_timing import timed_ways, ways_of

    ways = ways_of(device, config.compiled)
    for precision, compiled in ways:
        check_acceleration(precision, compiled, device)
    table = Table(title=f"From signal to Gaussians: milliseconds (median of {config.frames}), furthest from fp32")
    table.add_column("Gaussians", justify="right")
    for precision, compiled in ways:
        table.add_column(precision if compiled == "no" else f"{precision}, {compiled}", justify="right")
    for count in config.gaussians:
        avatar: Avatar = own if count == 0 else resized(own, count)
        timings = timed_ways(avatar, ways, config.frames)
        cells = [f"{timing.milliseconds:.2f}, {1000 * timing.moved:.2f} mm" for timing in timings]
        table.add_row(f"{avatar.canonical.count}", *cells)
    console = Console()
    Console(width=max(console.width, 110)).print(table)


def _relit_table(config: BenchConfig, own: "Avatar", device: str) -> None:
    """Frames relit by a map that ships."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from lca_method.avatar.frame_timing import timed_frames
    from lca_method.avatar.relight_timing import PARTS, timed_relit_frames
    from lca_method.avatar.resizing import resized

    table = Table(title=f"Relit by an environment map: milliseconds a frame (median of {config.frames})")
    for heading in ("Gaussians", "picture", *PARTS, "whole frame", "frames a second", "not relit", "light's share"):
        table.add_column(heading, justify="right")
    for count in config.gaussians:
        avatar: Avatar = own if count == 0 else resized(own, count)
        for size in config.sizes:
            with torch.inference_mode():
                timing = timed_relit_frames(avatar, size, config.frames)
            plain = timed_frames(avatar, size, config.frames).whole  # the same frames with the colours of the photos
            parts = [f"{timing.parts[name]:.1f}" for name in PARTS]
            share = 1 - plain / timing.whole
            whole = [f"{timing.whole:.1f}", f"{1000 / timing.whole:.1f}", f"{plain:.1f}", f"{100 * share:.0f} %"]
            table.add_row(f"{avatar.canonical.count}", f"{size}²", *parts, *whole)
    console = Console()
    Console(width=max(console.width, 150)).print(table)


def _machine(device: str) -> str:
    import platform

    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    listed = Path("/proc/cpuinfo")  # Linux names the model there; elsewhere the architecture has to do
    lines = listed.read_text().splitlines() if listed.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {torch.get_num_threads()} threads"

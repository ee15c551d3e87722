"""``lca drive``: an avatar and a motion into a video."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lca_method.avatar.starting import collector_paused

if TYPE_CHECKING:
    from lca_method.avatar.relight_drawing import Look


@dataclass(frozen=True)
class DriveConfig:
    """Move an avatar as somebody else moved, into an mp4 or a folder of PNGs."""

    avatar: Annotated[Path, tyro.conf.Positional]
    """NAME.avatar, from `lca create`."""
    motion: Path | None = None
    """A processed video (the dataset of `lca-data process`), any dataset, a .bvh with Mixamo's or CMU's joint names, an
    .npz of AMASS (SMPL-X, SMPL+H, SMPL), or an .npz of named arrays."""
    output: Path = Path("driven.mp4")
    """VIDEO.mp4, or a folder that gets PNGs (with alpha if the background is none)."""
    live: bool = False
    """Move as the person in front of a webcam does, until Ctrl+C or --seconds; in place of a motion."""
    webcam: str = "0"
    """Number of the webcam, or a video in its place."""
    subject: str | None = None
    """Whose motion, where the dataset holds several people."""
    expression: Literal["auto", "coefficients"] = "auto"
    """What moves the face of an avatar with a learned expression code. auto: the code of the video's own faces, of
    motions without pictures what the model's adapter makes of the 52 coefficients; coefficients: always that."""
    up: Literal["y", "z"] | None = None
    """The axis of a .bvh (otherwise y) or of AMASS (otherwise z) that points upwards."""
    size: tuple[int, int] = (512, 512)
    """Width and height, pixels."""
    fps: float | None = None
    """Frames a second; by default those of the recording."""
    start: float = 0.0
    """Seconds of the motion to skip."""
    seconds: float | None = None
    """Length at most."""
    camera: Annotated[Literal["front", "orbit", "head", "recorded"], tyro.conf.arg(aliases=["--view"])] = "front"
    """Where the camera is; recorded = where it was in the video, and the avatar stands where the person stood."""
    turns: float = 1.0
    """Of the orbit."""
    follow: bool = True
    """The camera follows the body; --no-follow: it stands still and takes in the whole way."""
    stay: bool = False
    """Keep the root at its first place."""
    background: str = "white"
    """A colour as white, black, grey or #rrggbb; none = transparent (PNGs only)."""
    relight: str | None = None
    """Light the avatar by an environment map: an .hdr or .exr, or one that ships: evening, studio, window."""
    light_rotation: float = 0.0
    """Degrees by which the map is turned about the vertical, counter-clockwise from above."""
    light_turns: float = 0.0
    """Times that the map goes round in the course of the video."""
    point_light: Annotated[tuple[tuple[float, float, float, float], ...], tyro.conf.UseAppendAction] = ()
    """X Y Z STRENGTH of a point light, metres, beside the map or without; may be given again. STRENGTH: radiance that a
    white surface facing it from 1 m away sends back. The person's feet are near 0 0 0 and they look along -Y."""
    sun: Annotated[tuple[tuple[float, float, float, float], ...], tyro.conf.UseAppendAction] = ()
    """X Y Z STRENGTH of a directional light, X Y Z leading towards it; may be given again. STRENGTH: radiance that a
    white surface facing it sends back."""
    exposure: float = 0.0
    """Stops by which relit pictures are brightened."""
    tone: Literal["clip", "reinhard", "filmic"] = "clip"
    """What becomes of light brighter than white."""
    show: Literal["relit", "albedo", "shading normals", "diffuse", "specular", "shadow"] = "relit"
    """What relit pictures show."""
    threads: int = 0
    """Of the processor; 0 = all cores."""
    model_dir: Path | None = None
    """Looked through first for the detectors' weights of --live."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the pose-dependent network; where the body stands is always computed in fp32. bf16 is several times faster on
    processors with AMX and on GPUs; fp16 is for GPUs."""
    compiled: Literal["no", "torch", "graph"] = "no"
    """torch: what moves the Gaussians is compiled by torch.compile (up to a minute); graph: kept as a CUDA graph."""


def run(config: DriveConfig) -> None:
    """Film the avatar.

    Raises:
        UserError: the avatar or the motion cannot be used, or the output cannot be written.
    """
    with ExitStack() as starting:
        starting.enter_context(collector_paused())
        _film(config, starting)


def _film(config: DriveConfig, starting: ExitStack) -> None:
    """:func:`run`; closes ``starting`` after the first frame."""
    import time

    import torch
    from tqdm import tqdm

    from lca_dataparsers.pictures import PictureWriter, VideoWriter
    from lca_method.avatar.bundle import load_avatar
    from lca_method.avatar.colors import named_color
    from lca_method.avatar.filming import filmed
    from lca_method.avatar.motion_codes import with_codes
    from lca_method.avatar.motion_files import read_motion
    from lca_method.avatar.retargeting import retargeted
    from lca_method.avatar.viewpoints import cameras_around, head_path, reach_of, recorded_cameras
    from lca_shared.errors import UserError

    background = named_color(config.background)
    video = config.output.suffix.lower() == ".mp4"
    if config.output.suffix and not video:
        raise UserError(f"{config.output}: the output is a video called NAME.mp4 or a folder for PNGs.")
    if background is None and video:
        raise UserError("An mp4 has no transparency: give a folder for PNGs, or another --background.")
    if min(config.size) < 16:
        raise UserError(f"--size {config.size[0]} {config.size[1]} is too small: at least 16 pixels.")
    if (config.motion is None) != config.live:
        raise UserError("Say what moves the avatar: either --motion MOTION or --live.")
    if config.threads:
        torch.set_num_threads(config.threads)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    avatar = load_avatar(config.avatar, device).avatar
    if (config.precision, config.compiled) != ("fp32", "no"):
        from lca_method.avatar.acceleration import DTYPES, check_acceleration

        check_acceleration(config.precision, config.compiled, device)
        avatar.head_dtype = DTYPES[config.precision]
    if config.live:
        from lca_method.live.film import film_live

        film_live(avatar, config, background)
        return
    assert config.motion is not None
    look = _look(config, device)
    if look is not None and config.compiled != "no":
        raise UserError("Relit avatars cannot be compiled: leave --compiled out.")
    recorded = read_motion(config.motion, config.subject, config.up)
    if config.expression == "auto":
        recorded = with_codes(recorded, avatar, config.motion, config.subject)
    rate = config.fps or recorded.rate
    again = config.camera == "recorded"
    motion = retargeted(recorded, avatar.body, rate, config.start, config.seconds, in_place=again)
    motion = motion.staying() if config.stay else motion
    if config.camera == "recorded":
        cameras = recorded_cameras(motion, config.size)
    else:
        pose = motion.signal.pose
        cameras = cameras_around(
            avatar.body,
            head_path(avatar.body, pose) if config.camera == "head" else pose.root_translation,
            config.size,
            view=config.camera,
            turns=config.turns,
            follow=config.follow,
            reach=0.0 if config.camera == "head" else reach_of(avatar.body, pose),
        )
    if look is not None:
        look = replace(look, turned_per_frame=360.0 * config.light_turns / max(1, len(motion)))
    pictures = filmed(avatar, motion, cameras, background, reuse=True, look=look, compiled=config.compiled)
    frames = tqdm(pictures, total=len(motion), desc="filming", unit="frame")
    begun = first = time.monotonic()
    with VideoWriter(config.output, rate) if video else PictureWriter(config.output) as writer:
        for frame in frames:
            writer.add(frame)
            if writer.count == 1:
                first = time.monotonic()
                starting.close()
    ended = time.monotonic()
    sustained = (writer.count - 1) / (ended - first) if writer.count > 1 else 1 / (ended - begun)
    print(
        f"Wrote {writer.count} frames ({rate:.3g} a second) to {config.output}: {sustained:.1f} frames a second "
        f"with encoding, after {first - begun:.1f} s for the first; {avatar.canonical.count} Gaussians, "
        f"{config.size[0]} x {config.size[1]} on {device}."
    )


def _look(config: DriveConfig, device: str) -> "Look | None":
    """The light that was asked for; None = as photographed."""
    if config.relight is None and not config.point_light and not config.sun:
        return None
    from lca_method.avatar.relight_options import LightOptions, look_of

    options = LightOptions(
        config.relight, config.light_rotation, config.point_light, config.exposure, config.tone, config.show
    )
    return look_of(replace(options, suns=config.sun), device)

"""``lca drive --live``: somebody in front of a webcam moves an avatar, into a video."""

import time
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from lca_dataparsers.pictures import PictureWriter, VideoWriter
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.filming import drawer
from lca_method.avatar.viewpoints import cameras_around
from lca_method.batch import DrivingSignal
from lca_method.live.person import LivePerson
from lca_method.live.webcam import Webcam
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.avatar.drive_command import DriveConfig


def film_live(avatar: Avatar, config: "DriveConfig", background: Float[Tensor, "3"] | None) -> None:
    """Film until the video in the webcam's place ends, ``config.seconds`` have passed, or Ctrl+C.

    A webcam's newest picture is taken each time; where that is slower than the video's rate, frames are repeated, so
    that the video lasts as long as what happened.

    Raises:
        UserError: there is no webcam, nobody was seen, or the output cannot be written.
    """
    if config.camera in ("recorded", "orbit"):
        raise UserError("--live has --camera front and head.")
    webcam = Webcam(config.webcam)
    person = LivePerson(avatar.body, config.model_dir)
    rate = config.fps or webcam.rate
    camera = cameras_around(avatar.body, torch.zeros(1, 3), config.size, view=config.camera)[0].to(avatar.device)
    draw = drawer(avatar, background, config.compiled)
    rest = DrivingSignal(avatar.rest_pose[None].to("cpu"), torch.zeros(1, len(avatar.body.expression_names)))
    last, seen, pictures, looking, drawing = rest, 0, 0, 0.0, 0.0
    begun = time.monotonic()
    writer = VideoWriter(config.output, rate) if config.output.suffix else PictureWriter(config.output)
    print("Live. Ctrl+C ends it.", flush=True)
    with writer:
        try:
            for picture in tqdm(webcam, desc="live", unit="picture"):
                start = time.monotonic()
                when = start - begun if webcam.is_camera else pictures / webcam.rate
                if config.seconds is not None and when > config.seconds:
                    break
                found = person.signal(picture, when)
                seen, last = (seen, last) if found is None else (seen + 1, found)
                middle = time.monotonic()
                frame = draw(last, camera)
                while writer.count <= when * rate:
                    writer.add(frame)
                pictures += 1
                looking, drawing = looking + middle - start, drawing + time.monotonic() - middle
        except KeyboardInterrupt:
            print()
        finally:
            webcam.close()
            person.close()
        if seen == 0:
            raise UserError("Nobody was seen: stand so that face and shoulders are in the picture.")
    print(
        f"Wrote {writer.count} frames ({rate:.3g} a second) to {config.output} from {pictures} pictures, somebody in "
        f"{seen}: {pictures / (time.monotonic() - begun):.1f} pictures a second, {1000 * looking / pictures:.0f} ms "
        f"looking and {1000 * drawing / pictures:.0f} ms drawing each."
    )

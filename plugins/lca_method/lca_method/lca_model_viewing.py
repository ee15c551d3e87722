"""What nerfstudio's viewer and renderers hand a model, as the model needs it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.data.scene_box import OrientedBox

from lca_shared.cameras import Cameras, from_nerfstudio
from lca_shared.gaussians import Gaussians


def single_camera(camera: NerfstudioCameras) -> Cameras:
    """A nerfstudio camera batch of one as ours, without batch axes."""
    flat = camera.flatten() if len(camera.shape) else camera.reshape((1,))
    return from_nerfstudio(
        flat.camera_to_worlds[0],
        flat.fx[0, 0],
        flat.fy[0, 0],
        flat.cx[0, 0],
        flat.cy[0, 0],
        int(flat.width[0, 0]),
        int(flat.height[0, 0]),
    )


def only_inside(gaussians: Gaussians, box: OrientedBox) -> Gaussians:
    """The Gaussians whose centres lie in the viewer's crop box."""
    return gaussians.select(box.within(gaussians.means))


@contextmanager
def untraced() -> Iterator[None]:
    """Switch off the tracing with which nerfstudio's viewer interrupts slow renders at any line of Python.

    A render here is one step, and the tracing would slow it down and break into the just-in-time compiler.
    """
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)

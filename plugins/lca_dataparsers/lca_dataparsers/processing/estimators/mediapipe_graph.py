"""MediaPipe's task graphs without the Python classes around them. That of a hand at a known place has none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from lca_shared.tensors import UInt8

Rectangle = tuple[float, float, float, float, float]
"""Middle x, y, width, height (shares of the picture), rotation (radians)."""
WHOLE: Rectangle = (0.5, 0.5, 1.0, 1.0, 0.0)
"""The whole picture."""


class TaskGraph:
    """A graph that is given a picture and a rectangle.

    Args:
        graph: full name.
        outputs: tags of what it gives.
        options: its protobuf message.
        rectangle: tag of the rectangle.
    """

    def __init__(self, graph: str, outputs: tuple[str, ...], options: Any, rectangle: str = "NORM_RECT") -> None:
        from mediapipe.python._framework_bindings import task_runner
        from mediapipe.tasks.python.core.task_info import TaskInfo

        info = TaskInfo(
            task_graph=graph,
            input_streams=["IMAGE:image_in", f"{rectangle}:rectangle"],
            output_streams=[f"{tag}:{tag.lower()}" for tag in outputs],
            task_options=_Options(options),
        )
        self._runner = task_runner.TaskRunner.create(info.generate_graph_config())
        self._outputs = outputs

    def close(self) -> None:
        """Free the graph."""
        self._runner.close()

    def run(self, image: UInt8[np.ndarray, "h w 3"], rectangle: Rectangle = WHOLE) -> Mapping[str, Any]:
        """Packets by tag; what was not found has none."""
        import mediapipe
        from mediapipe.python import packet_creator
        from mediapipe.tasks.python.components.containers.rect import NormalizedRect

        x, y, width, height, rotation = rectangle
        place: Any = NormalizedRect(x, y, width, height, rotation).to_pb2()
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        packets = self._runner.process(
            {"image_in": packet_creator.create_image(picture), "rectangle": packet_creator.create_proto(place)}
        )
        return {tag: packets[tag.lower()] for tag in self._outputs if not packets[tag.lower()].is_empty()}


class _Options:
    """What ``TaskInfo`` wants: something that gives the message."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def to_pb2(self) -> Any:
        """The message."""
        return self._message


def model_in(task_file: Path, name: str) -> bytes:
    """One network of a ``.task`` file, which is a zip."""
    with ZipFile(task_file) as archive:
        return archive.read(name)

"""Estimators of each kind by name. Modules are imported when asked for."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lca_dataparsers.processing.estimator_config import MEDIAPIPE, EstimatorConfig
from lca_dataparsers.processing.estimators.protocol import PersonEstimator
from lca_shared.errors import UserError


@dataclass(frozen=True)
class Request:
    """What an estimator is built from."""

    config: EstimatorConfig
    model_dir: Path | None
    head_matrix: bool
    """Whether the head's orientation is wanted."""


def _mediapipe_pose(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.mediapipe_pose import MediaPipePose

    return MediaPipePose(request.model_dir)


def _sapiens_pose(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.sapiens_pose import SapiensPose

    inner, kind = _mediapipe_pose, request.config.pose
    return SapiensPose(kind, lambda: inner(request), request.model_dir, request.config.device)


def _mediapipe_face(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.mediapipe_face import MediaPipeFace

    return MediaPipeFace(request.model_dir, request.head_matrix)


def _mediapipe_hands(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.mediapipe_hands import MediaPipeHands

    return MediaPipeHands(request.model_dir)


def _mediapipe_masks(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.mediapipe_masks import MediaPipeMasks

    return MediaPipeMasks(request.model_dir)


def _sapiens_masks(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.sapiens_masks import SapiensMasks

    return SapiensMasks(request.config.masks, request.model_dir, request.config.device)


def _sapiens_matting(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.sapiens_masks import SapiensMatting

    return SapiensMatting(request.model_dir, request.config.device)


def _from_face(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.mediapipe_face import FromFace

    return FromFace()


def _nothing(request: Request) -> Any:
    from lca_dataparsers.processing.estimators.nothing import Nothing

    return Nothing()


KINDS: dict[str, dict[str, Callable[[Request], Any]]] = {
    "pose": {"mediapipe": _mediapipe_pose, "sapiens": _sapiens_pose, "sapiens2": _sapiens_pose},
    "face": {"mediapipe": _mediapipe_face, "none": _nothing},
    "hands": {"mediapipe": _mediapipe_hands, "none": _nothing},
    "masks": {"mediapipe": _mediapipe_masks, "sapiens": _sapiens_masks, "sapiens2": _sapiens_masks},
    "matting": {"none": _nothing, "sapiens2": _sapiens_matting},
    "expression": {"mediapipe": _from_face, "none": _nothing},
    "gaze": {"mediapipe": _from_face, "none": _nothing},
}
"""What builds each estimator; the protocol of a kind is ``PoseEstimator`` and so on in :mod:`.protocol`."""


def build_estimator(
    config: EstimatorConfig = MEDIAPIPE, model_dir: Path | None = None, head_matrix: bool = True
) -> PersonEstimator:
    """Estimators of all kinds with their weights.

    Args:
        config: which.
        model_dir: looked through first for weights.
        head_matrix: whether the head's orientation is wanted.

    Raises:
        UserError: no such estimator, or one needs what is not there (a GPU, another estimator).
        MissingWeightsError: weights are neither on disk nor fetchable.
    """
    from lca_dataparsers.processing.estimators.chain import EstimatorChain, EstimatorParts

    request = Request(config, model_dir, head_matrix)
    built: dict[str, Any] = {}
    try:
        for kind in (field.name for field in fields(EstimatorParts)):
            name, known = getattr(config, kind), KINDS[kind]
            if name not in known:
                raise UserError(f"There is no estimator {name!r} for {kind}. Choose one of: {', '.join(known)}.")
            built[kind] = known[name](request)
    except BaseException:
        for part in built.values():
            part.close()
        raise
    return EstimatorChain(EstimatorParts(**built))

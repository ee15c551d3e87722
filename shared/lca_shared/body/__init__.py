"""Body models behind one protocol. ``get_body_model("anny")`` gives the default."""

from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyModel, BodyPose, PosedBody, ShapedBody
from lca_shared.body.registry import BODY_MODELS, get_body_model

__all__ = ["BODY_MODELS", "BodyModel", "BodyPose", "CompactBody", "PosedBody", "ShapedBody", "get_body_model"]

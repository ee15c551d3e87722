"""Body models behind one protocol. ``get_body_model("anny")`` gives the default."""

from lca_shared.body.model import BodyModel, BodyPose, PosedBody, ShapedBody

__all__ = ["BodyModel", "BodyPose", "PosedBody", "ShapedBody"]

"""Terms of the fit's objective: each a small function of a prediction and its targets, registered by name."""

from lca_dataparsers.processing.fitting.terms.body import body, body_world
from lca_dataparsers.processing.fitting.terms.contact import contact
from lca_dataparsers.processing.fitting.terms.context import TermContext
from lca_dataparsers.processing.fitting.terms.face import face
from lca_dataparsers.processing.fitting.terms.hands import hands
from lca_dataparsers.processing.fitting.terms.head_outline import head_outline
from lca_dataparsers.processing.fitting.terms.joint_limits import joint_limits
from lca_dataparsers.processing.fitting.terms.person_prior import focal_prior, shape_prior
from lca_dataparsers.processing.fitting.terms.pose_prior import pose_prior
from lca_dataparsers.processing.fitting.terms.silhouette import coverage, outside
from lca_dataparsers.processing.fitting.terms.smoothness import smoothness

TERMS = {
    "body": body,
    "body_world": body_world,
    "face": face,
    "hands": hands,
    "outside": outside,
    "coverage": coverage,
    "head_outline": head_outline,
    "smoothness": smoothness,
    "contact": contact,
    "pose_prior": pose_prior,
    "joint_limits": joint_limits,
    "shape_prior": shape_prior,
    "focal_prior": focal_prior,
}
"""Every term by name; ``TermWeights`` has a factor for each."""

__all__ = ["TERMS", "TermContext"]

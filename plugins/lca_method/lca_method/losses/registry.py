"""Every variant of a loss by its name in ``LossConfig``. A new one is a small file here, a line below, and its name in
the ``Literal`` of its field."""

from collections.abc import Callable

from lca_method.losses.alpha_cross_entropy import alpha_cross_entropy
from lca_method.losses.alpha_l1 import alpha_l1
from lca_method.losses.alpha_squared import alpha_squared
from lca_method.losses.arap import arap_lengths, arap_turned
from lca_method.losses.correction_sparsity import sparsity_gates, sparsity_l1
from lca_method.losses.node_motion import NodeMotion
from lca_method.losses.position_acap import acap_hinge, acap_paper
from lca_method.losses.scale_asap_covariance import asap_covariance
from lca_method.losses.scale_asap_hinge import asap_hinge
from lca_method.networks.subject import SubjectCode
from lca_shared.tensors import Tensor

ALPHA: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": alpha_l1,
    "squared": alpha_squared,
    "cross_entropy": alpha_cross_entropy,
}
"""``mask_loss``: alpha and mask ``[*b 1 h w]`` -> loss at every pixel."""

Regularizer = Callable[[SubjectCode], Tensor]
"""From people's codes ``[*b]`` to a number for each."""

POSITION: dict[str, Regularizer] = {"acap_hinge": acap_hinge, "acap_paper": acap_paper}
"""``position_loss``."""
SCALE: dict[str, Regularizer] = {"asap_hinge": asap_hinge, "asap_covariance": asap_covariance}
"""``scale_loss``."""

NodeRegularizer = Callable[[NodeMotion], Tensor]
"""From people's nodes and frames ``[*b targets]`` to a number for each person."""

ARAP: dict[str, NodeRegularizer] = {"turned": arap_turned, "lengths": arap_lengths}
"""``arap_loss``."""
SPARSITY: dict[str, NodeRegularizer] = {"l1": sparsity_l1, "gates": sparsity_gates}
"""``sparsity_loss``."""

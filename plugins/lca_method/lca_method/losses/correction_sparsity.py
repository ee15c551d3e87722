"""Few nodes are corrected: tight clothing stays with the template's skinning weights (Section 3.4, eq. 15)."""

from lca_method.losses.node_motion import NodeMotion
from lca_shared.tensors import Float, Tensor


def sparsity_l1(motion: NodeMotion) -> Float[Tensor, "*b"]:
    """Mean over the nodes of the sum of absolute corrections: 0 to 2."""
    return motion.nodes.corrections.abs().sum(dim=-1).mean(dim=-1)


def sparsity_gates(motion: NodeMotion) -> Float[Tensor, "*b"]:
    """Mean share of the template's weights that nodes replace, whatever replaces them: 0 to 1."""
    return motion.nodes.gates.mean(dim=-1)

"""From a trained model to one person's avatar."""

from dataclasses import replace

from lca_method.avatar.avatar import Avatar, AvatarNetworks
from lca_method.avatar.point_body import body_of_person
from lca_method.avatar.relight_avatar import AvatarRelight
from lca_method.networks.lca import LCA
from lca_method.networks.subject import SubjectCode


def avatar_of(network: LCA, code: SubjectCode) -> Avatar:
    """The avatar of one person, on the network's device.

    Args:
        network: a trained model.
        code: what its encoder made of the person; no batch axes.
    """
    config = network.config
    networks = AvatarNetworks(
        config.heads,
        config.driving,
        config.placement.gaussians_per_token,
        config.branches == "single",
        config.template_expression,
        config.relight,
    )
    body = body_of_person(network.point_body, code.shape, config.template_expression)
    avatar = Avatar(networks, body, code.canonical, code.token_half, code.shape, code.nodes, _relight(network, code))
    avatar.driving_vector.load_state_dict(network.driving_vector.state_dict())
    per_frame = avatar.pose_head.state_dict()
    avatar.pose_head.load_state_dict({name: network.pose_head.state_dict()[name] for name in per_frame})
    return avatar.to(code.token_half.device)


def _relight(network: LCA, code: SubjectCode) -> AvatarRelight | None:
    if network.relight is None or code.relight is None:
        return None
    config = network.config
    shadows = network.relight.shadow_body(network)
    body = body_of_person(shadows.body, code.shape, expressive=False)
    shift = network.relight.shadow_shift(network, code.offsets, code.canonical.opacities)
    if shift is not None:
        body = replace(body, template_vertices=body.template_vertices + shift)
    shadows = shadows.with_body(body)
    relight = AvatarRelight(
        config.relight, config.heads.hidden, config.placement.gaussians_per_token, code.relight, shadows
    )
    relight.per_frame.load_state_dict(network.relight.per_frame.state_dict())
    return relight

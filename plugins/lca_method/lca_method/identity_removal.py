"""The end of a training with a learned expression code: identity is taken out of it."""

from collections.abc import Iterable

import torch

from lca_method.batch import SubjectBatch
from lca_method.expression_training import with_reference_faces
from lca_method.networks.driving import LearnedExpression
from lca_method.networks.identity_directions import IdentityDirections, identity_directions
from lca_method.networks.lca import LCA

FRAMES_PER_NUMBER = 10
"""Faces read for each number of the code: how they vary within people is then known well enough."""
LEAST_PEOPLE = 20
"""Fewer training people say nothing about others."""
_KNOWN = 8
"""After so many batches in a row without anybody new, everybody has been read."""


def remove_identity(network: LCA, batches: Iterable[SubjectBatch]) -> IdentityDirections | None:
    """Set the encoder's ``kept`` from the codes of training people; None where there are too few, or no learned code.

    Args:
        network: stays in the mode it is in.
        batches: with face crops; read until there are :data:`FRAMES_PER_NUMBER` faces for each number of the code.
    """
    expression = network.driving_vector.expression
    if not isinstance(expression, LearnedExpression):
        return None
    encoder, was_training = expression.encoder, network.training
    network.eval()
    encoder.kept.copy_(torch.eye(len(encoder.kept)))
    codes, people, names, known = [], [], {}, 0
    for batch in batches:
        fresh = [name not in names for name in batch.ids]  # frames read twice would vary less than they do
        known = 0 if any(fresh) else known + 1
        with torch.no_grad():
            faces = with_reference_faces(batch).faces
            if faces is None:
                break
            read, seen = encoder.of(faces), faces.seen > 0
        for name, own, shown, new in zip(batch.ids, read, seen, fresh):
            if new:
                codes.append(own[shown].float().cpu())
                people += [names.setdefault(name, len(names))] * int(shown.sum())
        if len(people) >= FRAMES_PER_NUMBER * len(encoder.kept) or known == _KNOWN:
            break
    network.train(was_training)
    if len(names) < LEAST_PEOPLE or len(people) - len(names) < FRAMES_PER_NUMBER / 2 * len(encoder.kept):
        return None
    found = identity_directions(torch.cat(codes), torch.tensor(people))
    encoder.kept.copy_(found.kept)
    return found

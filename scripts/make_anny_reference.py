"""Make ``tests/shared/anny_reference.safetensors``: a few vertices skinned by Anny itself, to hold the compact body to.

    python scripts/make_anny_reference.py       # after make_anny_template.py

Needs the extra ``lca-shared[anny]``.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from anny.shape_distribution import SimpleShapeDistribution
from safetensors.torch import save_file

from lca_shared.body import BodyPose, get_body_model
from lca_shared.body.anny_full import FullAnny
from lca_shared.storage import atomic_path


@dataclass(frozen=True)
class ReferenceConfig:
    """How much to store."""

    output: Path = Path("tests/shared/anny_reference.safetensors")
    people: int = 3
    vertices: int = 64
    seed: int = 11


def main(config: ReferenceConfig) -> None:
    torch.manual_seed(config.seed)
    body, full = get_body_model("anny"), FullAnny()
    ages = torch.distributions.Uniform(torch.tensor(18.0).double(), torch.tensor(80.0).double())
    phenotypes = SimpleShapeDistribution(full.model, morphological_age_distribution=ages).sample(config.people)[1]
    pose = BodyPose(
        0.3 * torch.randn(config.people, len(body.driven_joints), 3),
        torch.randn(config.people, 3),
        torch.randn(config.people, 3),
        0.3 * torch.randn(config.people, 2, 2),
    )
    expression = torch.rand(config.people, len(body.expression_names))
    expression *= torch.rand_like(expression) < 0.2
    # The template leaves the eyeballs to gaze; Anny's eyeLook* turn them.
    expression[:, [name.startswith("eyeLook") for name in body.expression_names]] = 0.0
    named = {name: expression[:, i] for i, name in enumerate(body.expression_names)}
    vertices = full.skinned(body, phenotypes, named, pose)
    shape = full.shape_of(body, phenotypes)
    index = torch.randperm(len(body.template_vertices))[: config.vertices]
    error = 1e3 * (body.skinned(body.shaped(shape, expression), pose) - vertices).norm(dim=-1)
    print(f"compact against Anny, mm: mean {error.mean():.3f}, largest {error.max():.3f}")
    with atomic_path(config.output) as temporary:
        save_file(
            {
                "shape": shape,
                "expression": expression,
                "joint_rotations": pose.joint_rotations,
                "root_rotation": pose.root_rotation,
                "root_translation": pose.root_translation,
                "gaze": pose.gaze,
                "vertex_index": index,
                "vertices": vertices[:, index].float().contiguous(),
            },
            temporary,
        )


if __name__ == "__main__":
    main(tyro.cli(ReferenceConfig))

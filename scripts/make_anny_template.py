"""Make ``lca_shared/body/data/anny_template.safetensors`` from the `anny` package, and print what it loses.

    python scripts/make_anny_template.py        # about two minutes; Anny's first build takes one of them

Needs the extra ``lca-shared[anny]``. The result is committed; run it again only to change the template.
"""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import anny
import numpy as np
import torch
import tyro
import yaml
from anny.face_segmentation import get_face_segmentation_mask
from anny.paths import get_anny_root_dir
from anny.shape_distribution import SimpleShapeDistribution

from lca_shared.body.anny_template import TEMPLATE_PATH, WEIGHT_SCALE, AnnyTemplate, save_template

HEAD_AXIS_UNIT = 0.05
"""One unit of a head axis widens by 5 %: about the spread of adult heads."""


@dataclass(frozen=True)
class TemplateConfig:
    """What goes into the template."""

    output: Path = TEMPLATE_PATH
    adults: int = 2000
    """Random adults that the shape basis is made from."""
    faces: int = 1000
    """Random faces that the face basis is made from."""
    face_components: int = 12
    """Face components kept."""
    components: int = 20
    """Shape components kept."""
    seed: int = 0


def random_adults(model: anny.Anny, count: int, seed: int) -> dict[str, torch.Tensor]:
    """Phenotypes of ``count`` adults of 18 to 80 years, from Anny's distribution calibrated to WHO's tables.

    A standard normal over the basis then is about the spread of real adults.
    """
    torch.manual_seed(seed)  # torch.distributions takes no generator
    ages = torch.distributions.Uniform(torch.tensor(18.0).double(), torch.tensor(80.0).double())
    return SimpleShapeDistribution(model, morphological_age_distribution=ages).sample(count)[1]


def extreme_adults(model: anny.Anny, count: int, seed: int) -> dict[str, torch.Tensor]:
    """Phenotypes spread evenly over nearly the whole range: far wider than people are, to test the basis."""
    generator = torch.Generator().manual_seed(seed)
    values = {name: torch.rand(count, generator=generator, dtype=torch.float64) for name in model.phenotype_labels}
    values["age"] = 0.5 + 0.4 * values["age"]
    for name in ("weight", "muscle", "height", "proportions"):
        values[name] = 0.1 + 0.8 * values[name]
    return values


FACE_CHANGES = ("cheek", "chin", "eye", "forehead", "mouth", "nose", "head-fat", "head-back")
"""Local changes that make the faces. Ears are left out: their many vertices would fill the first components."""
LEFT_OUT = ("chin-jaw-drop-incr", "mouth-laugh-lines-out", "forehead-nubian-incr")
"""They fold the skin or move the whole skull."""
FACE_SPREAD = 0.25
"""Standard deviation of Anny's local changes of the face; 1 is the strongest that its makers drew."""


def random_faces(model: anny.Anny, count: int, seed: int) -> dict[str, torch.Tensor]:
    """Local changes of ``count`` random faces, the same left and right."""
    generator = torch.Generator().manual_seed(seed)
    values = {}
    for label in model.local_change_labels:
        name = label.removeprefix("l-").removeprefix("r-")
        sideways = name.endswith("trans-out") and name == label  # moves the whole part to one side
        if name.startswith(FACE_CHANGES) and not sideways and name not in LEFT_OUT:
            drawn = FACE_SPREAD * torch.randn(count, generator=generator, dtype=torch.float64)
            values[label] = values["l-" + name] if label.startswith("r-") else drawn.clamp(-1.0, 1.0)
    return values


def rest_bodies(
    model: anny.Anny, phenotypes: dict[str, torch.Tensor], changes: dict[str, torch.Tensor] | None = None
) -> np.ndarray:
    """[adults, vertices + joints, 3] rest vertices and joints, metres."""
    count, chunks = len(next(iter(phenotypes.values()))), []
    for start in range(0, count, 50):
        part = {name: value[start : start + 50] for name, value in phenotypes.items()}
        local = {name: value[start : start + 50] for name, value in changes.items()} if changes else None
        pose = torch.eye(4, dtype=torch.float64).expand(len(part["age"]), model.bone_count, 4, 4)
        with torch.no_grad():
            out = model(pose_parameters=pose, phenotype_kwargs=part, local_changes_kwargs=local)
        chunks.append(torch.cat([out["rest_vertices"], out["rest_bone_heads"]], dim=1).float().numpy())
    return np.concatenate(chunks)


def shape_basis(
    bodies: np.ndarray, tests: dict[str, np.ndarray], vertices: int, components: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean [points, 3] and components [k, points, 3], one unit = one standard deviation; prints what is lost."""
    flat = bodies.reshape(len(bodies), -1)
    mean = flat.mean(axis=0)
    _, singular, right = np.linalg.svd(flat - mean, full_matrices=False)
    basis = right * (singular[:, None] / np.sqrt(len(bodies)))
    heights = np.ptp(bodies[:, :vertices, 2], axis=1)
    print(f"height {heights.mean():.3f} m, standard deviation {heights.std():.3f} m")
    print("bodies  | components | vertices mean mm | p99 mm | joints mean mm | coefficients rms")
    for name, held_out in tests.items():
        offsets = held_out.reshape(len(held_out), -1) - mean
        for k in sorted({5, 10, 16, 20, components}):
            coordinates = offsets @ right[:k].T
            error = 1e3 * np.linalg.norm((coordinates @ right[:k] - offsets).reshape(*held_out.shape), axis=-1)
            rms = np.sqrt(np.mean((coordinates / (singular[:k] / np.sqrt(len(bodies)))) ** 2))
            print(
                f"{name:7s} | {k:10d} | {error[:, :vertices].mean():16.2f} | "
                f"{np.quantile(error[:, :vertices], 0.99):6.2f} | {error[:, vertices:].mean():14.2f} | {rms:.2f}"
            )
    return mean.reshape(-1, 3), basis[:components].reshape(components, -1, 3)


def face_basis(config: TemplateConfig) -> np.ndarray:
    """Components [k, points, 3] of faces of one adult, one unit = one standard deviation; prints what is kept.

    The phenotypes change the build and leave everybody nearly the same face.
    """
    model = anny.Anny(local_changes="all", facial_actions="none", rig="makehuman", skinning_method="lbs")
    middle = {name: torch.full((config.faces,), 0.5, dtype=torch.float64) for name in model.phenotype_labels}
    middle["age"] += 0.2
    flat = rest_bodies(model, middle, random_faces(model, config.faces, config.seed)).reshape(config.faces, -1)
    _, singular, right = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    kept = config.face_components
    print(f"face components: {kept} keep {(singular[:kept] ** 2).sum() / (singular**2).sum():.2f} of the variance")
    basis = right[:kept] * (singular[:kept, None] / np.sqrt(config.faces))
    print("largest movement of each, mm:", (1e3 * np.abs(basis).max(axis=1)).round(1).tolist())
    return basis.reshape(kept, -1, 3)


def descendants(model: anny.Anny, joint: str) -> list[int]:
    """Indices of ``joint`` and all joints below it."""
    found = [model.bone_labels.index(joint)]
    for index, parent in enumerate(model.bone_parents):
        if parent in found:
            found.append(index)
    return found


def smoothstep(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def head_axes(model: anny.Anny, points: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Displacements [points, 3] that scale head, jaw and neck about the head joint, fading out along the neck.

    The phenotypes hardly vary a skull's proportions, so a person's skull and jaw would stay too narrow.
    """
    names = list(model.bone_labels)
    joints = points[-len(names) :]
    center = joints[names.index("head")]
    chin = joints[names.index("jaw"), 2] - 0.1
    eye_height = joints[names.index("eye.L"), 2]
    joint_in_head = np.isin(np.arange(len(names)), descendants(model, "head")).astype(float)
    in_head = np.concatenate([weights @ joint_in_head, joint_in_head])
    below_eyes = smoothstep((eye_height - points[:, 2]) / (eye_height - chin))
    axes = {}
    for name, axis, weight, about in (
        ("head_width", 0, in_head, center),
        ("head_depth", 1, in_head, center),
        ("head_height", 2, in_head, center),
        ("jaw_width", 0, in_head * below_eyes, center),
    ):
        axes[name] = np.zeros_like(points)
        axes[name][:, axis] = HEAD_AXIS_UNIT * weight * (points[:, axis] - about[axis])
    # The neck: a ring about the line from its first joint to the head's, fading to shoulders, skull and chin.
    base = joints[names.index("neck01")]
    along = (points[:, 2] - base[2]) / (center[2] - base[2])
    radial = np.where([1, 1, 0], points - (base + along[:, None].clip(-1, 1) * (center - base)), 0.0)
    distance = np.linalg.norm(radial, axis=1)
    ring = smoothstep(along / 0.8 + 1.0) * smoothstep((1.0 - along) / 0.6) * smoothstep((0.12 - distance) / 0.05)
    axes["neck_width"] = HEAD_AXIS_UNIT * ring[:, None] * radial
    axes["neck_width"][-len(names) :] = 0.0
    return axes


def segments(model: anny.Anny) -> tuple[tuple[str, ...], torch.Tensor]:
    """Names of Anny's segments and each face's segment."""
    metadata = get_anny_root_dir() / "data/segmentation/body_parts_segmentation.yaml"
    names = tuple(yaml.safe_load(metadata.read_text())["colors"])
    labels = torch.full((len(model.faces),), 255, dtype=torch.uint8)
    for index, name in enumerate(names):
        labels[get_face_segmentation_mask(model, [name])] = index
    print({name: int((labels == index).sum()) for index, name in enumerate(names)}, "none:", int((labels == 255).sum()))
    return names, labels


def main(config: TemplateConfig) -> None:
    model = anny.Anny(local_changes=[], facial_actions="all", rig="makehuman", skinning_method="lbs")
    assert model.texture_coordinates is not None and model.face_texture_coordinate_indices is not None
    vertices = len(model.template_vertices)
    bodies = rest_bodies(model, random_adults(model, config.adults, config.seed))
    tests = {
        "adults": rest_bodies(model, random_adults(model, 200, config.seed + 1)),
        "extreme": rest_bodies(model, extreme_adults(model, 200, config.seed + 2)),
    }
    mean, basis = shape_basis(bodies, tests, vertices, config.components)
    weights = model.dense_vertex_bone_weights.float().numpy()
    axes = head_axes(model, mean, weights)
    basis = np.concatenate([basis, face_basis(config), np.stack(list(axes.values()))])

    actions = [i for i, label in enumerate(model.blendshape_labels) if label.startswith("facial_action:")]
    expression_names = tuple(model.blendshape_labels[i].split(":")[1] for i in actions)
    segment_names, face_segments = segments(model)
    expression = model.blendshapes[actions].float()
    # Gaze turns the eyeballs; Anny's eyeLook* would turn them again. They keep what they do to the lids.
    eyes = [i for i, name in enumerate(segment_names) if name.startswith(("eye_front", "eye_back"))]
    eye_vertices = model.faces[torch.isin(face_segments.long(), torch.tensor(eyes))].unique()
    looks = torch.tensor([name.startswith("eyeLook") for name in expression_names])
    expression[looks.nonzero(), eye_vertices] = 0.0
    moving = torch.nonzero((expression.abs() > 1e-7).any(dim=-1).any(dim=0))[:, 0]
    influences = model.vertex_bone_weights.float()
    influences = influences / influences.sum(dim=1, keepdim=True)
    template = AnnyTemplate(
        joint_names=tuple(model.bone_labels),
        joint_parents=tuple(int(parent) for parent in model.bone_parents),
        shape_names=(
            *(f"shape_{i:02d}" for i in range(config.components)),
            *(f"face_{i:02d}" for i in range(config.face_components)),
            *axes,
        ),
        expression_names=expression_names,
        segment_names=segment_names,
        vertices=torch.tensor(mean[:vertices], dtype=torch.float32),
        joints=torch.tensor(mean[vertices:], dtype=torch.float32),
        shape_vertices=torch.tensor(basis[:, :vertices]).half(),
        shape_joints=torch.tensor(basis[:, vertices:], dtype=torch.float32),
        expression_index=moving.to(torch.int16),
        expression_vertices=expression[:, moving].half(),
        expression_joints=model.bone_heads_blendshapes[actions].float(),
        weight_joints=model.vertex_bone_indices.to(torch.uint8),
        weight_values=(influences * WEIGHT_SCALE).round().to(torch.int16),
        faces=model.faces.to(torch.int16),
        texture_coordinates=model.texture_coordinates.float(),
        face_texture_coordinates=model.face_texture_coordinate_indices.to(torch.int16),
        face_segments=face_segments,
    )
    save_template(
        template,
        config.output,
        source=f"anny {importlib.metadata.version('anny')}, rig makehuman, {config.adults} adults, seed {config.seed}",
        licence="Anny: code Apache-2.0, data CC0 (NAVER Corp., MakeHuman)",
    )
    print(f"{config.output}: {config.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(tyro.cli(TemplateConfig))

"""One synthetic person: a random appearance, and the mesh of skin, clothes and hair that carries it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch

from lca_dataparsers.synthetic.body_fields import BodyFields, body_fields
from lca_dataparsers.synthetic.garments import Garment, coverage, shell, skirt
from lca_dataparsers.synthetic.hair import STYLES, hair_layers
from lca_dataparsers.synthetic.layers import Layer
from lca_dataparsers.synthetic.loose import SwingingPart, loose_outfit, swinging_part
from lca_dataparsers.synthetic.noise import stream
from lca_dataparsers.synthetic.palette import IRIS_COLORS, bytes_to_linear, random_hair, random_skin
from lca_dataparsers.synthetic.wardrobe import random_outfit

SKIN, EYE, MOUTH, HAIR, CLOTH = 0, 1, 2, 3, 4
"""Materials of faces; garment ``i`` has material ``CLOTH + i``."""


@dataclass(frozen=True)
class Appearance:
    """What a person looks like; colours are linear RGB [3]."""

    shape: np.ndarray
    """[coefficients] of the body model."""
    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    hair_style: str
    beard: float
    """0 none, 0.5 stubble, 1 full."""
    brows: float
    """Thickness, 1 = ordinary."""
    freckles: float
    socks: float
    """Height above the ankle, metres."""
    outfit: tuple[Garment, ...]
    seed: int


@dataclass(frozen=True)
class PersonMesh:
    """All layers joined; the first ``body_vertices`` vertices are the body's and follow its expressions."""

    rest: np.ndarray
    """[vertices, 3] neutral rest pose."""
    weights: torch.Tensor
    """[vertices, active]"""
    faces: np.ndarray
    materials: np.ndarray
    """[faces]"""
    paint: np.ndarray
    """[vertices, 5], see ``layers.Layer``; the last is 1 on the edges of the eyelids."""
    body_vertices: int
    face_region: np.ndarray
    """[faces] bool: skin of the face."""
    loose: np.ndarray
    """[faces] bool: the loose garment, its part that swings and its part that does not."""
    swinging: SwingingPart | None = None
    """The part of the loose garment that is simulated."""
    swinging_start: int = 0
    """Its first vertex."""

    @cached_property
    def used(self) -> np.ndarray:
        """Vertices that faces have, [used]: clothes hide much of the body."""
        return np.unique(self.faces)

    @cached_property
    def faces_around(self) -> sp.csr_matrix:
        """The matrix [vertices, faces] that sums over the faces around each vertex."""
        count = len(self.faces)
        entries = (self.faces.ravel(), np.repeat(np.arange(count), 3))
        return sp.csr_matrix((np.ones(3 * count, np.float32), entries), shape=(len(self.rest), count))


def random_appearance(seed: int, index: int, garment: str | None = None) -> Appearance:
    """The appearance of person ``index`` of a dataset, in a loose garment if one of ``loose.LOOSE`` is asked for."""
    random = stream("appearance", seed, index)
    fields = body_fields()
    names = fields.body.shape_names
    spread = np.array([1.0 if name.startswith("shape") else 0.8 for name in names])
    shape = np.clip(random.normal(size=len(names)), -2.0, 2.0) * spread
    skin = random_skin(random)
    styles = [*STYLES, "bald"]
    shares = np.array([0.6 if name == "bald" else 1.0 for name in styles])
    style = str(random.choice(styles, p=shares / shares.sum()))
    hairy = style in ("buzz", "short", "side_part", "quiff", "afro", "curly", "bald")
    return Appearance(
        shape=shape.astype(np.float32),
        skin=skin,
        hair=random_hair(random, skin),
        iris=bytes_to_linear(IRIS_COLORS[int(random.integers(len(IRIS_COLORS)))]),
        lips=skin * np.array([0.95, 0.55, 0.55]) * random.uniform(0.6, 1.0) + np.array([0.05, 0.0, 0.01]),
        hair_style=style,
        beard=float(random.choice([0.0, 0.5, 1.0], p=[0.5, 0.25, 0.25])) if hairy else 0.0,
        brows=float(random.uniform(0.6, 1.4)),
        freckles=float(max(random.normal(-0.2, 0.5), 0.0)),
        socks=float(random.choice([0.04, 0.12, 0.25])),
        outfit=tuple(loose_outfit(random, fields, garment) if garment else random_outfit(random, fields)),
        seed=int(random.integers(1 << 30)),
    )


def person_mesh(person: Appearance) -> PersonMesh:
    """Build the layers of a person around the neutral body."""
    fields = body_fields()
    body = fields.body
    with torch.no_grad():
        skin = body.shaped(torch.from_numpy(person.shape)).vertices.double().numpy()
    paint = np.concatenate([fields.position, fields.arm_weight[:, None]], axis=1)
    kept = _seen_faces(person, fields)
    layers = [(Layer("body", skin, fields.weights, fields.faces[kept], paint), _body_materials(fields)[kept])]
    swinging, swinging_start = None, 0
    for index, garment in enumerate(person.outfit):
        if garment.kind == "swinging":
            swinging = swinging_part(garment, fields, skin)
            swinging_start = sum(len(layer.rest) for layer, _ in layers)
            layer = swinging.layer
        else:
            layer = skirt(garment, fields, skin) if garment.kind == "skirt" else shell(garment, fields, skin)
        layers.append((layer, np.full(len(layer.faces), CLOTH + index)))
    if person.hair_style in STYLES:
        for layer in hair_layers(STYLES[person.hair_style], fields, skin, person.seed):
            layers.append((layer, np.full(len(layer.faces), HAIR)))
    starts = np.cumsum([0] + [len(layer.rest) for layer, _ in layers])
    face_skin = body.regions["face"].numpy()[fields.faces[kept]].all(axis=1) & (layers[0][1] == SKIN)
    faces = np.concatenate([layer.faces + start for (layer, _), start in zip(layers, starts)])
    materials = np.concatenate([materials for _, materials in layers])
    loose = [CLOTH + index for index, garment in enumerate(person.outfit) if garment.loose]
    return PersonMesh(
        rest=np.concatenate([layer.rest for layer, _ in layers]).astype(np.float32),
        weights=torch.from_numpy(np.concatenate([layer.weights for layer, _ in layers])).float(),
        faces=faces.astype(np.int64),
        materials=materials,
        paint=_with_lashes(np.concatenate([layer.paint for layer, _ in layers]), fields),
        body_vertices=len(skin),
        face_region=np.concatenate([face_skin, np.zeros(len(faces) - len(face_skin), bool)]),
        loose=np.isin(materials, loose),
        swinging=swinging,
        swinging_start=swinging_start,
    )


def _with_lashes(paint: np.ndarray, fields: BodyFields) -> np.ndarray:
    regions = fields.body.regions
    edge = (regions["head"] & regions["eye_sockets"]).numpy()
    lashes = np.zeros((len(paint), 1))
    lashes[: len(edge), 0] = edge
    return np.concatenate([paint, lashes], axis=1)


def _body_materials(fields: BodyFields) -> np.ndarray:
    regions = {name: mask.numpy() for name, mask in fields.body.regions.items()}
    materials = np.full(len(fields.faces), SKIN)
    materials[regions["mouth_interior"][fields.faces].all(axis=1)] = MOUTH
    materials[regions["eyes"][fields.faces].all(axis=1)] = EYE
    return materials


def _seen_faces(person: Appearance, fields: BodyFields) -> np.ndarray:
    """Faces of the body that clothes do not cover well inside their edges: the rest could only poke through."""
    covered: np.ndarray = np.zeros(len(fields.position), bool)
    for garment in person.outfit:
        depth = coverage(garment, fields, fields.position, fields.arm_weight)
        if garment.kind == "skirt":
            depth = depth - 0.1
        elif garment.kind == "swinging":  # only where it is held: farther down, legs are seen when it flies
            depth = np.where(fields.position[:, 2] > garment.upper - 0.1, depth, -1.0) - garment.open_front
        covered = covered | (depth > 0.03)
    return np.logical_not(covered[fields.faces].all(axis=1))

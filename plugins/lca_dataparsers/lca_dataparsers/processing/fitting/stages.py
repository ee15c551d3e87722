"""The stages of the search, and their weights."""

from lca_dataparsers.processing.fitting.optimise import Stage

PRIORS = {"pose_prior": 1.0, "joint_limits": 1.0, "smoothness": 0.2}
PERSON_PRIORS = {"shape_prior": 0.3, "focal_prior": 1.0}
PICTURE = {"body": 1.0, "face": 6.0}
SILHOUETTE = {"outside": 10.0, "coverage": 3.0, "head_outline": 4.0}

ORIENT = Stage("orient", 80, 0.05, {"body_world": 1.0, **PRIORS, "smoothness": 0.06}, ("pose",))
"""Before a translation is known: the detector's 3D alone."""
ALIGN = Stage("align", 60, 0.03, {"body": 0.3, "body_world": 0.5, **PRIORS, "smoothness": 0.1}, cutoff=20.0)
"""The picture, with a wide robust norm."""

PERSON_STAGES = (
    Stage(
        "person",
        150,
        0.02,
        {**PICTURE, "body_world": 0.25, **PRIORS, **PERSON_PRIORS},
        ("pose", "translation", "shape", "focal"),
        cutoff=6.0,
    ),
    Stage(
        "person_outline",
        100,
        0.01,
        {**PICTURE, "body_world": 0.2, "hands": 6.0, **SILHOUETTE, **PRIORS, **PERSON_PRIORS},
        ("pose", "translation", "shape", "focal"),
    ),
)
"""Shape and focal length, with the poses of a few frames."""

COARSE_STAGES = (Stage("coarse", 100, 0.02, {**PICTURE, "body_world": 0.25, "hands": 6.0, **PRIORS}, cutoff=6.0),)
"""Poses of every few frames, with the person known."""

FINE_STAGES = (
    Stage("fine", 100, 0.01, {**PICTURE, "body_world": 0.2, "hands": 6.0, **SILHOUETTE, **PRIORS, "contact": 0.04}),
)
"""All frames, from the interpolation of the coarse ones."""

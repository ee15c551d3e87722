"""Sizes of what makes avatars relightable (Section 3.4); light to import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RelightConfig:
    """Radiance transfer in place of the heads' colours; all sizes are our choice."""

    lobes: int = 0
    """Zonal lobes of each Gaussian's diffuse transfer, beside the clamped cosine about its normal; 0 = not
    relightable."""
    hidden: int = 128
    """Width of the head."""
    smooth: bool = False
    """A token's Gaussians share what is learned of their light. Of few people, in pictures in which a face is ten
    pixels wide, each Gaussian's own numbers become grain."""
    reference_light: float = 0.83
    """What a white matt surface sends back in the light of the reference pictures: a Gaussian's albedo starts as its
    colour, in linear light, over this (an upright surface at 1 m in the fully lit pattern of ``lca-data synth``)."""
    clothed_normals: float = 0.5
    """Normals begin as this share of the clothed person's (see ``ClothedNormals``) and the rest of the bare body's."""
    tilt: float = 0.6
    """Bound of what is added to a coordinate of that normal."""
    lobe_range: float = 0.3
    """Bound of a lobe's number in each band."""
    shadow_hidden: int = 24
    """Width of the shadow network."""
    shadow_code: int = 8
    """Numbers of a Gaussian that the shadow network reads beside irradiance."""
    occluder_cell: float = 0.025
    """Metres: vertices of the body that lie in one cell of this size are one in the mesh that throws shadows."""
    albedo_steps: int = 0
    """How often the albedo is held to the reference pictures when a person is made (see ``albedo_fit``); not in
    training."""
    shadow_places: int = 0
    """The point of every so many-th Gaussian outside the mouth is a place where it is asked which lights are hidden;
    0 = the tokens."""
    clothed_shadows: bool = False
    """What throws and takes shadows is the body moved to where its Gaussians stand, not the bare one."""
    own_normals: int = 0
    """Width of the network that says each Gaussian's normal (see ``NormalNetwork``); 0 = none."""
    light_alone: bool = False
    """Learn transfer and shadows only: encoder, shapes and motion stay as they were. Cheap, and as general as the model
    was."""

"""Names of what a relit picture is made of; light to import."""

from typing import Literal

Intrinsic = Literal["relit", "albedo", "shading normals", "diffuse", "specular", "shadow"]
INTRINSICS: tuple[Intrinsic, ...] = ("relit", "albedo", "shading normals", "diffuse", "specular", "shadow")
"""What a picture shows: all together, or one part; normals in the world's axes, -1..1 as 0..1."""

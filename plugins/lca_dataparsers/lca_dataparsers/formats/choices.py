"""What may be chosen on the command line; imports nothing heavy."""

from typing import Literal

FormatName = Literal["goliath", "ava256", "actorshq", "dna_rendering", "neuman", "nerfstudio"]
UpAxis = Literal["auto", "+x", "-x", "+y", "-y", "+z", "-z"]
"""An axis of the capture's world."""

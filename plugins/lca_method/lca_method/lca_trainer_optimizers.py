"""nerfstudio's optimisers over groups whose parts learn at fractions of the group's learning rate."""

from collections.abc import Mapping, Sequence
from typing import Any

from nerfstudio.engine.optimizers import Optimizers

from lca_method.learning_rates import LearningRatePart


class LayerwiseOptimizers(Optimizers):
    """One optimiser a group, as nerfstudio has it, with one torch parameter group for each part in it.

    Schedules multiply every part's own rate; gradients are clipped over the whole group.
    """

    def __init__(self, config: dict[str, Any], groups: Mapping[str, Sequence[LearningRatePart]]):
        """Args: optimiser and schedule by group; parts by group. Groups without parameters get no optimiser."""
        rates = {
            name: [{"params": p.parameters, "lr": p.factor * config[name]["optimizer"].lr} for p in parts]
            for name, parts in groups.items()
            if parts
        }
        super().__init__(config, rates)  # type: ignore[arg-type]
        self.parameters = {name: [p for part in groups[name] for p in part.parameters] for name in rates}

"""Several folders of token shards as one."""

from collections.abc import Sequence
from pathlib import Path

from genlca_method.tokens.format import SampleInfo, TokensInfo
from genlca_method.tokens.shards import TokenSample, TokenShards
from lca_shared.errors import UserError

_ALIKE = ("layout", "body_model", "shape_names", "checkpoint", "visibility")
"""What must not differ: tokens of another model, or of other points, mean something else."""


class SeveralShards:
    """The samples of some folders one after the other, read as those of one are (:class:`TokenShards`)."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Args: the folders, at least one.

        Raises:
            UserError, SchemaError: one holds no whole tokens of this release, or those of two do not belong together.
        """
        self.folders = [TokenShards(root) for root in roots]
        for other in self.folders[1:]:
            if differing := [name for name in _ALIKE if getattr(other.info, name) != getattr(self.info, name)]:
                raise UserError(
                    f"The tokens in {other.root} cannot be used together with those in {self.root}: their "
                    f"{', '.join(differing)} differ. Write both with the same LCA model and the same settings of "
                    "`genlca tokenize`."
                )
        self._places = [(folder, index) for folder in self.folders for index in range(len(folder))]

    @property
    def root(self) -> Path:
        """The first folder."""
        return self.folders[0].root

    @property
    def info(self) -> TokensInfo:
        """Of the first folder; what it says of layout and model holds for all."""
        return self.folders[0].info

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> TokenSample:
        """Raises: UserError: the sample is broken."""
        folder, own = self._places[index]
        return folder[own]

    def of_split(self, *splits: str) -> list[int]:
        """Indices of the samples of people in these splits."""
        return [index for index in range(len(self)) if self.sample_info(index).split in splits]

    def sample_info(self, index: int) -> SampleInfo:
        """A sample's ``KEY.json`` alone."""
        folder, own = self._places[index]
        return folder.sample_info(own)

    def person(self, index: int) -> tuple[Path, str]:
        """As of :class:`TokenShards`."""
        folder, own = self._places[index]
        return folder.person(own)


AnyShards = TokenShards | SeveralShards
"""One folder or several."""


def opened(roots: Sequence[Path]) -> AnyShards:
    """A folder, or several as one.

    Raises:
        UserError, SchemaError: as of :class:`TokenShards` and :class:`SeveralShards`.
    """
    return TokenShards(roots[0]) if len(roots) == 1 else SeveralShards(roots)

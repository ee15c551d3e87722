"""``from_pretrained``, ``save_pretrained`` and ``push_to_hub`` of the networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin

from lca_method.hub.failures import hub_errors
from lca_method.hub.model_folder import ModelRecord, read_record, write_model
from lca_method.made_with import made_with

if TYPE_CHECKING:
    from lca_method.networks.lca import LCA
    from lca_shared.body.compact_body import CompactBody
    from lca_shared.encoders import ImageEncoder


class PretrainedNetwork(PyTorchModelHubMixin, library_name="lca-method", pipeline_tag="image-to-3d", tags=["lca"]):
    """Mixed into ``LCA``. A folder or repository holds ``config.json`` with the dataclasses that the network was made
    with, ``model.safetensors`` with the weights and the points of the template that were sampled, and a card. A frozen
    encoder's weights are not in it: they come from where its config says."""

    hub_record: ModelRecord = ModelRecord()
    """Where the weights come from; goes into ``config.json`` and onto the card."""

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        device: torch.device | str = "cpu",
        body: "CompactBody | None" = None,
        encoder: "ImageEncoder | None" = None,
    ) -> "LCA":
        """Read a network, in evaluation mode.

        Args:
            pretrained_model_name_or_path: a folder that ``save_pretrained`` wrote, ``OWNER/NAME`` or
                ``OWNER/NAME@REVISION`` on the Hub, a shipped model (``demo``), or a training run.
            revision: branch, tag or commit on the Hub.
            device: where it goes.
            body: body model; by default the one of the name that it was made with.
            encoder: image encoder; by default built from the config.

        Raises:
            UserError: it is nowhere, cannot be fetched, is damaged, or another release made it.
        """
        from lca_method.trained_network import read_network

        place = f"{pretrained_model_name_or_path}@{revision}" if revision else pretrained_model_name_or_path
        network, _, path = read_network(place, body, encoder)
        if path.suffix == ".safetensors":
            network.hub_record = read_record(path.parent)
        return network.to(device).eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        network = cast("LCA", self)
        write_model(save_directory, network.state_dict(), made_with(network.config, network.body), self.hub_record)

    def generate_model_card(self, *args: Any, **words: Any) -> ModelCard:
        """The card; ``words`` are those of :func:`lca_method.hub.model_card.model_card`."""
        from lca_method.hub.model_card import model_card

        network = cast("LCA", self)
        name = str(words.get("hub_id", "LCA")).split("/")[-1]
        return model_card(name, made_with(network.config, network.body), self.hub_record, **words)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:  # type: ignore[override]
        """Share the network alone; ``lca push RUN`` shares also what evaluation and ``lca create`` need to know.

        Args:
            repo_id: ``OWNER/NAME``.
            options: of ``huggingface_hub.ModelHubMixin.push_to_hub``: ``private``, ``branch``, ``commit_message``;
                ``model_card_kwargs``: ``licence``, ``consent``, ``trained_on``.

        Returns:
            Address of the commit.

        Raises:
            UserError: see :func:`lca_method.hub.failures.hub_errors`.
        """
        options["model_card_kwargs"] = {"hub_id": repo_id, **(options.get("model_card_kwargs") or {})}
        with hub_errors(repo_id):
            return super().push_to_hub(repo_id, **options)

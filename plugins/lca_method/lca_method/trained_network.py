"""A trained model read without nerfstudio: what the ``lca`` commands work with."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lca_method.batch import ReferenceViews, SubjectBatch
from lca_method.checkpoints import find_checkpoint, load_checkpoint, model_state, trained_steps
from lca_method.crops import CropSizes
from lca_method.drawing import background_color, drawn
from lca_method.made_with import differences, made_with
from lca_method.networks.albedo_fit import with_fitted_albedo
from lca_method.networks.config import LCAConfig
from lca_method.networks.lca import LCA
from lca_method.networks.subject import SubjectCode
from lca_method.plain_configs import from_plain, from_text_tensor
from lca_method.run_config import RunSettings, settings_of
from lca_shared.body import get_body_model
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import Cameras
from lca_shared.encoders import ImageEncoder
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.perceptual import LPIPS, load_lpips
from lca_shared.rendering import Rendering
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained model and what it was trained with."""

    network: LCA
    """In evaluation mode, without gradients; averaged weights if the training kept them."""
    body: CompactBody
    """On the network's device."""
    settings: RunSettings
    method: str
    """Of ``ns-train``."""
    checkpoint: Path
    steps: int
    """Trained, with those of the checkpoint that training began from."""
    folder: Path
    """Where results about it belong: the run's folder; for a model that was fetched or shipped, one in the current
    folder."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.network.initial_scales.device

    @property
    def sizes(self) -> CropSizes:
        """Of the pictures in training."""
        return self.settings.sizes

    @property
    def training_step(self) -> int | None:
        """The last one: bounds that grow in training are where they were."""
        return self.steps - 1

    @property
    def background_color(self) -> Float[Tensor, "3"]:
        """sRGB behind the person."""
        return background_color(self.settings.background, self.device)

    def encode(self, batch: SubjectBatch, step: int | None = None) -> SubjectCode:
        """What is done once a person; ``step``: of training, the last one if not given."""
        return self.person(batch.references, batch.shape, step)

    def person(
        self, references: ReferenceViews, shape: Float[Tensor, "*b coefficients"], step: int | None = None
    ) -> SubjectCode:
        """People from pictures. Args: as of ``LCA.encode``; ``step`` as of :meth:`encode`."""
        step = self.training_step if step is None else step
        with torch.no_grad():
            code = self.network.encode(references, shape, step=step)
            return with_fitted_albedo(self.network, code, references)

    def photographed(
        self, references: ReferenceViews, shape: Float[Tensor, "*b coefficients"], step: int | None = None
    ) -> SubjectCode:
        """People whose colours are those of the pictures, as they were lit, and whose albedo, if the model has one, is
        what is left of them without their light, where that is known. Args: as of :meth:`person`."""
        code = self.person(replace(references, lights=None), shape, step)
        lights = references.lights
        if code.relight is None or lights is None or not bool((lights.controlled > 0).any()):
            return code
        return replace(code, relight=self.person(references, shape, step).relight)

    def render(self, gaussians: Gaussians, cameras: Cameras) -> Rendering:
        """Rasterize on the training's background."""
        return drawn(gaussians, cameras, self.background_color, self.settings.rasterizer)

    def picture(self, code: SubjectCode, batch: SubjectBatch) -> Float[Tensor, "3 h w"]:
        """A person, made already, as a batch's first target should show them: sRGB 0..1."""
        targets = batch.targets
        with torch.no_grad():
            _, posed = self.network.drive(code, self.network.coded(targets.driving, targets.faces))
            return self.render(posed[0, 0], targets.cameras[0, 0]).colors.clamp(0, 1)

    def lpips(self) -> LPIPS:
        """LPIPS (AlexNet) to measure with.

        Raises:
            MissingWeightsError: its weights are nowhere.
        """
        return load_lpips("alex", self.settings.model_dir).to(self.device)


def load_network(place: str | Path, device: torch.device | str = "cpu") -> TrainedNetwork:
    """Load a model.

    Args:
        place: as :func:`lca_method.checkpoints.find_checkpoint` takes.
        device: where the network goes.

    Raises:
        UserError: there is no such checkpoint, its ``config.yml`` is missing, or another release made it.
    """
    network, checkpoint, path = read_network(place)
    settings, method = settings_of(path)
    body = network.body.to(device)
    network = network.to(device).eval().requires_grad_(False)
    steps, folder = trained_steps(checkpoint), _results_folder(place, path)
    return TrainedNetwork(network, body, settings, method, path, steps, folder)


def read_network(
    place: str | Path, body: CompactBody | None = None, encoder: ImageEncoder | None = None
) -> tuple[LCA, dict[str, Any], Path]:
    """The network alone, on the CPU, its checkpoint, and where that lies.

    Args:
        place: as of :func:`load_network`.
        body: body model; by default the one of the name that it was made with.
        encoder: image encoder; by default built from the config.

    Raises: as of :func:`load_network`.
    """
    path = find_checkpoint(place)
    checkpoint = load_checkpoint(path)
    state = model_state(checkpoint)
    if "made_with" not in state:
        raise UserError(f"{path} holds no LCA model. Name one that `ns-train lca-...` wrote.")
    theirs = from_text_tensor(state["made_with"])
    try:
        body = get_body_model(theirs["body"]["name"]) if body is None else body
        config = from_plain(LCAConfig, theirs["network"])
        differing = differences(made_with(config, body), theirs)
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # plain values of another shape
        raise UserError(f"{path} was made with a configuration that cannot be read ({_brief(error)}).") from error
    if differing:
        raise UserError(f"Another release made {path}; it cannot be read with this one:\n  " + "\n  ".join(differing))
    network = LCA(config, body, encoder)
    weights = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:  # names or sizes of tensors
        raise UserError(f"{path} does not hold the weights that its configuration says ({_brief(error)}).") from error
    return network, checkpoint, path


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _results_folder(place: str | Path, checkpoint: Path) -> Path:
    if Path(place).expanduser().exists():
        return checkpoint.parent if checkpoint.suffix == ".safetensors" else checkpoint.parent.parent
    return Path("outputs") / str(place).replace("/", "--")

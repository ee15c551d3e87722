"""Features of a frozen image encoder kept on disk, so that each crop goes through the encoder once."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lca_method.batch import ReferenceViews
from lca_method.networks.lca import LCA
from lca_method.networks.reference_features import ReferenceFeatures
from lca_method.plain_configs import plain, text_tensor
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Tensor


class FeatureCache:
    """A folder of features, one file for each picture, named after the picture's content and the encoder.

    Half precision. Files are written atomically, so several trainings may share a folder.
    """

    def __init__(self, folder: Path, network: LCA) -> None:
        """Args: the folder, made when first written to; the networks, whose image encoder must be frozen.

        Raises:
            UserError: the encoder is trained, so that its features change with every step.
        """
        if not network.image_encoder.frozen:
            raise UserError("The feature cache needs a frozen image encoder; this one is trained. Leave it out.")
        self.folder, self.network = Path(folder), network
        made_by = [plain(network.config.encoder), network.config.reference_background]
        self._encoder_key = hashlib.sha256(bytes(text_tensor(made_by).tolist())).hexdigest()

    def features(self, references: ReferenceViews) -> ReferenceFeatures:
        """The encoder's features of reference views, from disk where they are there."""
        return ReferenceFeatures(
            self._features_of(references.images, references.masks),
            self._features_of(references.face_images, references.face_masks),
        )

    def _features_of(
        self, images: Float[Tensor, "*b views 3 h w"], masks: Float[Tensor, "*b views 1 h w"]
    ) -> Float[Tensor, "*b views patches features"]:
        flat_images, flat_masks = images.flatten(0, -4), masks.flatten(0, -4)
        paths = [self._path(image, mask) for image, mask in zip(flat_images, flat_masks)]
        missing = [i for i, path in enumerate(paths) if not path.exists()]
        if missing:
            with torch.no_grad():
                made = self.network.encode_pictures(flat_images[missing], flat_masks[missing])
            for i, features in zip(missing, made):
                with atomic_path(paths[i]) as temporary:
                    save_file({"features": features.half().cpu().contiguous()}, temporary)
        kept = torch.stack([load_file(path)["features"] for path in paths]).float().to(images.device)
        return kept.reshape(*images.shape[:-3], *kept.shape[1:])

    def _path(self, image: Tensor, mask: Tensor) -> Path:
        content = hashlib.sha256(self._encoder_key.encode())
        content.update(str(tuple(image.shape)).encode())
        for picture in (image, mask):
            content.update((picture.detach() * 255).round().to(torch.uint8).cpu().numpy().tobytes())
        name = content.hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"

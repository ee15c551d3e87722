"""A training run's ``config.yml`` as plain values.

It names Python objects, which nerfstudio makes when it reads it; here nothing is made or run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lca_method.crops import CropSizes
from lca_method.drawing import Background
from lca_shared.errors import UserError
from lca_shared.rendering import Backend


@dataclass(frozen=True)
class RunSettings:
    """What evaluation needs to know of a training besides the network."""

    sizes: CropSizes
    """Of the pictures."""
    background: Background
    """Behind the person."""
    rasterizer: Backend
    model_dir: Path | None
    """Folder of weight files."""
    eval_subjects: int
    """People in evaluation at most, evenly chosen; -1 for all."""


def settings_of(checkpoint: Path) -> tuple[RunSettings, str]:
    """What a checkpoint's run (or model's folder) says: settings, and the method's name.

    Raises:
        UserError: it says nothing.
    """
    if checkpoint.suffix == ".safetensors":
        from lca_method.hub.model_folder import read_record

        record = read_record(checkpoint.parent)
        if record.settings is None:
            raise UserError(
                f"{checkpoint.parent} holds a network alone, saved without the sizes of its pictures: read it with "
                "LCA.from_pretrained, or share the training run with `lca push`."
            )
        return record.settings, record.method
    run = read_run(run_config(checkpoint))
    return run_settings(run), str(run.get("method_name"))


def run_settings(run: Mapping[str, Any]) -> RunSettings:
    """Settings out of :func:`read_run`'s values; those that an older release did not write have their default."""
    manager, model = run["pipeline"]["datamanager"], run["pipeline"].get("model") or {}
    coded = ((model.get("network") or {}).get("driving") or {}).get("expression") == "code"
    sizes = CropSizes(
        manager["image_size"],
        manager["face_size"],
        manager["target_size"],
        manager["crop_margin"],
        bool(manager.get("target_faces", False)) or coded,
    )
    folder = model.get("model_dir")  # a path is written as its parts
    return RunSettings(
        sizes,
        model.get("background", "white"),
        model.get("rasterizer", "auto"),
        Path(*folder) if folder else None,
        manager.get("eval_subjects", 256),
    )


def run_config(checkpoint: Path) -> Path:
    """The ``config.yml`` of the run that a checkpoint belongs to.

    Raises:
        UserError: there is none beside it or in the folder above.
    """
    for folder in (checkpoint.parent, checkpoint.parent.parent):
        if (folder / "config.yml").is_file():
            return folder / "config.yml"
    raise UserError(
        f"There is no config.yml beside {checkpoint} or in the folder above. It says how large the pictures were in "
        "training: keep a checkpoint in the folder of its run."
    )


def read_run(path: Path) -> dict[str, Any]:
    """A run's ``config.yml`` as plain values: objects are dictionaries, tuples lists, names of classes strings.

    Raises:
        UserError: the file is not that of a training run of this project.
    """
    import yaml

    class PlainLoader(yaml.SafeLoader):
        pass

    def value(loader: Any, _: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", value)
    try:
        content = yaml.load(path.read_text(), Loader=PlainLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} is not a readable config.yml ({error}).") from error
    try:
        content["pipeline"]["datamanager"]["crop_margin"]
    except (TypeError, KeyError) as error:
        raise UserError(f"{path} is not the config.yml of an lca-... training.") from error
    return content

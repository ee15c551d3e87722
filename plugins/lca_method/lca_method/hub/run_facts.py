"""What a training run knows about itself, as plain values for ``config.json`` and the card."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lca_dataparsers.shards.reader import ShardedDataset, open_dataset
from lca_method.checkpoints import fingerprint, trained_steps
from lca_method.hub.model_folder import ModelRecord, state_of
from lca_method.run_config import read_run, run_config, run_settings
from lca_shared.errors import UserError
from lca_shared.storage import read_json

EVALUATION = Path("eval") / "eval.json"
"""Of ``lca eval``, in the run's folder."""
SYNTHETIC = "lca-data synth"
"""Source of synthetic datasets."""


def record_of_run(path: Path, checkpoint: Mapping[str, Any]) -> ModelRecord:
    """Facts of a training run.

    Args:
        path: of the checkpoint, in the run's folder.
        checkpoint: its content.

    Raises:
        UserError: the run's ``config.yml`` is missing or broken, or ``eval.json`` is broken.
    """
    run = read_run(run_config(path))
    averaged = any(name.startswith("average.") for name in checkpoint["pipeline"])
    about = {
        "parameters": sum(v.numel() for n, v in state_of(checkpoint).items() if "." in n and v.is_floating_point()),
        "data": [dataset_facts(folder) for folder in _datasets(run["pipeline"]["datamanager"])],
        "training": _training(run),
        "evaluation": evaluation_facts(run_config(path).parent / EVALUATION, fingerprint(path)),
        "began_from": _place(run["pipeline"]["model"].get("pretrained")),
    }
    return ModelRecord(run_settings(run), str(run.get("method_name")), trained_steps(checkpoint), averaged, about)


def dataset_facts(folder: Path) -> dict[str, Any]:
    """Name, kind, size and licence of a dataset; the name alone if it is not on this machine any more."""
    try:
        dataset = open_dataset(folder)
    except UserError:
        return {"name": folder.name, "known": False}
    info = dataset.info
    facts = {"name": folder.name, "known": True, "kind": info.kind, "source": info.source, "licence": info.licence}
    if isinstance(dataset, ShardedDataset):
        groups = {name: group for name, group in dataset.shards.groups.items() if name != "unused"}
        people = {name: group.subjects for name, group in groups.items()}
        return {**facts, "people": people, "pictures": {name: group.rows for name, group in groups.items()}}
    people, pictures, licences = Counter[str](), Counter[str](), set[str]()
    for subject in dataset.subjects.values():
        people[subject.info.split] += 1
        pictures[subject.info.split] += len(subject)
        licences.add(subject.info.licence)
    return {**facts, "licence": ", ".join(sorted(licences | {info.licence})), "people": people, "pictures": pictures}


def evaluation_facts(path: Path, sha256: str) -> dict[str, Any] | None:
    """Of ``lca eval``'s file, if it is about the checkpoint with this checksum."""
    if not path.is_file():
        return None
    content = read_json(path)
    if content.get("sha256") != sha256:
        return None
    options, results = content["options"], content["results"]
    sets = list(dict.fromkeys(result["test_set"] for result in results))
    references = " ".join(str(number) for number in options["references"])
    command = f"lca eval --checkpoint RUN --data {' '.join(sets)} --references {references}"
    for name in ("targets_per_subject", "max_subjects"):
        command += f" --{name.replace('_', '-')} {options[name]}"
    rows = []
    for result in results:
        means = {
            name.removeprefix("person_"): value["mean"]
            for name, value in result["means"].items()
            if name.startswith("person_") and value is not None
        }
        rows.append({name: result[name] for name in ("test_set", "references", "subjects", "images")} | means)
    return {"command": command, "rows": rows}


def _datasets(manager: Mapping[str, Any]) -> list[Path]:
    several = [Path(*parts) for parts in manager.get("datasets") or ()]
    return several or ([Path(*manager["data"])] if manager.get("data") else [])


def _place(pretrained: Any) -> str | None:
    if pretrained is None:
        return None
    text = str(Path(*pretrained)) if isinstance(pretrained, list) else str(pretrained)
    return Path(text).name if Path(text).exists() or Path(text).is_absolute() else text  # no folders of this machine


def _training(run: Mapping[str, Any]) -> dict[str, Any]:
    manager, hardware = run["pipeline"]["datamanager"], run.get("machine") or {}
    devices = hardware.get("num_devices", 1) * hardware.get("num_machines", 1)
    facts = {
        "device": f"{devices} x {hardware.get('device_type', 'unknown')}",
        "datasets drawn in the ratio": manager.get("weights") or None,
        "people a step": manager.get("subjects_per_step", 1) * devices,
        "target pictures of each": manager.get("targets_per_step"),
        "reference pictures of each": manager.get("references"),
        "numbers": run.get("mixed_precision_dtype", "float16") if run.get("mixed_precision") else "float32",
        "seed": manager.get("seed"),
    }
    return {name: value for name, value in facts.items() if value is not None}

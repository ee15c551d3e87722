"""The card of a model: what it is, what it was trained on, how good it is, and what it may be used for."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from lca_method.hub.licences import licence_header
from lca_method.hub.model_folder import ModelRecord
from lca_method.hub.run_facts import SYNTHETIC

_METRICS = {"psnr": "PSNR, dB", "l1": "L1", "ssim": "SSIM", "lpips": "LPIPS (AlexNet)"}
TAGS = ("lca", "avatar", "gaussian-splatting", "3d")
PAPER = "https://arxiv.org/abs/2604.02320"


def model_card(
    name: str,
    made_with: Mapping[str, Any],
    record: ModelRecord,
    *,
    hub_id: str = "OWNER/NAME",
    licence: str = "unknown",
    consent: str | None = None,
    trained_on: str | None = None,
) -> ModelCard:
    """Make the card.

    Args:
        name: its title.
        made_with: configuration of the network and the body model's names.
        record: what is known of the training.
        hub_id: where it is, or will be.
        licence: of the weights.
        consent: how the people in the data have agreed, in the words of who shares the model.
        trained_on: the machine.
    """
    about = record.about
    results = _results(about.get("evaluation"))
    header = ModelCardData(
        library_name="lca-method",
        pipeline_tag="image-to-3d",
        tags=list(TAGS),
        model_name=name if results else None,
        eval_results=results or None,
        **licence_header(licence),
    )
    data = about.get("data", [])
    sections = [
        _summary(name, made_with, record),
        "## Use\n\n" + _use(hub_id, record),
        "## Data\n\n" + _data(data),
        "## Training\n\n" + _training(record, trained_on),
        "## Results\n\n" + _evaluation(about.get("evaluation")),
        "## Licences\n\n" + _licences(licence, made_with, data),
        "## Intended use, consent and limits\n\n" + _limits(data, consent),
    ]
    return ModelCard(f"---\n{header.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n")


def _summary(name: str, made_with: Mapping[str, Any], record: ModelRecord) -> str:
    network = made_with["network"]
    placement, transformer, encoder = network["placement"], network["transformer"], network["encoder"]
    gaussians = placement["tokens"] * placement["gaussians_per_token"]
    parameters = record.about.get("parameters")
    size = f", {parameters / 1e6:.2f} million parameters" if parameters else ""
    return (
        f"# {name}\n\nPhotos of a person in, an animatable full-body avatar of 3D Gaussians out: Large-scale Codec "
        f"Avatars ([paper]({PAPER}), an independent implementation). {placement['tokens']} tokens, {gaussians} "
        f"Gaussians on the body model `{made_with['body']['name']}`, {transformer['layers']} layers of width "
        f"{transformer['width']}, image encoder `{encoder['name']}`{size}."
    )


def _use(hub_id: str, record: ModelRecord) -> str:
    lines = [f"lca create photo_1.jpg photo_2.jpg --model {hub_id} --output me.avatar"] if record.settings else []
    lines += [
        f"ns-train lca-posttrain --pipeline.model.pretrained {hub_id} --data DATASET  # and its network options",
        f"python -c 'from lca_method.networks import LCA; network = LCA.from_pretrained(\"{hub_id}\")'",
    ]
    return "```bash\n" + "\n".join(lines) + "\n```"


def _data(data: Sequence[Mapping[str, Any]]) -> str:
    if not data:
        return "Not recorded."
    lines = ["| dataset | kind | people | pictures | source | licence |", "|---|---|---|---|---|---|"]
    for facts in data:
        if facts["known"]:
            people, pictures = _counts(facts["people"]), _counts(facts["pictures"])
            cells = [facts["name"], facts["kind"], people, pictures, facts["source"], facts["licence"]]
        else:
            cells = [facts["name"], *["not at hand when this card was written"] * 5]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return f"{sum(counts.values())} ({', '.join(f'{number} {name}' for name, number in counts.items())})"


def _training(record: ModelRecord, trained_on: str | None) -> str:
    lines = [f"- method: `{record.method}`", f"- steps: {record.steps}"]
    lines.append(f"- weights: {'moving average over the steps' if record.averaged else 'of the last step'}")
    lines += [f"- {name}: {_plain(value)}" for name, value in record.about.get("training", {}).items()]
    if began := record.about.get("began_from"):
        lines.append(f"- began with the weights of: {began}")
    lines.append(f"- machine: {trained_on or 'not recorded'}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return " to ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def _evaluation(evaluation: Mapping[str, Any] | None) -> str:
    if evaluation is None:
        return "Not measured."
    measured = [metric for metric in _METRICS if any(metric in row for row in evaluation["rows"])]
    headings = ["test set", "reference pictures", "people", "pictures", *(_METRICS[metric] for metric in measured)]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in evaluation["rows"]:
        cells = [row["test_set"], *(str(row[key]) for key in ("references", "subjects", "images"))]
        cells += [_number(metric, row.get(metric)) for metric in measured]
        lines.append("| " + " | ".join(cells) + " |")
    return (
        f"On person pixels of people who were held out, means over people, by\n\n    {evaluation['command']}\n\n"
        + "\n".join(lines)
    )


def _number(metric: str, value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if metric == "psnr" else f"{value:.4f}"


def _results(evaluation: Mapping[str, Any] | None) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="image-to-3d",
            dataset_type=row["test_set"],
            dataset_name=f"{row['test_set']}, {row['references']} reference pictures",
            metric_type=metric,
            metric_value=round(row[metric], 4),
        )
        for row in (evaluation or {"rows": []})["rows"]
        for metric in _METRICS
        if metric in row
    ]


def _licences(licence: str, made_with: Mapping[str, Any], data: Sequence[Mapping[str, Any]]) -> str:
    lines = ["- code: Apache-2.0", f"- these weights: {licence}"]
    lines += [f"- data `{facts['name']}`: {facts['licence']}" for facts in data if facts["known"]]
    encoder = made_with["network"]["encoder"]
    if encoder["name"] != "patch":
        lines.append(f"- image encoder `{encoder['name']}`: not part of this model; its own licence holds")
    return "\n".join(lines)


def _limits(data: Sequence[Mapping[str, Any]], consent: str | None) -> str:
    synthetic = bool(data) and all(facts["known"] and facts["source"].startswith(SYNTHETIC) for facts in data)
    if consent:
        agreed = f"How the people in the data agreed, as stated by who shares this model: {consent}"
    elif synthetic:
        agreed = "All people in its data are synthetic: they are drawn by a program and show nobody."
    else:
        agreed = "Whether the people in its data agreed has not been stated: ask who shares this model before using it."
    return (
        "For avatars of people who have agreed to them, for research and for the people themselves. Not for showing "
        "anybody doing or saying what they did not, nor for finding out who somebody is.\n\n"
        f"{agreed}\n\n"
        "What no picture shows is guessed from the people in the data, and people unlike them come out worse. "
        "Loose clothing and long hair follow the body. Do not take the figures above for other data."
    )

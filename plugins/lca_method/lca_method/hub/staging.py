"""What is pushed, put together in a temporary folder: safetensors, JSON and a card of a model; links to the rest."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lca_dataparsers.dataset.sources import SOURCES_FILE
from lca_method.avatar.bundle import SUFFIX, load_avatar
from lca_method.checkpoints import find_checkpoint, load_checkpoint, model_state
from lca_method.hub.folder_cards import avatar_card, dataset_card
from lca_method.hub.kinds import AVATAR, CARD_FILE, DATASET, LAST_STEP_FILE, MODEL, Kind, is_dataset
from lca_method.hub.model_card import model_card
from lca_method.hub.model_folder import (
    as_checkpoint,
    read_config,
    read_record,
    read_weights,
    state_of,
    write_model,
    write_weights,
)
from lca_method.hub.run_facts import EVALUATION, SYNTHETIC, dataset_facts, record_of_run
from lca_method.plain_configs import from_text_tensor
from lca_shared.errors import UserError


@dataclass(frozen=True)
class CardWords:
    """What a card says that no file knows. A model's folder keeps its own card if none of these is given."""

    hub_id: str
    licence: str | None = None
    consent: str | None = None
    trained_on: str | None = None


@dataclass(frozen=True)
class Staged:
    """Ready to be pushed."""

    kind: Kind
    folder: Path
    left_out: list[str]
    """Files of the source that do not belong to it."""
    shows_people: bool
    """Real ones, as far as is known: to be shared in public only with a word about consent."""


@contextmanager
def staged(path: Path, words: CardWords, half: bool = False) -> Iterator[Staged]:
    """Put together what ``path`` (a training run, a checkpoint in it, a model's folder, an avatar or a dataset) shares.

    The folder is gone when the block ends. The same run always gives the same bytes.

    Raises:
        UserError: ``path`` is none of these, or is not whole.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist. Name a training run, a model's folder, an avatar or a dataset.")
    with TemporaryDirectory(prefix="lca-push-") as name:
        folder = Path(name)
        if path.suffix == SUFFIX:
            yield _avatar(path, folder, words)
        elif is_dataset(path):
            yield _dataset(path, folder, words)
        else:
            write_shared_model(path, folder, words, half)
            yield Staged(MODEL, folder, [], shows_people=False)


def write_shared_model(path: Path, folder: Path, words: CardWords, half: bool = False, results: bool = True) -> None:
    """Write a model as it is shared: config.json, model.safetensors, card; the last step's weights beside averaged
    ones, and ``lca eval``'s results if they are about this checkpoint.

    Args:
        path: of a run, a checkpoint in it, or a model's folder.
        folder: what to write.
        words: for the card.
        half: weight matrices in float16.
        results: with the files of ``lca eval`` (its table is on the card in any case).

    Raises:
        UserError: there is no model at ``path``.
    """
    weights = find_checkpoint(path)
    if weights.suffix == ".safetensors":
        checkpoint, record, source = as_checkpoint(weights), read_record(weights.parent), weights.parent
        made_with = read_config(source)["made_with"]
        last_step = read_weights(source / LAST_STEP_FILE) if (source / LAST_STEP_FILE).is_file() else None
    else:
        checkpoint, source = load_checkpoint(weights), weights.parent.parent
        state = model_state(checkpoint)
        if "made_with" not in state:
            raise UserError(f"{weights} holds no LCA model. Name one that `ns-train lca-...` wrote.")
        made_with, record = from_text_tensor(state["made_with"]), record_of_run(weights, checkpoint)
        last_step = state_of(checkpoint, averaged=False) if record.averaged else None
    write_model(folder, state_of(checkpoint), made_with, record, half=half)
    if last_step is not None and not half:
        write_weights(folder / LAST_STEP_FILE, last_step)
    if results and record.about.get("evaluation"):
        for name in ("eval.json", "eval.md", "per_image.csv"):
            if (source / EVALUATION.parent / name).is_file():
                (folder / EVALUATION.parent).mkdir(exist_ok=True)
                shutil.copyfile(source / EVALUATION.parent / name, folder / EVALUATION.parent / name)
    for name in ("LICENSE", "LICENSE.txt"):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    own = source / CARD_FILE
    new_words = words.licence or words.consent or words.trained_on
    if weights.suffix == ".safetensors" and own.is_file() and not new_words:
        shutil.copyfile(own, folder / CARD_FILE)
        return
    card = model_card(
        words.hub_id.split("/")[-1],
        made_with,
        record,
        hub_id=words.hub_id,
        licence=words.licence or "unknown",
        consent=words.consent,
        trained_on=words.trained_on,
    )
    (folder / CARD_FILE).write_text(str(card))


def _avatar(path: Path, folder: Path, words: CardWords) -> Staged:
    load_avatar(path)  # says what is wrong with it
    left_out = _link(path, folder, AVATAR)
    (folder / CARD_FILE).write_text(str(avatar_card(path, words.hub_id, words.licence, words.consent)))
    return Staged(AVATAR, folder, left_out, shows_people=True)


def _dataset(path: Path, folder: Path, words: CardWords) -> Staged:
    if found := next(path.glob(f"subjects/*/{SOURCES_FILE}"), None):
        raise UserError(
            f"{found} says that pictures stayed in the capture: the dataset is not whole without it. Import it with "
            "`--images copy`, or make shards of it with `lca-data shard`."
        )
    facts = dataset_facts(path)
    if not facts["known"]:
        raise UserError(f"{path} is not a readable dataset. `lca-data inspect {path}` says why.")
    left_out = _link(path, folder, DATASET)
    if not (path / CARD_FILE).is_file():
        (folder / CARD_FILE).write_text(str(dataset_card(path, words.hub_id, words.licence, words.consent)))
    return Staged(DATASET, folder, left_out, shows_people=not facts["source"].startswith(SYNTHETIC))


def _link(source: Path, folder: Path, kind: Kind) -> list[str]:
    """Links to the files that belong to a kind; the names of the others."""
    left_out = []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_dir():
            continue
        if not kind.owns(name):
            left_out.append(name)
        elif not (kind is AVATAR and name == CARD_FILE):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path.resolve())
    return left_out

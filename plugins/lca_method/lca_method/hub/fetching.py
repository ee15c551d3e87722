"""From the Hub to this machine: into the Hub's own cache to be used, or into a folder of the user's."""

import glob
import re
import shutil
from pathlib import Path

from lca_method.hub.digests import check_digests
from lca_method.hub.failures import hub_errors
from lca_method.hub.hub_id import HubId
from lca_method.hub.kinds import AVATAR, DATASET, DATASET_MARKS, MODEL, Kind
from lca_shared.errors import UserError

_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MARKS = {"avatar.safetensors": AVATAR, "model.safetensors": MODEL}


def cached(hub: HubId, kind: Kind) -> Path:
    """A folder in the Hub's cache with the files that use needs, verified each time.

    Without network, or with ``HF_HUB_OFFLINE``, it is what was fetched before.

    Raises:
        UserError: see :func:`hub_errors`; or the repository holds no such thing, or a file is damaged.
    """
    from huggingface_hub import snapshot_download

    with hub_errors(hub):
        patterns = None if kind.needed is None else list(kind.needed)
        folder = Path(
            snapshot_download(hub.repository, repo_type=kind.repository, revision=hub.revision, allow_patterns=patterns)
        )
    if missing := [name for name in kind.needed or () if not (folder / name).is_file()]:
        raise UserError(f"{hub} on the Hub holds no {kind.name} of this project: it has no {', '.join(missing)}.")
    files = [path for path in folder.rglob("*") if path.is_file()]
    # The cache links each file to its content, named by its checksum (which may be a link again, named otherwise).
    blobs = {path: path.readlink().name if path.is_symlink() else "" for path in files}
    if not all(_DIGEST.fullmatch(name) for name in blobs.values()):  # a disk without symbolic links
        known = _listed(hub, kind.repository, folder.name)
        blobs = {path: known[path.relative_to(folder).as_posix()] for path in files}
    check_digests(blobs, hub)
    return folder


def pull(hub: HubId, output: Path | None, overwrite: bool) -> tuple[Kind, Path, list[str]]:
    """Fetch a whole repository into a folder, which appears when everything is there and verified.

    What was fetched stays in ``.NAME.pulling`` beside it until then: the next try goes on with it.

    Args:
        hub: what.
        output: the folder; by default named as the repository, in the current folder.
        overwrite: replace a folder of that name.

    Returns:
        What it is, where it is, and the repository's files that were left out.

    Raises:
        UserError: see :func:`cached`; or ``output`` exists or cannot be written.
    """
    from huggingface_hub import snapshot_download

    repository, commit, files = _contents(hub)
    kind = _kind(hub, repository, files)
    folder = _output(hub, kind, output, overwrite)
    wanted = {name: digest for name, digest in files.items() if kind.owns(name)}
    left_out = sorted(name for name in files if name not in wanted and name != ".gitattributes")
    partial = folder.with_name(f".{folder.name}.pulling")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with hub_errors(hub):
            snapshot_download(
                hub.repository,
                repo_type=repository,
                revision=commit,
                local_dir=partial,
                ignore_patterns=[glob.escape(name) for name in files if name not in wanted],
            )
        check_digests({partial / name: digest for name, digest in wanted.items()}, hub)
        shutil.rmtree(partial / ".cache", ignore_errors=True)
        for path in partial.rglob("*"):
            if path.is_file() and path.relative_to(partial).as_posix() not in wanted:
                path.unlink()  # of an earlier try at another revision
        _put_in_place(partial, folder)
    except OSError as error:
        raise UserError(f"Cannot write {folder} ({error.strerror or error}). Choose another --output.") from error
    return kind, folder, left_out


def _contents(hub: HubId) -> tuple[str, str, dict[str, str]]:
    """Kind of repository, commit, and checksums of its files."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    api = HfApi()
    with hub_errors(hub):
        repository = hub.kind or "model"
        try:
            info = api.repo_info(hub.repository, repo_type=repository, revision=hub.revision)
        except RepositoryNotFoundError:
            if hub.kind is not None:
                raise
            repository = "dataset"
            info = api.repo_info(hub.repository, repo_type=repository, revision=hub.revision)
        commit = str(info.sha)
    return repository, commit, _listed(hub, repository, commit)


def _listed(hub: HubId, repository: str, commit: str) -> dict[str, str]:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    with hub_errors(hub):
        entries = list(HfApi().list_repo_tree(hub.repository, recursive=True, revision=commit, repo_type=repository))
    return {e.path: e.lfs.sha256 if e.lfs else e.blob_id for e in entries if isinstance(e, RepoFile)}


def _kind(hub: HubId, repository: str, files: dict[str, str]) -> Kind:
    if repository == "dataset" and any(name in files for name in DATASET_MARKS):
        return DATASET
    for mark, kind in _MARKS.items():
        if repository == kind.repository and mark in files and "config.json" in files:
            return kind
    raise UserError(f"{hub} on the Hub holds no model, avatar or dataset of this project.")


def _output(hub: HubId, kind: Kind, output: Path | None, overwrite: bool) -> Path:
    suffix = ".avatar" if kind is AVATAR else ""
    folder = Path(hub.name.removesuffix(suffix) + suffix) if output is None else output
    if not folder.name.endswith(suffix):
        raise UserError(f"--output {folder}: {hub} is an avatar: a folder whose name ends with {suffix}.")
    if folder.exists() and not overwrite:
        raise UserError(f"{folder} exists already. Name another folder with --output, or give --overwrite.")
    return folder


def _put_in_place(partial: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)

"""From a folder here to a repository on the Hub."""

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import LocalTokenNotFoundError
from huggingface_hub.utils import get_token

from lca_method.hub.failures import hub_errors
from lca_method.hub.hub_id import hub_id
from lca_method.hub.push_command import PushConfig
from lca_method.hub.staging import CardWords, Staged, staged
from lca_shared.errors import UserError


def push(config: PushConfig) -> None:
    """See :func:`lca_method.hub.push_command.run`."""
    hub = hub_id(config.hub_id).at(config.revision)
    words = CardWords(hub.repository, config.licence, config.consent, config.trained_on)
    with hub_errors(hub):
        if get_token() is None:
            raise LocalTokenNotFoundError
    with staged(config.path, words, config.half) as ready:
        if hub.kind not in (None, ready.kind.repository):
            raise UserError(f"{config.path} is a {ready.kind.name}, not a {hub.kind}: leave out {hub.kind}s/.")
        _check_consent(config, ready)
        files = [path for path in ready.folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        with hub_errors(hub):
            api = HfApi()
            api.create_repo(
                hub.repository, repo_type=ready.kind.repository, private=config.private or None, exist_ok=True
            )
            if hub.revision not in (None, constants.DEFAULT_REVISION):
                api.create_branch(
                    hub.repository, repo_type=ready.kind.repository, branch=str(hub.revision), exist_ok=True
                )
            commit = api.upload_folder(
                folder_path=ready.folder,
                repo_id=hub.repository,
                repo_type=ready.kind.repository,
                revision=hub.revision,
                commit_message=config.message or f"{ready.kind.name.capitalize()}, pushed with lca push",
            )
    if ready.left_out:
        print(f"Left out, as they are no part of {ready.kind.name}s: {_some(ready.left_out)}.")
    prefix = "datasets/" if ready.kind.repository == "dataset" else ""
    print(
        f"Pushed {len(files)} files ({size / 2**20:.1f} MB) to {constants.ENDPOINT}/{prefix}{hub.repository}, commit "
        f"{commit.oid[:12]}. Next: lca pull {prefix}{hub}"
    )


def _check_consent(config: PushConfig, ready: Staged) -> None:
    if ready.shows_people and not config.consent and not config.private:
        raise UserError(
            f"{config.path} shows people: say on the card how they have agreed, with --consent 'SENTENCE', or push it "
            "with --private."
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

"""What can go wrong between here and the Hub, as one line each."""

from collections.abc import Iterator
from contextlib import contextmanager

from lca_shared.errors import UserError

_LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens"


@contextmanager
def hub_errors(name: object) -> Iterator[None]:
    """Turn the client's exceptions into one line with a way out.

    Args:
        name: the repository that is spoken of.

    Raises:
        UserError: no network, offline, no or a wrong token, no such repository or revision, gated, refused, damaged.
    """
    import httpx2  # the client's own; its connection errors have no other name
    from huggingface_hub import constants, errors

    try:
        yield
    except errors.HFValidationError as error:
        raise UserError(f"{name} is no name on the Hub: write OWNER/NAME or OWNER/NAME@REVISION.") from error
    except (OSError, ValueError, RuntimeError, httpx2.HTTPError) as error:
        raise UserError(_line(str(name), constants.ENDPOINT, error)) from error


def _line(name: str, endpoint: str, error: BaseException) -> str:
    import httpx2
    from huggingface_hub import errors

    chain = _chain(error)

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((link for link in chain if isinstance(link, kinds)), None)

    if first(errors.OfflineModeIsEnabled):
        return (
            f"{name} is not (or not wholly) in the cache, and HF_HUB_OFFLINE is set. Unset it, or fetch {name} on this "
            "machine first."
        )
    if first(errors.LocalTokenNotFoundError):
        return f"There is no token for {endpoint}. {_LOG_IN}."
    if first(errors.GatedRepoError):
        return f"{name} is gated: ask for access at {endpoint}/{name.split('@')[0]}. {_LOG_IN}."
    if first(errors.RepositoryNotFoundError):
        return (
            f"There is no repository {name} on {endpoint}, or it is private and this token does not open it. Check the "
            f"name. {_LOG_IN}."
        )
    if first(errors.RevisionNotFoundError):
        return f"{name}: the repository has no such branch, tag or commit."
    refused = first(errors.HfHubHTTPError)
    if isinstance(refused, errors.HfHubHTTPError):
        return f"{name}: {endpoint} refused it ({_reason(refused)})." + _way_out(refused)
    if first(httpx2.TransportError, errors.LocalEntryNotFoundError):
        return (
            f"{endpoint} cannot be reached, and {name} is not wholly in the cache. Check the network and HF_ENDPOINT; "
            "the same command goes on where this one stopped."
        )
    return f"{name}: {_first_line(error)} The same command goes on where this one stopped."


def _chain(error: BaseException | None) -> list[BaseException]:
    links = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or error.__context__
    return links


def _reason(error: object) -> str:
    response = getattr(error, "response", None)
    said = getattr(error, "server_message", None)
    status = f"HTTP {response.status_code}" if response is not None else "no answer"
    return f"{status}: {_first_line(said)}" if said else status


def _way_out(error: object) -> str:
    response = getattr(error, "response", None)
    status = response.status_code if response is not None else 0
    if status == 401:
        return f" {_LOG_IN}."
    if status == 403:
        return " The token must be allowed to write there."
    return " The same command goes on where this one stopped." if status >= 429 else ""


def _first_line(error: object) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    return line if line.endswith((".", ")")) else line + "."

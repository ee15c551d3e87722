"""The same tasks on a Ray cluster."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lca_dataparsers.processing.workers import Failure
from lca_shared.errors import UserError

_AHEAD = 4
"""Tasks per core that are handed to the cluster at a time: it need not remember a million."""


def run_on_ray(
    work: Callable[..., Any], tasks: Mapping[str, tuple], address: str, jobs: int = 0
) -> Iterator[tuple[str, Any]]:
    """``work(*arguments)`` of every task, one core each, as they finish; see :func:`.workers.run_isolated`.

    Args:
        work: what is done.
        tasks: arguments by name; files that they name must be visible to all machines under the same paths.
        address: ``local`` starts Ray on this machine; ``auto`` or an address joins a cluster.
        jobs: cores that a local one may use; 0 = all.

    Raises:
        UserError: Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]  # an optional extra
    except ImportError as error:
        raise UserError("--ray needs Ray: pip install 'lca-dataparsers[ray]'") from error
    options: dict[str, Any] = {"num_cpus": jobs or None} if address == "local" else {"address": address}
    try:
        ray.init(include_dashboard=False, log_to_driver=False, **options)
    except (Exception, SystemExit) as error:  # plain ones when it cannot start, an exit when nobody answers
        raise UserError(
            f"No Ray cluster can be reached at {address!r} ({error}). --ray local starts one here."
        ) from error
    try:
        remote = ray.remote(num_cpus=1, max_retries=1)(work)
        most = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting, running = list(tasks.items())[::-1], {}
        while waiting or running:
            while waiting and len(running) < most:
                name, arguments = waiting.pop()
                running[remote.remote(*arguments)] = name
            done, _ = ray.wait(list(running), num_returns=1)
            for reference in done:
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayError as error:
                    result = Failure(str(error).strip().splitlines()[-1])
                yield running.pop(reference), result
    finally:
        ray.shutdown()

"""``lca-train``: ns-train's arguments, with one process or several, on CUDA or not, started here or by torchrun.

ns-train starts several processes on CUDA alone. On a CPU they speak through gloo.
"""

import os
import socket
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import tyro
import yaml
from nerfstudio.configs.method_configs import AnnotatedBaseConfigUnion
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.scripts.train import train_loop
from nerfstudio.utils import comms, profiler

from lca_method.lca_trainer import user_errors_end_the_command
from lca_shared.errors import UserError

TIMEOUT = timedelta(minutes=30)
"""After which a process that waits in vain for another gives up."""


def main() -> None:
    """Entry point of ``lca-train``."""
    config = tyro.cli(AnnotatedBaseConfigUnion, description="Train: ns-train's arguments, any number of processes.")
    with user_errors_end_the_command():
        run(config)


def run(config: TrainerConfig) -> None:
    """Train with as many processes as ``config.machine`` says, or as one of torchrun's.

    Raises:
        UserError: more devices than there are, or several machines without an address to meet at.
    """
    if config.data:
        config.pipeline.datamanager.data = config.data
    if config.load_config:
        config = yaml.load(config.load_config.read_text(), Loader=yaml.Loader)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        _run_as_one_of_torchruns(config)
        return
    machine = config.machine
    world_size = machine.num_devices * machine.num_machines
    if machine.device_type == "cuda" and machine.num_devices > torch.cuda.device_count():
        raise UserError(
            f"--machine.num-devices is {machine.num_devices}, but there are {torch.cuda.device_count()} CUDA devices. "
            "Train on the CPU with `--machine.device-type cpu`."
        )
    address = machine.dist_url
    if address == "auto":
        if machine.num_machines > 1:
            raise UserError("Several machines need a place to meet: --machine.dist-url tcp://HOST:PORT.")
        address = f"tcp://127.0.0.1:{_free_port()}"
    config.set_timestamp()
    if machine.machine_rank == 0:
        config.print_to_terminal()
        config.save_config()
    try:
        if world_size == 1:
            train_loop(local_rank=0, world_size=1, config=config)
        else:
            mp.spawn(_process, args=(config, world_size, address), nprocs=machine.num_devices)
    except mp.ProcessExitedException as error:  # it has said why
        raise SystemExit(error.exit_code or 1) from error
    finally:
        profiler.flush_profiler(config.logging)


def _process(local_rank: int, config: TrainerConfig, world_size: int, address: str) -> None:
    rank = config.machine.machine_rank * config.machine.num_devices + local_rank
    _train_together(config, address, rank, local_rank, world_size)


def _run_as_one_of_torchruns(config: TrainerConfig) -> None:
    rank, local_rank, world_size, local_size = (
        int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    )
    config.machine.num_devices, config.machine.num_machines = local_size, world_size // local_size
    config.machine.machine_rank = rank // local_size
    _train_together(config, "env://", rank, local_rank, world_size)


def _train_together(config: TrainerConfig, address: str, rank: int, local_rank: int, world_size: int) -> None:
    """Join the other processes and train."""
    machine = config.machine
    if machine.device_type == "cuda":
        torch.cuda.set_device(local_rank)
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // machine.num_devices))
    backend = "nccl" if machine.device_type == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=address, world_size=world_size, rank=rank, timeout=TIMEOUT)
    for index in range(machine.num_machines):
        ranks = list(range(index * machine.num_devices, (index + 1) * machine.num_devices))
        group = dist.new_group(ranks)
        if rank in ranks:
            comms.LOCAL_PROCESS_GROUP = group
    if address == "env://":  # everybody's run is one folder: the first process names it and writes its config
        if rank == 0:
            config.set_timestamp()
            config.print_to_terminal()
            config.save_config()
        named = [config.timestamp]
        dist.broadcast_object_list(named)
        config.timestamp = str(named[0])
    try:
        train_loop(local_rank, world_size, config, rank)
    finally:
        dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


if __name__ == "__main__":
    sys.argv[0] = "lca-train"
    main()

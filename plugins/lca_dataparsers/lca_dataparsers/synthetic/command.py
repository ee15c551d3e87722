"""``lca-data synth``: a dataset of synthetic people with exact truth."""

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from lca_shared.errors import UserError


@dataclass(frozen=True)
class SynthConfig:
    """Make a dataset of synthetic people: ray-cast, with exact cameras, poses, expressions, gaze and masks."""

    output_dir: Path
    """The dataset's folder. Subjects made with the same settings are kept: a killed run goes on where it stopped."""
    kind: Literal["wild", "studio"] = "wild"
    """wild: one moving camera, rooms and streets, partial views. studio: a ring of calibrated cameras, plain."""
    subjects: int = 10
    """How many people."""
    frames: int = 12
    """Moments per person; a studio gives frames x cameras pictures."""
    cameras: int = 8
    """Cameras of a studio."""
    size: int = 256
    """Side of the square pictures, pixels."""
    fps: float = 4.0
    """Moments per second."""
    partial: float = 0.2
    """Share of a wild clip framed closer than the whole body, 0 to 1."""
    framing: Literal["body", "head", "hands"] = "body"
    """What a wild clip follows: the person as ``--partial`` says, the face from the front, or one of the hands."""
    lights: bool = False
    """A studio with a light stage: fully lit moments and moments lit by five of its lights take turns."""
    even_light: bool = False
    """Light from all sides alike, as in a capture dome, instead of a key light and a sky."""
    garment: Literal["skirt", "dress", "coat"] | None = None
    """Everybody wears this loose garment and walks; it swings as cloth does, and has a mask of its own."""
    seed: int = 0
    """The same settings and seed give the same bytes."""
    test_subjects: int = 0
    """How many of the people (the last ones) are in the test split."""
    workers: int = 0
    """Processes; 0 = one per core."""
    image_format: Literal["jpg", "png"] = "jpg"
    """jpg of quality 95, or lossless png."""


def run(config: SynthConfig) -> None:
    """Make the dataset.

    Raises:
        UserError: a setting makes no sense, or the folder cannot be used.
    """
    _check(config)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread per process, also in those started below
    with _workers(config) as start:
        todo, others = start("begin", config).result()
        kept = config.subjects - len(todo)
        with tqdm(total=config.subjects, initial=kept, unit="person", desc="synth", disable=None) as progress:
            for done in as_completed([start("write_subject", config, index) for index in todo]):
                done.result()
                progress.update()
    if others:
        print(f"{config.output_dir} holds {others} more subjects of earlier runs.")
    views = config.cameras if config.kind == "studio" else 1
    print(
        f"Wrote {len(todo)} subjects ({kept} were there already) of {config.frames * views} images to "
        f"{config.output_dir}. Next: lca-data inspect {config.output_dir}"
    )


def split_of(config: SynthConfig, index: int) -> str:
    """``test`` for the last ``test_subjects`` people, else ``train``."""
    return "test" if index >= config.subjects - config.test_subjects else "train"


def fingerprint(config: SynthConfig, index: int) -> str:
    """A short hash of everything a subject's files depend on."""
    from lca_dataparsers import __version__

    settings = asdict(config)
    for name in ("output_dir", "subjects", "workers", "test_subjects"):
        settings.pop(name)
    if config.framing == "body":  # datasets made before there was a choice stay valid
        settings.pop("framing")
    if not config.lights:
        settings.pop("lights")
    if not config.even_light:
        settings.pop("even_light")
    if config.garment is None:
        settings.pop("garment")
    settings |= {"split": split_of(config, index), "version": __version__}
    return hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:16]


@contextmanager
def _workers(config: SynthConfig) -> Iterator[Callable[..., Future]]:
    """Yield what calls a function of ``writing`` by name, in one of several processes or, for one worker, here.

    With several, this process stays without torch and Open3D: importing them takes seconds, which the workers spend at
    the same time.
    """
    workers = min(config.workers or os.cpu_count() or 1, config.subjects)
    if workers <= 1:
        with _one_thread():
            yield _call_here
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        for _ in range(workers):
            pool.submit(_call, "ready")
        try:
            yield partial(pool.submit, _call)
        except BrokenProcessPool as error:
            raise UserError(
                f"A process that was rendering died (out of memory?). What is finished is kept in {config.output_dir}: "
                "run the same command again, with fewer --workers."
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _call(name: str, *arguments: object) -> Any:
    return getattr(import_module("lca_dataparsers.synthetic.writing"), name)(*arguments)


def _call_here(name: str, *arguments: object) -> Future:
    done: Future = Future()
    done.set_result(_call(name, *arguments))
    return done


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: otherwise a killed command leaves it waiting forever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums depend on the number of threads; one makes pictures repeatable."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check(config: SynthConfig) -> None:
    for name, low in (("subjects", 1), ("frames", 1), ("cameras", 1), ("size", 32), ("workers", 0)):
        if getattr(config, name) < low:
            raise UserError(f"--{name.replace('_', '-')} must be at least {low}, not {getattr(config, name)}.")
    if not 0 <= config.test_subjects <= config.subjects:
        raise UserError(f"--test-subjects must lie between 0 and --subjects ({config.subjects}).")
    if not config.fps > 0 or not 0 <= config.partial <= 1:
        raise UserError("--fps must be positive and --partial between 0 and 1.")
    if config.lights and config.kind != "studio":
        raise UserError("--lights needs --kind studio: light stages have calibrated cameras.")
    if config.lights and config.even_light:
        raise UserError("--even-light and --lights exclude each other: a light stage has lights of its own.")
    if config.kind == "studio" and config.framing != "body":
        raise UserError("--framing is for --kind wild: a studio's cameras stand still.")

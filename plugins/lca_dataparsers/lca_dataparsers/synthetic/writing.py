"""Writing synthetic subjects into a dataset; imported by the processes that render."""

import torch

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.dataset.schema import DatasetInfo
from lca_dataparsers.dataset.writer import DatasetWriter
from lca_dataparsers.synthetic.body_fields import body_fields
from lca_dataparsers.synthetic.command import SynthConfig, fingerprint, split_of
from lca_dataparsers.synthetic.light_stage import stage_rig
from lca_dataparsers.synthetic.subject import CaptureSpec, subject_frames, subject_info


def ready() -> None:
    """Nothing: by the time it is called, everything is imported, and what every subject needs is made."""
    body_fields()


def begin(config: SynthConfig) -> tuple[list[int], int]:
    """Make or check the dataset folder before subjects are written, and remove what a killed run left.

    Returns:
        The subjects that are to be made, and the number of those that belong to other settings' runs.
    """
    open_writer(config).remove_leftovers()
    existing = AvatarDataset.open(config.output_dir).subjects
    ours = {f"person_{index:04d}": index for index in range(config.subjects)}
    made = {
        name
        for name, subject in existing.items()
        if name in ours and subject.info.report.get("settings") == fingerprint(config, ours[name])
    }
    return [index for name, index in ours.items() if name not in made], len(existing.keys() - ours.keys())


def open_writer(config: SynthConfig) -> DatasetWriter:
    """The dataset's writer (``dataset.json`` is written if absent)."""
    body = body_fields().body
    info = DatasetInfo(
        kind=config.kind,
        body_model=body.name,
        driven_joints=body.driven_joints,
        shape_names=body.shape_names,
        expression_names=body.expression_names,
        source="lca-data synth",
        licence="CC0-1.0",
    )
    return DatasetWriter(config.output_dir, info, image_format=config.image_format)


def write_subject(config: SynthConfig, index: int) -> None:
    """Render and write subject ``index``, replacing an older one."""
    torch.set_num_threads(1)
    spec = CaptureSpec(
        config.kind,
        config.frames,
        config.cameras if config.kind == "studio" else 1,
        config.size,
        config.fps,
        config.partial,
        config.seed,
        config.framing,
        config.lights,
        config.garment,
        config.even_light,
    )
    info, person = subject_info(spec, index, split_of(config, index), fingerprint(config, index))
    rig = stage_rig(config.seed) if config.lights else None
    open_writer(config).write_subject(info, subject_frames(spec, index, person), overwrite=True, lights=rig)

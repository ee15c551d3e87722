"""From token shards to avatars with their tokens."""

from genlca_method.editing.decode_command import DecodeConfig
from genlca_method.editing.editing import lca_of, save_editable
from genlca_method.editing.person import TokenPerson
from genlca_method.latents.token_data import never_shown
from genlca_method.sampling.generating import load_pipeline
from genlca_method.tokens.shards import TokenShards
from lca_method.avatar.bundle import SUFFIX, AvatarRecord
from lca_shared.errors import UserError


def decode(config: DecodeConfig) -> None:
    """See :func:`genlca_method.editing.decode_command.run`."""
    shards, made = TokenShards(config.tokens), load_pipeline(config.pipeline)
    if shards.info.checkpoint["sha256"] != lca_of(made):
        raise UserError(f"The tokens in {config.tokens} belong to another LCA model than the pipeline's.")
    of_people: dict[str, list[int]] = {}
    for index in range(len(shards)):
        info = shards.sample_info(index)
        if info.split == "test" if not config.people else info.subject in config.people:
            of_people.setdefault(info.subject, []).append(index)
    if missing := set(config.people) - set(of_people):
        raise UserError(f"{config.tokens} holds nobody called {sorted(missing)[0]}.")
    if not of_people:
        raise UserError(f"{config.tokens} holds nobody in the test split. Name people with --people.")
    always = never_shown(shards)
    for subject, indices in of_people.items():
        if not 0 <= config.sample < len(indices):
            raise UserError(f"There are {len(indices)} samples of {subject}, not {config.sample + 1}.")
        sample = shards[indices[config.sample]]
        person = TokenPerson(sample.vectors, (sample.counts > 0) | always, sample.shape)
        avatar = made.decoder.avatar(sample.vectors, sample.shape)
        rows = tuple(f"{subject}, row {row}" for row in sample.info.rows)
        origin = {"method": "genlca decode", "tokens": str(config.tokens), "lca_sha256": lca_of(made)}
        record = AvatarRecord(subject, rows, sample.info.licence, origin)
        path = config.output_dir / f"{subject}{SUFFIX}"
        save_editable(made, avatar, person, record, path, overwrite=config.overwrite)
    print(
        f"Wrote {len(of_people)} avatars to {config.output_dir}. Next: genlca edit {config.output_dir}/"
        f"{next(iter(of_people))}{SUFFIX} --pipeline {config.pipeline} --complete"
    )

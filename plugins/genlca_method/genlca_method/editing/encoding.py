"""From photos to an avatar with its tokens."""

import torch

from genlca_method.editing.encode_command import EncodeConfig
from genlca_method.editing.person import TokenPerson, write_person
from genlca_method.sampling.decoder import LCADecoder
from genlca_method.tokens.layout import TokenLayout
from genlca_method.visibility.anchor_views import VisibilityConfig
from genlca_method.visibility.people import person_views
from lca_method.analysis.people import ShownPeople
from lca_method.avatar.bundle import SUFFIX, AvatarRecord, save_avatar
from lca_method.avatar.create_command import CreateConfig
from lca_method.avatar.creating import dataset_of, preview, subject_of
from lca_method.checkpoints import fingerprint
from lca_method.trained_network import load_network
from lca_shared.body.anchors import SurfacePoints
from lca_shared.errors import UserError


def encode(config: EncodeConfig) -> None:
    """See :func:`genlca_method.editing.encode_command.run`."""
    if config.output.suffix != SUFFIX:
        raise UserError(f"--output {config.output}: give a name that ends with {SUFFIX}.")
    if not config.pictures or config.references < 1:
        raise UserError("Name photos, a video or a dataset, and a number of --references of at least 1.")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    trained = load_network(config.checkpoint, device)
    lca = fingerprint(trained.checkpoint)
    asked = CreateConfig(config.pictures, output=config.output, subject=config.subject, licence=config.licence)
    with dataset_of(asked) as (root, *_):
        people = ShownPeople.open(root, trained)
        subject = subject_of(asked, people)
        rows = people.reference_rows(subject, config.references)
        references, shape = people.references(subject, config.references), people.shape(subject)
        info = people.dataset.subjects[subject].info
    anchors = SurfacePoints(trained.network.token_faces, trained.network.token_barycentric)
    with torch.inference_mode():
        tokens = TokenLayout.of(trained.network.config).pack(trained.network.read(references, shape))
        valid = person_views(trained.body, anchors, shape, references, VisibilityConfig(angle=config.angle)).valid
    decoder = LCADecoder.of(trained, {"steps": trained.steps, "sha256": lca})
    person = TokenPerson(tokens.clone().cpu(), valid.clone().cpu(), shape.clone().cpu())
    avatar = decoder.avatar(person.tokens, person.shape)
    origin = {"method": "genlca encode", "steps": trained.steps, "sha256": lca}
    pictures = tuple(f"{subject}, row {row}" for row in rows)
    licence = config.licence if config.licence != "unknown" else info.licence
    record = AvatarRecord(config.output.name.removesuffix(SUFFIX), pictures, licence, origin)
    save_avatar(avatar, record, config.output, overwrite=config.overwrite)
    write_person(person, config.output, lca)
    preview(avatar, config.output, turntable=False)
    print(
        f"Wrote {config.output}: pictures showed {int(valid.sum())} of {len(valid)} anchors. Next: genlca edit "
        f"{config.output} --pipeline GENLCA_RUN --complete"
    )

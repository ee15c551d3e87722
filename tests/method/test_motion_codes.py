"""Driving by the learned codes of a video's own faces."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.drive_command import DriveConfig, run
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.motion_codes import with_codes
from lca_method.avatar.motion_files import read_motion
from lca_method.avatar.recorded import recorded
from lca_method.crops import CropReader, CropSizes
from lca_method.networks import LCA
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.expression_encoder import ExpressionEncoderConfig
from lca_shared.errors import UserError


@pytest.fixture
def coded(config, body) -> LCA:
    torch.manual_seed(0)
    encoder = ExpressionEncoderConfig(width=12, picture=16, channels=(8, 16), adapter_hidden=16)
    model = LCA(replace(config, driving=DrivingConfig(expression="code", encoder=encoder)), body)
    torch.nn.init.normal_(model.driving_vector.expression.readout.weight, std=0.3)
    torch.nn.init.normal_(model.driving_vector.expression.adapter[-1].bias, std=1.0)
    return model.eval()


@pytest.fixture
def bundle(coded, body, random_references, tmp_path: Path) -> Path:
    avatar = avatar_of(coded, coded.encode(random_references((), 1), torch.zeros(len(body.shape_names))))
    save_avatar(avatar, AvatarRecord("anna"), tmp_path / "anna.avatar")
    return tmp_path / "anna.avatar"


def test_a_bundle_reads_the_codes_that_its_model_reads(coded, bundle, people: Path) -> None:
    avatar, motion = load_avatar(bundle).avatar, read_motion(people, "bela")
    found = with_codes(motion, avatar, people, "bela").signal.code
    reader = CropReader(AvatarDataset.open(people), CropSizes(32, 32, 32, target_faces=True), 1)
    with torch.no_grad():
        expected = coded.driving_vector.expression.encoder.of(reader.faces("bela", recorded(people, "bela").rows))
    assert found is not None and expected.std(dim=0).max() > 0
    torch.testing.assert_close(found, expected)
    own = with_codes(motion, avatar, people / "subjects" / "bela").signal.code
    torch.testing.assert_close(own, expected)


def test_frames_without_a_face_take_the_nearest_code(bundle, people: Path, monkeypatch) -> None:
    avatar, motion = load_avatar(bundle).avatar, read_motion(people, "bela")
    whole = with_codes(motion, avatar, people, "bela").signal.code
    plain = CropReader.faces

    def one_hidden(self, subject, rows):
        faces = plain(self, subject, rows)
        seen = torch.tensor([0.0 if row in hidden else 1.0 for row in rows])
        return replace(faces, seen=seen)

    monkeypatch.setattr(CropReader, "faces", one_hidden)
    hidden = {0}
    code = with_codes(motion, avatar, people, "bela").signal.code
    assert code is not None and whole is not None
    torch.testing.assert_close(code, whole[[1, *range(1, len(motion))]])
    hidden = set(range(100))
    with pytest.raises(UserError, match="--expression coefficients"):
        with_codes(motion, avatar, people, "bela")


def test_models_driven_by_coefficients_need_no_pictures(model, body, random_references, people: Path) -> None:
    avatar = avatar_of(model, model.encode(random_references((), 1), torch.zeros(len(body.shape_names))))
    motion = read_motion(people, "bela")
    assert with_codes(motion, avatar, people / "nowhere") is motion
    assert with_codes(motion, avatar, people, "bela") is motion


def test_codes_and_coefficients_drive_otherwise(bundle, people: Path, tmp_path: Path) -> None:
    options = DriveConfig(bundle, people, tmp_path / "codes", subject="bela", size=(32, 32), camera="head", seconds=0.3)
    run(options)
    run(replace(options, output=tmp_path / "adapter", expression="coefficients"))
    first, second = (sorted((tmp_path / name).glob("*.png")) for name in ("codes", "adapter"))
    assert len(first) == len(second) > 0
    assert any(a.read_bytes() != b.read_bytes() for a, b in zip(first, second))

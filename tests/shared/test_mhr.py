"""MHR through the body protocol, with a made TorchScript module of the published one's signature and buffers."""

from pathlib import Path

import pytest
import torch
from mhr_file import SCALED, VERTICES, write_mhr
from torch import nn

from lca_shared.body import BodyModel, get_body_model
from lca_shared.body.mhr import EXPRESSIONS, IDENTITIES, JOINTS, PARAMETERS, POSE_PARAMETERS, load_mhr
from lca_shared.errors import MissingWeightsError, UserError


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mhr(tmp_path_factory.mktemp("weights") / "mhr" / "mhr_model.pt")


def test_poses_are_those_of_the_module(file: Path) -> None:
    """Identity, expression and pose through our own linear skinning are the module's, to the rounding."""
    model = load_mhr(file)
    random = torch.Generator().manual_seed(0)
    identity = torch.randn(1, IDENTITIES, generator=random).expand(2, -1)
    expression = torch.randn(2, EXPRESSIONS, generator=random)
    parameters = torch.zeros(2, PARAMETERS)
    parameters[:, :POSE_PARAMETERS] = 0.06 * torch.randn(2, POSE_PARAMETERS, generator=random)
    eyes = [JOINTS.index(name) for name in ("l_eye", "r_eye")]
    vertices, joints, _ = model.posed(identity, parameters, expression)
    body = model.body
    shaped = body.shaped(model.shape(identity[0], parameters[0]), expression)
    pose = model.pose(parameters)
    torch.testing.assert_close(body.posed(shaped.joints, pose).joints[:, 1:], joints[:, 1:], atol=2e-5, rtol=0)
    torch.testing.assert_close(body.skinned(shaped, pose), vertices, atol=2e-5, rtol=0)
    assert float(vertices.std()) > 0.05 and not any(i < 44 for i in eyes)


def test_scales_are_first_order(file: Path) -> None:
    """Halving a scale quarters what making it linear leaves out."""
    model = load_mhr(file)
    off = []
    for scale in (0.2, 0.1):
        parameters = torch.zeros(1, PARAMETERS)
        parameters[:, POSE_PARAMETERS : POSE_PARAMETERS + len(SCALED)] = scale
        parameters[:, 3:30] = 0.1
        _, joints, _ = model.posed(torch.zeros(1, IDENTITIES), parameters, torch.zeros(1, EXPRESSIONS))
        shaped = model.body.shaped(model.shape(torch.zeros(IDENTITIES), parameters[0]))
        off.append(float((model.body.posed(shaped.joints, model.pose(parameters)).joints - joints)[:, 1:].abs().max()))
    assert off[1] < 0.3 * off[0] < 0.02


def test_it_follows_the_protocol(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(file.parents[1]))
    get_body_model.cache_clear()
    body = get_body_model("mhr")
    assert isinstance(body, BodyModel) and body.name == "mhr"
    assert len(body.joint_names) == 127 and {"face", "head", "hands", "eyes", "mouth_interior"} <= body.regions.keys()
    assert body.regions["hands"].any() and not (body.regions["hands"] & body.regions["head"]).any()
    torch.testing.assert_close(body.skinning_weights.sum(dim=1), torch.ones(VERTICES))
    get_body_model.cache_clear()


def test_the_file_is_missing_or_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(tmp_path))
    get_body_model.cache_clear()
    with pytest.raises(MissingWeightsError, match="facebookresearch/MHR/releases"):
        get_body_model("mhr")
    path = tmp_path / "mhr" / "mhr_model.pt"
    path.parent.mkdir()
    path.write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="Download it again"):
        load_mhr(path)
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))
    with pytest.raises(UserError, match="buffers called"):
        load_mhr(path)

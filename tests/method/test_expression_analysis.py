"""Probes with known answers, pixels of a region, and what gaze moves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.analysis.expression_drive import ABLATIONS, driven_comparison
from lca_method.analysis.expression_probe import identity_probe, ridge_probe
from lca_method.analysis.expression_report import expression_report
from lca_method.analysis.expression_size import expression_size
from lca_method.analysis.region_pixels import region_pixels
from lca_method.batch import DrivingSignal, stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.networks import LCA
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.expression_encoder import ExpressionEncoderConfig
from lca_method.sampling import Draw
from lca_shared.body import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics

PEOPLE = torch.arange(6).repeat_interleave(10)


def test_a_code_that_is_the_coefficients_tells_them_all():
    torch.manual_seed(0)
    labels, others = torch.rand(60, 5), torch.rand(30, 5)
    turned = torch.linalg.qr(torch.randn(5, 5))[0]
    probe = ridge_probe(labels @ turned, labels, PEOPLE, others @ turned, others)
    assert probe.mean_r2 == pytest.approx(1.0, abs=1e-3)


def test_a_random_code_tells_nothing():
    torch.manual_seed(0)
    labels, others = torch.rand(60, 5), torch.rand(300, 5)
    probe = ridge_probe(torch.randn(60, 8), labels, PEOPLE, torch.randn(300, 8), others)
    assert -0.4 < probe.mean_r2 < 0.05
    people = torch.arange(8).repeat_interleave(100)
    result = identity_probe(torch.randn(800, 8), people)
    assert result.chance == pytest.approx(1 / 8) and result.frames == 400
    assert abs(result.logistic - 1 / 8) < 0.06 and abs(result.nearest_mean - 1 / 8) < 0.06


def test_coefficients_that_do_not_vary_are_left_out():
    labels = torch.rand(60, 3)
    labels[:, 1] = 0.3
    r2 = ridge_probe(labels, labels, PEOPLE, labels, labels).r2
    assert r2.isnan().tolist() == [False, True, False]


def test_a_code_that_names_its_owner_is_found_out():
    torch.manual_seed(0)
    codes = torch.eye(6)[PEOPLE] + 0.1 * torch.randn(60, 6)
    result = identity_probe(codes, PEOPLE)
    assert result.logistic == result.nearest_mean == 1.0


def camera_on(target: torch.Tensor, distance: float, focal: float, side: int = 64) -> Cameras:
    eye = look_at(target + torch.tensor([0.0, -distance, 0.0]), target)
    return Cameras(eye[None], pinhole_intrinsics(focal, side, side)[None], side, side)


def test_region_pixels_are_where_the_nearest_surface_is_of_the_region(body):
    eyes = body.template_vertices[body.regions["eyes"]].mean(dim=0)
    camera = camera_on(eyes, 1.0, 600.0)
    rest = DrivingSignal(BodyPose.rest(len(body.driven_joints), (1,)), torch.zeros(1, len(body.expression_names)))
    shape = torch.zeros(len(body.shape_names))
    left, right, both, face = region_pixels(body, shape, rest, camera, ["left_eye", "right_eye", "eyes", "face"])[0]
    assert 4 < left.sum() < 200 and not (left & right).any()
    assert torch.equal(left | right, both) and (both & ~face).any() and face.sum() > 500
    # the person's left is at larger x of the picture when they face the camera
    columns = torch.arange(64).expand(64, 64)
    assert columns[left].float().mean() > columns[right].float().mean()
    away = replace(rest, pose=replace(rest.pose, root_rotation=torch.tensor([[0.0, 0.0, torch.pi]])))
    assert region_pixels(body, shape, away, camera, ["eyes", "face"]).sum() < 10


def test_gaze_moves_the_eyes_and_nothing_else(model, body, random_references):
    """In the untrained model, whose deltas are zero: the eyeballs' Gaussians turn about the eyes' joints."""
    shape = torch.zeros(len(body.shape_names))
    code = model.encode(random_references((), 1), shape)
    rest = BodyPose.rest(len(body.driven_joints), (2,))
    gaze = torch.zeros(2, 2, 2)
    gaze[1, :, 0] = 0.4
    driving = DrivingSignal(replace(rest, gaze=gaze), torch.zeros(2, len(body.expression_names)))
    means = model.drive(code, driving)[1].means
    moved = (means[1] - means[0]).norm(dim=-1) > 1e-5
    of_eyes = body.regions["eyes"] | body.regions["eye_sockets"]
    eye_points = of_eyes[body.faces[model.gaussian_faces]].any(dim=-1)
    assert moved.any() and not (moved & ~eye_points).any()


def coded_model(config, body) -> LCA:
    torch.manual_seed(0)
    encoder = ExpressionEncoderConfig(width=12, picture=16, channels=(8, 16), adapter_hidden=16)
    return LCA(replace(config, driving=DrivingConfig(expression="code", encoder=encoder)), body)


@pytest.fixture
def reader(people: Path) -> CropReader:
    return CropReader(AvatarDataset.open(people), CropSizes(32, 16, 32, target_faces=True), 10**7)


def test_taking_away_what_changes_nothing_costs_nothing(config, body, reader):
    """Deltas and the template's expressions are zero; these people's coefficients, gaze and fingers are at rest."""
    batch = stacked([reader.batch("dora", [0], [2, 3])])
    model = coded_model(config, body)
    torch.nn.init.zeros_(model.driving_vector.expression.readout.weight)
    margins = driven_comparison(model, body, [batch])
    assert "expression" in margins and set(margins) <= set(ABLATIONS)
    for margin in margins.values():
        assert margin.driven == pytest.approx(margin.zeroed) and margin.margin == pytest.approx(0.0, abs=1e-5)


def test_the_report_holds_plain_numbers(config, body, reader):
    held_out = [Draw(name, (0,), (1, 2, 3)) for name in ("dora", "emil")]
    fitted = {name: range(6) for name in ("anna", "bela", "cleo")}
    model = coded_model(config, body)
    report = expression_report(model, body, reader, fitted, held_out)
    assert report["expression"]["frames"] > 0 and model.training
    assert 0 <= report["probe"]["identity"]["logistic"] <= 1
    assert report["probe"]["identity"]["chance"] == pytest.approx(0.5)
    assert 0 <= report["probe"]["size"]["size"] and -1 <= report["probe"]["size"]["correlation"] <= 1


def test_sizes_of_expressions_are_those_of_the_displacements(body):
    torch.manual_seed(0)
    true = torch.rand(30, len(body.expression_names))
    whole = expression_size(body, true, true)
    assert whole.size == pytest.approx(1, abs=1e-4) and whole.slope == pytest.approx(1, abs=1e-4)
    assert whole.deviation == pytest.approx(whole.true_deviation)
    third = expression_size(body, true / 3 + 0.2, true)  # what all frames share does not count
    assert third.size == pytest.approx(1 / 3, abs=1e-4) and third.correlation == pytest.approx(1, abs=1e-4)
    other = expression_size(body, true.roll(1, 0), true)
    assert other.size == pytest.approx(1, abs=1e-4) and abs(other.slope) < 0.5


def test_people_without_faces_are_not_probed(config, body, reader, monkeypatch):
    """Close-ups of hands: what hands are worth is measured all the same."""
    held_out = [Draw(name, (0,), (1, 2)) for name in ("dora", "emil")]
    for name in ("dora", "emil"):
        monkeypatch.setitem(reader.dataset.subjects[name].frames.columns, "confidence_face", np.zeros(6, np.float32))
    report = expression_report(coded_model(config, body), body, reader, {"anna": range(6)}, held_out)
    assert report["probe"] is None and "expression" not in report

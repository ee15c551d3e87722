"""The learned expression code: what the encoder may see, what drives, and the losses on codes."""

from dataclasses import replace

import pytest
import torch

from lca_method.batch import FaceViews, TargetViews
from lca_method.expression_training import coded_driving, with_swap
from lca_method.losses import LossConfig
from lca_method.losses.code_agreement import code_agreement
from lca_method.losses.code_contrast import code_contrast
from lca_method.losses.code_identity import code_identity
from lca_method.losses.code_losses import CODE_LOSSES, CodeViews
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.driving import DrivingConfig, LearnedExpression
from lca_method.networks.expression_augment import FaceAugmentConfig, augmented
from lca_method.networks.expression_encoder import ExpressionEncoder, ExpressionEncoderConfig
from lca_shared.body import CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.errors import UserError
from lca_shared.rendering import rasterize

SMALL = ExpressionEncoderConfig(width=12, picture=16, channels=(8, 16), adapter_hidden=16)


def faces_of(*batch: int, side: int = 24) -> FaceViews:
    torch.manual_seed(0)
    masks = torch.zeros(*batch, 1, side, side)
    masks[..., 2:20, 4:22] = 1.0
    eye = look_at(torch.tensor([0.0, -1.5, 0.6]), torch.tensor([0.0, 0.0, 0.6])).expand(*batch, 4, 4)
    cameras = Cameras(eye, pinhole_intrinsics(60.0, side, side).expand(*batch, 3, 3), side, side)
    return FaceViews(torch.rand(*batch, 3, side, side), masks, cameras, torch.ones(*batch))


@pytest.fixture
def coded(config: LCAConfig, body: CompactBody) -> LCA:
    torch.manual_seed(0)
    driving = DrivingConfig(expression="code", encoder=SMALL)
    return LCA(replace(config, driving=driving), body)


@pytest.fixture
def shape(body: CompactBody) -> torch.Tensor:
    return torch.zeros(2, len(body.shape_names))


@pytest.fixture
def targets(random_driving) -> TargetViews:
    faces = faces_of(2, 3)
    return TargetViews(faces.images, faces.masks, faces.cameras, random_driving((2, 3)), torch.ones(2, 3), faces=faces)


def test_no_change_is_the_same_picture():
    nothing = FaceAugmentConfig(
        rotation=0.0, zoom=(1.0, 1.0), stretch=0.0, shift=0.0, brightness=0.0, contrast=0.0, mixing=0.0, grey=0.0,
        blur=0.0, cut_boxes=0.0, cut_outline=0.0,
    )  # fmt: skip
    pictures = torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(augmented(pictures, 0.5, nothing), pictures, atol=1e-5, rtol=0)


def test_changes_never_mirror():
    """A picture bright on its right half stays brighter on the right, whatever is drawn."""
    pictures = torch.zeros(64, 3, 32, 32)
    pictures[..., 16:] = 1.0
    config = FaceAugmentConfig(cut_boxes=0.0)
    torch.manual_seed(0)
    changed = augmented(pictures, 0.5, config).mean(dim=(1, 2))
    assert (changed[:, 24:].mean(dim=1) > changed[:, :8].mean(dim=1)).all()
    assert changed.std(dim=0).min() > 0.01


def test_codes_are_bounded_and_do_not_depend_on_what_is_not_the_person():
    encoder, faces = ExpressionEncoder(SMALL).eval(), faces_of(2, 3)
    codes = encoder(faces.images, faces.masks, faces.seen)
    assert codes.shape == (2, 3, 12) and codes.square().mean(dim=-1).max() < 1
    elsewhere = faces.images + (1 - faces.masks)
    torch.testing.assert_close(encoder(elsewhere, faces.masks, faces.seen), codes)
    seen = torch.tensor([[1.0, 0, 1], [0, 1, 1]])
    torch.testing.assert_close(encoder(faces.images, faces.masks, seen), codes * seen[..., None])


def test_the_bottleneck_is_for_training_only():
    encoder = ExpressionEncoder(replace(SMALL, noise=0.0, dropout=0.5))
    codes = torch.ones(1000, 12)
    disturbed = encoder.disturbed(codes)
    kept = disturbed.any(dim=-1)
    assert disturbed[kept].eq(1).all() and 0.4 < float(kept.float().mean()) < 0.6
    assert encoder.eval().disturbed(codes) is codes


def test_coefficients_drive_through_the_adapter_where_no_code_is_given(coded, random_driving):
    expression, driving = coded.driving_vector.expression, random_driving((2, 3))
    assert isinstance(expression, LearnedExpression)
    code = torch.rand(2, 3, 12)
    torch.testing.assert_close(expression(driving), expression.adapter(driving.expression))
    assert expression(replace(driving, code=code)) is code


def test_faces_drive_models_with_a_code_only(coded, model, random_driving):
    driving, faces = random_driving((2, 3)), faces_of(2, 3)
    assert model.coded(driving, faces) is driving and coded.coded(driving, None) is driving
    code = coded.eval().coded(driving, faces).code
    assert code is not None and code.shape == (2, 3, 12)


def test_template_expression_follows_the_code_alone(coded, body, random_references, random_driving):
    """With a code given, coefficients have no way around it."""
    torch.nn.init.normal_(coded.driving_vector.expression.readout.weight, std=0.1)
    person = coded.encode(random_references((2,), 1), torch.zeros(2, len(body.shape_names)))
    driving = replace(random_driving((2, 3)), code=torch.rand(2, 3, 12))
    other = replace(driving, expression=1 - driving.expression)
    for first, second in zip(coded.drive(person, driving), coded.drive(person, other)):
        torch.testing.assert_close(first.means, second.means)
    zero = coded.drive(person, replace(driving, code=torch.zeros(2, 3, 12)))[0].means
    assert (zero - coded.drive(person, driving)[0].means).norm(dim=-1).amax() > 1e-3


def test_pictures_teach_the_encoder_and_codes_teach_the_adapter(coded, targets, body, random_references, shape):
    expression = coded.driving_vector.expression
    torch.nn.init.normal_(coded.pose_head.deltas.weight, std=0.05)
    person = coded.encode(random_references((2,), 1), torch.zeros(2, len(body.shape_names)))
    driving, views = coded_driving(coded, shape, targets, LossConfig(code_agreement=1.0))
    assert views is not None and views.again is not None and not torch.equal(views.codes, views.again)
    coded.drive(person, driving)[1].means.square().sum().backward(retain_graph=True)
    assert all(p.grad is not None and p.grad.any() for p in expression.encoder.parameters())
    assert all(p.grad is None for p in expression.adapter.parameters())
    before = [p.grad.clone() for p in expression.encoder.parameters()]
    CODE_LOSSES["adapter"](views).backward()
    assert all(p.grad.any() for p in expression.adapter.parameters())
    assert all(torch.equal(p.grad, old) for p, old in zip(expression.encoder.parameters(), before))


def test_swaps_go_between_people_if_there_are_several(coded, targets, body, random_references, shape):
    def render(gaussians, cameras, background):
        return rasterize(gaussians, cameras, background=background)

    person = coded.encode(random_references((2,), 1), torch.zeros(2, len(body.shape_names)))
    _, views = coded_driving(coded, shape, targets, LossConfig())
    assert views is not None
    swapped = with_swap(coded, person, targets, views, render)
    torch.testing.assert_close(swapped.swapped, views.codes.flip(0))
    CODE_LOSSES["cycle"](swapped).backward()
    assert coded.driving_vector.expression.encoder.code.weight.grad.any()


def test_a_code_needs_face_crops(coded, targets, shape):
    with pytest.raises(UserError, match="target-faces"):
        coded_driving(coded, shape, replace(targets, faces=None), LossConfig())


def test_losses_are_refused_what_the_step_left_out():
    views = CodeViews(torch.rand(2, 3, 4), torch.ones(2, 3), torch.rand(2, 3, 4))
    for name in ("agreement", "contrast", "cycle"):
        with pytest.raises(ValueError):
            CODE_LOSSES[name](views)


def test_agreement_counts_seen_frames_only():
    codes = torch.rand(2, 3, 4)
    weights = torch.tensor([[1.0, 1, 0], [0, 0, 0]])
    other = codes.clone()
    other[0, :2] += 0.5
    other[1] += 9.0
    assert float(code_agreement(codes, other, weights)) == pytest.approx(0.25)
    assert float(code_agreement(codes, other, 0 * weights)) == 0.0


def test_identity_is_0_by_chance_and_grows_with_what_lies_between_people():
    torch.manual_seed(0)
    seen = torch.ones(4, 5)
    codes = torch.randn(4, 5, 8)
    chance = torch.stack([code_identity(torch.randn(4, 5, 8), seen) for _ in range(300)]).mean()
    assert abs(float(chance)) < 0.02
    people = torch.randn(400, 1, 8)
    many = people + torch.randn(400, 5, 8)  # as much between people as within
    assert float(code_identity(many, torch.ones(400, 5))) == pytest.approx(1.0, abs=0.1)
    scale = torch.tensor([1.0, 10, 100, 1000, 1, 1, 1, 1])
    torch.testing.assert_close(
        code_identity(scale * many, torch.ones(400, 5)), code_identity(many, torch.ones(400, 5)), rtol=1e-3, atol=0
    )
    assert float(code_identity(codes[:1], seen[:1])) == 0.0
    half = torch.tensor([1.0, 1, 1, 0, 0]).expand(4, 5)
    torch.testing.assert_close(code_identity(codes, half), code_identity(codes[:, :3], half[:, :3]))
    nobody = torch.tensor([1.0, 1, 1, 0])[:, None].expand(4, 5)
    torch.testing.assert_close(code_identity(codes, nobody), code_identity(codes[:3], seen[:3]))


def test_identity_is_unbiased_whatever_number_of_frames_is_seen():
    torch.manual_seed(0)
    seen = (torch.rand(6, 5) < 0.7).float()
    seen[:, :2] = 1.0
    chance = torch.stack([code_identity(torch.randn(6, 5, 8), seen) for _ in range(500)]).mean()
    assert abs(float(chance)) < 0.02


def test_contrast_wants_frames_told_apart_and_gains_nothing_from_people():
    torch.manual_seed(0)
    seen = torch.ones(4, 5)
    constant = torch.randn(4, 1, 16).expand(4, 5, 16)
    chance = torch.tensor(5.0).log()
    torch.testing.assert_close(code_contrast(constant, constant, seen), chance)
    apart = torch.eye(5, 16).expand(4, 5, 16)
    assert float(code_contrast(apart, apart, seen)) < 0.1
    half = torch.tensor([1.0, 1, 1, 0, 0]).expand(4, 5)
    torch.testing.assert_close(code_contrast(constant, constant, half), torch.tensor(3.0).log())


def test_weights_of_codes_by_step():
    losses = LossConfig(code_cycle=0.1, code_cycle_every=4, code_adapter=1.0)
    assert losses.code_weights(4) == pytest.approx({"cycle": 0.4, "adapter": 1.0})
    assert losses.code_weights(5) == {"adapter": 1.0}

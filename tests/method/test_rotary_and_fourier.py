import math

import pytest
import torch

from lca_method.networks.fourier import fourier_features, fourier_width
from lca_method.networks.rotary import rotary_angles, rotated


def test_products_depend_on_relative_position_alone():
    torch.manual_seed(0)
    queries, keys = torch.randn(2, 4, 5, 16)[..., None, :, :].unbind(0)  # each [4, 1, 5, 16]
    places = torch.randint(0, 20, (4, 5, 2)).float()

    def products(shift):
        angles = rotary_angles(places + torch.tensor(shift), 16)
        return rotated(queries, angles) @ rotated(keys, angles).mT

    torch.testing.assert_close(products([0.0, 0.0]), products([7.0, -3.0]), atol=2e-5, rtol=1e-4)
    assert not torch.allclose(products([0.0, 0.0]), queries @ keys.mT, atol=1e-2)


def test_rotation_keeps_length_and_zero_place_is_identity():
    channels = torch.randn(3, 2, 5, 8)
    turned = rotated(channels, rotary_angles(10 * torch.rand(3, 5, 2), 8))
    torch.testing.assert_close(turned.norm(dim=-1), channels.norm(dim=-1))
    torch.testing.assert_close(rotated(channels, rotary_angles(torch.zeros(3, 5, 2), 8)), channels)


def test_rows_and_columns_are_told_apart():
    angles = rotary_angles(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 8)
    assert (angles[0] != angles[1]).any()
    assert angles.shape == (2, 4)


def test_head_width_must_be_a_multiple_of_four():
    with pytest.raises(ValueError, match="multiple of 4"):
        rotary_angles(torch.zeros(1, 2), 6)


def test_fourier_features_are_51_numbers_of_the_closed_form():
    point = torch.tensor([0.25, -0.5, 1.0], dtype=torch.float64)
    code = fourier_features(point)
    assert code.shape == (51,) and fourier_width() == 51
    expected = [f(math.pi * 2**k * x) for f in (math.sin, math.cos) for x in point.tolist() for k in range(8)]
    torch.testing.assert_close(code, torch.tensor([*expected, *point.tolist()], dtype=torch.float64))

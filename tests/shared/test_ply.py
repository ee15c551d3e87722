from pathlib import Path

import plyfile
import pytest
import torch
from figures import capsule_figure, ring

from lca_shared.errors import UserError
from lca_shared.ply import read_ply, write_ply
from lca_shared.rendering import rasterize


def test_round_trip_renders_the_same(tmp_path: Path) -> None:
    gaussians = capsule_figure(500, 48)
    write_ply(gaussians, tmp_path / "a.ply")
    back = read_ply(tmp_path / "a.ply")
    torch.testing.assert_close(back.means, gaussians.means, atol=0, rtol=0)
    torch.testing.assert_close(back.scales, gaussians.scales, atol=0, rtol=1e-5)
    torch.testing.assert_close(back.opacities, gaussians.opacities, atol=1e-6, rtol=0)
    camera = ring(1, 48)
    torch.testing.assert_close(rasterize(back, camera).colors, rasterize(gaussians, camera).colors, atol=1e-4, rtol=0)


def test_extreme_opacities_stay_finite(tmp_path: Path) -> None:
    gaussians = capsule_figure(2, 48)
    gaussians.opacities[0], gaussians.opacities[1] = 0.0, 1.0
    write_ply(gaussians, tmp_path / "a.ply")
    torch.testing.assert_close(read_ply(tmp_path / "a.ply").opacities, torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


def test_names_are_those_of_the_original_code(tmp_path: Path) -> None:
    write_ply(capsule_figure(3, 48), tmp_path / "a.ply")
    names = [item.name for item in plyfile.PlyData.read(tmp_path / "a.ply")["vertex"].properties]
    assert names == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
        *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_ply(tmp_path / "none.ply")
    (tmp_path / "text.ply").write_text("hello")
    with pytest.raises(UserError, match=r"text\.ply"):
        read_ply(tmp_path / "text.ply")
    header = ["ply", "format ascii 1.0", "element vertex 1", *(f"property float {n}" for n in "xyz"), "end_header"]
    (tmp_path / "points.ply").write_text("\n".join([*header, "0 0 0", ""]))
    with pytest.raises(UserError, match="opacity"):
        read_ply(tmp_path / "points.ply")

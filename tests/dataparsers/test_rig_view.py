"""All cameras of a rig with their pictures, in the browser."""

import socket
import time
from pathlib import Path

import numpy as np
import pytest
import viser
from look_alikes import MARK, made_cameras, mark_of, write_goliath
from scipy.spatial.transform import Rotation

from lca_dataparsers.cli import main
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.viewing.rig import RigPage, shown_cameras


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> AvatarDataset:
    root = tmp_path_factory.mktemp("view")
    folder = write_goliath(root / "capture", made_cameras())
    for name in ("a", "b"):
        options = ["--body", "none", "--subject", name, "--max-frames", "3" if name == "a" else "1"]
        assert main(["import", "goliath", str(folder), "--output-dir", str(root / "D"), *options]) == 0
    return AvatarDataset.open(root / "D")


def test_cameras_stand_and_look_as_they_did(dataset: AvatarDataset) -> None:
    shown = shown_cameras(dataset.subjects["a"], 1, 1000)
    assert [camera.name for camera in shown] == [camera.name for camera in made_cameras()]
    for camera, made in zip(shown, made_cameras()):
        turned = Rotation.from_quat(camera.wxyz[[1, 2, 3, 0]]).as_matrix()
        in_camera = turned.T @ (MARK - camera.position)
        focal = made.height / 2 / np.tan(camera.field_of_view / 2)
        assert abs(in_camera[1] / in_camera[2] * focal + made.intrinsics[1, 2] - mark_of(camera.picture)[1]) < 1.0
        assert camera.aspect == pytest.approx(made.width / made.height)


def test_the_page_follows_person_and_moment(dataset: AvatarDataset) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    try:
        page = RigPage(server, dataset, 32)
        assert len(page.shown) == 3 and page.frames() == [1, 2, 5]
        page.moment.value = 2
        page.draw()
        assert max(page.shown["400100"].picture.shape) == 32
        page.subject.value = "b"
        page.draw()
        assert page.frames() == [1] and len(page.shown) == 3
        time.sleep(1.5)  # viser cannot stop while its threads still draw
    finally:
        server.stop()


def test_what_cannot_be_shown(tmp_path: Path, dataset: AvatarDataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path)]) == 1
    assert "is not a dataset" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["view", str(dataset.root), "--port", str(taken.getsockname()[1])]) == 1
    assert "--port" in capsys.readouterr().err

"""Writers of pictures and videos: order, errors of the encoding thread, whole or absent."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lca_dataparsers.pictures import PictureWriter, VideoWriter, write_picture
from lca_shared.errors import UserError


def test_a_buffer_may_be_used_again_at_once(tmp_path: Path) -> None:
    frame = np.empty((32, 48, 3), np.uint8)
    with VideoWriter(tmp_path / "v.mp4", 25) as video, PictureWriter(tmp_path / "pictures") as pictures:
        for number in range(20):
            frame[...] = 10 * number
            video.add(frame)
            pictures.add(frame)
    with av.open(str(tmp_path / "v.mp4")) as container:
        means = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    np.testing.assert_allclose(means, np.arange(20) * 10, atol=3)
    read = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "pictures").iterdir())]
    assert [int(picture.mean()) for picture in read] == [10 * number for number in range(20)]
    assert video.count == pictures.count == 20


def test_an_error_of_the_encoder_reaches_the_caller(tmp_path: Path) -> None:
    good, other = np.zeros((32, 48, 3), np.uint8), np.zeros((32, 48, 3), np.uint8)
    with pytest.raises((av.FFmpegError, ValueError)), VideoWriter(tmp_path / "v.mp4", 25, preset="no such") as video:
        for _ in range(50):
            video.add(good)
    with pytest.raises(RuntimeError, match="mine"), VideoWriter(tmp_path / "v.mp4", 25) as video:
        video.add(other)
        raise RuntimeError("mine")
    with pytest.raises(ValueError, match="at least one"), VideoWriter(tmp_path / "v.mp4", 25):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_written_are_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    picture = np.zeros((4, 4, 4), np.uint8)
    with pytest.raises(UserError, match="Cannot write"):
        write_picture(picture, tmp_path / "file" / "a.png")
    with pytest.raises(UserError, match="Cannot write"), PictureWriter(tmp_path / "file") as pictures:
        pictures.add(picture)
    with pytest.raises(UserError, match="Cannot write"), VideoWriter(tmp_path / "file" / "v.mp4", 25):
        pass

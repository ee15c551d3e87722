"""Decoding against pictures whose content and timing are known."""

from pathlib import Path

import numpy as np
import pytest
from clips import number_of, numbered, turned_by_container, write_video
from PIL import Image

from lca_dataparsers.processing.decode import natural_order, open_source
from lca_dataparsers.processing.photos import FILM_DIAGONAL, read_photo
from lca_shared.errors import UserError


def corner_picture(height: int = 40, width: int = 60) -> np.ndarray:
    """Dark, with a bright red top left corner."""
    image = np.full((height, width, 3), 20, np.uint8)
    image[: height // 4, : width // 4] = (230, 30, 30)
    return image


def bright_corner(image: np.ndarray) -> tuple[bool, bool]:
    """(bottom, right) of the bright corner."""
    rows, columns = np.nonzero(image[..., 0] > 128)
    return rows.mean() > image.shape[0] / 2, columns.mean() > image.shape[1] / 2


def test_video_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "a.mp4", numbered(12)))
    pictures = list(source.pictures())
    assert source.kind == "video" and source.expected == 12
    assert [number_of(picture.image) for picture in pictures] == list(range(12))
    np.testing.assert_allclose([picture.time for picture in pictures], np.arange(12) / 25, atol=1e-3)
    assert [number_of(picture.image) for picture in source.pictures()] == list(range(12))  # again
    assert not source.notices


def test_fps_takes_frames_by_their_timestamps(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 0.5, 0.54, 0.58, 1.0, 1.02, 1.5]  # variable frame rate
    path = write_video(tmp_path / "a.mp4", numbered(len(times)), times)
    taken = [picture.index for picture in open_source(path, fps=2.0).pictures()]
    assert taken == [0, 3, 6, 8]
    regular = write_video(tmp_path / "b.mp4", numbered(25))
    assert len(list(open_source(regular, fps=5.0).pictures())) == 5
    assert len(list(open_source(regular, fps=500.0).pictures())) == 25
    assert [picture.index for picture in open_source(regular, max_frames=3).pictures()] == [0, 1, 2]


def test_video_is_turned_as_its_container_says(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [corner_picture(48, 80)] * 3)
    picture = next(open_source(path).pictures())
    assert picture.size == (80, 48) and bright_corner(picture.image) == (False, False)
    picture = next(open_source(turned_by_container(path)).pictures())
    # ISO/IEC 14496-12: the matrix takes (x, y) to (-y, x), that is clockwise by 90 degrees
    assert picture.size == (48, 80) and bright_corner(picture.image) == (False, True)


@pytest.mark.parametrize(("codec", "name"), [("qtrle", "a.mov"), ("libvpx-vp9", "a.webm")])
def test_transparency_of_videos_is_kept(tmp_path: Path, codec: str, name: str) -> None:
    frame = np.full((48, 64, 4), 200, np.uint8)
    frame[:, :32, 3], frame[:, 32:, 3] = 0, 255
    path = tmp_path / name
    if codec == "qtrle":
        write_argb(path, frame)
    else:
        write_video(path, [frame] * 3, codec=codec)
    alpha = next(open_source(path).pictures()).alpha
    assert alpha is not None and alpha[:, :24].max() < 10 and alpha[:, 40:].min() > 245


def write_argb(path: Path, frame: np.ndarray) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.height, stream.width, stream.pix_fmt = frame.shape[0], frame.shape[1], "argb"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgba").reformat(format="argb")))
        container.mux(stream.encode(None))


def test_truncated_video_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(50)]
    path = write_video(tmp_path / "a.mp4", frames, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    pictures = list(source.pictures())
    assert 5 < len(pictures) < 45
    assert len(source.notices) == 1 and "cut off" in source.notices[0]


def test_video_cut_before_its_index_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(20))  # the index is at the end
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"a\.mp4"):
        open_source(path)


def test_what_is_not_a_picture_is_refused(tmp_path: Path) -> None:
    for name, content in (
        ("a.txt", b"hello\n" * 100),
        ("a.mp4", b"not a video"),
        ("a.jpg", b"not a photo"),
        ("b.mp4", b""),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name.replace(".", r"\.")):
            open_source(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        open_source(tmp_path / "nothing.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no photos"):
        open_source(tmp_path / "empty")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".heic"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    stored = corner_picture(64, 96)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    Image.fromarray(stored).save(path, exif=exif.tobytes(), quality=95)  # bytes: else the HEIC writer drops it
    image, alpha, _ = read_photo(path)
    # EXIF 2.3: where the stored picture's row 0 and column 0 are when shown upright
    bottom = orientation in (3, 4, 7, 8)
    right = orientation in (2, 3, 6, 7)
    assert alpha is None
    assert image.shape[:2] == ((96, 64) if orientation >= 5 else (64, 96))
    assert bright_corner(image) == (bottom, right)


def test_focal_length_of_a_photo_in_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    Image.fromarray(corner_picture(300, 400)).save(tmp_path / "a.jpg", exif=exif)
    picture = next(open_source(tmp_path / "a.jpg").pictures())
    assert picture.focal == pytest.approx(26 * 500 / FILM_DIAGONAL)
    assert picture.fitted(200).focal == pytest.approx(13 * 500 / FILM_DIAGONAL)
    assert picture.fitted(200).size == (200, 150)


def test_transparent_photo_is_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[5:15, 10:20] = (200, 10, 10, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image, alpha, _ = read_photo(tmp_path / "a.png")
    assert alpha is not None and (image[alpha == 0] == 255).all() and (image[alpha == 255] == (200, 10, 10)).all()


def test_folders_of_frames_and_of_photos_are_told_apart(tmp_path: Path) -> None:
    frames, photos = tmp_path / "frames", tmp_path / "photos"
    frames.mkdir(), photos.mkdir()
    for number, image in enumerate(numbered(12)):
        Image.fromarray(image).save(frames / f"f{number}.png")
    for name, image in zip(("ann.png", "bob.png"), numbered(2)):
        Image.fromarray(image).save(photos / name)
    source = open_source(frames, fps=10.0)
    assert source.kind == "frames"
    assert [number_of(picture.image) for picture in source.pictures()] == list(range(12))
    np.testing.assert_allclose([picture.time for picture in source.pictures()], np.arange(12) / 10)
    assert open_source(photos).kind == "photos"
    Image.fromarray(corner_picture()).save(frames / "f5.png")
    with pytest.raises(UserError, match=r"f5\.png is 60 x 40"):
        list(open_source(frames, kind="frames").pictures())


def test_natural_order() -> None:
    names = ["10.jpg", "a2.jpg", "2.jpg", "a10.jpg", "1.jpg"]
    assert [path.name for path in sorted(map(Path, names), key=natural_order)] == [
        *("1.jpg", "2.jpg", "10.jpg", "a2.jpg", "a10.jpg")
    ]

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from lca_dataparsers.pictures import write_picture, write_video
from lca_method.demo.contact_sheet import GAP, LABEL_HEIGHT, Row, as_bytes, contact_sheet
from lca_method.evaluation import ImageScore, constant_color, evaluate, mean_person_color, summary


def test_pictures_stand_where_the_sheet_says() -> None:
    red, blue = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    pictures = [color[:, None, None].expand(3, 20, 20) for color in (red, blue)]
    sheet = contact_sheet(["two", "one"], [Row(((pictures[0], pictures[0]), (pictures[1],)))], cell=40)
    assert (sheet[LABEL_HEIGHT + 20, GAP + 20] == [255, 0, 0]).all()
    assert (sheet[LABEL_HEIGHT + 20, GAP + 60] == [255, 0, 0]).all()
    assert (sheet[LABEL_HEIGHT + 20, GAP + 80 + 3 * GAP + 20] == [0, 0, 255]).all()
    with pytest.raises(ValueError, match="2 groups"):
        contact_sheet(["two", "one"], [Row(((pictures[0],),))])


def test_a_video_holds_its_frames(tmp_path: Path) -> None:
    frames = [np.full((33, 48, 3), 20 * i, np.uint8) for i in range(8)]
    assert write_video(iter(frames), tmp_path / "v.mp4", fps=24) == 8
    with av.open(str(tmp_path / "v.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 8 and decoded[0].shape == (32, 48, 3)
    assert abs(float(decoded[5].mean()) - 100) < 4
    with pytest.raises(ValueError, match="at least one"):
        write_video(iter([]), tmp_path / "none.mp4", fps=24)
    assert not (tmp_path / "none.mp4").exists()


def test_a_picture_is_kept_as_it_is(tmp_path: Path) -> None:
    from PIL import Image

    picture = torch.rand(3, 5, 7)
    write_picture(as_bytes(picture), tmp_path / "p.png")
    assert (np.asarray(Image.open(tmp_path / "p.png")) == as_bytes(picture)).all()


def test_scores_and_baselines(people: Path) -> None:
    from lca_dataparsers.dataset.reader import AvatarDataset
    from lca_method.batch import stacked
    from lca_method.crops import CropReader, CropSizes

    reader = CropReader(AvatarDataset.open(people), CropSizes(32, 16, 32), 10**7)
    batches = [(row, stacked([reader.batch("emil", [0, 1], [row])])) for row in (3, 5)]
    color = mean_person_color(batch for _, batch in batches)
    scores = evaluate(
        batches, {"truth": lambda batch: batch.targets.images[0, 0] + 0.01, "flat": constant_color(color)}, None
    )
    assert summary(scores["truth"])["psnr"] == pytest.approx(40.0, abs=1e-3)
    assert summary(scores["truth"])["l1"] == pytest.approx(0.01, abs=1e-6)
    flat = summary(scores["flat"])
    assert flat["images"] == 2 and flat["lpips"] is None and flat["psnr"] < 30
    assert [value.row for value in scores["flat"]] == [3, 5]


def test_lpips_is_a_mean_only_if_every_picture_has_one() -> None:
    scores = [ImageScore("a", 0, 20.0, 0.1, 0.2), ImageScore("a", 1, 22.0, 0.1, None)]
    assert summary(scores)["lpips"] is None
    assert summary(scores[:1])["lpips"] == 0.2
    with pytest.raises(ValueError, match="no picture"):
        summary([])

"""``lca-data import`` as a user meets it, without detectors."""

import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from look_alikes import (
    made_cameras,
    mark_of,
    person_mask,
    write_actorshq,
    write_ava256,
    write_dna_rendering,
    write_goliath,
    write_neuman,
    write_transforms,
)

from lca_dataparsers.cli import main
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_shared.errors import UserError

BENT = (0.12, -0.03, 0.004, -0.003)


def imported(name: str, source: Path, output: Path, *options: str) -> AvatarDataset:
    assert main(["import", name, str(source), "--output-dir", str(output), "--body", "none", *options]) == 0
    return AvatarDataset.open(output)


@pytest.mark.parametrize("images", ["copy", "in-place"])
def test_goliath_becomes_a_dataset(tmp_path: Path, images: str, capsys: pytest.CaptureFixture[str]) -> None:
    cameras = made_cameras()
    folder = write_goliath(tmp_path / "capture", cameras)
    dataset = imported("goliath", folder, tmp_path / "D", "--images", images)
    (person,) = dataset.subjects.values()
    assert dataset.info.kind == "studio" and dataset.info.licence == "CC-BY-NC-4.0"
    assert len(person) == 9 and (person.frames.weights == 0).all()
    assert any(person.folder.rglob("*.jpg")) == (images == "copy")
    for row in range(len(person)):
        made = next(c for c in cameras if c.name == person.frames["camera"][row])
        frame = person.load(row)
        seen = (frame.image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        assert np.abs(mark_of(seen) - made.pixel()).max() < 1.0
        np.testing.assert_array_equal(frame.mask[0].numpy() > 0.5, person_mask(made) > 127)
        np.testing.assert_allclose(frame.camera.camera_from_world.numpy(), made.camera_from_world, atol=1e-5)
        assert frame.light_pattern == (1 if person.frames["frame"][row] == 5 else 0)
    assert person.lights is not None and [p.fully_lit for p in person.lights.patterns] == [True, False]
    assert len(list((person.folder / "backgrounds").glob("*.png"))) == 3
    assert person.info.report["frame_splits"] == {"1": "train", "2": "train", "5": "train"}
    assert "Wrote subject" in capsys.readouterr().out
    assert main(["import", "goliath", str(folder), "--output-dir", str(tmp_path / "D"), "--body", "none"]) == 0
    assert "already" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    ["ava256", "actorshq", "dna_rendering", "neuman", "nerfstudio"],
)
def test_other_formats_become_datasets(tmp_path: Path, name: str) -> None:
    cameras, place = made_cameras(), tmp_path / "capture"
    source = {
        "ava256": lambda: write_ava256(place, made_cameras(width=46, height=71), BENT),
        "actorshq": lambda: write_actorshq(place, cameras),
        "dna_rendering": lambda: write_dna_rendering(place, cameras, (*BENT, 0.0)),
        "neuman": lambda: write_neuman(place, cameras),
        "nerfstudio": lambda: write_transforms(place, cameras),
    }[name]()
    copied = imported(name, source, tmp_path / "D", "--long-side", "48")
    stayed = imported(name, source, tmp_path / "E", "--long-side", "48", "--images", "in-place")
    (ours,), (theirs,) = copied.subjects.values(), stayed.subjects.values()
    assert copied.info.kind == ("wild" if name == "neuman" else "studio")
    assert len(ours) == len(theirs) and max(ours.frames["width"].max(), ours.frames["height"].max()) == 48
    for row in range(len(ours)):
        a, b = ours.load(row), theirs.load(row)
        assert (a.image - b.image).abs().mean() < 0.02  # JPEG
        np.testing.assert_array_equal(a.mask.numpy(), b.mask.numpy())


def test_pictures_in_place_go_into_shards(tmp_path: Path) -> None:
    folder = write_goliath(tmp_path / "capture", made_cameras())
    dataset = imported("goliath", folder, tmp_path / "D", "--images", "in-place")
    assert main(["shard", str(tmp_path / "D"), "--output-dir", str(tmp_path / "S")]) == 0
    assert main(["unshard", str(tmp_path / "S"), "--output-dir", str(tmp_path / "U")]) == 0
    shutil.rmtree(folder)
    (person,), (before,) = AvatarDataset.open(tmp_path / "U").subjects.values(), dataset.subjects.values()
    assert len(person) == 9 and person.load(0).image.shape == (3, 64, 48)
    with pytest.raises(UserError, match="is gone"):
        AvatarDataset.open(tmp_path / "D").subjects[before.id].load(0)


@pytest.mark.parametrize("suffix", ["tar", "zip"])
def test_a_capture_in_an_archive(tmp_path: Path, suffix: str) -> None:
    write_actorshq(tmp_path / "capture", made_cameras())
    archive = shutil.make_archive(str(tmp_path / "it"), suffix, tmp_path / "capture")
    dataset = imported("actorshq", Path(archive), tmp_path / "D")
    assert len(next(iter(dataset.subjects.values()))) == 6
    assert sorted(p.name for p in (tmp_path / "D").iterdir()) == ["dataset.json", "subjects"]


@pytest.mark.parametrize("bad", ["../evil.txt", "/evil.txt", "a/../../evil.txt"])
@pytest.mark.parametrize("suffix", ["tar", "zip"])
def test_archives_that_lead_elsewhere_are_refused(
    tmp_path: Path, bad: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = tmp_path / "evil.txt"
    evil.write_text("x")
    archive = tmp_path / f"bad.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.write(evil, bad)
            file.infolist()[0].filename = bad
    else:
        with tarfile.open(archive, "w") as file:
            member = tarfile.TarInfo(bad)
            member.size = 1
            file.addfile(member, evil.open("rb"))
    before = sorted(tmp_path.rglob("*"))
    code = main(["import", "actorshq", str(archive), "--output-dir", str(tmp_path / "D"), "--body", "none"])
    assert code == 1 and "archive" in capsys.readouterr().err
    assert [p for p in sorted(tmp_path.rglob("*")) if "D" not in p.parts and p.name != "D"] == before


def test_links_in_a_tar_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as file:
        link = tarfile.TarInfo("rgbs")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        file.addfile(link)
    source = str(tmp_path / "bad.tar")
    assert main(["import", "actorshq", source, "--output-dir", str(tmp_path / "D"), "--body", "none"]) == 1
    assert "link" in capsys.readouterr().err


def test_zip_members_that_lead_elsewhere_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_goliath(tmp_path / "capture", made_cameras())
    with zipfile.ZipFile(folder / "image" / "cam400100.zip", "a") as archive:
        archive.writestr("../../000009.avif", b"x")
    source = str(folder)
    assert main(["import", "goliath", source, "--output-dir", str(tmp_path / "D"), "--body", "none"]) == 1
    assert "leads out of the archive" in capsys.readouterr().err


def test_paths_in_transforms_cannot_leave_the_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_transforms(tmp_path / "capture", made_cameras()) / "transforms.json"
    for bad in ("../../secret.png", "/etc/passwd", 7, None):
        content = json.loads(path.read_text())
        content["frames"][0]["file_path"] = bad
        (path.parent / "other.json").write_text(json.dumps(content))
        source = str(path.parent / "other.json")
        assert main(["import", "nerfstudio", source, "--output-dir", str(tmp_path / "D"), "--body", "none"]) == 1
        error = capsys.readouterr().err
        assert "other.json" in error or "leads out" in error


@pytest.mark.parametrize("name", ["goliath", "ava256", "actorshq", "dna_rendering", "neuman", "nerfstudio"])
def test_a_folder_that_is_no_such_capture(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "missing"):
        assert main(["import", name, str(source), "--output-dir", str(tmp_path / "D"), "--body", "none"]) == 1
        assert source.name in capsys.readouterr().err
    assert not (tmp_path / "D" / "subjects").exists()


def test_the_captures_own_registration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from smplx_file import write_smplx

    from lca_shared.body import get_body_model

    root = write_dna_rendering(tmp_path / "capture", made_cameras(), (*BENT, 0.0))
    monkeypatch.setenv("LCA_MODEL_DIR", str(tmp_path / "models"))
    get_body_model.cache_clear()
    options = ["--output-dir", str(tmp_path / "D"), "--body", "registration"]
    assert main(["import", "dna_rendering", str(root), *options]) == 1
    assert "register at" in capsys.readouterr().err
    write_smplx(tmp_path / "models/smplx/SMPLX_NEUTRAL.npz")
    assert main(["import", "dna_rendering", str(root), *options]) == 0
    dataset = AvatarDataset.open(tmp_path / "D")
    (person,) = dataset.subjects.values()
    assert dataset.info.body_model == "smplx" and len(person.shape) == 10 and len(person) == 6
    table = person.frames
    np.testing.assert_allclose(table["joint_rotations"], 0.0, atol=1e-6)
    # zero pose: SMPL-X lies in the capture's world with its own axes, so ours is turned against its rest by 90 degrees
    np.testing.assert_allclose(np.linalg.norm(table["root_rotation"], axis=1), np.pi / 2, atol=1e-5)
    assert (
        main(
            [
                "import",
                "goliath",
                str(write_goliath(tmp_path / "g", made_cameras())),
                *options[:1],
                str(tmp_path / "E"),
                *options[2:],
            ]
        )
        == 1
    )
    assert "--body fit" in capsys.readouterr().err
    get_body_model.cache_clear()

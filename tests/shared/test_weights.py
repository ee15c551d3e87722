import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lca_shared import weights
from lca_shared.errors import MissingWeightsError
from lca_shared.weights import WeightFile, find_weight

CONTENT = b"weights of somebody else"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A local server with one file, an empty cache, and no model folder named."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "model.bin").write_bytes(CONTENT)
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(weights.MODEL_DIR_VARIABLE, raising=False)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/model.bin"
    server.shutdown()


def register(monkeypatch: pytest.MonkeyPatch, url: str, sha256: str, convert=None) -> None:
    monkeypatch.setitem(weights.WEIGHTS, "thing", WeightFile("some/model.bin", url, sha256, "CC0", convert))


def test_fetched_once_and_kept(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, served, hashlib.sha256(CONTENT).hexdigest())
    path = find_weight("thing")
    assert path == tmp_path / "cache/some/model.bin" and path.read_bytes() == CONTENT
    (tmp_path / "served/model.bin").unlink()
    assert find_weight("thing") == path


def test_search_order(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, served, hashlib.sha256(CONTENT).hexdigest())
    for name in ("given", "variable", "cache"):
        (tmp_path / name / "some").mkdir(parents=True)
        (tmp_path / name / "some/model.bin").write_text(name)
    monkeypatch.setenv(weights.MODEL_DIR_VARIABLE, str(tmp_path / "variable"))
    assert find_weight("thing", tmp_path / "given").read_text() == "given"
    assert find_weight("thing").read_text() == "variable"
    monkeypatch.delenv(weights.MODEL_DIR_VARIABLE)
    assert find_weight("thing").read_text() == "cache"


def test_wrong_checksum_keeps_nothing(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, served, "00" * 32)
    with pytest.raises(MissingWeightsError, match="SHA-256"):
        find_weight("thing")
    assert not list((tmp_path / "cache").rglob("*.bin"))


def test_offline_names_file_folders_and_way_out(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, "http://127.0.0.1:9/model.bin", "00")
    with pytest.raises(MissingWeightsError) as error:
        find_weight("thing", tmp_path / "given")
    for part in ("some/model.bin", str(tmp_path / "given"), str(tmp_path / "cache"), "--model-dir", "LCA_MODEL_DIR"):
        assert part in str(error.value)


def test_conversion(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(fetched: Path, wanted: Path) -> None:
        wanted.write_bytes(fetched.read_bytes()[::-1])

    register(monkeypatch, served, hashlib.sha256(CONTENT).hexdigest()[:8], convert)
    assert find_weight("thing").read_bytes() == CONTENT[::-1]


def test_torchvision_checkpoint_becomes_convolutions(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    state = {"features.0.weight": torch.ones(2, 3), "classifier.1.weight": torch.zeros(4)}
    torch.save(state, tmp_path / "whole.pth")
    weights._convolutions_only(tmp_path / "whole.pth", tmp_path / "convolutions.safetensors")
    assert list(load_file(tmp_path / "convolutions.safetensors")) == ["features.0.weight"]

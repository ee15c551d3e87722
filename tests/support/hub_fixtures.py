"""The Hub of the tests in the place of the real one."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hub_server import Hub, serving
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http, disable_progress_bars


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[Hub]:
    """A local Hub, an empty cache, and ann's token; nobody waits between retries."""
    disable_progress_bars()
    with serving() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        template = f"{server.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        for name in ("HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_TOKEN", "hf_ann")
        impatient = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
        monkeypatch.setattr(_http, "time", impatient)
        monkeypatch.setattr(file_download, "time", impatient)
        yield server

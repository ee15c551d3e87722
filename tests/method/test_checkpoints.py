import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lca_method.checkpoints import latest_checkpoint, load_checkpoint, save_atomically
from lca_method.networks import LCAConfig, tiny_config
from lca_method.plain_configs import differing_fields, from_text_tensor, plain, text_tensor
from lca_shared.errors import UserError

KILLED_WHILE_WRITING = """
import os, signal, sys, torch
from pathlib import Path
from lca_method.checkpoints import save_atomically
real = torch.save
def dies(state, file):
    file.write(b"half a checkpoint"); file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
torch.save = dies
save_atomically({"pipeline": {}}, Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_kill_while_writing_leaves_the_last_whole_checkpoint(tmp_path: Path) -> None:
    path, scratch = tmp_path / "models" / "step-000000001.ckpt", tmp_path / "part"
    save_atomically({"pipeline": {"x": torch.ones(3)}, "step": 1}, path, scratch)
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path), str(scratch)])
    assert done.returncode == -signal.SIGKILL
    assert load_checkpoint(path)["step"] == 1
    assert latest_checkpoint(path.parent) == path
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "step-000000001.ckpt"
    save_atomically({"pipeline": {}, "step": 1}, path, tmp_path / "part")

    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"step-000000001.ckpt.*No space left"):
        save_atomically({"pipeline": {}, "step": 2}, path, tmp_path / "part")
    assert load_checkpoint(path)["step"] == 1 and not (tmp_path / "part").exists()


def test_broken_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.ckpt").write_bytes(b"PK\x03\x04 cut off")
    torch.save({"other": 1}, tmp_path / "foreign.ckpt")
    for name, message in (("broken", "not a readable"), ("missing", "does not exist"), ("foreign", "not a checkpoint")):
        with pytest.raises(UserError, match=f"{name}.ckpt {message}|{name}.ckpt is {message}"):
            load_checkpoint(tmp_path / f"{name}.ckpt")
    with pytest.raises(UserError, match="no checkpoint"):
        latest_checkpoint(tmp_path / "nothing")


def test_configurations_go_through_a_tensor() -> None:
    content = plain(tiny_config())
    assert from_text_tensor(text_tensor(content)) == content


def test_differing_fields_are_named() -> None:
    lines = differing_fields(plain(tiny_config()), plain(LCAConfig()))
    assert any(line.startswith("transformer.layers: 8 in the checkpoint, 2 now") for line in lines)
    assert differing_fields(plain(tiny_config()), plain(tiny_config())) == []


def test_a_field_newer_than_the_checkpoint_may_have_its_default() -> None:
    defaults, ours = plain(LCAConfig()), plain(tiny_config())
    older = {key: value for key, value in ours.items() if key != "branches"}
    assert differing_fields(ours, older, defaults) == []
    assert differing_fields(ours, older) == ["branches: absent in the checkpoint, dual now"]
    changed = {**ours, "branches": "single"}
    assert differing_fields(changed, older, defaults) == ["branches: absent in the checkpoint, single now"]

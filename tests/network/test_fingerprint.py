"""The checksum of weights: of their content, and computed once."""

from __future__ import annotations

import hashlib
import os

from cyclevos.network import fingerprint as module
from cyclevos.network.fingerprint import fingerprint


def test_the_checksum_is_computed_once_until_the_file_changes(tmp_path, monkeypatch):
    read = []
    plain = module.checksum
    monkeypatch.setattr(module, "checksum", lambda path: read.append(path) or plain(path))
    file = tmp_path / "w.pth"
    file.write_bytes(b"one")
    assert fingerprint(file) == fingerprint(file) == hashlib.sha256(b"one").hexdigest()
    assert len(read) == 1
    file.write_bytes(b"two")  # of the same size
    os.utime(file, ns=(1, 1))
    assert fingerprint(file) == hashlib.sha256(b"two").hexdigest()


def test_a_folder_is_known_by_its_tensors_alone(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"tensors")
    (tmp_path / "config.json").write_text("{}")
    alone = fingerprint(tmp_path)
    assert alone == hashlib.sha256(b"tensors").hexdigest()
    (tmp_path / "net.reliability.safetensors").write_bytes(b"a predictor fitted later")
    assert fingerprint(tmp_path) == alone
    (tmp_path / "model-2.safetensors").write_bytes(b"more")
    both = fingerprint(tmp_path)
    (tmp_path / "model-2.safetensors").rename(tmp_path / "model-3.safetensors")
    assert len({alone, both, fingerprint(tmp_path)}) == 3

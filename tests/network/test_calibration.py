"""Where the predictor of weights lies, and that one of other weights is not believed."""

from __future__ import annotations

import torch
from safetensors.torch import save_file

from cyclevos.network.calibration import (
    PACKAGED_CALIBRATION,
    WEIGHTS_SHA256,
    calibration_beside,
    matching_calibration,
)
from cyclevos.network.weights import load_network


def write(path, sha256):
    save_file({"mean": torch.zeros(3)}, path, metadata=None if sha256 is None else {WEIGHTS_SHA256: sha256})
    return path


def test_the_predictor_lies_beside_a_file_and_inside_a_folder(tmp_path):
    assert calibration_beside(tmp_path / "run" / "last.v2.safetensors") == (
        tmp_path / "run" / "last.v2.reliability.safetensors"
    )
    (tmp_path / "tiny").mkdir()
    assert calibration_beside(tmp_path / "tiny") == tmp_path / "tiny" / "tiny.reliability.safetensors"


def test_a_predictor_of_these_weights_is_taken(tmp_path, caplog):
    file = write(tmp_path / "a.reliability.safetensors", "1f" * 32)
    assert matching_calibration(file, lambda: "1f" * 32) == file
    assert not caplog.records


def test_one_of_other_weights_or_of_none_is_refused_with_a_warning(tmp_path, caplog):
    file = tmp_path / "a.reliability.safetensors"
    for sha256 in ("2f" * 32, None):
        write(file, sha256)
        assert matching_calibration(file, lambda: "1f" * 32) is None
        assert f"{file} was fitted to other weights: reliability is uncalibrated" in caplog.text
        caplog.clear()
    file.write_bytes(b"\0" * 20)
    assert matching_calibration(file, lambda: "1f" * 32) is None
    assert f"{file} cannot be read" in caplog.text


def test_the_weights_are_not_read_where_there_is_no_predictor(tmp_path, caplog):
    def refuse():
        raise AssertionError("the weights were read")

    assert matching_calibration(tmp_path / "none.reliability.safetensors", refuse) is None
    assert not caplog.records


def test_the_packaged_network_has_the_packaged_predictor():
    assert load_network(device="cpu").calibration == PACKAGED_CALIBRATION

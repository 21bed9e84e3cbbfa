"""`cyclevos calibrate` as a user calls it, and what later runs make of it."""

from __future__ import annotations

import copy
import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from cli_inputs import save_frames, save_mask

from cyclevos.analysis import calibration
from cyclevos.network.calibration import calibration_metadata
from cyclevos.network.fingerprint import checksum
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.network.weights import load_network


@pytest.fixture
def tiny(weights, tmp_path):
    """Weights of this test's own, because the calibration goes beside them."""
    return shutil.copy(weights, tmp_path / "tiny.safetensors")


@pytest.fixture
def dataset(tmp_path, images, ids):
    """Five sequences whose objects move to the right, with a mask for every frame and pixels to ignore."""
    root = tmp_path / "videos"
    for number in range(5):
        save_frames(root / "JPEGImages" / f"clip{number}", [np.roll(image, 3 * number, axis=1) for image in images])
        for index in range(len(images)):
            moved = np.roll(ids, number * index, axis=1)
            moved[:2] = 255
            save_mask(root / "Annotations" / f"clip{number}" / f"shot_{index:03d}.png", moved)
    return root


@pytest.fixture
def calibrate(call, tiny, dataset):
    def run(*options, root=dataset):
        base = ("--weights", tiny, "--split", "none", "--size", "none", "--dtype", "float32", "--quiet")
        return call("calibrate", root, *base, *options)

    return run


def rows(folder):
    return list(csv.DictReader((folder / "reliability.csv").read_text().splitlines()))


def test_the_next_run_uses_the_predictor_and_says_so(calibrate, segment, tiny, tmp_path):
    before = segment("--weights", tiny, output=tmp_path / "before")
    assert "Check first (predicted J, uncalibrated): " in before.out
    answer = calibrate()
    assert answer.code == 0, answer.err
    file = tmp_path / "tiny.reliability.safetensors"
    assert f"Predictor: {file}\n" in answer.out
    assert "50 masks of 5 sequences; J is below 0.5 in" in answer.out
    assert "calibrated, held out" in answer.out
    assert load_network(tiny, device="cpu").calibration == file

    after = segment("--weights", tiny, output=tmp_path / "after")
    assert "Check first (predicted J): " in after.out
    for folder, word in ((tmp_path / "before", "uncalibrated"), (tmp_path / "after", "calibrated")):
        assert {row["calibration"] for row in rows(folder)} == {word}
        run = json.loads((folder / "run.json").read_text())
        assert run["reliability"]["calibrated"] == (word == "calibrated")
        listed = json.loads((folder / "reliability.json").read_text())
        assert {row["calibrated"] for row in listed["frames"]} == {word == "calibrated"}
    assert run["reliability"]["predictor_sha256"] == checksum(file)
    assert [row["reliability"] for row in rows(tmp_path / "before")] != [
        row["reliability"] for row in rows(tmp_path / "after")
    ]
    for name in ("shot_000.png", "shot_005.png"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()


def test_the_file_names_weights_data_and_figures(calibrate, tiny, tmp_path):
    answer = calibrate(
        "--sequences", "clip0,clip1,clip2,clip4", "--limit", "4", "--output", tmp_path / "own.safetensors"
    )
    assert "runs look for it beside the weights: NAME.reliability.safetensors" in answer.out
    metadata = calibration_metadata(tmp_path / "own.safetensors")
    assert metadata["weights_sha256"] == checksum(tiny)
    fitted_on = json.loads(metadata["fitted_on"])
    assert fitted_on["sequences"] == ["clip0", "clip1", "clip2", "clip4"]
    assert (fitted_on["size"], fitted_on["dtype"]) == (None, "float32")
    assert json.loads(metadata["figures"])["cross_validated"]["masks"] == 4 * 3 * 2
    assert not (tmp_path / "tiny.reliability.safetensors").exists()


def test_the_predictor_of_other_weights_is_not_used(calibrate, segment, tiny, lively_network, tmp_path, caplog):
    assert calibrate().code == 0
    retrained = copy.deepcopy(lively_network)
    retrained.decoder.prediction.bias.add_(0.01)
    save_weights(retrained, tiny)
    answer = segment("--weights", tiny)
    assert "Check first (predicted J, uncalibrated): " in answer.out
    assert "was fitted to other weights: reliability is uncalibrated" in caplog.text


def test_sequences_without_known_masks_are_too_few(calibrate, dataset):
    for index in range(1, 6):
        for number in (1, 3):
            (dataset / "Annotations" / f"clip{number}" / f"shot_{index:03d}.png").unlink()
    answer = calibrate()
    assert answer.code == 8
    assert "masks beyond the first are known in 3 of 5 sequences; a calibration needs at least 4" in answer.err
    answer = calibrate("--sequences", "clip0")
    assert "1 of 1 sequence; " in answer.err


def test_masks_that_are_all_equally_good_teach_nothing(calibrate, dataset, tmp_path, call, tiny):
    # Ground truth that shows the objects in the first frame only: every other mask has J 0.
    for file in (dataset / "Annotations").rglob("*.png"):
        if file.stem != "shot_000":
            save_mask(file, np.zeros((24, 40), np.uint8))
    answer = calibrate()
    assert answer.code == 8
    assert "J is 0.000 in all masks (50)" in answer.err
    assert not (tmp_path / "tiny.reliability.safetensors").exists()


def test_an_interrupted_calibration_leaves_the_earlier_one(calibrate, tmp_path, monkeypatch):
    assert calibrate().code == 0
    file = tmp_path / "tiny.reliability.safetensors"
    before = file.read_bytes()

    def interrupt(table):
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration, "calibrated", interrupt)
    assert calibrate().code == 130
    assert file.read_bytes() == before
    assert not [each.name for each in tmp_path.iterdir() if "reliability" in each.name and each != file]


def test_files_of_others_and_the_packaged_network_are_left_alone(calibrate, call, dataset, tiny):
    answer = calibrate("--output", tiny)
    assert answer.code == 7
    assert "is no calibration that cyclevos wrote" in answer.err
    answer = call("calibrate", dataset, "--split", "none")
    assert answer.code == 6
    assert "Name a file by --output" in answer.err


def test_a_fit_that_gains_nothing_and_one_with_few_failures_are_called_so(calibrate, monkeypatch):
    fit = calibration.calibrated

    def with_errors(fitted, formula, failed):
        def run(table):
            found = fit(table)
            own, other = (replace(found.fitted, mean_error=error) for error in (fitted, formula))
            return replace(found, fitted=own, formula=other, failed=failed)

        monkeypatch.setattr(calibration, "calibrated", run)
        return calibrate().out

    poor = with_errors(0.2, 0.1, 3)
    assert "no closer to true J than the formula" in poor
    assert "That is few" in poor
    good = with_errors(0.1, 0.2, 300)
    assert "no closer" not in good
    assert "That is few" not in good

"""`cyclevos robustness` as a user calls it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_inputs import save_mask
from PIL import Image

from cyclevos.analysis.robustness import Study
from cyclevos.errors import ConfigError
from cyclevos.pictures.mask_files import read_mask
from cyclevos.propagation.correction import Correction


@pytest.fixture
def robustness(call, tmp_path, images, ids, weights):
    """Twelve frames, so that two masks stay in memory besides the first."""
    root = tmp_path / "set"
    for folder in ("JPEGImages", "Annotations"):
        (root / folder / "ape").mkdir(parents=True)
    for index in range(12):
        Image.fromarray(images[index // 2]).save(root / "JPEGImages" / "ape" / f"{index:05d}.jpg", quality=95)
        save_mask(root / "Annotations" / "ape" / f"{index:05d}.png", np.roll(ids, index, axis=1))

    def run(*options):
        base = ("--output", tmp_path / "out", "--split", "none", "--weights", weights, "--size", "none")
        return call("robustness", root, *base, "--dtype", "float32", "--quiet", *options)

    return run


def masks(folder):
    return [read_mask(file).ids for file in sorted((folder / "ape").glob("*.png"))]


def test_memory_masks_are_replaced_and_only_they(robustness, tmp_path):
    answer = robustness("--kinds", "box", "--share", "1", "--correction-set", "every=1")
    assert answer.code == 0, answer.err
    clean, boxed, corrected = (masks(tmp_path / "out" / n) for n in ("clean", "memory-box", "memory-box-corrected"))
    assert all(np.array_equal(a, b) for a, b in zip(clean[:6], boxed[:6], strict=True)), "frame 5's own mask stays"
    assert not all(np.array_equal(a, b) for a, b in zip(clean, boxed, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(boxed, corrected, strict=True))
    (outcome,) = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert (outcome["target"], outcome["kind"], outcome["share"]) == ("memory", "box", 1.0)
    assert outcome["recovered"] == pytest.approx(outcome["corrected"] - outcome["perturbed"])
    assert all(0 <= outcome[name] <= 1 for name in ("clean", "perturbed", "corrected"))
    assert (tmp_path / "out" / "robustness.png").stat().st_size > 1000
    assert "recovered" in answer.out


def test_results_of_other_settings_are_replaced_when_asked(robustness, tmp_path):
    assert robustness("--kinds", "box").code == 0
    before = masks(tmp_path / "out" / "clean")
    answer = robustness("--kinds", "box", "--size", "16")
    assert answer.code == 7
    assert "use --overwrite" in answer.err
    assert robustness("--kinds", "box", "--size", "16", "--overwrite").code == 0
    assert not all(np.array_equal(a, b) for a, b in zip(before, masks(tmp_path / "out" / "clean"), strict=True))
    files = sorted((tmp_path / "out").rglob("00001.png"))
    written = [file.stat().st_mtime_ns for file in files]
    assert robustness("--kinds", "box", "--size", "16").code == 0
    assert [file.stat().st_mtime_ns for file in files] == written
    assert robustness("--kinds", "box", "--size", "16", "--overwrite").code == 0
    assert all(file.stat().st_mtime_ns > time for file, time in zip(files, written, strict=True))


def test_a_kind_named_twice_is_studied_once(robustness, tmp_path):
    assert robustness("--kinds", "box,box").code == 0
    assert len(json.loads((tmp_path / "out" / "robustness.json").read_text())) == 1


def test_the_first_mask_and_another_runs_masks(robustness, tmp_path):
    assert robustness("--kinds", "eroded", "--target", "first").code == 0
    clean, worse = (masks(tmp_path / "out" / name)[0] for name in ("clean", "first-eroded"))
    assert ((worse > 0) <= (clean > 0)).all()
    assert (worse > 0).sum() < (clean > 0).sum()
    other = tmp_path / "out" / "first-eroded"
    answer = robustness("--kinds", "run", "--share", "1", "--other-run", other)
    assert answer.code == 0, answer.err
    assert len(masks(tmp_path / "out" / "memory-run")) == 12


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--kinds", ""), "No perturbation is named; expected any of box, eroded"),
        (("--kinds", "boxes"), "Perturbation 'boxes' is unknown; expected any of box, eroded"),
        (("--share", "0"), "share is 0.0; expected a number in (0, 1]"),
        (("--kinds", "run"), "needs the folder of another run"),
        (("--correction", "off"), "choose paper or default"),
    ],
)
def test_slips_are_named(robustness, options, text):
    answer = robustness(*options)
    assert answer.code == 6
    assert text in answer.err


def test_a_seed_is_not_negative(robustness):
    answer = robustness("--seed", "-1")
    assert answer.code == 2
    assert "--seed" in answer.err
    with pytest.raises(ConfigError, match="seed is -1; expected a whole number from 0"):
        Study(("box",), "memory", Correction(), None, seed=-1)

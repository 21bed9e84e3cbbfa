"""The recipes with a smaller trunk, tried on a few generated clips in the layouts that they expect."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cyclevos.errors import DatasetError
from cyclevos.training.config import load_config
from cyclevos.training.dry_run import dry_run


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """DAVIS-2017, YouTube-VOS and the still-image sets, as published, under data/."""
    rng = np.random.default_rng(0)
    ids = np.zeros((48, 80), np.uint8)
    ids[8:30, 10:40], ids[20:44, 45:70] = 1, 2

    def frame():
        return rng.integers(0, 255, (48, 80, 3)).astype(np.uint8)

    root = tmp_path / "data"
    for name in ("a", "b"):
        for i in range(6):
            save(root / "DAVIS" / "JPEGImages" / "480p" / name / f"{i:05d}.jpg", frame())
            save(root / "DAVIS" / "Annotations" / "480p" / name / f"{i:05d}.png", np.roll(ids, i, axis=1))
        for i in range(0, 30, 5):
            save(root / "YouTubeVOS" / "train" / "JPEGImages" / name / f"{i:05d}.jpg", frame())
            save(root / "YouTubeVOS" / "train" / "Annotations" / name / f"{i:05d}.png", ids * (i > 0))
    (root / "DAVIS" / "ImageSets" / "2017").mkdir(parents=True)
    (root / "DAVIS" / "ImageSets" / "2017" / "train.txt").write_text("a\nb\n")
    for folder, images, masks in (
        ("MSRA10K", "Imgs", "Imgs"),
        ("ECSSD", "images", "ground_truth_mask"),
        ("HKU-IS", "imgs", "gt"),
        ("VOC2012", "JPEGImages", "SegmentationObject"),
    ):
        save(root / folder / images / "1.jpg", frame())
        save(root / folder / masks / "1.png", (ids == 1).astype(np.uint8) * 255)
    monkeypatch.chdir(tmp_path)


SMALL = ["network.imagenet=false", "data.augmentation.size=[64,112]", "data.workers=0", "batch=1", "data.min_pixels=4"]
SMALL += ["network.spec={trunk: resnet18}"]
HELD_BACK = ["validation.root=data/DAVIS", "validation.split=train", "validation.sequences=[b]"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "more", "first", "shares"),
    [
        ("paper", HELD_BACK, "data/DAVIS: 1 sequence, 6 annotated frames", [300, 3471]),
        ("paper-static", [], "data/MSRA10K: 1 image,", [10000, 1000, 4447, 2913]),
    ],
)
def test_the_recipes_take_real_steps_on_what_is_not_held_back_from_training(
    data, tmp_path, preset, more, first, shares
):
    config = load_config(preset, [*SMALL, *more])
    estimate = dry_run(config)
    assert estimate.sources[0].startswith(first)
    for line, share in zip(estimate.sources, shares, strict=True):
        assert line.endswith(f"{share / sum(shares):.1%} of the samples")
    assert estimate.trained > 5e6, "two ResNet-18 without their last stage"
    assert estimate.hours == pytest.approx(estimate.seconds_per_step * config.steps / 3600)
    assert estimate.checkpoint_mb * 2**20 > 12 * estimate.trained, "weights and both moments of Adam"
    assert estimate.memory_mb * 2**20 > 12 * estimate.trained
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("preset", ["paper", "compact"])
def test_missing_data_is_said_before_weights_are_fetched(tmp_path, monkeypatch, preset):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cyclevos.training.video_task.build_trained_network", None)
    with pytest.raises(DatasetError, match="does not exist"):
        dry_run(load_config(preset, []))


def test_the_roots_that_compact_says_to_point_elsewhere_are_all_there_are():
    roots = [*(f"data.sources.{k}.root" for k in range(10)), "validation.root", "data.sources.1.annotation_root"]
    config = load_config("compact", [f"{root}=/sets" for root in roots])
    assert "data/" not in config.model_dump_json()

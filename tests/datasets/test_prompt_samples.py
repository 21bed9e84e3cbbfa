"""Samples for prompts: what is asked for is in the look, prompts fit the object, nothing depends on the order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors

from cyclevos.datasets.augmentation import ClipTensors
from cyclevos.datasets.damage import damaged
from cyclevos.datasets.prompt_samples import PromptDataset, PromptDraws, collate_prompts, first_click
from cyclevos.errors import DatasetError
from cyclevos.labels import IGNORE

PLAIN = {
    "size": 64, "margin": (1.4, 1.4), "shift": 0.0, "slack": 0.0, "contrast": (1, 1), "brightness": 0.0,
    "saturation": (1, 1), "mirror": 0.0, "min_pixels": 16,
}  # fmt: skip


class Pictures:
    """A red and a blue rectangle on grey, with a strip of unknown pixels."""

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        ids = np.zeros((80, 120), np.uint8)
        ids[10:50, 20:50] = 1
        ids[30:70, 60:110] = 2
        ids[75:] = IGNORE
        colours = np.full((256, 3), 100, np.uint8)
        colours[1], colours[2] = (220, 0, 0), (0, 0, 220)
        frames = torch.from_numpy(colours[ids]).permute(2, 0, 1)[None].expand(length, -1, -1, -1)
        return ClipTensors(
            tv_tensors.Image(frames), tv_tensors.Mask(torch.from_numpy(ids)[None].expand(length, -1, -1))
        )


def dataset(kind: str, **changes) -> PromptDataset:
    draws = PromptDraws(**{**PLAIN, "kinds": {kind: 1.0}, **changes})
    return PromptDataset([(Pictures(), 1.0)], draws, samples=12, seed=3)


@pytest.mark.parametrize("kind", ["box", "click", "box_click", "repair", "whole"])
def test_the_target_is_the_object_that_is_pointed_at(kind):
    samples = dataset(kind)
    seen = set()
    for image, target, maps, rounds, _ in (samples[n] for n in range(len(samples))):
        assert (image.dtype, image.shape, target.shape, maps.shape) == (torch.uint8, (3, 64, 64), (64, 64), (5, 64, 64))
        red, blue = image[0][target == 1].float().mean() > 150, image[2][target == 1].float().mean() > 150
        assert red != blue, "one object, not both"
        seen.add(bool(red))
        assert rounds >= (kind in ("box_click", "repair"))
        assert maps[0].any() == (kind in ("click", "whole"))
        assert maps[2].any() == maps[4].any() == (kind in ("box", "box_click"))
        assert maps[3].any() == (kind == "repair")
        assert not maps[1].any()
        if kind in ("click", "whole"):
            assert target[maps[0] > 0].eq(1).float().mean() > 0.5
        if kind.startswith("box"):
            assert maps[2][target == 1].all()
            assert (maps[2] > 0).sum() == (target == 1).sum(), "the box of a rectangle is the rectangle"
    assert seen == {True, False}


def test_what_lies_beyond_the_picture_does_not_count():
    target = dataset("whole")[0][1]
    assert (target[:8] == IGNORE).all()
    assert (target[-8:] == IGNORE).all()


def test_a_sample_depends_on_seed_and_number_alone():
    changes = {"slack": 0.2, "shift": 0.1, "mirror": 0.5, "brightness": 20.0}
    first, again = dataset("box", **changes), dataset("box", **changes)
    backwards = [again[n] for n in reversed(range(12))][::-1]
    for n, other in enumerate(backwards):
        for a, b in zip(first[n][:3], other[:3], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(first[0][0], first[1][0])


def test_a_mirrored_sample_is_mirrored_as_a_whole():
    plain, mirrored = dataset("click")[0], dataset("click", mirror=1.0)[0]
    for a, b in zip(plain[:3], mirrored[:3], strict=True):
        assert torch.equal(a.flip(-1), b)


def test_slack_moves_the_edges_of_every_second_box():
    samples = dataset("box", slack=0.2)
    exact = [
        bool((maps[2] > 0).sum() == (target == 1).sum()) for _, target, maps, *_ in (samples[n] for n in range(12))
    ]
    assert 2 <= sum(exact) <= 10


def test_no_object_of_the_wanted_size_is_an_error():
    with pytest.raises(DatasetError, match=r"30 draws .* no object of 9000 pixels"):
        dataset("box", min_pixels=9000)[0]
    with pytest.raises(DatasetError, match="No source"):
        PromptDataset([], PromptDraws(), samples=1, seed=0)


def test_a_batch_stacks_its_samples():
    batch = collate_prompts([dataset("repair")[n] for n in range(3)])
    assert batch.images.shape == (3, 3, 64, 64)
    assert batch.rounds.min() >= 1
    assert len(set(batch.seeds.tolist())) == 3


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20))
def test_a_damaged_mask_still_shows_something(seed, height, width):
    mask = np.zeros((32, 40), bool)
    mask[5 : 5 + height, 6 : 6 + width] = True
    others = np.zeros_like(mask)
    others[28:, 30:] = seed % 2 == 0
    faulty = damaged(mask, others, np.random.default_rng(seed))
    assert faulty.shape == mask.shape
    assert faulty.dtype == np.float32
    assert 0 < faulty.max() <= 1
    assert faulty.min() >= 0


def test_damage_changes_a_mask_most_of_the_time():
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:44] = True
    changed = [((damaged(mask, ~mask & False, np.random.default_rng(n)) > 0.5) != mask).mean() for n in range(50)]
    assert np.mean(np.array(changed) > 0.005) > 0.9


@given(st.integers(0, 2**32 - 1))
def test_a_first_click_is_on_the_object(seed):
    shown = np.zeros((30, 30), bool)
    shown[4:9, 3:28] = True
    click = first_click(shown, np.random.default_rng(seed))
    assert click.positive
    assert shown[click.pixel]

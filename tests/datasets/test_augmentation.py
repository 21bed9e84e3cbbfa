"""Augmentation: image and mask move together, frames of a video alike, nothing is invented."""

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from cyclevos.datasets.augmentation import Augmentation, ClipTensors, Motion, augment, paste, pseudo_clip, twin

PLAIN = {"contrast": (1, 1), "brightness": 0, "saturation": (1, 1)}
STILL = {"rotate": 0, "shear": 0, "scale": (1, 1), "mirror": 0, **PLAIN}


def clip_of(ids: torch.Tensor) -> ClipTensors:
    """A clip whose frames show their own masks: 255 on an object, 0 elsewhere."""
    frames = ((ids > 0) & (ids < 255)).to(torch.uint8)[:, None].repeat(1, 3, 1, 1) * 255
    return ClipTensors(tv_tensors.Image(frames), tv_tensors.Mask(ids))


def disc(h: int = 72, w: int = 96, radius: int = 20) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return (((y - h / 2) ** 2 + (x - w / 2 - 5) ** 2) < radius**2).to(torch.uint8)


def assert_together(clip: ClipTensors) -> None:
    """Where interpolation leaves no doubt (and nothing was filled in), the picture says what the mask says."""
    picture, ids = clip.frames[:, 0], clip.ids
    surely, surely_not = picture >= 254, picture <= 1
    assert surely.any()
    assert surely_not.any()
    assert (ids[surely] == 1).all()
    assert (ids[surely_not] == 0).all()
    undecided = 1 - (surely | surely_not).float().mean()
    assert undecided < 0.35


@pytest.mark.parametrize("seed", range(4))
def test_image_and_mask_move_together(seed):
    wild = Augmentation(size=(48, 64), crop=(0.6, 0.9), rotate=40, shear=20, scale=(0.8, 1.3), **PLAIN)
    assert_together(augment(clip_of(disc().repeat(2, 1, 1)), wild, np.random.default_rng(seed)))


@pytest.mark.parametrize("seed", range(4))
def test_a_still_image_and_its_mask_move_together(seed):
    source = clip_of(disc()[None])
    clip = pseudo_clip(
        tv_tensors.Image(source.frames[0]), tv_tensors.Mask(source.ids[0]), 3, Motion(), np.random.default_rng(seed)
    )
    assert_together(clip)


def test_a_still_image_makes_differing_frames():
    source = clip_of(disc()[None])
    frames, ids = pseudo_clip(
        tv_tensors.Image(source.frames[0]), tv_tensors.Mask(source.ids[0]), 3, Motion(), np.random.default_rng(0)
    )
    assert frames.shape == (3, 3, 72, 96)
    assert ids.shape == (3, 72, 96)
    assert not torch.equal(ids[0], ids[1])
    assert not torch.equal(ids[1], ids[2])


STANDING = {"rotate": 0, "shear": 0, "scale": (1, 1), "translate": 0, "perspective": 0, "elastic": 0}


def test_motion_blur_spreads_light_along_a_line_and_leaves_half_of_the_frames_sharp():
    image, ids = torch.zeros(3, 65, 65, dtype=torch.uint8), torch.zeros(65, 65, dtype=torch.uint8)
    image[:, 32, 32] = 255
    ids[30:35, 30:35] = 1
    motion, rng = Motion(**STANDING, blur=12), np.random.default_rng(0)
    frames, moved = pseudo_clip(tv_tensors.Image(image), tv_tensors.Mask(ids), 60, motion, rng)
    lit = (frames[:, 0] > 0).flatten(1).sum(dim=1)  # pixels
    assert 20 <= int((lit == 1).sum()) <= 45
    assert 8 <= int(lit.max()) <= 15
    assert (frames[:, 0].flatten(1).sum(dim=1) - 255).abs().max() <= 8  # rounded
    spread = frames[:, 0].float().flatten(1)
    y, x = (n.flatten().float() - 32 for n in torch.meshgrid(torch.arange(65), torch.arange(65), indexing="ij"))
    for light in spread[lit >= 6]:
        moments = torch.stack([torch.stack([(light * a * b).sum() for a in (x, y)]) for b in (x, y)]) / light.sum()
        thin, long = torch.linalg.eigvalsh(moments).tolist()
        assert thin < 0.2 * long
    assert (moved == ids).all()


def test_light_drifts_from_frame_to_frame():
    image = tv_tensors.Image(torch.full((3, 32, 32), 100, dtype=torch.uint8))
    ids = tv_tensors.Mask(torch.zeros(32, 32, dtype=torch.uint8))
    frames, _ = pseudo_clip(image, ids, 20, Motion(**STANDING, brightness=15), np.random.default_rng(0))
    assert 85 <= int(frames.min()) < 92
    assert 108 < int(frames.max()) <= 115
    image[:, :16] = 200
    frames, _ = pseudo_clip(image, ids, 20, Motion(**STANDING, contrast=(0.5, 1)), np.random.default_rng(0))
    contrast = frames[:, 0, 0, 0].int() - frames[:, 0, -1, 0].int()
    assert 50 <= int(contrast.min()) < 65
    assert 85 < int(contrast.max()) <= 100


def test_all_frames_of_a_video_are_varied_alike():
    frames, ids = augment(clip_of(disc().repeat(3, 1, 1)), Augmentation(size=(48, 64)), np.random.default_rng(3))
    assert torch.equal(frames[0], frames[2])
    assert torch.equal(ids[0], ids[2])


def test_result_has_the_asked_size_and_type():
    frames, ids = augment(clip_of(disc()[None]), Augmentation(size=(33, 47)), np.random.default_rng(0))
    assert (frames.shape, frames.dtype) == ((1, 3, 33, 47), torch.uint8)
    assert (ids.shape, ids.dtype) == ((1, 33, 47), torch.uint8)


def test_ids_are_never_blended():
    ids = disc() * 7
    ids[:20] = 255
    augmentation = Augmentation(size=(48, 64), rotate=30)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        varied = augment(clip_of(ids[None]), augmentation, rng).ids
        moved = pseudo_clip(tv_tensors.Image(torch.zeros(3, *ids.shape).byte()), tv_tensors.Mask(ids), 2, Motion(), rng)
        assert set(varied.unique().tolist()) <= {0, 7, 255}
        assert set(moved.ids.unique().tolist()) == {0, 7, 255}


def test_the_crop_holds_an_object_pixel():
    ids = torch.zeros(1, 100, 100, dtype=torch.uint8)
    ids[0, 3:6, 90:93] = 4
    augmentation = Augmentation(size=(32, 32), crop=(0.3, 0.3), **STILL)
    for seed in range(30):
        assert (augment(clip_of(ids), augmentation, np.random.default_rng(seed)).ids == 4).any()


def test_a_wide_result_of_a_narrow_frame_is_cut_to_fit():
    frames, _ = augment(clip_of(disc(90, 40, 12)[None]), Augmentation(size=(32, 96)), np.random.default_rng(0))
    assert frames.shape[-2:] == (32, 96)


def test_mirror_flips_both():
    source = clip_of(disc(48, 64, 12)[None])
    whole = {"size": (48, 64), "crop": (1, 1), **STILL}
    straight = augment(source, Augmentation(**whole), np.random.default_rng(0))
    flipped = augment(source, Augmentation(**{**whole, "mirror": 1}), np.random.default_rng(0))
    assert torch.equal(straight.ids, source.ids)
    assert torch.equal(straight.frames, source.frames)
    assert torch.equal(flipped.ids, source.ids.flip(-1))
    assert torch.equal(flipped.frames, source.frames.flip(-1))


def test_brightness_is_in_grey_levels():
    frames = tv_tensors.Image(torch.full((1, 3, 32, 32), 100, dtype=torch.uint8))
    clip = ClipTensors(frames, tv_tensors.Mask(torch.ones(1, 32, 32, dtype=torch.uint8)))
    augmentation = Augmentation(**{**STILL, "size": (32, 32), "crop": (1, 1), "brightness": 5})
    levels = {int(augment(clip, augmentation, np.random.default_rng(s)).frames[0, 0, 5, 5]) for s in range(40)}
    assert 95 <= min(levels) < 98
    assert 102 < max(levels) <= 105


def painted(*boxes: tuple[int, int, int], grey: int) -> ClipTensors:
    """Two frames of one grey level; each box (id, left, right) takes rows 4..12 of 16, a column further in frame 1."""
    ids = torch.zeros(2, 16, 32, dtype=torch.uint8)
    for i, left, right in boxes:
        for t in range(2):
            ids[t, 4:12, left + t : right + t] = i
    return ClipTensors(tv_tensors.Image(torch.full((2, 3, 16, 32), grey, dtype=torch.uint8)), tv_tensors.Mask(ids))


def test_a_pasted_object_is_a_further_one_and_hides_what_it_covers():
    clip, other = painted((1, 2, 12), (2, 20, 24), grey=50), painted((1, 8, 16), grey=200)
    both = paste(clip, other, np.random.default_rng(0))
    over = other.ids == 1
    assert (both.ids[over] == 3).all()
    assert torch.equal(both.ids[~over], clip.ids[~over])
    assert (both.frames[over[:, None].expand_as(both.frames)] == 200).all()
    assert (both.frames[~over[:, None].expand_as(both.frames)] == 50).all()


@pytest.mark.parametrize("boxes", [[], [(255, 8, 16)], [(1, 5, 30)]])
def test_nothing_is_pasted_without_an_object_or_where_it_would_hide_too_much(boxes):
    clip = painted((1, 2, 12), grey=50)
    assert paste(clip, painted(*boxes, grey=200), np.random.default_rng(0)) is clip


def test_unlabelled_frames_stay_unlabelled():
    ids = disc().repeat(3, 1, 1)
    ids[1:] = 255
    wild = Augmentation(size=(48, 64), crop=(0.9, 1), rotate=40, shear=20, scale=(0.6, 0.7), **PLAIN)
    varied = augment(clip_of(ids), wild, np.random.default_rng(0))
    assert set(varied.ids[0].unique().tolist()) == {0, 1}
    assert (varied.ids[1:] == 255).all()
    other = ClipTensors(varied.frames, tv_tensors.Mask(torch.zeros(3, 48, 64, dtype=torch.uint8)))
    other.ids[:, :5, :5] = 7
    both = paste(varied, other, np.random.default_rng(0))
    assert (both.ids[0, :5, :5] == 2).all()
    assert (both.ids[1:] == 255).all()
    assert paste(other, varied, np.random.default_rng(0)) is other  # an object that would vanish


def test_one_of_several_objects_is_pasted():
    clip, other = painted((7, 0, 4), grey=50), painted((1, 8, 12), (2, 20, 24), (255, 28, 30), grey=200)
    seen = set()
    for seed in range(20):
        ids = paste(clip, other, np.random.default_rng(seed)).ids
        assert set(ids.unique().tolist()) == {0, 1, 7}
        seen.add(int((ids[0] == 1).nonzero()[0, 1]))
    assert seen == {8, 20}


def test_a_twin_is_the_mirror_image_elsewhere_with_the_same_motion():
    clip = painted((1, 2, 12), (2, 20, 24), grey=50)
    clip.frames[:, :, 6:8, 2:12] = 90
    shifts = set()
    for seed in range(10):
        frames, ids = twin(clip, np.random.default_rng(seed))
        mirrored = clip.ids.flip(-1)
        found = [(y, x) for y in range(-4, 5) for x in range(-16, 17) if torch.equal(ids, shifted(mirrored, y, x))]
        assert found, seed
        shifts.update(found)
        assert {int(v) for v in frames[:, 0][ids > 0].unique()} <= set(range(50, 91))
    assert len(shifts) > 5


def shifted(ids: torch.Tensor, down: int, right: int) -> torch.Tensor:
    moved = torch.zeros_like(ids)
    rows, columns = ids.shape[-2:]
    moved[:, max(0, down) : rows + min(0, down), max(0, right) : columns + min(0, right)] = ids[
        :, max(0, -down) : rows - max(0, down), max(0, -right) : columns - max(0, right)
    ]
    return moved

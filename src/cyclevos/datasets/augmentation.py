"""Clip augmentation: one draw for all frames of a video, one per frame for a still image."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from cyclevos.labels import IGNORE
from cyclevos.losses import has_labels

# Shapes: T frames, H W pixels of the source, S S' of the result.


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 < value[0] <= value[1]:
        raise ValueError(f"expected two positive numbers, the smaller one first, got {list(value)}")
    return value


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Pixels = Annotated[int, Field(ge=16)]


class Colours(BaseModel):
    """How colours are varied; every value is drawn uniformly from its range.

    Attributes:
        contrast: factor.
        brightness: added, in grey levels of 0..255, to either side.
        saturation: factor.
        sharpness: factor; 1 = as it is, 0 = blurred.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    contrast: Range = (1.0, 1.0)
    brightness: float = Field(0.0, ge=0)
    saturation: Range = (1.0, 1.0)
    sharpness: Range = (1.0, 1.0)


class Augmentation(Colours):
    """How clips are varied; every value is drawn uniformly from its range.

    Attributes:
        size: (height, width) of the result in pixels.
        crop: height of the crop as a share of the frame's height. The crop has the result's aspect ratio
            and stays inside the frame, so it is shorter where the frame is too narrow for it.
        rotate: degrees to either side.
        shear: degrees to either side.
        scale: zoom factor before the crop.
        mirror: probability of a horizontal flip.
    """

    size: tuple[Pixels, Pixels] = (240, 427)
    crop: Range = (0.9, 1.0)
    rotate: float = Field(15.0, ge=0)
    shear: float = Field(10.0, ge=0)
    scale: Range = (0.95, 1.05)
    contrast: Range = (0.97, 1.03)
    brightness: float = Field(5.0, ge=0)
    mirror: float = Field(0.5, ge=0, le=1)


class Motion(BaseModel):
    """How far a frame of a pseudo-clip may differ from the still image; drawn once per frame.

    Attributes:
        rotate: degrees to either side.
        shear: degrees to either side.
        scale: zoom factor.
        translate: share of the frame's size to either side.
        perspective: largest shift of a corner, as a share of the frame's size.
        elastic: amplitude in pixels of a smooth random warp (thin-plate like).
        blur: longest motion blur in pixels; half of the frames stay sharp.
        contrast: factor.
        brightness: added, in grey levels of 0..255, to either side.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rotate: float = Field(15.0, ge=0)
    shear: float = Field(8.0, ge=0)
    scale: Range = (0.85, 1.15)
    translate: float = Field(0.1, ge=0, lt=1)
    perspective: float = Field(0.08, ge=0, lt=0.5)
    elastic: float = Field(6.0, ge=0)
    blur: float = Field(0.0, ge=0)
    contrast: Range = (1.0, 1.0)
    brightness: float = Field(0.0, ge=0)


class ClipTensors(NamedTuple):
    """A clip as tensors: frames uint8 (T,3,S,S') RGB and object ids uint8 (T,S,S'), `IGNORE` in unlabelled frames."""

    frames: tv_tensors.Image
    ids: tv_tensors.Mask


def augment(clip: ClipTensors, augmentation: Augmentation, rng: np.random.Generator) -> ClipTensors:
    """Vary a clip, every frame alike, and cut it to the augmentation's size.

    The crop is placed so that it holds a random object pixel of the first frame, if there is one.
    """
    clip = _affine(
        clip,
        angle=rng.uniform(-1, 1) * augmentation.rotate,
        translate=(0.0, 0.0),
        scale=rng.uniform(*augmentation.scale),
        shear=rng.uniform(-1, 1) * augmentation.shear,
    )
    clip = _crop(clip, augmentation, rng)
    frames, ids = clip
    if rng.random() < augmentation.mirror:
        frames, ids = TF.horizontal_flip(frames), TF.horizontal_flip(ids)
    return ClipTensors(tv_tensors.Image(coloured(frames, augmentation, rng)), tv_tensors.Mask(ids))


def coloured(frames: Tensor, colours: Colours, rng: np.random.Generator) -> Tensor:
    """Vary the colours of frames uint8 (...,3,H,W), all alike."""
    frames = TF.adjust_contrast(frames, rng.uniform(*colours.contrast))
    if colours.saturation != (1.0, 1.0):
        frames = TF.adjust_saturation(frames, rng.uniform(*colours.saturation))
    if colours.sharpness != (1.0, 1.0):
        frames = TF.adjust_sharpness(frames, rng.uniform(*colours.sharpness))
    return _brighten(frames, rng.uniform(-1, 1) * colours.brightness)


def pseudo_clip(
    image: tv_tensors.Image, ids: tv_tensors.Mask, length: int, motion: Motion, rng: np.random.Generator
) -> ClipTensors:
    """Make a clip from one image (3,H,W) and its ids (H,W) by moving each frame differently."""
    moved = [_move(ClipTensors(image[None], ids[None]), motion, rng) for _ in range(length)]
    return ClipTensors(
        tv_tensors.Image(torch.cat([m.frames for m in moved])),
        tv_tensors.Mask(torch.cat([m.ids for m in moved])),
    )


def paste(clip: ClipTensors, other: ClipTensors, rng: np.random.Generator) -> ClipTensors:
    """Paste an object of another clip of the same size over a clip, as one more object that hides what it covers.

    The clip is returned unchanged if that would hide more than half of its own objects' pixels in the first frame, or
    if the other clip shows no object there or has an unlabelled frame. Unlabelled frames of the clip stay unlabelled.
    """
    if not bool(has_labels(other.ids).all()):
        return clip
    found = [int(i) for i in other.ids[0].unique() if 0 < i < IGNORE]
    used = set(clip.ids.unique().tolist())
    free = next((i for i in range(1, IGNORE) if i not in used), None)
    if not found or free is None:
        return clip
    over = torch.as_tensor(other.ids) == found[int(rng.integers(len(found)))]  # (T,S,S')
    own = (clip.ids[0] > 0) & (clip.ids[0] < IGNORE)
    if 2 * int((own & over[0]).sum()) > int(own.sum()):
        return clip
    frames = torch.where(over[:, None], other.frames, clip.frames)
    over &= has_labels(clip.ids)[:, None, None]
    return ClipTensors(tv_tensors.Image(frames), tv_tensors.Mask(clip.ids.masked_fill(over, free)))


def twin(clip: ClipTensors, rng: np.random.Generator) -> ClipTensors:
    """Return a clip's mirror image, moved by up to half its size: its objects look alike, and stand elsewhere."""
    height, width = clip.frames.shape[-2:]
    shift = (rng.uniform(-0.5, 0.5) * width, rng.uniform(-0.25, 0.25) * height)
    mirrored = ClipTensors(TF.horizontal_flip(clip.frames), TF.horizontal_flip(clip.ids))
    return _affine(mirrored, angle=0.0, translate=shift, scale=1.0, shear=0.0)


def _move(clip: ClipTensors, motion: Motion, rng: np.random.Generator) -> ClipTensors:
    h, w = clip.frames.shape[-2:]
    clip = _affine(
        clip,
        angle=rng.uniform(-1, 1) * motion.rotate,
        translate=(rng.uniform(-1, 1) * motion.translate * w, rng.uniform(-1, 1) * motion.translate * h),
        scale=rng.uniform(*motion.scale),
        shear=rng.uniform(-1, 1) * motion.shear,
    )
    frames, ids = clip
    if motion.perspective:
        corners = np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], dtype=float)
        shifted = corners + rng.uniform(-1, 1, corners.shape) * motion.perspective * np.array([w, h])
        start, end = corners.round().astype(int).tolist(), shifted.round().astype(int).tolist()
        frames = TF.perspective(frames, start, end, fill=127.0)
        ids = TF.perspective(ids, start, end, fill=0.0)
    if motion.elastic:
        coarse = rng.uniform(-1, 1, (1, 2, 4, 4)) * motion.elastic * 2 / np.array([w, h]).reshape(1, 2, 1, 1)
        field = torch.nn.functional.interpolate(
            torch.from_numpy(coarse).float(), size=(h, w), mode="bicubic", align_corners=True
        ).permute(0, 2, 3, 1)
        frames = TF.elastic(frames, field, fill=127.0)
        ids = TF.elastic(ids, field, fill=0.0)
    if motion.blur:
        frames = _motion_blur(frames, rng.uniform(-1, 1) * motion.blur, rng.uniform(0, np.pi))
    if motion.contrast != (1.0, 1.0):
        frames = TF.adjust_contrast(frames, rng.uniform(*motion.contrast))
    if motion.brightness:
        frames = _brighten(frames, rng.uniform(-1, 1) * motion.brightness)
    return ClipTensors(tv_tensors.Image(frames), tv_tensors.Mask(ids))


def _motion_blur(frames: Tensor, length: float, angle: float) -> Tensor:
    """Average frames (T,3,H,W) along a line of ``length`` pixels; a line under two pixels changes nothing."""
    if length < 2:
        return frames
    reach = math.ceil(length / 2)
    along = np.linspace(-length / 2, length / 2, 4 * reach + 1)
    kernel = torch.zeros(2 * reach + 1, 2 * reach + 1)
    for x, y in zip(along * np.cos(angle), along * np.sin(angle), strict=True):
        kernel[reach + round(y), reach + round(x)] += 1 / len(along)
    padded = torch.nn.functional.pad(torch.as_tensor(frames).float(), [reach] * 4, mode="replicate")
    mean = torch.nn.functional.conv2d(padded, kernel.expand(3, 1, -1, -1), groups=3)
    return mean.round().clamp(0, 255).to(torch.uint8)


def _brighten(frames: Tensor, shift: float) -> Tensor:
    return (frames.float() + shift).clamp(0, 255).to(torch.uint8)


def _affine(clip: ClipTensors, angle: float, translate: tuple[float, float], scale: float, shear: float) -> ClipTensors:
    def apply(value: Tensor, mode: InterpolationMode, fill: float) -> Tensor:
        moved: Tensor = TF.affine(
            value,
            angle=angle,
            translate=list(translate),
            scale=scale,
            shear=[shear, 0.0],
            interpolation=mode,
            fill=fill,
        )
        return moved

    # What comes in from outside is background, but of an unlabelled frame nothing is known.
    unlabelled = ~has_labels(torch.as_tensor(clip.ids))[:, None, None]
    ids = apply(clip.ids, InterpolationMode.NEAREST, 0.0).masked_fill(unlabelled, IGNORE)
    return ClipTensors(
        tv_tensors.Image(apply(clip.frames, InterpolationMode.BILINEAR, 127.0)),
        tv_tensors.Mask(ids),
    )


def _crop(clip: ClipTensors, augmentation: Augmentation, rng: np.random.Generator) -> ClipTensors:
    height, width = clip.frames.shape[-2:]
    out_h, out_w = augmentation.size
    h = min(rng.uniform(*augmentation.crop) * height, width * out_h / out_w, height)
    crop_h, crop_w = max(1, round(h)), max(1, min(width, round(h * out_w / out_h)))
    ys, xs = torch.nonzero((clip.ids[0] > 0) & (clip.ids[0] < IGNORE), as_tuple=True)
    pick = int(rng.integers(len(ys))) if len(ys) else None
    top = _start(rng, height, crop_h, None if pick is None else int(ys[pick]))
    left = _start(rng, width, crop_w, None if pick is None else int(xs[pick]))
    box = (top, left, crop_h, crop_w)
    frames = TF.resized_crop(clip.frames, *box, size=[out_h, out_w], antialias=True)
    ids = TF.resized_crop(clip.ids, *box, size=[out_h, out_w], interpolation=InterpolationMode.NEAREST_EXACT)
    return ClipTensors(tv_tensors.Image(frames), tv_tensors.Mask(ids))


def _start(rng: np.random.Generator, length: int, crop: int, inside: int | None) -> int:
    low, high = 0, length - crop
    if inside is not None:
        low, high = max(low, inside - crop + 1), min(high, inside)
    return int(rng.integers(low, high + 1))

"""Sources of clips: videos whose frames have labels, and stills that are moved; and several of them mixed."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from cyclevos.datasets.augmentation import ClipTensors, Motion, pseudo_clip
from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError, MaskError
from cyclevos.naming import size_text
from cyclevos.pictures import images
from cyclevos.pictures.sequence_masks import SequenceMasks

# Shapes: T frames, H W pixels.


class ClipSource(Protocol):
    """A source that clips are drawn from."""

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Return an unaugmented clip of ``length`` frames in time order."""


@dataclass(frozen=True)
class VideoSource:
    """Clips of annotated frames of video sequences; sparse annotations are allowed."""

    sequences: Seq[Sequence]

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Draw a sequence, then frames at most ``max_gap`` apart where the annotations allow it."""
        sequence = self.sequences[int(rng.integers(len(self.sequences)))]
        annotated = [i for i, path in enumerate(sequence.frames) if path.stem in sequence.annotations]
        chosen = _choose_frames(annotated, length, max_gap, rng)
        frames = [sequence.frames[i] for i in chosen]
        pairs = [_read_pair(frame, sequence.annotations[frame.stem], sequence.masks) for frame in frames]
        if len({image.shape for image, _ in pairs}) > 1:
            raise DatasetError(f"Sequence '{sequence.name}' has frames of different sizes.", "Scale them to one size.")
        return ClipTensors(
            tv_tensors.Image(torch.stack([image for image, _ in pairs])),
            tv_tensors.Mask(torch.stack([ids for _, ids in pairs])),
        )


@dataclass(frozen=True)
class StillSource:
    """Pseudo-clips of still images with object masks; what 255 means is decided once for all masks."""

    pairs: Seq[tuple[Path, Path]]
    motion: Motion

    @cached_property
    def masks(self) -> SequenceMasks:
        """Reader of the masks."""
        return SequenceMasks(mask for _, mask in self.pairs)

    def decide(self) -> None:
        """Decide what 255 means now, so that loader processes copy the answer instead of reading every mask.

        Raises:
            DatasetError: a file that has to be read to decide is not a mask.
        """
        try:
            self.masks.is_one_object(exact=True)
        except MaskError as error:
            raise DatasetError(f"Training mask: {error.problem}", error.remedy) from error

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Draw an image and move it differently in each frame."""
        image, mask = self.pairs[int(rng.integers(len(self.pairs)))]
        pixels, ids = _read_pair(image, mask, self.masks)
        return pseudo_clip(tv_tensors.Image(pixels), tv_tensors.Mask(ids), length, self.motion, rng)


class Mixture:
    """Several sources, mixed by weight.

    Args:
        sources: (source, weight) pairs.

    Attributes:
        sources: the sources.
        shares: float64, the probability of each one; they sum to 1.

    Raises:
        DatasetError: no weight is positive.
    """

    def __init__(self, sources: Seq[tuple[ClipSource, float]]) -> None:
        weights = np.array([weight for _, weight in sources], dtype=float)
        if weights.sum() <= 0:
            raise DatasetError(
                "No source has a positive weight, so nothing can be drawn.", "List some under data.sources."
            )
        self.sources = [source for source, _ in sources]
        self.shares = weights / weights.sum()

    def draw(self, length: int, gap: int, rng: np.random.Generator) -> ClipTensors:
        """Draw a clip of one of the sources, see :meth:`ClipSource.draw`."""
        return self.sources[rng.choice(len(self.sources), p=self.shares)].draw(length, gap, rng)


def read_image(path: Path) -> Tensor:
    """Read an image upright as uint8 RGB (3,H,W).

    Raises:
        DatasetError: the file is not an image.
    """
    try:
        return torch.from_numpy(images.read_image(path)).permute(2, 0, 1)
    except Exception as error:  # Pillow's decoders raise almost any exception on broken data
        raise DatasetError(f"{path} cannot be read as an image ({error}).", "Replace it or leave it out.") from error


def read_ids(path: Path, masks: SequenceMasks | None = None) -> Tensor:
    """Read a training mask as uint8 ids (H,W) and `IGNORE`.

    Args:
        path: the file.
        masks: reader of the sequence that the mask belongs to; None if it is the only mask.

    Raises:
        DatasetError: the file is not an indexed or grey PNG of 8 bits.
    """
    try:
        return torch.from_numpy((masks or SequenceMasks([path])).read(path, exact=True).ids.copy())
    except MaskError as error:
        raise DatasetError(f"Training mask: {error.problem}", error.remedy) from error


def _choose_frames(annotated: Seq[int], length: int, max_gap: int, rng: np.random.Generator) -> list[int]:
    """Choose frames in time order with bounded gaps; if no annotated frame is near enough, the nearest next one."""
    chosen = [int(annotated[int(rng.integers(max(1, len(annotated) - length + 1)))])]
    while len(chosen) < length:
        later = [i for i in annotated if i > chosen[-1]]
        if not later:
            chosen.append(chosen[-1])
            continue
        needed = length - len(chosen) - 1  # frames that have to follow this one
        usable = later[: max(1, len(later) - needed)]
        near = [i for i in usable if i - chosen[-1] <= max_gap] or later[:1]
        chosen.append(int(near[rng.integers(len(near))]))
    return chosen


def _read_pair(image: Path, mask: Path, masks: SequenceMasks) -> tuple[Tensor, Tensor]:
    """Read an image (3,H,W) and its ids (H,W)."""
    pixels, ids = read_image(image), read_ids(mask, masks)
    if pixels.shape[-2:] != ids.shape:
        height, width = pixels.shape[-2:]
        raise DatasetError(
            f"{mask} is {size_text((ids.shape[0], ids.shape[1]))}, its image {image} is {size_text((height, width))} "
            "(width x height). Masks must have the sizes of their images as displayed.",
            "Export the mask again.",
        )
    return pixels, ids

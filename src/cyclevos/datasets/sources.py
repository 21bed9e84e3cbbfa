"""Sources of clips: videos with labels in all frames or the first, pseudo-clips of still images; and their mixture."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from cyclevos.datasets.augmentation import ClipTensors, Motion, pseudo_clip
from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError, MaskError
from cyclevos.labels import IGNORE
from cyclevos.naming import size_text
from cyclevos.pictures import images
from cyclevos.pictures.sequence_masks import SequenceMasks

# Shapes: T frames, H W pixels.

Labels = Literal["all", "first"]
"""Which annotated frames of a sequence are used with their masks: all of them, or the first one alone."""


class ClipSource(Protocol):
    """A source that clips are drawn from."""

    @property
    def complete(self) -> bool:
        """Whether all frames of its clips have labels."""
        ...

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Return an unaugmented clip of ``length`` frames in time order."""


@dataclass(frozen=True)
class VideoSource:
    """Clips of video sequences.

    Attributes:
        sequences: each with at least one mask.
        labels: ``all``: clips of annotated frames, which may be sparse. ``first``: clips begin with the first annotated
            frame, and any frames follow, without labels; no other mask is read, and what 255 means is decided by that
            one alone.
    """

    sequences: Seq[Sequence]
    labels: Labels = "all"

    @property
    def complete(self) -> bool:
        """Whether all frames of the clips have labels."""
        return self.labels == "all"

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Draw a sequence, then frames at most ``max_gap`` apart where the annotations allow it."""
        sequence = self.sequences[int(rng.integers(len(self.sequences)))]
        if self.labels == "all":
            annotated = [i for i, path in enumerate(sequence.frames) if path.stem in sequence.annotations]
            frames = [sequence.frames[i] for i in _choose_frames(annotated, length, max_gap, rng)]
            pairs = [_read_pair(frame, sequence.annotations[frame.stem], sequence.masks) for frame in frames]
        else:
            first = sequence.frame_names.index(sequence.first_annotated)
            chosen = _choose_frames(range(first, len(sequence.frames)), length, max_gap, rng, start=first)
            pairs = [_read_first(sequence)]
            for i in chosen[1:]:
                pixels = read_image(sequence.frames[i])
                unlabelled = torch.full(pixels.shape[-2:], IGNORE, dtype=torch.uint8)
                pairs.append((pixels, pairs[0][1] if i == first else unlabelled))
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

    @property
    def complete(self) -> bool:
        """Every frame has labels."""
        return True

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


@dataclass(frozen=True)
class PseudoClipSource:
    """Pseudo-clips of the annotated frames of video sequences, each taken as a still image.

    Attributes:
        sequences: each with at least one mask.
        motion: how the frames of a clip differ.
        labels: ``first``: of each sequence, the first annotated frame alone; no other mask is read.
    """

    sequences: Seq[Sequence]
    motion: Motion
    labels: Labels = "all"

    @property
    def complete(self) -> bool:
        """Every frame has labels."""
        return True

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Draw a sequence and one of its frames, and move it differently in each frame of the clip."""
        sequence = self.sequences[int(rng.integers(len(self.sequences)))]
        if self.labels == "first":
            pixels, ids = _read_first(sequence)
        else:
            annotated = [path for path in sequence.frames if path.stem in sequence.annotations]
            frame = annotated[int(rng.integers(len(annotated)))]
            pixels, ids = _read_pair(frame, sequence.annotations[frame.stem], sequence.masks)
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


def _choose_frames(
    usable: Seq[int], length: int, max_gap: int, rng: np.random.Generator, start: int | None = None
) -> list[int]:
    """Choose frames in time order with bounded gaps; if no usable frame is near enough, the nearest next one.

    The first one is `start`, or drawn.
    """
    chosen = [int(usable[int(rng.integers(max(1, len(usable) - length + 1)))]) if start is None else start]
    while len(chosen) < length:
        later = [i for i in usable if i > chosen[-1]]
        if not later:
            chosen.append(chosen[-1])
            continue
        needed = length - len(chosen) - 1  # frames that have to follow this one
        early = later[: max(1, len(later) - needed)]
        near = [i for i in early if i - chosen[-1] <= max_gap] or later[:1]
        chosen.append(int(near[rng.integers(len(near))]))
    return chosen


def _read_first(sequence: Sequence) -> tuple[Tensor, Tensor]:
    """Read the first annotated frame (3,H,W) and its ids (H,W), as if the sequence had no other mask."""
    name = sequence.first_annotated
    return _read_pair(sequence.frames[sequence.frame_names.index(name)], sequence.annotations[name], None)


def _read_pair(image: Path, mask: Path, masks: SequenceMasks | None) -> tuple[Tensor, Tensor]:
    """Read an image (3,H,W) and its ids (H,W); see :func:`read_ids`."""
    pixels, ids = read_image(image), read_ids(mask, masks)
    if pixels.shape[-2:] != ids.shape:
        height, width = pixels.shape[-2:]
        raise DatasetError(
            f"{mask} is {size_text((ids.shape[0], ids.shape[1]))}, its image {image} is {size_text((height, width))} "
            "(width x height). Masks must have the sizes of their images as displayed.",
            "Export the mask again.",
        )
    return pixels, ids

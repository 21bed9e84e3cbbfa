"""Clip sampling: which frames of which source make up training sample n.

Sample n depends on (seed, n) alone, so a resumed run sees the same samples as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from cyclevos.datasets.augmentation import Augmentation, ClipTensors, Motion, augment, paste, pseudo_clip, twin
from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError, MaskError
from cyclevos.labels import IGNORE
from cyclevos.naming import size_text
from cyclevos.pictures import images
from cyclevos.pictures.sequence_masks import SequenceMasks

# Shapes: B clips, T frames, H W pixels.


@dataclass(frozen=True)
class GapCurriculum:
    """Largest distance between neighbouring frames of a clip, growing while training.

    Attributes:
        start: largest gap at the start, in frames.
        step: added at every stage.
        every: samples per stage.
        maximum: never exceeded.
    """

    start: int = 5
    step: int = 5
    every: int = 100_000
    maximum: int = 25

    def at(self, sample: int) -> int:
        """Return the largest gap in force at a sample number."""
        return min(self.maximum, self.start + self.step * (sample // self.every))


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


class ClipBatch(NamedTuple):
    """A batch of clips.

    Attributes:
        frames: uint8 (B,T,3,H,W) RGB.
        labels: uint8 (B,T,H,W) object slots 0..K, 255 to ignore.
        slots: K, the largest number of objects of a clip in the batch (at least 1).
    """

    frames: Tensor
    labels: Tensor
    slots: int


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


class ClipDataset(Dataset[tuple[Tensor, Tensor]]):
    """Augmented clips from several sources, mixed by weight.

    Args:
        sources: (source, weight) pairs.
        augmentation: applied to every clip.
        length: frames per clip.
        samples: number of samples.
        gaps: curriculum of frame gaps.
        max_objects: objects per clip, at most; from more, this many are drawn at random, and the others become
            background.
        seed: of all draws.
        min_pixels: a clip is drawn again if no object has this many pixels in its first frame.
        paste: probability that an object of another clip is pasted over a clip.
        twins: probability that an object's mirror image is pasted over its clip, elsewhere, as another object.
        leave_out: probability that an object becomes background, of each but one.
    """

    def __init__(
        self,
        sources: Seq[tuple[ClipSource, float]],
        augmentation: Augmentation,
        *,
        length: int = 3,
        samples: int,
        gaps: GapCurriculum,
        max_objects: int = 5,
        seed: int = 0,
        min_pixels: int = 64,
        paste: float = 0.0,
        twins: float = 0.0,
        leave_out: float = 0.0,
    ) -> None:
        self.mixture = Mixture(sources)
        self.augmentation, self.length, self.samples = augmentation, length, samples
        self.gaps, self.max_objects, self.seed, self.min_pixels = gaps, max_objects, seed, min_pixels
        self.paste, self.twins, self.leave_out = paste, twins, leave_out

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return frames uint8 (T,3,H,W) and labels uint8 (T,H,W) of sample ``index``."""
        if not 0 <= index < self.samples:
            raise IndexError(f"sample {index} of {self.samples}")
        rng = np.random.default_rng((self.seed, index))
        for _ in range(20):
            clip = self._draw(index, rng)
            if self.paste and rng.random() < self.paste:
                clip = paste(clip, self._draw(index, rng), rng)
            if self.twins and rng.random() < self.twins:
                clip = paste(clip, twin(clip, rng), rng)
            labels = self._slots(torch.as_tensor(clip.ids), rng)
            if labels is not None:
                return torch.as_tensor(clip.frames), labels
        raise DatasetError(
            f"Sample {index}: 20 draws in a row had no object of {self.min_pixels} pixels in the first frame.",
            "Lower data.min_pixels, or check the masks of the sources.",
        )

    def _draw(self, index: int, rng: np.random.Generator) -> ClipTensors:
        return augment(self.mixture.draw(self.length, self.gaps.at(index), rng), self.augmentation, rng)

    def _slots(self, ids: Tensor, rng: np.random.Generator) -> Tensor | None:
        """Number the objects of the first frame 1..K in random order; all others become background."""
        values, counts = ids[0].unique(return_counts=True)
        keep = (values > 0) & (values < IGNORE) & (counts >= self.min_pixels)
        objects = rng.permutation(values[keep].numpy())[: self.max_objects]
        if self.leave_out:
            objects = objects[(np.arange(len(objects)) == 0) | (rng.random(len(objects)) >= self.leave_out)]
        if not len(objects):
            return None
        table = torch.zeros(256, dtype=torch.uint8)
        table[IGNORE] = IGNORE
        for slot, i in enumerate(objects, start=1):
            table[int(i)] = slot
        return table[ids.long()]


def collate(samples: list[tuple[Tensor, Tensor]]) -> ClipBatch:
    """Stack clips; empty slots of clips with fewer objects have no pixels."""
    labels = torch.stack([label for _, label in samples])
    slots = int(labels[labels != IGNORE].max().clamp(min=1)) if bool((labels != IGNORE).any()) else 1
    return ClipBatch(torch.stack([frames for frames, _ in samples]), labels, slots)


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

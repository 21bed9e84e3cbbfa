"""Clip sampling: which frames of which source make training sample number n.

Sample n is a function of (seed, n) alone, so a resumed run sees exactly what it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from cyclevos.datasets.augmentation import Augmentation, ClipTensors, Motion, augment, paste, pseudo_clip
from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError
from cyclevos.losses import IGNORE

# Shapes: B clips, T frames, H W pixels.

VOID = IGNORE


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
    """Something clips can be drawn from."""

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Return an unaugmented clip of ``length`` frames in time order."""


@dataclass(frozen=True)
class VideoSource:
    """Clips of annotated frames of video sequences; sparse annotations are allowed."""

    sequences: Seq[Sequence]

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Draw a sequence, then frames no further apart than ``max_gap`` where that is possible."""
        sequence = self.sequences[int(rng.integers(len(self.sequences)))]
        annotated = [i for i, path in enumerate(sequence.frames) if path.stem in sequence.annotations]
        chosen = _choose_frames(annotated, length, max_gap, rng)
        frames = [sequence.frames[i] for i in chosen]
        pairs = [_read_pair(frame, sequence.annotations[frame.stem]) for frame in frames]
        if len({image.shape for image, _ in pairs}) > 1:
            raise DatasetError(f"sequence '{sequence.name}' has frames of different sizes; scale them alike.")
        return ClipTensors(
            tv_tensors.Image(torch.stack([image for image, _ in pairs])),
            tv_tensors.Mask(torch.stack([ids for _, ids in pairs])),
        )


@dataclass(frozen=True)
class StillSource:
    """Pseudo-clips of still images with object masks."""

    pairs: Seq[tuple[Path, Path]]
    motion: Motion

    def draw(self, length: int, max_gap: int, rng: np.random.Generator) -> ClipTensors:
        """Draw an image and move it differently in each frame."""
        image, mask = self.pairs[int(rng.integers(len(self.pairs)))]
        pixels, ids = _read_pair(image, mask)
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


class ClipDataset(Dataset[tuple[Tensor, Tensor]]):
    """Augmented clips from several sources, mixed by weight.

    Args:
        sources: (source, weight) pairs.
        augmentation: applied to every clip.
        length: frames per clip.
        samples: how many samples there are.
        gaps: curriculum of frame gaps.
        max_objects: more objects than this are thinned at random (the others become background).
        seed: of all draws.
        min_pixels: a first frame with no object of this many pixels is drawn again.
        paste: probability that an object of another clip is put over a clip.
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
    ) -> None:
        if not sources or sum(weight for _, weight in sources) <= 0:
            raise DatasetError("No source with a positive weight to draw clips from; list some under data.")
        self.sources = [source for source, _ in sources]
        weights = np.array([weight for _, weight in sources], dtype=float)
        self.shares = weights / weights.sum()
        self.augmentation, self.length, self.samples = augmentation, length, samples
        self.gaps, self.max_objects, self.seed, self.min_pixels = gaps, max_objects, seed, min_pixels
        self.paste = paste

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
            labels = self._slots(torch.as_tensor(clip.ids), rng)
            if labels is not None:
                return torch.as_tensor(clip.frames), labels
        raise DatasetError(
            f"Sample {index}: 20 draws in a row had no object of {self.min_pixels} pixels in the first frame. "
            "Lower data.min_pixels or check the masks of the sources."
        )

    def _draw(self, index: int, rng: np.random.Generator) -> ClipTensors:
        source = self.sources[rng.choice(len(self.sources), p=self.shares)]
        return augment(source.draw(self.length, self.gaps.at(index), rng), self.augmentation, rng)

    def _slots(self, ids: Tensor, rng: np.random.Generator) -> Tensor | None:
        """Number the objects of the first frame 1..K in random order; all others become background."""
        values, counts = ids[0].unique(return_counts=True)
        keep = (values > 0) & (values < VOID) & (counts >= self.min_pixels)
        objects = rng.permutation(values[keep].numpy())[: self.max_objects]
        if not len(objects):
            return None
        table = torch.zeros(256, dtype=torch.uint8)
        table[VOID] = VOID
        for slot, i in enumerate(objects, start=1):
            table[int(i)] = slot
        return table[ids.long()]


def collate(samples: list[tuple[Tensor, Tensor]]) -> ClipBatch:
    """Stack clips; empty slots of clips with fewer objects have no pixels."""
    labels = torch.stack([label for _, label in samples])
    slots = int(labels[labels != VOID].max().clamp(min=1)) if bool((labels != VOID).any()) else 1
    return ClipBatch(torch.stack([frames for frames, _ in samples]), labels, slots)


def read_image(path: Path) -> Tensor:
    """Read an image as uint8 RGB (3,H,W).

    Raises:
        DatasetError: the file is no image.
    """
    return torch.from_numpy(_pixels(path, "RGB")).permute(2, 0, 1)


def read_ids(path: Path) -> Tensor:
    """Read a mask as uint8 ids (H,W), 255 to ignore; a mask of 0 and 255 alone is binary and gives 0 and 1.

    Raises:
        DatasetError: the file is no indexed or grey image of 8 bits.
    """
    ids = _pixels(path, None)
    if ids.ndim != 2 or ids.dtype not in (np.uint8, np.bool_):
        raise DatasetError(
            f"{path}: training masks must be indexed or grey PNGs of 8 bits, this one has shape {ids.shape} and "
            f"type {ids.dtype}; convert it."
        )
    if set(np.unique(ids).tolist()) == {0, VOID}:  # a binary mask, not one with a void label alone
        return torch.from_numpy((ids > 0).astype(np.uint8))
    return torch.from_numpy(ids.astype(np.uint8))


def _choose_frames(annotated: Seq[int], length: int, max_gap: int, rng: np.random.Generator) -> list[int]:
    """Frames in time order with bounded gaps; the nearest next one where sparse annotations leave none."""
    chosen = [int(annotated[int(rng.integers(max(1, len(annotated) - length + 1)))])]
    while len(chosen) < length:
        later = [i for i in annotated if i > chosen[-1]]
        if not later:
            chosen.append(chosen[-1])
            continue
        needed = length - len(chosen) - 1  # by the frames after this one
        usable = later[: max(1, len(later) - needed)]
        near = [i for i in usable if i - chosen[-1] <= max_gap] or later[:1]
        chosen.append(int(near[rng.integers(len(near))]))
    return chosen


def _read_pair(image: Path, mask: Path) -> tuple[Tensor, Tensor]:
    """Read an image (3,H,W) and its ids (H,W)."""
    pixels, ids = read_image(image), read_ids(mask)
    if pixels.shape[-2:] != ids.shape:
        raise DatasetError(
            f"{mask} is {ids.shape[1]}x{ids.shape[0]} pixels, its image {image} is "
            f"{pixels.shape[2]}x{pixels.shape[1]}; masks must have their images' sizes."
        )
    return pixels, ids


def _pixels(path: Path, mode: str | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        with Image.open(path) as image:
            return np.array(image if mode is None else image.convert(mode))
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"{path} cannot be read as an image ({error}); replace it or leave it out.") from error

"""Clip sampling: which frames of which source make up training sample n.

Sample n depends on (seed, n) alone, so a resumed run sees the same samples as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cyclevos.datasets.augmentation import Augmentation, ClipTensors, augment, paste, twin
from cyclevos.datasets.sources import ClipSource, Mixture
from cyclevos.errors import DatasetError
from cyclevos.labels import IGNORE

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
        samples: number of samples.
        gaps: curriculum of frame gaps.
        max_objects: objects per clip, at most; from more, this many are drawn at random, and the others become
            background.
        seed: of all draws.
        min_pixels: a clip is drawn again if no object has this many pixels in its first frame.
        paste: probability that an object of another clip is pasted over a clip; that clip is of a source whose frames
            all have labels.
        twins: probability that an object's mirror image is pasted over its clip, elsewhere, as another object.
        leave_out: probability that an object becomes background, of each but one.

    Raises:
        DatasetError: there is nothing to draw from, or nothing to paste.
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
        complete = [(source, weight) for source, weight in sources if source.complete]
        if paste and not complete:
            raise DatasetError(
                "data.paste: no source has labels in all frames of its clips, so there is no object to paste.",
                "Set data.paste to 0, or add the first frames as a source of kind pseudo, with labels: first.",
            )
        self.donors = Mixture(complete) if complete else self.mixture

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return frames uint8 (T,3,H,W) and labels uint8 (T,H,W) of sample ``index``.

        The first frame has labels; a frame without any is 255 everywhere.
        """
        if not 0 <= index < self.samples:
            raise IndexError(f"sample {index} of {self.samples}")
        rng = np.random.default_rng((self.seed, index))
        for _ in range(20):
            clip = self._draw(self.mixture, index, rng)
            if self.paste and rng.random() < self.paste:
                clip = paste(clip, self._draw(self.donors, index, rng), rng)
            if self.twins and rng.random() < self.twins:
                clip = paste(clip, twin(clip, rng), rng)
            labels = self._slots(torch.as_tensor(clip.ids), rng)
            if labels is not None:
                return torch.as_tensor(clip.frames), labels
        raise DatasetError(
            f"Sample {index}: 20 draws in a row had no object of {self.min_pixels} pixels in the first frame.",
            "Lower data.min_pixels, or check the masks of the sources.",
        )

    def _draw(self, mixture: Mixture, index: int, rng: np.random.Generator) -> ClipTensors:
        return augment(mixture.draw(self.length, self.gaps.at(index), rng), self.augmentation, rng)

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

"""Samples for prompts: an object of a picture, a look at it, and the first prompts that a person might give.

Sample n depends on (seed, n) alone, so a resumed run sees the same samples as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from cyclevos.datasets.augmentation import Colours, Pixels, Range, coloured
from cyclevos.datasets.damage import damaged
from cyclevos.datasets.sources import ClipSource, Mixture
from cyclevos.errors import DatasetError
from cyclevos.labels import IGNORE
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.boxes import bounds
from cyclevos.prompts.looks import Look
from cyclevos.prompts.maps import prompt_maps
from cyclevos.prompts.next_click import depths
from cyclevos.prompts.prompts import Box, Click

# Shapes: B samples, H W pixels of the picture, S side of a look.

Kind = Literal["box", "click", "box_click", "repair", "whole"]


class PromptDraws(Colours):
    """How samples are drawn; ranges are drawn from uniformly.

    Attributes:
        size: side of a look in pixels.
        kinds: weights of what begins: a box, a click, a box and then a click, a damaged mask to repair, or a click on
            the whole picture.
        margin: side of a look by the longer side of what it shows, except for whole pictures.
        shift: how far the look's centre may move, as a share of its side.
        slack: how far each edge of a box may lie from the object, as a share of the box's side; every second box is
            exact.
        mirror: probability of a horizontal flip.
        min_pixels: smallest object, in pixels of the picture.
        rounds: chances of 0, 1, 2, ... corrective clicks before the answer that counts.
    """

    size: Pixels = 256
    kinds: dict[Kind, float] = Field(
        default={"box": 0.33, "click": 0.25, "box_click": 0.10, "repair": 0.14, "whole": 0.18}, min_length=1
    )
    margin: Range = (1.15, 1.9)
    shift: float = Field(0.08, ge=0, lt=0.5)
    slack: float = Field(0.2, ge=0, lt=0.5)
    contrast: Range = (0.7, 1.3)
    brightness: float = Field(25.0, ge=0)
    saturation: Range = (0.6, 1.4)
    mirror: float = Field(0.5, ge=0, le=1)
    min_pixels: int = Field(150, ge=1)
    rounds: tuple[float, ...] = Field((0.5, 0.25, 0.15, 0.1), min_length=1)


class PromptBatch(NamedTuple):
    """A batch of samples.

    Attributes:
        images: uint8 (B,3,S,S) RGB.
        targets: uint8 (B,S,S), 1 = the object, 255 = ignored.
        maps: float (B,5,S,S), the first prompts, see :func:`cyclevos.prompts.maps.prompt_maps`.
        rounds: int64 (B,), corrective clicks that have to follow.
        seeds: int64 (B,), of these clicks.
    """

    images: Tensor
    targets: Tensor
    maps: Tensor
    rounds: Tensor
    seeds: Tensor


Sample = tuple[Tensor, Tensor, Tensor, int, int]


class PromptDataset(Dataset[Sample]):
    """Objects of several sources, mixed by weight, each with its first prompts.

    Args:
        sources: (source, weight) pairs.
        draws: how samples are drawn.
        samples: number of samples.
        seed: of all draws.
    """

    def __init__(self, sources: Seq[tuple[ClipSource, float]], draws: PromptDraws, *, samples: int, seed: int) -> None:
        self.mixture = Mixture(sources)
        self.draws, self.samples, self.seed = draws, samples, seed
        self._kinds = list(draws.kinds)
        chances = np.array([draws.kinds[kind] for kind in self._kinds])
        self._chances = chances / chances.sum()
        self._rounds = np.array(draws.rounds) / sum(draws.rounds)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Sample:
        """Return image uint8 (3,S,S), target uint8 (S,S), maps (5,S,S), number and seed of corrective clicks."""
        if not 0 <= index < self.samples:
            raise IndexError(f"sample {index} of {self.samples}")
        rng = np.random.default_rng((self.seed, index))
        for _ in range(30):
            clip = self.mixture.draw(1, 1, rng)
            pixels = clip.frames[0].permute(1, 2, 0).numpy()
            ids = clip.ids[0].numpy()
            values, counts = np.unique(ids, return_counts=True)
            usable = values[(values > 0) & (values < IGNORE) & (counts >= self.draws.min_pixels)]
            if len(usable):
                kind = self._kinds[int(rng.choice(len(self._kinds), p=self._chances))]
                sample = self._sample(pixels, ids, int(rng.choice(usable)), kind, rng)
                if sample is not None:
                    return sample
        raise DatasetError(
            f"Sample {index}: 30 draws in a row had no object of {self.draws.min_pixels} pixels.",
            "Lower data.draws.min_pixels, or check the masks of the sources.",
        )

    def _sample(
        self, pixels: UInt8Array, ids: UInt8Array, chosen: int, kind: Kind, rng: np.random.Generator
    ) -> Sample | None:
        """Look at an object and prompt for it; None if the look shows none of it."""
        labels = np.where(ids == IGNORE, IGNORE, ids == chosen).astype(np.uint8)
        others = (ids > 0) & (ids != chosen) & (ids != IGNORE)
        earlier = damaged(labels == 1, others, rng) if kind == "repair" else None
        shown = bounds(labels == 1) if earlier is None else bounds(earlier > 0.5)
        if shown is None:
            return None
        look = self._look(shown, kind, (ids.shape[0], ids.shape[1]), rng)
        size = self.draws.size
        target = look.crop_labels(labels, size, IGNORE)
        found = bounds(target == 1)
        if found is None or (target == 1).sum() < self.draws.min_pixels:
            return None
        clicks = [first_click(target == 1, rng)] if kind in ("click", "whole") else []
        box = self._box(found, rng) if kind in ("box", "box_click") else None
        mask = None if earlier is None else look.crop_mask(earlier, size)
        maps = torch.from_numpy(prompt_maps(size, clicks, box, mask))
        image = torch.from_numpy(look.crop(pixels, size)).permute(2, 0, 1)
        targets = torch.from_numpy(target)
        if rng.random() < self.draws.mirror:
            image, targets, maps = image.flip(-1), targets.flip(-1), maps.flip(-1)
        rounds = max(_LEAST.get(kind, 0), int(rng.choice(len(self._rounds), p=self._rounds)))
        image = coloured(image, self.draws, rng)
        return image.contiguous(), targets.contiguous(), maps.contiguous(), rounds, int(rng.integers(2**31))

    def _look(self, box: Box, kind: Kind, size: tuple[int, int], rng: np.random.Generator) -> Look:
        if kind == "whole":
            return Look.whole(size)
        look = Look.around(box, rng.uniform(*self.draws.margin))
        by = self.draws.shift * look.side
        return look._replace(left=look.left + round(rng.uniform(-by, by)), top=look.top + round(rng.uniform(-by, by)))

    def _box(self, box: Box, rng: np.random.Generator) -> Box:
        """Return the box as a person might draw it."""
        if rng.random() < 0.5:
            return box
        slack = rng.uniform(0, self.draws.slack)
        x, y = slack * (box.right - box.left), slack * (box.bottom - box.top)
        left, top, right, bottom = rng.uniform(-1, 1, 4)
        return Box(box.left + left * x, box.top + top * y, box.right + right * x, box.bottom + bottom * y)


_LEAST: dict[Kind, int] = {"box_click": 1, "repair": 1}  # corrective clicks


def first_click(shown: NDArray[np.bool_], rng: np.random.Generator) -> Click:
    """Return where a person might first click on an object (H,W): well inside, and often at its middle."""
    depth = depths(shown)
    inner = depth >= depth.max() * rng.choice([0.95, 0.5, 0.2])
    rows, columns = np.nonzero(inner & shown)
    pick = int(rng.integers(len(rows)))
    return Click(float(columns[pick]) + 0.5, float(rows[pick]) + 0.5)


def collate_prompts(samples: Seq[Sample]) -> PromptBatch:
    """Stack samples."""
    images, targets, maps, rounds, seeds = zip(*samples, strict=True)
    stacked = torch.stack(images), torch.stack(targets), torch.stack(maps)
    return PromptBatch(*stacked, torch.tensor(rounds), torch.tensor(seeds))

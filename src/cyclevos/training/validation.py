"""How a run is watched: J of propagation over sequences held back from training, and a picture."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cyclevos.datasets.clips import ClipBatch
from cyclevos.datasets.layouts import Sequence, open_dataset
from cyclevos.errors import ConfigError
from cyclevos.masks import jaccard, object_ids
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.propagation.memory_bank import MemoryPolicy
from cyclevos.propagation.propagator import Propagator
from cyclevos.training.config import ValidationConfig
from cyclevos.video import DAVIS_PALETTE, blend

# Shapes: B clips, T frames, K object slots, H W pixels.


class Validation(NamedTuple):
    """Mean J over sequences, and each sequence's own."""

    mean: float
    sequences: dict[str, float]


def validate(network: nn.Module, config: ValidationConfig) -> Validation:
    """Propagate the first mask of each validation sequence and score J against the truth.

    Args:
        network: any memory network; it is left in training mode if it was.
        config: which sequences, at which size.

    Raises:
        ConfigError: no data set or no sequences are configured.
    """
    if config.root is None or not config.sequences:
        raise ConfigError("validation needs validation.root and validation.sequences (held back from training).")
    dataset = open_dataset(config.root, config.split, annotations=config.annotations, sequences=config.sequences)
    training = network.training
    network.eval()
    scores = {s.name: _sequence_j(cast(MemoryNetwork, network), s, config) for s in dataset.sequences}
    network.train(training)
    return Validation(float(np.mean(list(scores.values()))), scores)


def sample_picture(batch: ClipBatch, logits: Tensor) -> Tensor:
    """Picture of the batch's first clip: truth above, prediction below, a column per predicted frame.

    Args:
        batch: the clips.
        logits: (B,T-1,K+1,H,W).

    Returns:
        uint8 (3,2H,(T-1)W).
    """
    frames = batch.frames[0, 1:].permute(0, 2, 3, 1).cpu().numpy()  # (T-1,H,W,3)
    truth = batch.labels[0, 1:].cpu().numpy().astype(np.uint8)
    predicted = logits[0].argmax(dim=1).cpu().numpy().astype(np.uint8)
    rows = [
        np.concatenate(
            [blend(f, np.where(m == 255, 0, m), DAVIS_PALETTE) for f, m in zip(frames, masks, strict=True)],
            axis=1,
        )
        for masks in (truth, predicted)
    ]
    return torch.from_numpy(np.concatenate(rows)).permute(2, 0, 1)


def _sequence_j(network: MemoryNetwork, sequence: Sequence, config: ValidationConfig) -> float:
    """Mean J over objects and annotated frames after the first one."""
    start = sequence.frame_names.index(sequence.first_annotated)
    propagator = Propagator(network, config.size, MemoryPolicy())
    scores: list[float] = []
    objects: tuple[int, ...] = ()
    for i, path in enumerate(sequence.frames[start : start + config.max_frames]):
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        truth = _truth(sequence, path.stem)
        prediction = propagator.step(i, pixels, truth if i == 0 else None)
        if i == 0:
            objects = object_ids(cast("np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", truth))
        elif truth is not None:
            scores += [jaccard(prediction.ids == k, truth == k) for k in objects]
    return float(np.mean(scores)) if scores else 0.0


def _truth(sequence: Sequence, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    path = sequence.annotations.get(name)
    if path is None:
        return None
    with Image.open(path) as image:
        ids = np.array(image).astype(np.uint8)
    return np.where(ids == 255, 0 if set(np.unique(ids).tolist()) != {0, 255} else 1, ids).astype(np.uint8)

"""Monitoring a training run: J over sequences held back from training, and a sample picture."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from cyclevos.datasets.clips import ClipBatch
from cyclevos.datasets.layouts import Dataset, Sequence, open_dataset
from cyclevos.datasets.sources import read_ids, read_image
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.labels import IGNORE
from cyclevos.masks import binary_iou, object_ids
from cyclevos.media.overlay import blend
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.traits import MemoryPolicy
from cyclevos.pictures.palette import DAVIS_PALETTE
from cyclevos.propagation.propagator import Propagator
from cyclevos.training.schema import ValidationConfig
from cyclevos.training.task import Validation
from cyclevos.words import counted

# Shapes: B clips, T frames, K object slots, H W pixels.


def validate(network: nn.Module, config: ValidationConfig) -> Validation:
    """Propagate the first mask of each validation sequence and score J against the ground truth.

    Args:
        network: any memory network; its training mode is restored afterwards.
        config: the sequences and the size.

    Raises:
        ConfigError: no data set or no sequences are configured.
        DatasetError: a sequence is missing, or fewer than two of its frames have masks.
    """
    dataset = open_validation(config)
    training = network.training
    network.eval()
    try:
        scores = {s.name: _sequence_j(cast(MemoryNetwork, network), s, config) for s in dataset.sequences}
    finally:
        network.train(training)
    return Validation(float(np.mean(list(scores.values()))), scores)


def open_validation(config: ValidationConfig) -> Dataset:
    """Find the validation sequences.

    Raises:
        ConfigError: no data set or no sequences are configured.
        DatasetError: a sequence is missing, or fewer than two of its frames have masks.
    """
    if config.root is None or not config.sequences:
        raise ConfigError(
            "Validation needs a data set and the names of sequences, which are held back from training.",
            "Set validation.root and validation.sequences.",
        )
    dataset = open_dataset(config.root, config.split, annotations=config.annotations, sequences=config.sequences)
    for sequence in dataset:
        start = sequence.frame_names.index(sequence.first_annotated)
        seen = sequence.frame_names[start : start + config.max_frames]
        if sum(name in sequence.annotations for name in seen) < 2:
            raise DatasetError(
                f"Validation sequence '{sequence.name}' has only its first mask within "
                f"{counted(config.max_frames, 'frame')}, so there is nothing to score.",
                "Choose another sequence, or raise validation.max_frames.",
            )
    return dataset


def sample_picture(batch: ClipBatch, logits: Tensor) -> Tensor:
    """Draw the first clip of the batch: ground truth above, prediction below, one column per predicted frame.

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
            [blend(f, np.where(m == IGNORE, 0, m), DAVIS_PALETTE) for f, m in zip(frames, masks, strict=True)],
            axis=1,
        )
        for masks in (truth, predicted)
    ]
    return torch.from_numpy(np.concatenate(rows)).permute(2, 0, 1)


def _sequence_j(network: MemoryNetwork, sequence: Sequence, config: ValidationConfig) -> float:
    """Return the mean J over the first mask's objects and the later annotated frames, without `IGNORE` pixels."""
    start = sequence.frame_names.index(sequence.first_annotated)
    propagator = Propagator(network, config.size, MemoryPolicy(), correction=None)
    scores: list[float] = []
    objects: tuple[int, ...] = ()
    for i, path in enumerate(sequence.frames[start : start + config.max_frames]):
        pixels = read_image(path).permute(1, 2, 0).numpy()
        mask = sequence.annotations.get(path.stem)
        truth = None if mask is None else read_ids(mask, sequence.masks).numpy()
        given = np.where(truth == IGNORE, 0, truth).astype(np.uint8) if i == 0 and truth is not None else None
        prediction = propagator.advance(i, pixels, given)
        if given is not None:
            objects = object_ids(given)
        elif truth is not None:
            counted = truth != IGNORE
            scores += [binary_iou((prediction.ids == k) & counted, truth == k) for k in objects]
    return float(np.mean(scores)) if scores else 0.0

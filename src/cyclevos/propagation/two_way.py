"""Merging both directions: backward predictions are stored on disk for the forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.files.atomic import output_errors, replacing
from cyclevos.masks import object_ids, probabilities_to_ids
from cyclevos.propagation.prediction import Prediction

# Shapes: K objects, H W pixels.


class BackwardPass:
    """The predictions of a backward pass, one file per frame.

    Args:
        folder: an existing folder for the files.
        masks: the annotations by frame index; the distance to an object's nearest ones weights the two directions.
    """

    def __init__(self, folder: Path, masks: Mapping[int, NDArray[np.uint8]]) -> None:
        self._folder = folder
        self._shown = {index: object_ids(mask) for index, mask in masks.items()}

    def keep(self, p: Prediction) -> None:
        """Store a prediction of the backward pass.

        Raises:
            OutputError: the file cannot be written.
        """
        if not p.object_ids:
            return
        # A quarter of the space of float32, and far finer than the arg-max of a pixel needs.
        quantised = (p.probabilities * 255).round().to(torch.uint8).cpu().numpy()
        scores = np.array([[i, score] for i, score in p.reliability.items()]).reshape(-1, 2)
        file = self._file(p.index)
        with output_errors(file), replacing(file) as temporary, temporary.open("wb") as opened:
            np.savez_compressed(
                opened,
                probabilities=quantised,
                objects=np.array(p.object_ids),
                reliability=scores,
                calibrated=np.array(p.calibrated),
            )

    def merge(self, p: Prediction) -> Prediction:
        """Average a prediction of the forward pass with the backward one of its frame.

        Object by object, each direction is weighted by how near its annotation is. Reliability is calibrated if both
        directions' is.
        """
        file = self._file(p.index)
        if not file.is_file():
            return p
        with np.load(file) as stored:
            probabilities = torch.from_numpy(stored["probabilities"]).float() / 255
            objects = tuple(int(i) for i in stored["objects"])
            reliability = {int(i): float(score) for i, score in stored["reliability"]}
            calibrated = p.calibrated and bool(stored.get("calibrated", True))
        return replace(_merge(p, probabilities, objects, reliability, self._shown), calibrated=calibrated)

    def drop(self, index: int) -> None:
        """Delete the prediction of a frame."""
        self._file(index).unlink(missing_ok=True)

    def _file(self, index: int) -> Path:
        return self._folder / f"{index}.npz"


def _merge(
    p: Prediction,
    backward: Tensor,
    objects: tuple[int, ...],
    backward_reliability: Mapping[int, float],
    shown: Mapping[int, tuple[int, ...]],
) -> Prediction:
    """Average both directions, object by object, each weighted by how near its annotation is."""
    union = (*p.object_ids, *(i for i in objects if i not in p.object_ids))
    backward = backward.to(p.probabilities.device)
    merged = p.probabilities.new_zeros(len(union) + 1, *p.ids.shape)
    reliability = {}
    for slot, i in enumerate(union, start=1):
        weight = _backward_share(p.index, i, shown)
        scores = [
            (w, predicted[i])
            for w, predicted in ((1 - weight, p.reliability), (weight, backward_reliability))
            if i in predicted
        ]
        if sum(w for w, _ in scores):
            reliability[i] = sum(w * score for w, score in scores) / sum(w for w, _ in scores)
        if i in p.object_ids:
            merged[slot] += (1 - weight) * p.probabilities[p.object_ids.index(i) + 1]
        if i in objects:
            merged[slot] += weight * backward[objects.index(i) + 1]
    foreground = merged[1:].sum(dim=0)
    merged[1:] /= foreground.clamp(min=1)
    merged[0] = (1 - foreground).clamp(min=0)
    return Prediction(p.index, union, merged, probabilities_to_ids(merged, union), p.annotated, reliability)


def _backward_share(index: int, object_id: int, shown: Mapping[int, tuple[int, ...]]) -> float:
    before = [index - t for t, ids in shown.items() if t <= index and object_id in ids]
    after = [t - index for t, ids in shown.items() if t > index and object_id in ids]
    if not before:
        return 1.0
    if not after:
        return 0.0
    return min(before) / (min(before) + min(after))

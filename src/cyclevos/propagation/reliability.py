"""Reliability: the predicted J of each mask, without ground truth.

There are two kinds of signals: the certainty and size of the mask, in every frame, and the J of the reconstructed
reference (the cycle), every few frames. A small predictor that was fitted to the network turns them into a predicted J;
without one, a formula makes a number that is called uncalibrated (``predictor.py``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cyclevos.cycle import reconstruction_iou
from cyclevos.masks import most_probable
from cyclevos.network.protocol import FrameMemory, MemoryNetwork
from cyclevos.propagation.predictor import SHARES, SIGNALS, Predictor, log_odds, predictor_of, uncalibrated
from cyclevos.propagation.references import Reference, answering

# Shapes: K object slots, H W pixels inside the network, S signals.

_MEMORY = 0.9  # weight of the past in the running mean


class _State(NamedTuple):
    """The state of one object that passes from frame to frame."""

    confidence: float = 1.0
    cycle: float = 1.0


class Observation(NamedTuple):
    """The measurements of a frame's masks, still on the device.

    Attributes:
        values: float (R,M,K), for each reference the measures named in ``names`` of each object.
        names: M names: ``share``, ``confidence``, ``expected``, ``marked`` and, if the reference was reconstructed,
            ``cycle``.
        objects: the user's id of each slot.
        compared: for each reference, which objects are compared with it, R times bool (K,) on the host.
    """

    values: Tensor
    names: tuple[str, ...]
    objects: tuple[int, ...]
    compared: tuple[Tensor, ...]


class Verdict(NamedTuple):
    """The predictions from an observation.

    Attributes:
        scores: predicted J in [0, 1] by the user's id, for the objects that a reference shows.
        signals: by the user's id, (S,).
        states: by the user's id, the state for later frames.
    """

    scores: dict[int, float]
    signals: dict[int, Tensor]
    states: dict[int, _State]


class Reliability:
    """Predicts J of each object, frame by frame: :meth:`observe`, :meth:`judge`, :meth:`keep`.

    Only :meth:`keep`, :meth:`mark`, :meth:`forget`, :meth:`reset` and :meth:`restore` change the state.

    Args:
        network: the network that predicts the masks; its ``calibration`` is the file of its predictor.
        every: the reference is reconstructed every n-th frame.
    """

    def __init__(self, network: MemoryNetwork, every: int = 3) -> None:
        self._network, self._every = network, every
        file: Path | None = getattr(network, "calibration", None)
        self._predictor = predictor_of(file)
        self._file = file if self.calibrated else None
        self.reset()

    def reset(self) -> None:
        """Forget the state of every object; the predictor stays."""
        self._states: dict[int, _State] = {}
        self.signals: dict[int, Tensor] = {}

    def use(self, predictor: Predictor) -> None:
        """Use another predictor than the network's own."""
        self._predictor, self._file = predictor, None

    @property
    def calibrated(self) -> bool:
        """Whether the predictions come from a predictor that was fitted to the network."""
        return self._predictor is not None

    def record(self) -> dict[str, Any]:
        """Return what a run records of where its predictions come from, as JSON values."""
        digest = None if self._file is None else hashlib.sha256(self._file.read_bytes()).hexdigest()
        return {"calibrated": self.calibrated, "predictor_sha256": digest}

    def mark(self, objects: Sequence[int]) -> None:
        """Reset the state of objects that are annotated in a frame."""
        for i in objects:
            self._states[i] = _State()

    def forget(self, object_id: int) -> None:
        """Forget the state of an object."""
        self._states.pop(object_id, None)
        self.signals.pop(object_id, None)

    @torch.no_grad()
    def observe(
        self,
        memory: FrameMemory | None,
        probabilities: Tensor,
        objects: Sequence[int],
        references: Sequence[Reference],
        index: int = 0,
        judged: Tensor | None = None,
    ) -> Observation:
        """Measure a frame's masks, without waiting for the device.

        Args:
            memory: of the frame with its masks, of all objects, if the reference is to be reconstructed;
                else None.
            probabilities: its masks (K+1,H,W).
            objects: the user's id of each slot.
            references: annotated frames; an object is compared with the last one that shows it.
            index: of the frame.
            judged: the slot of each pixel, uint8 (H,W), in masks that the probabilities did not make; None = the
                most probable one.
        """
        certainty = _certainty(probabilities, most_probable(probabilities) if judged is None else judged)
        names = (*certainty, "marked", *(() if memory is None else ("cycle",)))
        pairs = answering(references, objects)
        rows = []
        for reference, who in pairs:
            labels = reference.labels(objects)
            marked = torch.stack([labels[0] == slot for slot in range(1, len(objects) + 1)]).float()
            measures = [*certainty.values(), marked.mean(dim=(1, 2))]
            if memory is not None:
                logits = reference.reconstructed(self._network, memory, who, index)
                measures.append(reconstruction_iou(logits, labels, who[None])[0])
            rows.append(torch.stack(measures))  # (M,K)
        values = torch.stack(rows) if rows else probabilities.new_zeros(0)
        return Observation(values, names, tuple(objects), tuple(who for _, who in pairs))

    @torch.no_grad()
    def judge(self, observation: Observation) -> Verdict:
        """Predict the J of a frame's masks from an observation, whose values are best on the host."""
        signals: dict[int, Tensor] = {}
        states: dict[int, _State] = {}
        for columns, who in zip(observation.values.tolist(), observation.compared, strict=True):
            for k, i in enumerate(observation.objects):
                if bool(who[k]):
                    seen = {name: column[k] for name, column in zip(observation.names, columns, strict=True)}
                    signals[i], states[i] = self._signals(i, seen)
        if not signals:
            return Verdict({}, signals, states)
        predicted = (self._predictor or uncalibrated)(torch.stack(list(signals.values())))
        return Verdict(dict(zip(signals, predicted.tolist(), strict=True)), signals, states)

    def keep(self, verdict: Verdict) -> dict[int, float]:
        """Store a verdict's states for later frames and return its scores."""
        self.signals = verdict.signals
        self._states.update(verdict.states)
        return verdict.scores

    def due(self, step: int) -> bool:
        """Return whether the reference is to be reconstructed in the n-th frame."""
        return step % self._every == 0

    def snapshot(self) -> dict[str, Tensor]:
        """Return the state of every object, as tensors."""
        rows = [[i, *state] for i, state in self._states.items()]
        return {"reliability": torch.tensor(rows, dtype=torch.float64).view(-1, 1 + len(_State._fields))}

    def restore(self, snapshot: Mapping[str, Tensor]) -> None:
        """Continue from a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot, or are one of another version.
        """
        rows = snapshot["reliability"]
        if rows.shape[1:] != (1 + len(_State._fields),):
            raise ValueError(f"expected {1 + len(_State._fields)} numbers per object, got {tuple(rows.shape)}")
        self._states = {int(row[0]): _State(*row[1:]) for row in rows.tolist()}

    def _signals(self, i: int, seen: Mapping[str, float]) -> tuple[Tensor, _State]:
        """Return the signals (S,) of one object and its state after this frame."""
        before = self._states.get(i, _State())
        state = _State(
            _MEMORY * before.confidence + (1 - _MEMORY) * seen["confidence"],
            seen.get("cycle", before.cycle),
        )
        area = math.log((seen["share"] + 1e-5) / (seen["marked"] + 1e-5))
        size = math.log(seen["share"] + 1e-5)
        signals = {**seen, **state._asdict(), "area": area, "misfit": abs(area), "size": size}
        signals.update({name: log_odds(signals[name]) for name in SHARES})
        return torch.tensor([signals[name] for name in SIGNALS], dtype=torch.float32), state


def _certainty(probabilities: Tensor, best: Tensor) -> dict[str, Tensor]:
    """Share of the frame, mean probability inside and expected J of masks (H,W) by probabilities, (K,) each."""
    slots = len(probabilities)
    count = torch.stack([(best == slot).sum() for slot in range(1, slots)])  # a bincount would wait for the device
    within = torch.stack([(probabilities[slot] * (best == slot)).sum() for slot in range(1, slots)]).float()
    outside = probabilities[1:].float().sum(dim=(1, 2)) - within
    return {
        "share": count / best.numel(),
        "confidence": within / count.clamp(min=1),
        "expected": within / (count + outside).clamp(min=1),
    }

"""Reliability: the predicted J of each mask, without ground truth.

There are two kinds of signals: the certainty and size of the mask, in every frame, and the J of the reconstructed
reference (the cycle), every few frames. A small predictor in the package turns them into a predicted J.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from cyclevos.cycle import reconstruct_reference, reconstruction_iou
from cyclevos.errors import WeightsError
from cyclevos.masks import most_probable
from cyclevos.network.protocol import MemoryFeatures, MemoryNetwork
from cyclevos.propagation.references import Reference, answering

# Shapes: K object slots, H W pixels inside the network, S signals, U hidden units.

PREDICTOR = Path(__file__).resolve().parents[1] / "weights" / "reliability.safetensors"

SIGNALS = (
    "expected",  # J of the mask, assuming that its probabilities are calibrated
    "size",  # log of the mask's share of the frame
    "confidence",  # mean probability inside the mask, over about the last ten frames
    "area",  # log of the mask's area over the reference's
    "misfit",  # absolute value of area
    "cycle",  # J of the reconstructed reference, in the last frame where it was computed
)
_OF_THE_MASK = 2  # the first signals, which describe the mask alone
_SHARES = ("expected", "confidence", "cycle")  # used as log-odds, because 0.99 is far from 0.95

_MEMORY = 0.9  # weight of the past in the running mean


class Predictor(NamedTuple):
    """Maps signals to J: the J of a mask of the right object, times the probability that it is the right object.

    The first factor follows from the signals of the mask alone; a network of one hidden layer predicts the second from
    the other signals.

    Attributes:
        mean: (S,), subtracted from the signals.
        scale: (S,), divides the signals.
        exact: (3,), factors of the first two signals and the offset.
        hidden: (U,S-1), weights of the other signals, the last column the bias.
        output: (U+1,), the last one the bias.
    """

    mean: Tensor
    scale: Tensor
    exact: Tensor
    hidden: Tensor
    output: Tensor

    def __call__(self, signals: Tensor) -> Tensor:
        """Predict J in [0, 1], (K,), from signals (K,S)."""
        x = ((signals - self.mean) / self.scale).clamp(-4, 4)
        exact = torch.sigmoid(x[:, :_OF_THE_MASK] @ self.exact[:-1] + self.exact[-1])
        seen = torch.tanh(F.linear(x[:, _OF_THE_MASK:], self.hidden[:, :-1], self.hidden[:, -1]))
        return exact * torch.sigmoid(seen @ self.output[:-1] + self.output[-1])


@cache
def load_predictor(path: Path = PREDICTOR) -> Predictor:
    """Load the packaged predictor.

    Raises:
        WeightsError: the file does not hold a predictor for these signals.
    """
    tensors = load_file(path)
    if set(tensors) != set(Predictor._fields) or tensors["mean"].shape != (len(SIGNALS),):
        raise WeightsError(
            f"{path} holds no reliability predictor for the signals {', '.join(SIGNALS)}.",
            "Fit one with scripts/fit_reliability.py, or reinstall cyclevos.",
        )
    return Predictor(**tensors)


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

    Only :meth:`keep`, :meth:`mark` and :meth:`restore` change the state.

    Args:
        network: the network that predicts the masks.
        every: the reference is reconstructed every n-th frame.
    """

    def __init__(self, network: MemoryNetwork, every: int = 3) -> None:
        self._network, self._every = network, every
        self._predictor: Predictor | None = None  # the packaged one, read when it is needed
        self._states: dict[int, _State] = {}
        self.signals: dict[int, Tensor] = {}

    def use(self, predictor: Predictor) -> None:
        """Use another predictor than the packaged one."""
        self._predictor = predictor

    def mark(self, objects: Sequence[int]) -> None:
        """Reset the state of objects that are annotated in a frame."""
        for i in objects:
            self._states[i] = _State()

    @torch.no_grad()
    def observe(
        self,
        memory: MemoryFeatures | None,
        probabilities: Tensor,
        objects: Sequence[int],
        references: Sequence[Reference],
    ) -> Observation:
        """Measure a frame's masks, without waiting for the device.

        Args:
            memory: features of the frame with its masks, of all objects, if the reference is to be reconstructed;
                else None.
            probabilities: its masks (K+1,H,W).
            objects: the user's id of each slot.
            references: annotated frames; an object is compared with the last one that shows it.
        """
        certainty = _certainty(probabilities)
        names = (*certainty, "marked", *(() if memory is None else ("cycle",)))
        pairs = answering(references, objects)
        rows = []
        for reference, who in pairs:
            labels = reference.labels(objects)
            marked = torch.stack([labels[0] == slot for slot in range(1, len(objects) + 1)]).float()
            measures = [*certainty.values(), marked.mean(dim=(1, 2))]
            if memory is not None:
                logits = reconstruct_reference(self._network, memory.select(who), reference.query, who[None])
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
        predictor = load_predictor() if self._predictor is None else self._predictor
        predicted = predictor(torch.stack(list(signals.values())))
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
        signals.update({name: math.log((signals[name] + 0.01) / (1.01 - signals[name])) for name in _SHARES})
        return torch.tensor([signals[name] for name in SIGNALS]), state


def _certainty(probabilities: Tensor) -> dict[str, Tensor]:
    """Share of the frame, mean probability inside and expected J of masks (K+1,H,W), (K,) each."""
    best, slots = most_probable(probabilities), len(probabilities)
    top = probabilities.amax(dim=0)
    count = torch.stack([(best == slot).sum() for slot in range(1, slots)])  # a bincount would wait for the device
    within = torch.stack([(top * (best == slot)).sum() for slot in range(1, slots)]).float()
    outside = probabilities[1:].float().sum(dim=(1, 2)) - within
    return {
        "share": count / best.numel(),
        "confidence": within / count.clamp(min=1),
        "expected": within / (count + outside).clamp(min=1),
    }

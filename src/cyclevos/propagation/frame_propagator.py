"""What the loop drives: segments frame after frame from the memory of earlier frames, from checked arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import VideoError
from cyclevos.geometry import Size
from cyclevos.masks import most_probable, object_ids
from cyclevos.network.protocol import FrameMemory, MemoryNetwork, Segmentation, State
from cyclevos.network.traits import MemoryPolicy
from cyclevos.network.transfer import download
from cyclevos.network.weights import as_network
from cyclevos.propagation.absence import Absent, without_absent, without_own
from cyclevos.propagation.autograd_mode import without_gradients
from cyclevos.propagation.correction import USUAL, Correction, as_correction
from cyclevos.propagation.frame_correction import Disturbance, FrameCorrection, Known
from cyclevos.propagation.inner_size import InnerSizeChoice
from cyclevos.propagation.memory_bank import MemoryBank
from cyclevos.propagation.network_frame import NetworkFrame, encode_frames, fit_frame
from cyclevos.propagation.outcome import MaskOutcome, Outcome, annotated_masks, blank_masks
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.references import Reference, References, shrink_ids
from cyclevos.propagation.reliability import Reliability
from cyclevos.propagation.schedule import Schedule

_Propagator = TypeVar("_Propagator", bound="FramePropagator")
_CARRIED = "carried_"  # prefix of the network's state in a snapshot

# Shapes: K objects, H W pixels of the source, H' W' of the network, h w cells at stride 16.


class FramePropagator:
    """Propagates masks from frame to frame; frames may have any source and any order of indices.

    The loop calls :meth:`advance`, or its parts :meth:`fit`, :meth:`segment` and :meth:`commit`. A frame that raises
    leaves the propagator as it was and can be repeated.

    Args:
        network: any memory network, frozen, or the name of one.
        size: shorter side inside the network in pixels; ``"auto"`` = the size at which the weights work best, or a
            larger one if the first annotated frame shows several objects and one is small; None = the frames' own.
        policy: which frames are memory frames; None = as the network likes it.
        correction: how masks are corrected, or the name of a preset; None = not at all.
        disturb: for robustness studies: called with a frame's index and its predicted ids at the network's size,
            returns the mask to store in sampled memory frames instead, or None. Corrections start from that mask; the
            output does not change.
        absent: objects that are known not to be in a frame: they get no pixel of it, and memory learns that they are
            not there. What is remembered of them from other frames stays, so they can come back.

    Attributes:
        objects: ids of the objects known, in the order in which they came.

    Raises:
        ConfigError: the network cannot work at that size, or it has no gradients to correct masks with.
        WeightsError: the network that is named cannot be loaded.
    """

    def __init__(
        self,
        network: MemoryNetwork | str | Path,
        size: int | Literal["auto"] | None = "auto",
        policy: MemoryPolicy | None = None,
        correction: Correction | str | None = USUAL,
        disturb: Disturbance | None = None,
        absent: Absent | None = None,
    ) -> None:
        self.network = as_network(network)
        self._size = InnerSizeChoice(size, self.network.traits)
        self.policy = policy or self.network.traits.policy
        self.network.frame_size((1, 1), self.size)  # refuses a size that it cannot work at before the first frame
        self.disturb, self.absent = disturb, absent
        self._correction = FrameCorrection(self.network, as_correction(correction), disturb)
        self.correction = self._correction.how
        self.reliability = Reliability(self.network)
        self._device = next(iter(self.network.parameters())).device
        self.reset()

    def reset(self) -> None:
        """Forget every object and frame, and what was announced; the settings stay."""
        self._size.reset()
        self._references = References(self.network, keep=self.looks_ahead)
        self.reliability.reset()
        self.objects: tuple[int, ...] = ()
        self._source: Size | None = None  # of the frames segmented so far
        self._bank = MemoryBank(self.network, self.policy)
        self._state: State | None = None  # what the network carries
        self._previous: Reference | None = None  # the last frame with its output, for corrections that ask for it
        self._schedule = Schedule(self.policy)

    def fresh(self: _Propagator) -> _Propagator:
        """Return a propagator with the same settings and no memory."""
        return type(self)(self.network, self._size.asked, self.policy, self.correction, self.disturb, self.absent)

    @without_gradients
    def snapshot(self) -> dict[str, Tensor]:
        """Return the whole state as copied tensors; :meth:`restore` continues from it exactly."""
        numbers = torch.tensor([self._schedule.steps, self._schedule.since, *self.objects])
        state = {**self._bank.snapshot(), **self._references.snapshot(), **self.reliability.snapshot()}
        state |= self._size.snapshot() | {_CARRIED + name: t.cpu().clone() for name, t in (self._state or {}).items()}
        if self._source is not None:
            state["source"] = torch.tensor(self._source)
        if self._previous is not None:
            state |= {
                "previous_index": torch.tensor(self._previous.frame_index),
                "previous_frame": self._previous.frame.cpu().contiguous(),
                "previous_ids": self._previous.ids.cpu(),
            }
        parameter = next(iter(self.network.parameters()))
        return {"propagator": numbers, "dtype": torch.empty(0, dtype=parameter.dtype), **state}

    @without_gradients
    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Continue from a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot, or are one of another version.
        """
        steps, since, *objects = snapshot["propagator"].tolist()
        self._schedule = Schedule(self.policy, int(steps), int(since))
        self.objects = tuple(int(i) for i in objects)
        carried = {name: tensor for name, tensor in snapshot.items() if name.startswith(_CARRIED)}
        self._state = {name.removeprefix(_CARRIED): t.to(self._device) for name, t in carried.items()} or None
        self._size.restore(snapshot)
        self._bank.restore(snapshot, self._device)
        self._references.restore(snapshot, self._device)
        self.reliability.restore(snapshot)
        self._source, self._previous = None, None
        if "source" in snapshot:
            self._source = int(snapshot["source"][0]), int(snapshot["source"][1])
        if "previous_frame" in snapshot:
            frame = snapshot["previous_frame"].to(self._device)
            index, query = int(snapshot["previous_index"]), self.network.encode_query(frame)
            self._previous = Reference.of(index, query, frame, snapshot["previous_ids"])

    @property
    def size(self) -> int | None:
        """Shorter side inside the network in pixels; None = the frames' own."""
        return self._size.size

    @property
    def looks_ahead(self) -> bool:
        """Whether annotated frames should be :meth:`announced <announce>` before they are reached."""
        return self.correction is not None and self.correction.reference == "all"

    @without_gradients
    def announce(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8]) -> None:
        """Add an annotated frame that has not been reached yet to the references of corrections.

        Args:
            index: of the frame, from 0.
            image: uint8 RGB (H,W,3).
            annotation: the user's ids uint8 (H,W).

        Raises:
            MaskError: the annotation's size is not the frame's.
        """
        frame = fit_frame(index, image, annotation, self._size.of(annotation), self.network)
        self._references.add(index, frame.pixels, shrink_ids(annotation, frame.size), ahead=True)
        self._size.decide(annotation)

    def advance(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> Prediction:
        """Segment the next frame.

        Args:
            index: of the frame, from 0.
            image: uint8 RGB (H,W,3).
            annotation: ids uint8 (H,W), taken as they are. Its objects own exactly their pixels; objects known before
                that it does not show are still predicted on its background pixels.

        Returns:
            The frame's segmentation at the source's size.

        Raises:
            MaskError: the annotation's size is not the frame's.
            VideoError: the frame's size is not that of the earlier frames.
        """
        frame = self.fit(index, image, annotation)
        if self.needs_query(frame):
            (frame,) = encode_frames(self.network, [frame])
        return self.commit(self.segment(frame))

    @without_gradients
    def forget(self, object_id: int) -> None:
        """Forget a known object: nothing that is remembered of it is left, and the others' part stays as it is.

        Args:
            object_id: one of ``objects``.
        """
        slot = self.objects.index(object_id)
        self._bank.forget(slot)
        self._references.forget(object_id)
        self.reliability.forget(object_id)
        self._previous = None if self._previous is None else self._previous.without(object_id)
        kept = torch.arange(len(self.objects)) != slot
        self.objects = tuple(i for i in self.objects if i != object_id)
        if self._state is not None:
            state = {name: rows[kept.to(rows.device)] for name, rows in self._state.items()}
            self._state = state if self.objects else None
        self._schedule = self._schedule if self.objects else Schedule(self.policy)  # the next mask is the first again

    def fit(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> NetworkFrame:
        """Return a frame at the network's size: the first part of :meth:`advance`, with its arguments and errors."""
        frame = fit_frame(index, image, annotation, self._size.of(annotation), self.network)
        if self._source not in (None, frame.source):
            raise VideoError(
                f"Frame {index} is {frame.source} (height, width), but the frames before it are {self._source}.",
                "Give frames of one size.",
            )
        return frame

    def needs_query(self, frame: NetworkFrame) -> bool:
        """Return whether :meth:`segment` needs the frame encoded: an object is known, or annotated in it."""
        return bool(self.objects) or frame.annotation is not None

    @without_gradients
    def segment(self, frame: NetworkFrame) -> Outcome:
        """Predict and correct an encoded frame's masks and encode them for memory, without changing state."""
        said = self._predict(frame)
        predicted = None  # in annotated frames, the annotation is put over what was said
        if frame.annotation is not None:
            masks = annotated_masks(self.network, frame, said, self.objects)
        elif said is None:
            masks = blank_masks(frame)
        else:
            predicted = said.logits.softmax(dim=1)[0]
            known = Known(self.objects, self._references, self._previous, self._schedule)
            masks, predicted = self._correction.masks(frame, said, predicted, known)
        masks = without_own(masks, self.absent, frame.index)
        kind = None if masks.remembered is None else self._schedule.kind(annotated=frame.annotation is not None)
        checked = predicted is not None and self.reliability.due(self._schedule.steps)
        memory = masks.memory
        if memory is None and masks.remembered is not None and (kind is not None or checked):
            memory = self._encode(frame, masks, said)
        state = None
        if masks.inside is not None:
            state = self.network.carry(said, masks.inside[None], None if kind is None else memory)
        observation = None
        if predicted is not None:
            # Of the mask before gradient steps: even harmless ones make probabilities less certain.
            references = self._references.reached()
            asked = memory if checked else None
            observation = self.reliability.observe(asked, predicted, self.objects, references, frame.index)
        return Outcome(frame, masks, kind, memory, state, observation)

    @without_gradients
    def commit(self, outcome: Outcome) -> Prediction:
        """Fetch a step's results from the device, remember the frame, and return its segmentation.

        Everything that can fail is done before the first change of state.
        """
        frame, masks, observation = outcome.frame, outcome.masks, outcome.observation
        given = () if frame.annotation is None else object_ids(frame.annotation)
        schedule = self._schedule
        if masks.remembered is not None:
            schedule = schedule.after(outcome.kind, again=frame.index in self._bank.frames)
        previous_ids, counts = self._correction.next_previous(masks, schedule)
        values = masks.output.new_empty(0) if observation is None else observation.values
        ids, values, counts = download(most_probable(masks.output, masks.objects), values, counts)
        verdict = None if observation is None else self.reliability.judge(observation._replace(values=values))
        previous = None
        if previous_ids is not None and frame.query is not None:
            shown = tuple(sorted(i for i, count in zip(masks.objects, counts.tolist(), strict=True) if count))
            previous = Reference(frame.index, frame.query, frame.pixels, previous_ids, shown)
        if outcome.kind is not None and outcome.memory is not None:
            own = [slot for slot, i in enumerate(masks.objects) if i in given]
            self._bank.write(frame.index, outcome.memory, outcome.kind, len(masks.objects), own)
        self._schedule = schedule
        self._size.decide(frame.annotation)
        self.objects, self._source, self._previous = masks.objects, frame.source, previous
        self._state = outcome.state
        if masks.reference is not None:
            self._references.hold(frame.index, masks.reference)
        self.reliability.mark(given)
        scores = dict.fromkeys(given, 1.0) if verdict is None else self.reliability.keep(verdict)
        output, before, calibrated = masks.output, masks.uncorrected, self.reliability.calibrated
        return Prediction(frame.index, masks.objects, output, np.asarray(ids), bool(given), scores, before, calibrated)

    def _predict(self, frame: NetworkFrame) -> Segmentation | None:
        """Return what the network answers from memory; None while no object is known."""
        if not self.objects or frame.query is None:
            return None
        present = torch.ones(1, len(self.objects), dtype=torch.bool)
        said = self.network.segment(frame.query, self._bank.read(frame.index), present, self._state)
        return without_absent(said, self.objects, self.absent, frame.index)

    def _encode(self, frame: NetworkFrame, masks: MaskOutcome, said: Segmentation | None) -> FrameMemory | None:
        """Encode the frame with the masks that are remembered."""
        if masks.remembered is None:
            return None
        present = torch.ones(1, len(masks.objects), dtype=torch.bool)
        prepared = self.network.prepare_memory(frame.pixels, frame.query)
        memory: FrameMemory = self.network.encode_memory(prepared, masks.remembered[None], present, said, masks.own)
        return memory

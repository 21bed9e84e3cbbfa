"""The propagator: segments frame after frame from the memory of earlier frames."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import VideoError
from cyclevos.geometry import Size, grow_probabilities, network_size
from cyclevos.masks import ids_to_probabilities, most_probable, object_ids, probabilities_to_ids
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.descent import Corrected, correct
from cyclevos.propagation.mask_steps import as_probabilities
from cyclevos.propagation.memory_bank import Kind, MemoryBank, MemoryPolicy
from cyclevos.propagation.network_frame import NetworkFrame, encode_frames, fit_frame
from cyclevos.propagation.outcome import MaskOutcome, Outcome, annotated_masks, blank_masks
from cyclevos.propagation.references import Reference, References, shrink_ids
from cyclevos.propagation.reliability import Reliability
from cyclevos.propagation.transfer import download, upload

logger = logging.getLogger(__name__)

Disturbance = Callable[[int, NDArray[np.uint8]], NDArray[np.uint8] | None]

# Shapes: K objects, H W pixels of the source, H' W' of the network, h w cells at stride 16.


@dataclass(frozen=True, eq=False)
class Prediction:
    """The segmentation of one frame.

    Attributes:
        index: of the frame, from 0.
        object_ids: the user's id of each channel 1..K.
        probabilities: float32 (K+1,H,W) at the source's size, channel 0 the background, summing to 1.
        ids: uint8 (H,W) at the source's size, the most probable object of each pixel.
        annotated: the frame has an annotation.
        reliability: predicted J in [0, 1] of each mask, by object id; 1 for annotated objects. Objects that no
            reference shows yet are left out; in annotated frames, so are all objects that are not annotated.
        uncorrected: float (K+1,H',W') at the network's size, the mask before the correction, if a correction changed
            the output; else None.
    """

    index: int
    object_ids: tuple[int, ...]
    probabilities: Tensor
    ids: NDArray[np.uint8]
    annotated: bool = False
    reliability: Mapping[int, float] = field(default_factory=dict)
    uncorrected: Tensor | None = None


class Propagator:
    """Propagates masks from frame to frame; frames may have any source and any order of indices.

    A step that raises leaves the propagator as it was and can be repeated.

    Args:
        network: any memory network, frozen.
        size: shorter side inside the network in pixels; None = the frames' own size.
        policy: which frames are memory frames.
        correction: how masks are corrected; None = no correction.
        disturb: for robustness studies: called with a frame's index and its predicted ids at the network's size,
            returns the mask to store in sampled memory frames instead, or None. Corrections start from that mask; the
            output does not change.

    Raises:
        ConfigError: the size is below 16 pixels.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        size: int | None,
        policy: MemoryPolicy,
        correction: Correction | None = None,
        disturb: Disturbance | None = None,
    ) -> None:
        network_size((1, 1), size)  # refuses a size that is too small before the first frame
        self.network, self.size, self.policy = network, size, policy
        self.correction = correction if correction is not None and correction.steps else None
        self.disturb = disturb
        self._references = References(network, keep=self.looks_ahead)
        self.reliability = Reliability(network)
        self.objects: tuple[int, ...] = ()
        self._source: Size | None = None  # of the frames segmented so far
        self._bank = MemoryBank(policy, shared_key=network.spec.shared_encoder)
        self._previous: Reference | None = None  # the last frame with its output; see _next_previous
        self._steps = 0
        self._device = next(iter(network.parameters())).device

    def fresh(self) -> Propagator:
        """Return a propagator with the same settings and no memory."""
        return Propagator(self.network, self.size, self.policy, self.correction, self.disturb)

    def snapshot(self) -> dict[str, Tensor]:
        """Return the whole state as copied tensors; :meth:`restore` continues from it exactly."""
        numbers = torch.tensor([self._steps, *self.objects])
        state = {**self._bank.snapshot(), **self._references.snapshot(), **self.reliability.snapshot()}
        if self._source is not None:
            state["source"] = torch.tensor(self._source)
        if self._previous is not None:
            state |= {
                "previous_frame": self._previous.frame.cpu().contiguous(),
                "previous_ids": self._previous.ids.cpu(),
            }
        return {"propagator": numbers, **state}

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Continue from a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot, or are one of another version.
        """
        steps, *objects = snapshot["propagator"].tolist()
        self._steps, self.objects = int(steps), tuple(int(i) for i in objects)
        self._bank.restore(snapshot, self._device)
        self._references.restore(snapshot, self._device)
        self.reliability.restore(snapshot)
        self._source, self._previous = None, None
        if "source" in snapshot:
            height, width = snapshot["source"].tolist()
            self._source = int(height), int(width)
        if "previous_frame" in snapshot:
            frame = snapshot["previous_frame"].to(self._device)
            with torch.no_grad():
                self._previous = Reference.of(self.network.encode_query(frame), frame, snapshot["previous_ids"])

    @property
    def looks_ahead(self) -> bool:
        """Whether annotated frames should be :meth:`announced <announce>` before they are reached."""
        return self.correction is not None and self.correction.reference == "all"

    @torch.no_grad()
    def announce(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8]) -> None:
        """Add an annotated frame that has not been reached yet to the references of corrections.

        Args:
            index: of the frame, from 0.
            image: uint8 RGB (H,W,3).
            annotation: the user's ids uint8 (H,W).

        Raises:
            MaskError: the annotation's size is not the frame's.
        """
        frame = fit_frame(index, image, annotation, self.size, self.network)
        self._references.add(index, frame.pixels, shrink_ids(annotation, frame.size), ahead=True)

    def step(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> Prediction:
        """Segment the next frame.

        Args:
            index: of the frame, from 0.
            image: uint8 RGB (H,W,3).
            annotation: the user's ids uint8 (H,W). Its objects own exactly their pixels; objects known before
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

    def fit(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> NetworkFrame:
        """Return a frame at the network's size: the first part of :meth:`step`, with its arguments and errors."""
        frame = fit_frame(index, image, annotation, self.size, self.network)
        if self._source not in (None, frame.source):
            raise VideoError(
                f"Frame {index} is {frame.source} (height, width), but the frames before it are {self._source}.",
                "Give frames of one size.",
            )
        return frame

    def needs_query(self, frame: NetworkFrame) -> bool:
        """Return whether :meth:`segment` needs the frame encoded: an object is known, or annotated in it."""
        return bool(self.objects) or frame.annotation is not None

    @torch.no_grad()
    def segment(self, frame: NetworkFrame) -> Outcome:
        """Predict and correct an encoded frame's masks and encode them for memory, without changing state."""
        predicted = self._predict(frame)
        if frame.annotation is not None:
            masks = annotated_masks(self.network, frame, predicted, self.objects)
        else:
            masks = blank_masks(frame) if predicted is None else self._corrected_masks(frame, predicted)
        memory = masks.memory
        if memory is None and masks.remembered is not None:
            present = torch.ones(1, len(masks.objects), dtype=torch.bool)
            prepared = self.network.prepare_memory(frame.pixels, frame.query)
            memory = self.network.encode_memory(prepared, masks.remembered[None], present)
        observation = None
        if predicted is not None and frame.annotation is None:
            # Observe the mask before the correction, because even a harmless correction makes probabilities less
            # certain.
            asked = memory if self.reliability.due(self._steps) else None
            observation = self.reliability.observe(asked, predicted, self.objects, self._references.reached())
        return Outcome(frame, masks, memory, observation)

    @torch.no_grad()
    def commit(self, outcome: Outcome) -> Prediction:
        """Fetch a step's results from the device, remember the frame, and return its segmentation.

        Everything that can fail is done before the first change of state.
        """
        frame, masks = outcome.frame, outcome.masks
        annotated = frame.annotation is not None
        given = () if frame.annotation is None else object_ids(frame.annotation)
        previous_ids, counts = self._next_previous(masks, remembered=outcome.memory is not None)
        observation = outcome.observation
        values = masks.output.new_empty(0) if observation is None else observation.values
        ids, values, counts = download(most_probable(masks.output, masks.objects), values, counts)
        verdict = None if observation is None else self.reliability.judge(observation._replace(values=values))
        previous = None
        if previous_ids is not None and frame.query is not None:
            shown = tuple(sorted(i for i, count in zip(masks.objects, counts.tolist(), strict=True) if count))
            previous = Reference(frame.query, frame.pixels, previous_ids, shown)
        if outcome.memory is not None:
            self._bank.write(frame.index, outcome.memory, self._kind(annotated=annotated))
            self._steps += 1
        self.objects, self._source, self._previous = masks.objects, frame.source, previous
        if masks.reference is not None:
            self._references.hold(frame.index, masks.reference)
        self.reliability.mark(given)
        scores = dict.fromkeys(given, 1.0) if verdict is None else self.reliability.keep(verdict)
        return Prediction(
            frame.index, masks.objects, masks.output, np.asarray(ids), annotated, scores, masks.uncorrected
        )

    def _predict(self, frame: NetworkFrame) -> Tensor | None:
        """Return the masks that the network reads from memory, (K+1,H',W'); None while no object is known."""
        if not self.objects or frame.query is None:
            return None
        key, value, known = self._bank.read()
        present = torch.ones(1, len(self.objects), dtype=torch.bool)
        return self.network.segment(frame.query, key, value, present, known).softmax(dim=1)[0]

    def _corrected_masks(self, frame: NetworkFrame, predicted: Tensor) -> MaskOutcome:
        """Correct the predicted masks if this frame is due, and choose the masks for the output and for memory."""
        start = self._disturbed(frame.index, predicted)
        corrected = self._correct(frame, start)
        output, uncorrected, remembered, memory = predicted, None, start, None
        if corrected is not None and self._corrects("memory"):
            remembered, memory = corrected.probabilities, corrected.memory
        if corrected is not None and corrected.kept and self._corrects("output") and start is predicted:
            output, uncorrected = as_probabilities(corrected.probabilities), predicted
        full = grow_probabilities(output, frame.source)
        return MaskOutcome(self.objects, full, output, remembered, memory, uncorrected)

    def _correct(self, frame: NetworkFrame, start: Tensor) -> Corrected | None:
        how = self.correction
        if how is None or self._steps % how.every:
            return None
        references = self._references.all() if how.reference == "all" else self._references.reached()
        prepared = self.network.prepare_memory(frame.pixels, frame.query)
        measured = logger.isEnabledFor(logging.INFO)  # measuring a correction takes time
        corrected = correct(
            self.network, prepared, start, references, self.objects, how, previous=self._previous, measure=measured
        )
        if measured:
            logger.info("frame %d: %s", frame.index, corrected.summary(start))
        return corrected

    def _next_previous(self, masks: MaskOutcome, *, remembered: bool) -> tuple[Tensor | None, Tensor]:
        """Return the output's ids (H',W') and pixel counts of objects (K,), if the next correction needs them."""
        how, step = self.correction, self._steps + remembered
        if how is None or how.accept != "consistent" or step % how.every or masks.inside is None:
            return None, torch.empty(0, dtype=torch.int64, device=self._device)
        ids = most_probable(masks.inside, masks.objects)
        return ids, torch.stack([(ids == i).sum() for i in masks.objects])

    def _corrects(self, what: str) -> bool:
        return self.correction is not None and self.correction.apply_to in (what, "both")

    def _disturbed(self, index: int, predicted: Tensor) -> Tensor:
        if self.disturb is None or self._steps % self.policy.every:
            return predicted
        ids = self.disturb(index, probabilities_to_ids(predicted, self.objects))
        return predicted if ids is None else upload(ids_to_probabilities(ids, self.objects), predicted.device)

    def _kind(self, *, annotated: bool) -> Kind:
        sampled = self._steps % self.policy.every == 0
        return Kind.REFERENCE if annotated else Kind.SAMPLED if sampled else Kind.PREVIOUS

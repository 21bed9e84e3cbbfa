"""The propagator: one frame in, its masks out, with the memory in between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import MaskError, VideoError
from cyclevos.geometry import (
    Size,
    frame_tensor,
    grow_probabilities,
    network_size,
    resize_frame,
    shrink_probabilities,
)
from cyclevos.masks import ids_to_probabilities, most_probable, object_ids, probabilities_to_ids, put_over
from cyclevos.network.protocol import MemoryFeatures, MemoryInput, MemoryNetwork, QueryFeatures
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.descent import Corrected, as_probabilities, correct
from cyclevos.propagation.memory_bank import Kind, MemoryBank, MemoryPolicy
from cyclevos.propagation.references import Reference, References, shrink_ids
from cyclevos.propagation.reliability import Reliability

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
        annotated: a mask was given for this frame.
        reliability: by object id the J in [0, 1] that its mask is thought to have here; 1 where it was
            given. Objects that have not been seen yet are left out, and in annotated frames all others.
        uncorrected: float (K+1,H',W') at the network's size, what a correction started from where it
            changed the output; None elsewhere.
    """

    index: int
    object_ids: tuple[int, ...]
    probabilities: Tensor
    ids: NDArray[np.uint8]
    annotated: bool = False
    reliability: Mapping[int, float] = field(default_factory=dict)
    uncorrected: Tensor | None = None


class Propagator:
    """Carries masks from frame to frame; frames may come from anywhere, in any order of indices.

    Args:
        network: any memory network, frozen.
        size: shorter side inside the network in pixels; None = the frames' own size.
        policy: what is remembered.
        correction: how masks are corrected; None = not.
        disturb: for studies: given a frame's index and predicted ids at the network's size, the mask to
            remember for good instead, or None; corrections start from it, the output is left alone.

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
        network_size((1, 1), size)  # refuses what is too small, before there is a frame
        self.network, self.size, self.policy = network, size, policy
        self.correction = correction if correction is not None and correction.steps else None
        self.disturb = disturb
        self._references = References(network, keep=self.looks_ahead)
        self.reliability = Reliability(network)
        self.objects: tuple[int, ...] = ()
        self._source: Size | None = None  # of the frames seen
        self._bank = MemoryBank(policy, shared_key=network.spec.shared_encoder)
        self._previous: Reference | None = None  # the last frame as it was shown, see _witness
        self._steps = 0
        parameter = next(iter(network.parameters()))
        self._device, self._dtype = parameter.device, parameter.dtype

    def fresh(self) -> Propagator:
        """Return a propagator with the same settings that has seen nothing yet."""
        return Propagator(self.network, self.size, self.policy, self.correction, self.disturb)

    def snapshot(self) -> dict[str, Tensor]:
        """Return all that was seen, as tensors of its own; :meth:`restore` continues from it exactly."""
        numbers = torch.tensor([self._steps, *self.objects])
        seen = {**self._bank.snapshot(), **self._references.snapshot(), **self.reliability.snapshot()}
        if self._source is not None:
            seen["source"] = torch.tensor(self._source)
        if self._previous is not None:
            seen |= {
                "previous_frame": self._previous.frame.cpu().contiguous(),
                "previous_ids": self._previous.ids.cpu(),
            }
        return {"propagator": numbers, **seen}

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Continue from a snapshot.

        Raises:
            KeyError, ValueError: it is not one, or one of another version.
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
            frame, ids = (snapshot[name].to(self._device) for name in ("previous_frame", "previous_ids"))
            with torch.no_grad():
                self._previous = Reference.of(self.network.encode_query(frame), frame, ids)

    @property
    def looks_ahead(self) -> bool:
        """Whether annotated frames should be :meth:`announced <announce>` before they are reached."""
        return self.correction is not None and self.correction.reference == "all"

    def announce(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8]) -> None:
        """Make an annotated frame known that has not been reached yet, for corrections to ask for.

        Args:
            index: number of the frame.
            image: uint8 RGB (H,W,3).
            annotation: known ids (H,W).

        Raises:
            MaskError: the annotation's size is not the frame's.
        """
        source = _source_size(index, image, annotation)
        size = network_size(source, self.size)
        self._refer(index, self._frame(image, size), annotation, size, ahead=True)

    @torch.no_grad()
    def step(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> Prediction:
        """Segment the next frame.

        Args:
            index: number of the frame.
            image: uint8 RGB (H,W,3).
            annotation: known ids (H,W). Its objects are taken as given; objects known before that it
                does not show are still predicted on the pixels it leaves to the background.

        Returns:
            The frame's segmentation at the source's size.

        Raises:
            MaskError: the annotation's size is not the frame's.
            VideoError: the frame's size is not that of the frames before.
        """
        source = _source_size(index, image, annotation)
        if self._source not in (None, source):
            raise VideoError(f"Frame {index} is {source} (height, width), those before {self._source}: give one size.")
        size = network_size(source, self.size)
        frame = self._frame(image, size)
        query = self.network.encode_query(frame) if self.objects else None
        small = None if query is None else self._predict(query)  # (K+1,H',W')
        annotated = annotation is not None and bool(annotation.any())
        remembered = small if small is None or annotated else self._disturbed(index, small)
        corrected = None if remembered is None or annotated else self._correct(index, frame, query, remembered)
        seen = query  # features of the frame, had even where there is nothing to predict
        shown, uncorrected, objects = small, None, self.objects
        if corrected is not None and corrected.kept and self._corrects("output") and remembered is small:
            shown, uncorrected = as_probabilities(corrected.probabilities), small
        full = self._background(source) if shown is None else grow_probabilities(shown, source)
        if annotation is not None and annotated:
            full, objects = put_over(full, self.objects, annotation)
            remembered = shrink_probabilities(full, size)
            seen = self._refer(index, frame, annotation, size, query)
            self.reliability.mark(object_ids(annotation))
        features = None
        if remembered is not None and objects:
            prepared = self.network.prepare_memory(frame, seen)
            features = self._remember(index, prepared, remembered, corrected, annotated=annotated)
        self.objects = objects  # not before: a frame that fails, for want of memory say, may be given again
        scores = dict.fromkeys(object_ids(annotation), 1.0) if annotation is not None else {}
        if small is not None and not annotated:
            asked = features if self.reliability.due(self._steps - 1) else None
            known = self._references.reached()
            # A correction leaves less certain probabilities where it does no harm: they are not held against it.
            scores = self.reliability.observe(asked, small, self.objects, known)
        self._witness(frame, seen, remembered if annotated else shown)
        self._source = source
        ids = probabilities_to_ids(full, self.objects)
        return Prediction(index, self.objects, full, ids, annotated, scores, uncorrected)

    def _frame(self, image: NDArray[np.uint8], size: Size) -> Tensor:
        return resize_frame(frame_tensor(image).to(self._device), size)[None].to(self._dtype)

    def _predict(self, query: QueryFeatures) -> Tensor:
        key, value, known = self._bank.read()
        present = torch.ones(1, len(self.objects), dtype=torch.bool, device=key.device)
        return self.network.segment(query, key, value, present, known).softmax(dim=1)[0]

    def _correct(self, index: int, frame: Tensor, query: QueryFeatures | None, small: Tensor) -> Corrected | None:
        how = self.correction
        if how is None or self._steps % how.every:
            return None
        references = self._references.all() if how.reference == "all" else self._references.reached()
        prepared = self.network.prepare_memory(frame, query)
        told = logger.isEnabledFor(logging.INFO)  # what is told of a correction takes its time
        corrected = correct(
            self.network, prepared, small, references, self.objects, how, witness=self._previous, measure=told
        )
        if told:
            logger.info("frame %d: %s", index, corrected.summary(small))
        return corrected

    def _witness(self, frame: Tensor, query: QueryFeatures | None, mask: Tensor | None) -> None:
        """Hold the frame as it was shown if the next one is to be corrected and its correction asks for it."""
        how, self._previous = self.correction, None
        if how is None or how.accept != "consistent" or self._steps % how.every or query is None or mask is None:
            return
        self._previous = Reference.of(query, frame, most_probable(mask, self.objects))

    def _corrects(self, what: str) -> bool:
        return self.correction is not None and self.correction.apply_to in (what, "both")

    def _disturbed(self, index: int, small: Tensor) -> Tensor:
        if self.disturb is None or self._steps % self.policy.every:
            return small
        ids = self.disturb(index, probabilities_to_ids(small, self.objects))
        return small if ids is None else ids_to_probabilities(ids, self.objects).to(small.device)

    def _refer(
        self,
        index: int,
        frame: Tensor,
        annotation: NDArray[np.uint8],
        size: Size,
        query: QueryFeatures | None = None,
        *,
        ahead: bool = False,
    ) -> QueryFeatures:
        return self._references.add(index, frame, shrink_ids(annotation, size).to(self._device), query, ahead=ahead)

    def _remember(
        self, index: int, prepared: MemoryInput, small: Tensor, corrected: Corrected | None, *, annotated: bool
    ) -> MemoryFeatures:
        sampled = self._steps % self.policy.every == 0
        kind = Kind.REFERENCE if annotated else Kind.SAMPLED if sampled else Kind.PREVIOUS
        present = torch.ones(1, len(small) - 1, dtype=torch.bool, device=small.device)
        features = None
        if corrected is not None and self._corrects("memory"):
            small, features = corrected.probabilities, corrected.memory
        if features is None:
            features = self.network.encode_memory(prepared, small[None], present)
        self._bank.write(index, features, kind)
        self._steps += 1
        return features

    def _background(self, source: Size) -> Tensor:
        return torch.ones(1, *source, device=self._device)


def _source_size(index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None) -> Size:
    source: Size = (int(image.shape[0]), int(image.shape[1]))
    if annotation is not None and annotation.shape != source:
        raise MaskError(
            f"The mask of frame {index} has shape {annotation.shape}, the frame {source} (height, width). "
            "Give it in the frame's size."
        )
    return source

"""The reliability of masks that others made: each frame's mask is taken as it is, and held against the first one.

The loop is that of segmentation, except that no mask is predicted. What the network would have said, from the memory
of the masks before, gives the probabilities of the given mask; the cycle asks the reference back from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import MaskError
from cyclevos.exchange.given.python_masks import read_video_masks
from cyclevos.geometry import shrink_probabilities
from cyclevos.masks import ids_to_probabilities, object_ids
from cyclevos.media.appearance import Appearance
from cyclevos.media.frames import Frame
from cyclevos.media.given_frames import open_frames
from cyclevos.media.sources import FrameSource
from cyclevos.network.protocol import MemoryNetwork, Segmentation
from cyclevos.network.weights import as_network
from cyclevos.propagation.autograd_mode import without_gradients
from cyclevos.propagation.frame_access import OpenFrames, image_at, length_of
from cyclevos.propagation.network_frame import NetworkFrame
from cyclevos.propagation.outcome import MaskOutcome, Outcome
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.references import Reference, shrink_ids
from cyclevos.propagation.segment import Frames, Masks, segment_frames
from cyclevos.propagation.settings import SegmentationSettings

# Shapes: K objects, H W pixels of the source, H' W' of the network.

_TRUSTED = 0.2  # reliability from which on a frame is remembered: a wrong mask should not count against the next ones


def review(
    network: MemoryNetwork | str | Path,
    frames: Frames,
    masks: Any,
    *,
    first: int | None = None,
    size: int | Literal["auto"] | None = "auto",
) -> Iterator[Prediction]:
    """Predict the reliability of masks of all frames, whoever made them.

    Args:
        network: see :func:`cyclevos.segment`.
        frames: see there; with ``first`` after the first frame, a path or a sequence.
        masks: of all frames, by frame index, or the path of a file or folder in any format of ``--masks``. In a frame
            without a mask, no object is shown.
        first: index of the frame whose mask is right and that the others are held against; None = the first one with
            an object. Objects that it does not show are held against their own first mask.
        size: see :func:`cyclevos.segment`.

    Returns:
        A generator of one prediction per frame, whose ``ids`` are the given mask, and whose ``reliability`` leaves out
        objects in the frame that they are held against.

    Raises:
        VideoError, MaskError, ConfigError, WeightsError: as :func:`cyclevos.segment`.
    """
    opened = open_frames(frames)
    source = opened if isinstance(opened, FrameSource) else None
    given = read_video_masks(masks, source, frame_count=length_of(opened))
    ids = {index: mask.ids for index, mask in given.items()}
    start = reference_frame(ids, first)
    reviewer = make_reviewer(as_network(network), SegmentationSettings(size), ids, start)
    palette = next((mask.palette for mask in given.values() if mask.palette is not None), None)
    look = Appearance(palette, given.names)
    shown = tuple(sorted({i for mask in given.values() for i in mask.object_ids}))
    pairs = review_frames(reviewer, opened)
    return (replace(p, frame=frame, appearance=look, all_ids=shown) for frame, p in pairs)


def reference_frame(masks: Masks, first: int | None = None) -> int:
    """Return the index of the frame that the others are held against.

    Args:
        masks: by frame index.
        first: as the caller says; None = the first one with an object.

    Raises:
        MaskError: its mask shows no object, or no mask does.
    """
    if first is None:
        first = next((index for index, mask in sorted(masks.items()) if mask.any()), None)
    if first is None:
        raise MaskError("No mask shows an object: every pixel is background 0.", "Give masks with object ids 1..255.")
    if first not in masks or not masks[first].any():
        raise MaskError(
            f"The mask of frame {first} shows no object, so no other mask can be held against it.",
            "Choose a frame whose mask shows the objects and is right.",
        )
    return first


def make_reviewer(network: MemoryNetwork, settings: SegmentationSettings, masks: Masks, first: int) -> Reviewer:
    """Create a reviewer from settings.

    Raises:
        ConfigError: a value is out of range.
    """
    settings = settings.resolved(network.traits)
    reviewer = Reviewer(network, settings.size, settings.policy(network.traits), correction=None)
    reviewer.take(masks, first)
    return reviewer


def review_frames(reviewer: Reviewer, frames: Frames, start: int = 0) -> Iterator[tuple[Frame, Prediction]]:
    """Run the loop, yielding each frame with its given mask and the reliability.

    Args:
        reviewer: a fresh one, or one restored to continue at ``start``.
        frames: see :func:`review`.
        start: index of the frame to begin with, from a path or an opened source only.

    Raises:
        VideoError: the frames cannot be read.
        MaskError: a mask's frame does not exist or its size is wrong.
    """
    opened = open_frames(frames)
    if start == 0:
        reviewer.prepare(opened)
    return segment_frames(reviewer, opened, reviewer.annotations, start=start)


class Reviewer(Propagator):
    """A propagator that takes every frame's mask as it is given, and says how reliable it is."""

    _masks: Mapping[int, NDArray[np.uint8]] = {}
    _first = 0

    def take(self, masks: Masks, first: int) -> None:
        """Take the masks to review, by frame index, and the index of the frame that they are held against."""
        self._masks, self._first = masks, first

    @property
    def annotations(self) -> Masks:
        """The only mask that is not doubted, by its frame's index."""
        return {self._first: self._masks[self._first]}

    def fresh(self) -> Reviewer:
        """Return one with the same settings and masks, and no memory."""
        other = type(self)(self.network, self._size.asked, self.policy, correction=None)
        other.take(self._masks, self._first)
        return other

    def prepare(self, frames: OpenFrames) -> None:
        """Remember the reference before the first frame, where it comes later.

        Raises:
            VideoError: the frame cannot be read.
        """
        image = image_at(frames, self._first) if self._first else None
        if image is not None:
            self.advance(self._first, image, self._masks[self._first])

    def needs_query(self, frame: NetworkFrame) -> bool:
        """Return whether the frame has to be encoded: an object is known, or shown in it."""
        return bool(self.objects) or frame.index in self._masks

    @without_gradients
    def segment(self, frame: NetworkFrame) -> Outcome:
        """Hold a frame's mask against what the network says, without changing state."""
        ids = self._masks.get(frame.index)
        ids = np.zeros(frame.source, np.uint8) if ids is None else ids
        shown = object_ids(ids)
        new = [i for i in shown if i not in self.objects]
        objects = (*self.objects, *new)
        if not objects or frame.query is None:
            return super().segment(replace(frame, annotation=None))
        said = self._predict(frame)
        output = ids_to_probabilities(ids, objects).to(self._device)
        inside = shrink_probabilities(self.network.settle(output), frame.size)
        own = None if said is None or said.state is None else torch.zeros(1, len(objects), dtype=torch.bool)
        held = shown if frame.annotation is not None else new  # what is not doubted in this frame
        reference = _reference(frame, ids, held)
        masks = MaskOutcome(objects, output, inside, inside, own=own, reference=reference)
        kind = self._schedule.kind(annotated=bool(held))
        # The cycle of every frame: in a run one mask follows from the one before, here each may be wrong by itself.
        memory = self._encode(frame, masks, said)
        state = self.network.carry(said, inside[None], None if kind is None else memory)
        observation = None
        if frame.annotation is None and said is not None:
            labels = shrink_ids(ids, frame.size) if shown else torch.zeros(frame.size, dtype=torch.uint8)
            observation = self.reliability.observe(
                memory,
                _padded(said, len(objects)),
                objects,
                self._references.reached(),
                frame.index,
                judged=_slots(labels, objects).to(self._device),
            )
        return Outcome(frame, masks, kind, memory, state, observation)

    @without_gradients
    def commit(self, outcome: Outcome) -> Prediction:
        """Remember a frame like any other, unless its masks are distrusted: later ones are not held against those."""
        observation = outcome.observation
        if observation is None or outcome.masks.reference is not None:  # the memory has to know a new object
            return super().commit(outcome)
        scores = self.reliability.judge(observation._replace(values=observation.values.cpu())).scores
        if min(scores.values(), default=1.0) >= _TRUSTED:
            return super().commit(outcome)
        before = self.reliability.snapshot()
        prediction = super().commit(outcome._replace(kind=None, memory=None))
        self.reliability.restore(before)
        return prediction


def _reference(frame: NetworkFrame, ids: NDArray[np.uint8], held: Collection[int]) -> Reference | None:
    """Return the frame as the one that some of its objects are held against; None without such."""
    if not held or frame.query is None:
        return None
    own = np.where(np.isin(ids, [*held]), ids, 0).astype(np.uint8)
    return Reference.of(frame.index, frame.query, frame.pixels, shrink_ids(own, frame.size))


def _padded(said: Segmentation, objects: int) -> Tensor:
    """Return what the network said as probabilities (K+1,H',W') of all objects; of new ones, that they are nowhere."""
    known: Tensor = said.logits.softmax(dim=1)[0]
    return torch.cat([known, known.new_zeros(objects + 1 - len(known), *known.shape[1:])])


def _slots(ids: Tensor, objects: tuple[int, ...]) -> Tensor:
    """Return the slot of each pixel's object, uint8 (H',W')."""
    table = torch.zeros(256, dtype=torch.uint8)
    for slot, i in enumerate(objects, start=1):
        table[i] = slot
    return table[ids.long()]

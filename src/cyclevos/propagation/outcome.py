"""The results of a step for one frame, before they become the propagator's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cyclevos.geometry import grow_probabilities, shrink_probabilities
from cyclevos.masks import put_over
from cyclevos.network.protocol import MemoryFeatures, MemoryNetwork
from cyclevos.propagation.network_frame import NetworkFrame
from cyclevos.propagation.references import Reference, shrink_ids
from cyclevos.propagation.reliability import Observation

# Shapes: K objects, H W pixels of the source, H' W' of the network.


class MaskOutcome(NamedTuple):
    """The masks of one frame, before the frame goes to memory.

    Attributes:
        objects: the user's id of each slot, including those annotated in this frame.
        output: (K+1,H,W) at the source's size.
        inside: the output at the network's size, (K+1,H',W'); None while no object is known.
        remembered: the mask that goes to memory, (K+1,H',W'); None while no object is known.
        memory: features of the frame with that mask, if a correction has computed them; else None.
        uncorrected: (K+1,H',W'), the mask before the correction, if a correction changed the output; else None.
        reference: the frame as a reference frame, if it is annotated; else None.
    """

    objects: tuple[int, ...]
    output: Tensor
    inside: Tensor | None
    remembered: Tensor | None
    memory: MemoryFeatures | None = None
    uncorrected: Tensor | None = None
    reference: Reference | None = None


class Outcome(NamedTuple):
    """All results of a step; :meth:`Propagator.commit` makes them the propagator's state.

    Attributes:
        frame: the encoded frame.
        masks: its masks.
        memory: the frame's memory features with its masks; None while no object is known.
        observation: measurements for reliability; None in annotated frames and while no object is known.
    """

    frame: NetworkFrame
    masks: MaskOutcome
    memory: MemoryFeatures | None
    observation: Observation | None


def blank_masks(frame: NetworkFrame) -> MaskOutcome:
    """Return the masks of a frame before any object is known: background only."""
    return MaskOutcome((), torch.ones(1, *frame.source, device=frame.pixels.device), None, None)


def annotated_masks(
    network: MemoryNetwork, frame: NetworkFrame, predicted: Tensor | None, objects: Sequence[int]
) -> MaskOutcome:
    """Put a frame's annotation over its predicted masks.

    Args:
        network: encodes the frame if it is not encoded yet.
        frame: an annotated frame.
        predicted: masks of the objects known before, (K+1,H',W'); None if there are none.
        objects: their ids.

    Raises:
        ValueError: the frame is not annotated.
    """
    if frame.annotation is None:
        raise ValueError(f"expected an annotated frame, frame {frame.index} has no annotation")
    full = blank_masks(frame).output if predicted is None else grow_probabilities(predicted, frame.source)
    output, everyone = put_over(full, objects, frame.annotation)
    inside = shrink_probabilities(output, frame.size)
    query = frame.query if frame.query is not None else network.encode_query(frame.pixels)
    reference = Reference.of(query, frame.pixels, shrink_ids(frame.annotation, frame.size))
    return MaskOutcome(everyone, output, inside, inside, reference=reference)

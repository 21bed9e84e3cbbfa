"""The results of a step for one frame, before they become the propagator's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.geometry import grow_probabilities, shrink_probabilities
from cyclevos.masks import most_probable, object_ids, put_over
from cyclevos.network.protocol import FrameMemory, MemoryNetwork, Segmentation, State
from cyclevos.network.traits import Kind
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
        memory: of the frame with that mask, if a correction has computed it; else None.
        own: bool (1,K) on the host, the objects whose remembered masks are exactly what the network answered; None =
            no object.
        uncorrected: (K+1,H',W'), the mask before the correction, if a correction changed the output; else None.
        reference: the frame as a reference frame, if it is annotated; else None.
    """

    objects: tuple[int, ...]
    output: Tensor
    inside: Tensor | None
    remembered: Tensor | None
    memory: FrameMemory | None = None
    own: Tensor | None = None
    uncorrected: Tensor | None = None
    reference: Reference | None = None


class Outcome(NamedTuple):
    """All results of a step; :meth:`Propagator.commit` makes them the propagator's state.

    Attributes:
        frame: the encoded frame.
        masks: its masks.
        kind: why it is a memory frame; None if it is none.
        memory: of the frame with its masks; None while no object is known, and where nothing needs it.
        state: what the network carries to the next frame.
        observation: measurements for reliability; None in annotated frames and while no object is known.
    """

    frame: NetworkFrame
    masks: MaskOutcome
    kind: Kind | None
    memory: FrameMemory | None
    state: State | None
    observation: Observation | None


def blank_masks(frame: NetworkFrame) -> MaskOutcome:
    """Return the masks of a frame before any object is known: background only."""
    return MaskOutcome((), torch.ones(1, *frame.source, dtype=torch.float32, device=frame.pixels.device), None, None)


def annotated_masks(
    network: MemoryNetwork, frame: NetworkFrame, said: Segmentation | None, objects: Sequence[int]
) -> MaskOutcome:
    """Put a frame's annotation over its predicted masks.

    Args:
        network: encodes the frame if it is not encoded yet.
        frame: an annotated frame.
        said: the network's answer, for the objects known before; None if there are none.
        objects: their ids.

    Raises:
        ValueError: the frame is not annotated.
    """
    if frame.annotation is None:
        raise ValueError(f"expected an annotated frame, frame {frame.index} has no annotation")
    if said is None:
        full = blank_masks(frame).output
    else:
        full = grow_probabilities(said.logits.softmax(dim=1)[0], frame.source)
    output, everyone = put_over(full, objects, frame.annotation)
    output = network.settle(output)
    inside = shrink_probabilities(output, frame.size)
    own = None
    if said is not None and said.state is not None:  # the others do not ask, and it waits for the device
        own = _untouched(full, objects, frame.annotation, len(everyone))
    query = frame.query if frame.query is not None else network.encode_query(frame.pixels)
    reference = Reference.of(frame.index, query, frame.pixels, shrink_ids(frame.annotation, frame.size))
    return MaskOutcome(everyone, output, inside, inside, own=own, reference=reference)


def _untouched(full: Tensor, objects: Sequence[int], annotation: NDArray[np.uint8], slots: int) -> Tensor:
    """Return which of the slots, bool (1,slots), hold objects that an annotation neither shows nor takes pixels from.

    Args:
        full: predicted masks of the known objects (K+1,H,W).
        objects: their ids.
        annotation: uint8 (H,W), the user's ids.
        slots: number of objects known now.
    """
    given = object_ids(annotation)
    ids = most_probable(full, objects)[torch.from_numpy(annotation > 0).to(full.device)]
    taken = set(ids.unique().tolist())
    own = [i not in given and i not in taken for i in objects]
    return torch.tensor([own + [False] * (slots - len(own))])

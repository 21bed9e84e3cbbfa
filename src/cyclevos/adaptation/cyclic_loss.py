"""The loss of an adaptation: masks are carried away from an annotated frame, which is reconstructed from each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cyclevos.cycle import cycle_loss
from cyclevos.masks import object_areas, one_hot
from cyclevos.network.protocol import MemoryNetwork, Slot
from cyclevos.network.traits import Kind, MemoryPolicy

# Shapes: K objects, T frames, H W pixels inside the network.


class Clip(NamedTuple):
    """An annotated frame and others, in the order in which its masks are carried through them.

    Attributes:
        indices: of the frames in the video, the annotated one first.
        frames: RGB (T,3,H,W) in [0, 1].
        labels: int64 (1,H,W), slots 0..K of the annotation, ``IGNORE`` where unknown.
        objects: K.
    """

    indices: tuple[int, ...]
    frames: Tensor
    labels: Tensor
    objects: int


def cyclic_loss(network: MemoryNetwork, clip: Clip, least_area: float, hard_fraction: float) -> Tensor | None:
    """Carry the masks of a clip's annotated frame through the others, and reconstruct them from each.

    Args:
        network: any memory network whose parameters require gradients.
        clip: the frames.
        least_area: objects whose mask is smaller than this share of the annotated one are left out.
        hard_fraction: see :func:`cyclevos.losses.mask_loss`.

    Returns:
        The mean loss over the frames from which something can be reconstructed; None if there is no such frame.
    """
    encoded = network.encode_query(clip.frames)
    queries = [encoded.select(slice(t, t + 1)) for t in range(len(clip.indices))]
    prepared = [network.prepare_memory(clip.frames[t : t + 1], queries[t]) for t in range(len(clip.indices))]
    everyone = torch.ones(1, clip.objects, dtype=torch.bool)
    given = one_hot(clip.labels, clip.objects)
    areas = object_areas(given).cpu()
    memories = [network.encode_memory(prepared[0], given, everyone)]
    losses = []
    for t, index in enumerate(clip.indices[1:], start=1):
        said = network.segment(queries[t], _read(network, memories, clip.indices, clip.objects, index), everyone)
        shown = said.logits.softmax(dim=1)
        memory = network.encode_memory(prepared[t], shown, everyone, said, everyone)
        memories.append(memory)
        asked = (object_areas(shown.detach()).cpu() >= least_area * areas) & (areas > 0)
        if bool(asked.any()):
            alone = memory.select(asked[0])
            losses.append(cycle_loss(network, alone, queries[0], clip.labels, asked, hard_fraction).total)
    return torch.stack(losses).mean() if losses else None


def _read(network: MemoryNetwork, memories: Sequence[Any], indices: Sequence[int], objects: int, now: int) -> Any:
    """Return what the network reads of the frames so far to segment another one."""
    if len(memories) == 1:
        return memories[0].alone(abs(now - indices[0]))
    memory = network.new_memory(MemoryPolicy(max_frames=len(memories)))
    slots = []
    for place, (index, each) in enumerate(zip(indices, memories, strict=False)):
        memory.write(place, each)
        slots.append(Slot(index, Kind.REFERENCE if place == 0 else Kind.PREVIOUS, place, objects))
    return memory.read(slots, now)

"""Reference frames: the annotated frames that the cycle reconstructs, and the one that each object is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.cycle import reconstruct_reference
from cyclevos.geometry import Size, shrink_probabilities
from cyclevos.masks import ids_to_probabilities, most_probable, object_ids
from cyclevos.network.protocol import FrameFeatures, FrameMemory, MemoryNetwork
from cyclevos.network.transfer import download, upload
from cyclevos.pieces import far_pieces, pieces_of
from cyclevos.propagation.autograd_mode import without_gradients

# Shapes: K object slots, H W pixels inside the network.


@dataclass(frozen=True, eq=False)
class Reference:
    """An annotated frame at the network's size.

    Attributes:
        frame_index: from 0.
        query: its query features, which do not depend on a mask and are encoded once.
        frame: RGB (1,3,H,W) in [0, 1].
        ids: uint8 (H,W), the user's ids, on the frame's device.
        objects: the ids that the frame shows, in ascending order.
    """

    frame_index: int
    query: FrameFeatures
    frame: Tensor
    ids: Tensor
    objects: tuple[int, ...]

    @classmethod
    def of(cls, index: int, query: FrameFeatures, frame: Tensor, ids: Tensor) -> Reference:
        """Return a reference with the objects in ``ids``; ids on the host avoid a wait for the device."""
        shown = object_ids(ids.cpu().numpy())
        return cls(index, query, frame, upload(ids, frame.device), shown)

    def without(self, object_id: int) -> Reference:
        """Return the same without one of its objects, whose pixels become background."""
        ids = self.ids.masked_fill(self.ids == object_id, 0)
        return replace(self, ids=ids, objects=tuple(i for i in self.objects if i != object_id))

    def labels(self, objects: Sequence[int]) -> Tensor:
        """Return int64 (1,H,W): each pixel's slot among ``objects``, 0 for the background and for other ids."""
        return slot_labels(self.ids, objects)

    @cached_property
    def in_pieces(self) -> frozenset[int]:
        """The ids of objects whose masks lie in pieces far from each other."""
        (ids,) = download(self.ids)
        masks = ((i, np.asarray(ids) == i) for i in self.objects)
        return frozenset(i for i, mask in masks if far_pieces(pieces_of(mask)).size)

    def shows(self, objects: Sequence[int]) -> Tensor:
        """Return which objects the frame shows, bool (K,) on the host."""
        return torch.tensor([i in self.objects for i in objects], dtype=torch.bool)

    def reconstructed(self, network: MemoryNetwork, memory: FrameMemory, who: Tensor, frame_index: int) -> Tensor:
        """Return logits (1,K+1,H,W) of this frame, reconstructed from another one that has the objects ``who`` alone.

        Args:
            network: any memory network.
            memory: of the other frame, all its objects.
            who: bool (K,) on the host.
            frame_index: of the other frame.
        """
        apart = abs(frame_index - self.frame_index)
        return reconstruct_reference(network, memory.select(who), self.query, who[None], apart)


def answering(references: Sequence[Reference], objects: Sequence[int]) -> list[tuple[Reference, Tensor]]:
    """Pair each object with the last reference that shows it.

    Args:
        references: in the order in which they were reached.
        objects: the user's id of each slot.

    Returns:
        References, the last one first, each with its objects, bool (K,) on the host. References that no object is
        paired with are left out.
    """
    found: list[tuple[Reference, Tensor]] = []
    for reference in reversed(references):
        who = reference.shows(objects)
        for _, later in found:
            who = who & ~later
        if bool(who.any()):
            found.append((reference, who))
    return found


def slot_labels(ids: Tensor, objects: Sequence[int]) -> Tensor:
    """Return int64 (1,H,W) of ids (H,W): each pixel's slot among ``objects``, 0 for the background and others."""
    table = torch.zeros(256, dtype=torch.int64)
    for slot, i in enumerate(objects, start=1):
        table[i] = slot
    return upload(table, ids.device)[ids.long()][None]


def shrink_ids(ids: NDArray[np.uint8], size: Size) -> Tensor:
    """Shrink an annotation (H,W) to the network's size, uint8 (H',W') on the host.

    An object too small to be the most probable one anywhere keeps its most probable pixel, so that it can still be
    reconstructed.
    """
    shown = object_ids(ids)
    small = shrink_probabilities(ids_to_probabilities(ids, shown), size)  # (K+1,H',W')
    labels = most_probable(small, shown).flatten()
    kept = torch.zeros_like(labels, dtype=torch.bool)
    for i, own in zip(shown, small[1:], strict=True):
        if not bool((labels == i).any()):
            pixel = own.flatten().masked_fill(kept, -1).argmax()
            labels[pixel], kept[pixel] = i, True
    return labels.view(size)


class References:
    """Annotated frames by index, in the order in which they were reached.

    Args:
        network: encodes them.
        keep: hold all frames; otherwise a frame is dropped once later ones show all its objects.
    """

    def __init__(self, network: MemoryNetwork, *, keep: bool = True) -> None:
        self._network, self._keep = network, keep
        self._held: dict[int, Reference] = {}
        self._reached: list[int] = []

    @without_gradients
    def add(self, index: int, frame: Tensor, ids: Tensor, *, ahead: bool = False) -> None:
        """Encode an annotated frame and hold it.

        Args:
            index: of the frame; an earlier one of the same index is replaced.
            frame: RGB (1,3,H,W) in [0, 1].
            ids: uint8 (H,W).
            ahead: the frame has not been reached yet.
        """
        self.hold(index, Reference.of(index, self._network.encode_query(frame), frame, ids), ahead=ahead)

    def hold(self, index: int, reference: Reference, *, ahead: bool = False) -> None:
        """Hold an encoded annotated frame; see :meth:`add`."""
        self._held[index] = reference
        if ahead:
            return
        self._reached = [*(i for i in self._reached if i != index), index]
        if not self._keep:
            later: set[int] = set()
            for i in reversed(self._reached):
                shown = self._held[i].objects
                if later.issuperset(shown):
                    del self._held[i]
                later.update(shown)
            self._reached = [i for i in self._reached if i in self._held]

    def reached(self) -> list[Reference]:
        """Return the annotated frames reached so far, in the order in which they were reached."""
        return [self._held[index] for index in self._reached]

    def all(self) -> list[Reference]:
        """Return every annotated frame, including those not reached yet."""
        return list(self._held.values())

    def forget(self, object_id: int) -> None:
        """Remove an object from all frames, and the frames that show no other."""
        left = {index: reference.without(object_id) for index, reference in self._held.items()}
        self._held = {index: reference for index, reference in left.items() if reference.objects}
        self._reached = [index for index in self._reached if index in self._held]

    def snapshot(self) -> dict[str, Tensor]:
        """Return the frames held, as tensors."""
        if not self._held:
            return {}
        return {
            "reference_indices": torch.tensor(list(self._held)),
            "reference_order": torch.tensor(self._reached, dtype=torch.int64),
            "reference_frames": torch.cat([r.frame for r in self._held.values()]).cpu(),
            "reference_ids": torch.stack([r.ids for r in self._held.values()]).cpu(),
        }

    def restore(self, snapshot: dict[str, Tensor], device: torch.device) -> None:
        """Replace the frames held with those of a snapshot."""
        self._held, self._reached = {}, []
        if "reference_indices" not in snapshot:
            return
        frames, ids = snapshot["reference_frames"].to(device), snapshot["reference_ids"].to(device)
        for row, index in enumerate(snapshot["reference_indices"].tolist()):
            self.add(index, frames[row : row + 1], ids[row], ahead=True)
        self._reached = [int(index) for index in snapshot["reference_order"].tolist()]

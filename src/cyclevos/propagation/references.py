"""The frames whose masks are known: what a result is asked to rebuild."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.geometry import Size, shrink_probabilities
from cyclevos.masks import ids_to_probabilities, most_probable, object_ids
from cyclevos.network.protocol import MemoryNetwork, QueryFeatures

# Shapes: K object slots, H W pixels inside the network.


class Reference(NamedTuple):
    """An annotated frame as the network sees it.

    Attributes:
        query: its query features, which no mask changes: encoded once.
        frame: RGB (1,3,H,W) in [0, 1].
        ids: uint8 (H,W), the user's ids.
        objects: the ids that it shows.
    """

    query: QueryFeatures
    frame: Tensor
    ids: Tensor
    objects: tuple[int, ...]

    @classmethod
    def of(cls, query: QueryFeatures, frame: Tensor, ids: Tensor) -> Reference:
        """Make one whose objects are those that the ids show."""
        return cls(query, frame, ids, object_ids(ids.cpu().numpy()))

    def labels(self, objects: Sequence[int]) -> Tensor:
        """Return int64 (1,H,W): each pixel's slot among ``objects``, 0 for the background and for other ids."""
        table = torch.zeros(256, dtype=torch.int64, device=self.ids.device)
        for slot, i in enumerate(objects, start=1):
            table[i] = slot
        return table[self.ids.long()][None]

    def shows(self, objects: Sequence[int]) -> Tensor:
        """Return bool (K,): which objects are marked in it."""
        seen = torch.bincount(self.ids.flatten().long(), minlength=256) > 0
        return seen[torch.tensor(objects, dtype=torch.int64, device=seen.device)]


def answering(references: Sequence[Reference], objects: Sequence[int]) -> list[tuple[Reference, Tensor]]:
    """Tell which reference answers for which objects: the last one that shows them.

    Args:
        references: in their order.
        objects: the user's id of each slot.

    Returns:
        References, the last one first, each with its objects, bool (K,); those that answer for none are left out.
    """
    found: list[tuple[Reference, Tensor]] = []
    for reference in reversed(references):
        who = reference.shows(objects)
        for _, later in found:
            who = who & ~later
        if bool(who.any()):
            found.append((reference, who))
    return found


def shrink_ids(ids: NDArray[np.uint8], size: Size) -> Tensor:
    """Bring known ids (H,W) to the network's size, uint8 (H',W').

    An object too small to be the most probable one anywhere keeps the pixel that is most its own: it can be asked for.
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
    """Annotated frames by index, in the order in which they were met.

    Args:
        network: encodes them.
        keep: hold all of them; otherwise those go whose objects a later one shows too.
    """

    def __init__(self, network: MemoryNetwork, *, keep: bool = True) -> None:
        self._network, self._keep = network, keep
        self._held: dict[int, Reference] = {}
        self._reached: list[int] = []

    @torch.no_grad()
    def add(
        self, index: int, frame: Tensor, ids: Tensor, query: QueryFeatures | None = None, *, ahead: bool = False
    ) -> QueryFeatures:
        """Hold an annotated frame and return its query features.

        Args:
            index: of the frame; an earlier one of the same index is replaced.
            frame: RGB (1,3,H,W) in [0, 1].
            ids: uint8 (H,W).
            query: its query features, if they are at hand.
            ahead: the frame has not been reached yet.
        """
        held = self._held.get(index)
        if query is None:
            query = self._network.encode_query(frame) if held is None else held.query
        self._held[index] = Reference.of(query, frame, ids)
        if ahead:
            return query
        self._reached = [*(i for i in self._reached if i != index), index]
        if not self._keep:
            seen: set[int] = set()
            for i in reversed(self._reached):
                shown = self._held[i].objects
                if seen.issuperset(shown):
                    del self._held[i]
                seen.update(shown)
            self._reached = [i for i in self._reached if i in self._held]
        return query

    def reached(self) -> list[Reference]:
        """Return the annotated frames reached so far, in their order."""
        return [self._held[index] for index in self._reached]

    def all(self) -> list[Reference]:
        """Return every annotated frame, those still to be reached among them."""
        return list(self._held.values())

    def snapshot(self) -> dict[str, Tensor]:
        """Return what was added, as tensors."""
        if not self._held:
            return {}
        return {
            "reference_indices": torch.tensor(list(self._held)),
            "reference_order": torch.tensor(self._reached, dtype=torch.int64),
            "reference_frames": torch.cat([r.frame for r in self._held.values()]).cpu(),
            "reference_ids": torch.stack([r.ids for r in self._held.values()]).cpu(),
        }

    def restore(self, snapshot: dict[str, Tensor], device: torch.device) -> None:
        """Hold what a snapshot held, and nothing else."""
        self._held, self._reached = {}, []
        if "reference_indices" not in snapshot:
            return
        frames, ids = snapshot["reference_frames"].to(device), snapshot["reference_ids"].to(device)
        for row, index in enumerate(snapshot["reference_indices"].tolist()):
            self.add(index, frames[row : row + 1], ids[row], ahead=True)
        self._reached = [int(index) for index in snapshot["reference_order"].tolist()]

"""Pruning: pieces of a mask that vouch for nothing are dropped, asked of the cycle.

A false piece far from its object spoils the reconstruction of the reference frame, and a true one is missed in it. So
the reference is reconstructed from the mask with and without such pieces; those without which it comes back better are
dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.cycle import reconstruction_iou
from cyclevos.masks import most_probable
from cyclevos.network.protocol import FrameMemory, MemoryNetwork, Segmentation
from cyclevos.network.transfer import download, upload
from cyclevos.pieces import far_pieces, pieces_of
from cyclevos.propagation.descent import Asked, Subject
from cyclevos.propagation.network_frame import NetworkFrame
from cyclevos.propagation.references import Reference, answering

# Shapes: K object slots, P pieces, H W pixels inside the network.

_GAIN = 0.1  # J of the reference to gain without a piece, per share of the mask: smaller gains are chance
_MOST = 3  # pieces of one object that are asked about one by one
_MARGIN = 6  # pixels around a piece in which its soft edge goes too


class Suspect(NamedTuple):
    """A piece that may be false.

    Attributes:
        region: (H,W), its pixels and a margin.
        share: of the object's pixels.
    """

    region: NDArray[np.bool_]
    share: float


class Pruned(NamedTuple):
    """A mask without the pieces that vouch for nothing.

    Attributes:
        probabilities: (K+1,H,W).
        memory: of the frame with that mask; None for a network with a state, which remembers the answers that stay
            better than their masks.
        dropped: number of pieces dropped of each slot.
    """

    probabilities: Tensor
    memory: FrameMemory | None
    dropped: tuple[int, ...]


@torch.no_grad()
def prune(
    network: MemoryNetwork,
    frame: NetworkFrame,
    said: Segmentation,
    probabilities: Tensor,
    references: Sequence[Reference],
    objects: Sequence[int],
) -> Pruned | None:
    """Drop the pieces of each object's mask that lie far from its largest one and vouch for nothing.

    An object whose reference mask lies in such pieces itself, say a person and a kite, keeps them all. All suspects are
    asked about at once; those of an object whose reference misses some of them, one by one.

    Args:
        network: any memory network.
        frame: the frame, encoded.
        said: what the network answered for it.
        probabilities: its predicted soft mask (K+1,H,W).
        references: annotated frames in the order in which they were reached; an object is reconstructed in the last
            one that shows it.
        objects: the user's id of each slot.

    Returns:
        The pruned mask; None if nothing is dropped.
    """
    (best,) = download(most_probable(probabilities))
    suspects = [find_suspects(np.asarray(best) == slot) for slot in range(1, len(probabilities))]
    asked = []
    for reference, who in answering(references, objects):
        pairs = zip(who.tolist(), suspects, objects, strict=True)
        in_question = torch.tensor([shown and bool(own) and i not in reference.in_pieces for shown, own, i in pairs])
        if bool(in_question.any()):
            asked.append((reference, in_question))
    if not asked:
        return None
    subject = Subject(frame.index, network.prepare_memory(frame.pixels, frame.query), said)
    check = _Check(network, subject, asked, objects)
    suspects = [own if wanted else [] for own, wanted in zip(suspects, check.asked.tolist(), strict=True)]
    base, _ = check(probabilities)

    def passed(pieces: Sequence[list[Suspect]]) -> tuple[list[list[Suspect]], FrameMemory]:
        """Ask about pieces of each slot together, and return those without which the reference is good enough."""
        scores, memory = check(without(probabilities, pieces))
        gains = [score - start for score, start in zip(scores, base, strict=True)]
        return [
            own if gain >= _GAIN * sum(piece.share for piece in own) else []
            for own, gain in zip(pieces, gains, strict=True)
        ], memory

    chosen, memory = passed(suspects)
    missed = [own[:_MOST] if not c and len(own) > 1 else [] for own, c in zip(suspects, chosen, strict=True)]
    for turn in range(max(len(own) for own in missed)):
        found, _ = passed([own[turn : turn + 1] for own in missed])
        chosen = [c + f for c, f in zip(chosen, found, strict=True)]
    dropped = tuple(len(own) for own in chosen)
    if not any(dropped):
        return None
    pruned = without(probabilities, chosen)
    if dropped != tuple(len(own) for own in suspects):
        _, memory = check(pruned)
    return Pruned(pruned, memory if said.state is None else None, dropped)


def find_suspects(mask: NDArray[np.bool_]) -> list[Suspect]:
    """Return the pieces of an object's mask (H,W) that lie far from its largest one, the largest first."""
    from scipy.ndimage import binary_dilation

    if not mask.any():
        return []
    pieces = pieces_of(mask)
    labels, sizes, _ = pieces
    found = []
    for piece in far_pieces(pieces):
        wide = binary_dilation(labels == piece, np.ones((3, 3)), iterations=_MARGIN)
        found.append(Suspect(wide & ((labels == piece) | (labels == 0)), float(sizes[piece] / sizes.sum())))
    return found


def without(probabilities: Tensor, pieces: Sequence[Sequence[Suspect]]) -> Tensor:
    """Return probabilities (K+1,H,W) in which pieces of each slot have become background."""
    left = probabilities.clone()
    for slot, own in enumerate(pieces, start=1):
        if own:
            region = torch.from_numpy(np.logical_or.reduce([piece.region for piece in own]))
            gone = upload(region, left.device) * left[slot]
            left[slot] -= gone
            left[0] += gone
    return left


class _Check:
    """Reconstructs references from masks of one frame.

    Attributes:
        asked: bool (K,) on the host, the objects that are reconstructed.
    """

    def __init__(self, network: MemoryNetwork, subject: Subject, asked: Asked, objects: Sequence[int]) -> None:
        self._network, self._subject = network, subject
        self._asked = [(reference, who, reference.labels(objects)) for reference, who in asked]
        self.asked = torch.stack([who for _, who in asked]).any(dim=0)

    def __call__(self, probabilities: Tensor) -> tuple[list[float], FrameMemory]:
        """Return the soft J of each object in its reference, and the memory of the frame with the mask (K+1,H,W)."""
        subject, everyone = self._subject, torch.ones(1, len(self.asked), dtype=torch.bool)
        # With and without their pieces, objects are remembered by their masks, so that the answers can be compared.
        memory: FrameMemory = self._network.encode_memory(
            subject.prepared, probabilities[None], everyone, subject.said, ~self.asked[None]
        )
        found = []
        for reference, who, labels in self._asked:
            logits = reference.reconstructed(self._network, memory, who, subject.frame_index)
            found.append(reconstruction_iou(logits, labels, who[None])[0])  # (K,)
        scores = torch.zeros(len(self.asked))
        for (_, who, _), iou in zip(self._asked, download(*found), strict=True):
            scores[who] = iou[who].to(scores.dtype)
        return scores.tolist(), memory

"""Pruning: pieces of a mask that vouch for nothing are dropped, asked of the cycle.

A false piece far from its object spoils the reconstruction of the reference frame, and a true one is missed in it. So
the reference is reconstructed from the mask with and without such pieces; those without which it comes back better are
dropped. What a piece shows may be missing in the reference, which then says little. So the frame before is asked too:
a false piece that was not there yet draws its own place into that frame's mask.
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

# What J gains without a false piece, per share of the mask that the piece covers:
_GAIN = 0.1  # in the reference; smaller gains are chance. If it shows the object in pieces, there must also be
_GAIN_TOO = 0.25  # in the frame before.
_GAIN_BEFORE = 0.75  # Or, of a whole object, in the frame before, while in the reference J loses at most
_LOSS = 0.5  # of that share.
_KNOWN = 0.5  # share of a piece from which on it was in the mask of the frame before
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
    previous: Reference | None = None,
) -> Pruned | None:
    """Drop the pieces of each object's mask that lie far from its largest one and vouch for nothing.

    Without such a piece, the reference comes back better; or the frame before does, and the reference hardly worse. If
    the reference shows the object in such pieces itself, say a person and a kite, only those beside the mask of the
    frame before are suspects, and both frames have to come back better. All suspects are asked about at once; those of
    an object that keeps some of them, one by one.

    Args:
        network: any memory network.
        frame: the frame, encoded.
        said: what the network answered for it.
        probabilities: its predicted soft mask (K+1,H,W).
        references: annotated frames in the order in which they were reached; an object is reconstructed in the last
            one that shows it.
        objects: the user's id of each slot.
        previous: the frame before with its output; None asks the references alone.

    Returns:
        The pruned mask; None if nothing is dropped.
    """
    (best,) = download(most_probable(probabilities))
    masks = [np.asarray(best) == slot for slot in range(1, len(probabilities))]
    suspects = [find_suspects(mask) for mask in masks]
    asked = []
    for reference, who in answering(references, objects):
        for slot, i in enumerate(objects):
            if who[slot] and i in reference.in_pieces:
                suspects[slot] = _new_ones(suspects[slot], masks[slot], i, previous)
        in_question = who & torch.tensor([bool(own) for own in suspects])
        if bool(in_question.any()):
            asked.append((reference, in_question))
    if not asked:
        return None
    subject = Subject(frame.index, network.prepare_memory(frame.pixels, frame.query), said)
    check = _Check(network, subject, probabilities, asked, previous, objects)
    suspects = [own if wanted else [] for own, wanted in zip(suspects, check.asked.tolist(), strict=True)]

    def false_ones(pieces: Sequence[list[Suspect]]) -> tuple[list[list[Suspect]], FrameMemory]:
        """Ask about pieces of each slot together, and return those that are false."""
        memory = check.remembered(without(probabilities, pieces))
        verdict = check.judge(memory, torch.tensor([sum(piece.share for piece in own) for own in pieces]))
        return [own if false else [] for own, false in zip(pieces, verdict.tolist(), strict=True)], memory

    chosen, memory = false_ones(suspects)
    missed = [own[:_MOST] if not c and len(own) > 1 else [] for own, c in zip(suspects, chosen, strict=True)]
    for turn in range(max(len(own) for own in missed)):
        found, _ = false_ones([own[turn : turn + 1] for own in missed])
        chosen = [c + f for c, f in zip(chosen, found, strict=True)]
    dropped = tuple(len(own) for own in chosen)
    if not any(dropped):
        return None
    pruned = without(probabilities, chosen)
    if dropped != tuple(len(own) for own in suspects):
        memory = check.remembered(pruned)
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


def _new_ones(suspects: list[Suspect], mask: NDArray[np.bool_], i: int, previous: Reference | None) -> list[Suspect]:
    """Return the suspects in an object's mask (H,W) that were not, or less than half, in that of the frame before."""
    if not suspects or previous is None or i not in previous.objects:
        return []
    (ids,) = download(previous.ids)
    earlier = np.asarray(ids) == i
    return [suspect for suspect in suspects if earlier[suspect.region & mask].mean() < _KNOWN]


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
    """Judges pieces of one frame's masks by what comes back of other frames without them.

    Args:
        network: any memory network.
        subject: the frame.
        probabilities: its masks with all pieces, (K+1,H,W).
        asked: references, each with the objects that are reconstructed in it.
        previous: the frame before with its output; None = there is none to ask.
        objects: the user's id of each slot.

    Attributes:
        asked: bool (K,) on the host, the objects that are judged.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        subject: Subject,
        probabilities: Tensor,
        asked: Asked,
        previous: Reference | None,
        objects: Sequence[int],
    ) -> None:
        self._network, self._subject = network, subject
        self._previous, self._objects = previous, objects
        self.asked = torch.stack([who for _, who in asked]).any(dim=0)
        in_pieces = [who & torch.tensor([i in reference.in_pieces for i in objects]) for reference, who in asked]
        self._in_pieces = torch.stack(in_pieces).any(dim=0)
        self._shown_before = self.asked & (previous.shows(objects) if previous is not None else False)
        self._whole = self.remembered(probabilities)
        self._in_references = self._question(asked)
        self._before: dict[tuple[bool, ...], _Question] = {}  # by the objects in doubt

    def judge(self, memory: FrameMemory, shares: Tensor) -> Tensor:
        """Return the objects whose pieces are false, bool (K,).

        Args:
            memory: of the frame without these pieces.
            shares: of each object's mask that its pieces cover, (K,); 0 = none is in question.
        """
        gain = self._in_references.gain(memory) / shares  # NaN or infinite without pieces
        better = (shares > 0) & (gain >= _GAIN)
        false = better & ~self._in_pieces
        in_doubt = torch.where(self._in_pieces, better, (shares > 0) & ~false & (gain >= -_LOSS)) & self._shown_before
        if self._previous is not None and bool(in_doubt.any()):
            doubts = tuple(in_doubt.tolist())
            if doubts not in self._before:
                self._before[doubts] = self._question([(self._previous, in_doubt)])
            gain = self._before[doubts].gain(memory) / shares
            false |= in_doubt & (gain >= torch.where(self._in_pieces, _GAIN_TOO, _GAIN_BEFORE))
        return false

    def remembered(self, probabilities: Tensor) -> FrameMemory:
        """Return the memory of the frame with masks (K+1,H,W)."""
        subject, everyone = self._subject, torch.ones(1, len(self.asked), dtype=torch.bool)
        # With and without their pieces, objects are remembered by their masks, so that the answers can be compared.
        memory: FrameMemory = self._network.encode_memory(
            subject.prepared, probabilities[None], everyone, subject.said, ~self.asked[None]
        )
        return memory

    def _question(self, asked: Asked) -> _Question:
        return _Question(self._network, self._subject.frame_index, asked, self._objects, self._whole)


class _Question:
    """Asks how much better objects come back in other frames without some of their pieces.

    Args:
        network: any memory network.
        frame_index: of the frame that the pieces lie in.
        asked: the frames that are reconstructed, each with its objects.
        objects: the user's id of each slot.
        whole: memory of the frame with all pieces.
    """

    def __init__(
        self, network: MemoryNetwork, frame_index: int, asked: Asked, objects: Sequence[int], whole: FrameMemory
    ) -> None:
        self._network, self._frame_index = network, frame_index
        self._asked = [(reference, who, reference.labels(objects)) for reference, who in asked]
        self._start = self._scores(whole)

    def gain(self, memory: FrameMemory) -> Tensor:
        """Return the soft J that each object gains with another memory, (K,) on the host; 0 if not asked."""
        return self._scores(memory) - self._start

    def _scores(self, memory: FrameMemory) -> Tensor:
        found = []
        for reference, who, labels in self._asked:
            logits = reference.reconstructed(self._network, memory, who, self._frame_index)
            found.append(reconstruction_iou(logits, labels, who[None])[0])  # (K,)
        scores = torch.zeros(len(self._asked[0][1]))
        for (_, who, _), iou in zip(self._asked, download(*found), strict=True):
            scores[who] = iou[who].to(scores.dtype)
        return scores

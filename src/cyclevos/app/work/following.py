"""Pieces of an object followed from frame to frame by their overlap: one pointed at, and those that come up.

Shapes: H W pixels of a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cyclevos.app.errors import AppError
from cyclevos.app.projects.project import Project
from cyclevos.app.work.edits import MovePieces
from cyclevos.app.work.mask_edits import piece_at
from cyclevos.pieces import numbered_pieces

Tell = Callable[[int, int], None]
_Mask = NDArray[np.bool_]


def follow_piece(project: Project, start: tuple[int, int, int], frames: range, target: int, tell: Tell) -> MovePieces:
    """Follow a piece of an object in both directions, until it ends or joins the rest of the object.

    Args:
        project: holds the masks.
        start: the frame, and x and y of a pixel of the piece there.
        frames: those in which the piece is moved, one after the other; the first piece may be outside.
        target: the id that the piece gets.
        tell: takes the number of frames done and how many there are.

    Raises:
        AppError: there is no object at the pixel.
    """
    begin, x, y = start
    ids = project.mask(begin).ids
    source = int(ids[y, x])
    if not source:
        raise AppError(f"There is no object at this place in frame {begin}.", "Click a piece of an object.")
    moved = MovePieces(target, source)
    first = piece_at(ids, x, y)
    if begin in frames:
        moved.add(begin, first)
    done = 0
    for way in (range(begin + 1, frames.stop), range(begin - 1, frames.start - 1, -1)):
        piece, rest = first, (ids == source) & ~first
        for index in way:
            if is_gap(project, index):
                continue
            mask = project.mask(index).ids == source
            piece = _next_piece(mask, piece, rest)
            if not piece.any():
                break
            rest = mask & ~piece
            if index in frames:
                moved.add(index, piece)
            done += 1
            tell(done, len(frames))
    return moved


def is_gap(project: Project, index: int) -> bool:
    """Return whether a frame cannot be read and has no mask either, so that pieces go on behind it."""
    return project.source.why_unreadable(index) is not None and project.mask(index).status == "empty"


def _next_piece(mask: _Mask, piece: _Mask, rest: _Mask) -> _Mask:
    """Return the pieces of a mask that overlap a piece of the frame before more than the rest of its object."""
    labels = numbered_pieces(mask)
    count = int(labels.max()) + 1
    mine, others = (np.bincount(labels[before], minlength=count) for before in (piece, rest))
    goes_on = mine > others
    goes_on[0] = False
    followed: _Mask = goes_on[labels]
    return followed


def pieces_that_come_up(project: Project, objects: Sequence[int], frames: range, tell: Tell) -> MovePieces:
    """Return the pieces that no chain of overlaps leads from to an annotated mask, to be moved to the background.

    The chain may go to an earlier annotation or to a later one. Where nothing overlaps the frame before, the largest
    piece goes on, so that an object never vanishes; an object that nobody annotated is left as it is.

    Args:
        project: holds the masks.
        objects: the ids that are looked at.
        frames: those in which pieces are removed, one after the other.
        tell: takes the number of frames done and how many there are.
    """
    search = _Search(project, objects, frames)
    first, last = search.reach()
    total = (frames.stop - first) + (last + 1 - frames.start)
    forward: dict[tuple[int, int], frozenset[int]] = {}
    chains: dict[int, _Mask] = {}
    for done, index in enumerate(range(first, frames.stop), start=1):
        for object_id, (_, kept) in search.linked(index, chains).items():
            forward[index, object_id] = kept
        tell(done, total)
    moved, chains = MovePieces(0), {}
    for done, index in enumerate(range(last, frames.start - 1, -1), start=1):
        backward = search.linked(index, chains)
        if index in frames:
            removed = search.removed(index, forward, backward)
            if removed.any():
                moved.add(index, removed)
        tell(total - (last + 1 - frames.start) + done, total)
    return moved


class _Search:
    def __init__(self, project: Project, objects: Sequence[int], frames: range) -> None:
        self._project, self._objects, self._frames = project, objects, frames
        with project.lock:
            marks = project.masks.marks
        self._given = {o: [i for i, mark in marks.items() if mark.accepted or o in mark.objects] for o in objects}

    def reach(self) -> tuple[int, int]:
        """Return the first frame that the way forward begins at, and the last one that the way back begins at."""
        first, last = self._frames.start, self._frames.stop - 1
        earlier = [max((i for i in given if i <= first), default=first) for given in self._given.values()]
        later = [min((i for i in given if i >= last), default=last) for given in self._given.values()]
        return min(earlier, default=first), max(later, default=last)

    def linked(self, index: int, chains: dict[int, _Mask]) -> dict[int, tuple[NDArray[np.int32], frozenset[int]]]:
        """Return each object's numbered pieces, and those that the chain so far leads to; continue the chains."""
        ids, found = self._project.mask(index).ids, {}
        if is_gap(self._project, index):
            return {}
        for object_id in self._objects:
            given = index in self._given[object_id]
            if not given and object_id not in chains:
                continue
            labels = numbered_pieces(ids == object_id)
            kept = _all(labels) if given else _going_on(labels, chains[object_id])
            chains[object_id] = np.isin(labels, [*kept])
            found[object_id] = labels, kept
        return found

    def removed(
        self,
        index: int,
        forward: dict[tuple[int, int], frozenset[int]],
        backward: dict[int, tuple[NDArray[np.int32], frozenset[int]]],
    ) -> _Mask:
        """Return the pixels (H,W) that neither way leads to."""
        ids = self._project.mask(index).ids
        removed = np.zeros(ids.shape, np.bool_)
        for object_id in self._objects:
            if (index, object_id) not in forward and object_id not in backward:
                continue
            labels, kept = backward.get(object_id) or (numbered_pieces(ids == object_id), frozenset())
            kept |= forward.get((index, object_id), frozenset())
            removed |= (labels > 0) & ~np.isin(labels, [*kept])
        return removed


def _all(labels: NDArray[np.int32]) -> frozenset[int]:
    return frozenset(range(1, int(labels.max()) + 1))


def _going_on(labels: NDArray[np.int32], before: _Mask) -> frozenset[int]:
    """Return the pieces that overlap the frame before; the largest one where none does."""
    numbers = frozenset(int(number) for number in np.unique(labels[before]) if number)
    sizes = np.bincount(labels.ravel())
    return numbers or frozenset([int(sizes[1:].argmax()) + 1] if len(sizes) > 1 else [])

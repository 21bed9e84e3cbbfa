"""All that is kept of one frame's mask: what it shows, what tracking made under a mark, and that before correction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.mask_pngs import Mark
from cyclevos.app.projects.mask_store import MaskStore
from cyclevos.pictures.arrays import UInt8Array

# Shapes: H W pixels of a mask.


@dataclass(frozen=True, eq=False)
class Layers:
    """The masks of one frame, uint8 (H,W) each.

    Attributes:
        shown: the mark's mask, else the tracked one.
        mark: the person's annotation; None = none.
        under: the tracked mask under a mark; None without a mark, or where the frame was not tracked.
        before: the tracked mask before its correction; None where nothing was corrected.
    """

    shown: UInt8Array
    mark: Mark | None
    under: UInt8Array | None
    before: UInt8Array | None

    def mapped(self, change: Callable[[UInt8Array], UInt8Array]) -> Layers:
        """Return the same with every mask changed."""
        under, before = (None if ids is None else change(ids) for ids in (self.under, self.before))
        return replace(self, shown=change(self.shown), under=under, before=before)


def read_layers(store: MaskStore, index: int) -> Layers:
    """Return a frame's masks; all background where it has none.

    Raises:
        MaskError: a file is broken.
    """
    held = store.read(index)
    under = None if held.mark is None else store.read_tracked(index)
    return Layers(held.ids, held.mark, under, store.read_before(index))


def write_layers(store: MaskStore, index: int, layers: Layers) -> None:
    """Store a frame's masks; a tracked mask stays a tracked one, and a mark a mark.

    Raises:
        UnsavedError: a file cannot be written.
    """
    tracked = layers.under if layers.mark is not None else layers.shown
    if tracked is not None and index in store.tracked:
        whole = store.with_absent(index, tracked)
        store.write_tracked(index, whole, layers.before, FrameMask(tracked, None, True))
    if layers.mark is not None:
        store.write_mark(index, layers.shown, layers.mark)

"""A project: what a person does to the masks of its frames, and what tracking stores there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from cyclevos.app.errors import ConflictError, MaskSizeError
from cyclevos.app.projects.absent_objects import end_absences, present
from cyclevos.app.projects.draft import Draft
from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.frame_news import frame_news
from cyclevos.app.projects.mask_pngs import Mark
from cyclevos.app.projects.object_pixels import areas, painted_objects
from cyclevos.app.projects.open_folder import OpenFolder
from cyclevos.app.projects.project_file import ProjectFile
from cyclevos.app.projects.restoring import Check, Moved, bring_back, move
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.errors import MaskError
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.pictures.palette import DAVIS_PALETTE


class Project(OpenFolder):
    """The masks of one video, by what is done to them; each change is stored and told to the pages."""

    def paint(self, index: int, ids: UInt8Array, tag: str) -> FrameMask:
        """Store what a person painted.

        Args:
            index: of the frame.
            ids: the whole mask as it looks now, uint8 (H,W).
            tag: of the mask that was painted on.

        Raises:
            ConflictError: the mask has changed since, for example in another tab.
        """
        with self.step("Paint", frame=index, always=True):
            before = self._unchanged(self.check_frame(index), tag)
            if before.mark is None and np.array_equal(before.ids, ids):
                return before  # a click that changed nothing says nothing
            held = Mark(frozenset()) if before.mark is None else before.mark
            mark = Mark(held.objects | painted_objects(before.ids, ids), held.accepted)
            self.list_objects(areas(ids))
            return self._mark(index, ids, mark)

    def import_mask(self, index: int, image: MaskImage) -> FrameMask:
        """Import a mask: its objects become marked; its palette is kept if it is the first mask."""
        if image.size != self.masks.size:
            raise MaskSizeError(image.size, self.masks.size)
        if not image.object_ids:
            raise MaskError("The mask shows no object: every pixel is background 0.", "Choose another file.")
        with self.step("Import a mask", frame=index):
            if image.palette is not None and image.palette != DAVIS_PALETTE and not self.masks.marks:
                colours = [f"#{image.palette[3 * k : 3 * k + 3].hex()}" for k in range(256)]
                self.change(lambda file: setattr(file, "palette", colours))
            self.list_objects(areas(image.ids))
            return self._mark(self.check_frame(index), image.ids, Mark(frozenset(image.object_ids)))

    def accept(self, index: int, accepted: bool) -> FrameMask:
        """Accept a frame with all objects as they are shown, or reopen it."""
        with self.step("Accept the frame" if accepted else "Reopen the frame", frame=index):
            mask = self.masks.read(self.check_frame(index))
            by_hand = frozenset[int]() if mask.mark is None else mask.mark.objects
            if accepted:
                return self._mark(index, mask.ids, Mark(by_hand, True))
            if mask.mark is None:
                return mask
            tracked = self.masks.read_tracked(index)
            if not by_hand and (not mask.ids.any() if tracked is None else np.array_equal(mask.ids, tracked)):
                return self.forget(index)
            # Tracking has run again since: the masks shown stay, and count as marked.
            return self._mark(index, mask.ids, Mark(by_hand or frozenset(areas(mask.ids)), False))

    def forget(self, index: int) -> FrameMask:
        """Discard a frame's mark and show the tracked mask again."""
        with self.step("Clear the frame", frame=index):
            self.masks.forget_mark(self.check_frame(index))
            return self._announce(index, self.masks.read(index))

    def track_frame(self, index: int, ids: UInt8Array, result: FrameResult, before: UInt8Array | None) -> None:
        """Store the tracked mask of a frame, and show it unless the frame is accepted."""
        with self.lock:
            self.check_open()
            shown = self.masks.with_tracked(index, ids)
            self.list_objects(shown.areas)  # an object may have been taken out of the list while tracking was at work
            reliability = {} if shown.mark is not None else result.reliability
            known = replace(result, reliability=reliability).counted(shown)
            # Shown first: writing takes longer.
            corrected = before is not None and not np.array_equal(before, ids)
            row = present(self, index, known)
            with self.telling_ahead(index) as order:
                told = replace(shown, order=order)
                self.hub.publish("mask", partial(frame_news, index, told, row, corrected=corrected, with_mask=True))
                self.masks.write_tracked(index, ids, before if corrected else None, shown)
                self.results.add(index, known)

    def judge_frame(self, index: int, reliability: Mapping[int, float], *, tag: str, calibrated: bool) -> None:
        """Store the reliability of the mask with this tag, unless another one is shown now; a mark has none."""
        with self.lock:
            self.check_open()
            shown = self.masks.read(index)
            if shown.tag == tag:
                self._announce(index, shown, FrameResult({} if shown.mark else reliability, {}, calibrated))

    def remove_object(self, object_id: int, check: Callable[[], None] = lambda: None) -> None:
        """Remove an object from the list and from every frame.

        Args:
            object_id: of the object.
            check: called before anything is changed, when nobody else changes the project any more; may raise.
        """
        name, masks = self.file.object(object_id).name, self.masks
        seen = {index: masks.changes(index) for index in range(self.frames)}
        held = masks.held

        def without(file: ProjectFile) -> None:
            file.objects = [info for info in file.objects if info.id != object_id]
            file.absences = [each for each in file.absences if each.object != object_id]

        with Draft(self, lambda index: draft.remove_object(index, object_id)) as draft:
            for index in sorted(held.tracked | held.before | held.marks.keys()):
                draft.add(index)
            with draft.step(f"Delete {name}", lambda: self.results.remove_object(object_id)):
                check()
                for index in (i for i, changes in seen.items() if masks.changes(i) != changes):
                    draft.work_out_later(index)  # the object may be in a frame in which it was not
                self.change(without)

    def undo(self, check: Check = lambda step: None) -> Moved | None:
        """Undo the last step; None where there is none. See `restoring.move`."""
        return move(self, back=True, check=check)

    def redo(self, check: Check = lambda step: None) -> Moved | None:
        """Redo the step that was undone last; None where there is none. See `restoring.move`."""
        return move(self, back=False, check=check)

    def bring_back(self, version_id: int, check: Callable[[], None] = lambda: None) -> None:
        """Bring back what a tracking run replaced. See `restoring.bring_back`."""
        bring_back(self, version_id, check)

    def _unchanged(self, index: int, tag: str) -> FrameMask:
        mask = self.masks.read(index)
        if mask.tag != tag:
            raise ConflictError(
                f"Frame {index} was changed elsewhere while you painted, in another tab or by tracking.",
                "The page shows the new mask. Paint again what is missing.",
            )
        return mask

    def _mark(self, index: int, ids: UInt8Array, mark: Mark) -> FrameMask:
        end_absences(self, index, mark.objects & areas(ids).keys())
        return self._announce(index, self.masks.write_mark(index, ids, mark))

    def _announce(self, index: int, shown: FrameMask, result: FrameResult | None = None) -> FrameMask:
        known = (self.results[index] if result is None else result).counted(shown)
        self.results.add(index, known)
        shown = replace(shown, order=self.next_order())
        corrected = index in self.masks.corrected
        self.hub.publish("mask", lambda: frame_news(index, shown, present(self, index, known), corrected=corrected))
        return shown

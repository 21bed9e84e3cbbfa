"""Edits of a project's masks: in one frame, as a stroke is; or over a range, which happens whole or not at all.

Over a range the edit is computed frame by frame into a draft, while others go on; the draft then becomes one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cyclevos.app.errors import AppError, ConflictError
from cyclevos.app.projects.absences import MOST_ABSENCES
from cyclevos.app.projects.draft import Draft
from cyclevos.app.projects.layers import Layers, read_layers
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile
from cyclevos.app.work.edits import Edit, FinishEdges, Renumber
from cyclevos.app.work.following import Tell, follow_piece, pieces_that_come_up
from cyclevos.app.work.jobs import Job
from cyclevos.app.work.wanted_edit import WantedEdit
from cyclevos.pictures.arrays import UInt8Array

_LISTED = 200  # changed frames that an answer names


def preview(project: Project, wanted: WantedEdit, index: int) -> UInt8Array:
    """Return a frame's mask as it would be, uint8 (H,W); nothing is stored.

    Raises:
        AppError: the edit cannot be made.
    """
    edit = make_edit(project, wanted.in_frame(index), _tell_nobody)
    return _changed(project, edit, index).shown


def edit_frame(project: Project, wanted: WantedEdit, index: int) -> dict[str, Any]:
    """Edit what one frame shows; the frame becomes marked, as it does by a stroke.

    Returns:
        How many frames and pixels have changed.

    Raises:
        ConflictError: the frame is accepted, and accepted frames were to stay.
        AppError: the edit cannot be made.
    """
    wanted = _with_target(project, wanted.in_frame(index))
    held = project.mask(index)
    if held.status == "accepted" and not wanted.accepted:
        raise ConflictError(
            f"Frame {index} is accepted.", "Press A to reopen it, or have accepted frames changed as well."
        )
    edit = make_edit(project, wanted, _tell_nobody)
    changed = _changed(project, edit, index).shown
    pixels = int(np.count_nonzero(changed != held.ids))
    if pixels:
        with project.step(wanted.title(project.file, project.frames)):
            project.paint(index, changed, held.tag)
    return {"frames": int(pixels > 0), "pixels": pixels, "accepted": 0, "changed": [index] if pixels else []}


def edit_range(project: Project, wanted: WantedEdit, job: Job, *, dry: bool = False) -> dict[str, Any]:
    """Edit the masks of a range of frames; tracked masks stay tracked ones, and marks marks.

    Args:
        project: holds the masks.
        wanted: the edit, within the video.
        job: takes the progress; if it is cancelled, nothing is changed.
        dry: only count what would change.

    Returns:
        How many frames and pixels change, how many accepted frames are left as they are, and the first ones changed.

    Raises:
        ConflictError: somebody changed one of the frames meanwhile; nothing is changed then.
        AppError: the edit cannot be made.
    """
    wanted = _with_target(project, wanted)
    title = wanted.title(project.file, project.frames)

    def tell(done: int, total: int) -> None:
        job.progress(done, total, "following the pieces")

    edit = make_edit(project, wanted, tell)
    plan = _Plan(project, edit, wanted)
    if dry:
        plan.go_through(plan.look, job)
    else:
        with Draft(project, lambda index: plan.put(draft, index)) as draft:
            plan.go_through(draft.add, job)
            if draft.frames:
                with draft.step(title, plan.carry_absences):
                    project.drop_snapshots()
                    plan.list_objects()
    counts = {"frames": len(plan.numbers), "pixels": plan.pixels, "accepted": plan.skipped}
    return {**counts, "changed": plan.numbers[:_LISTED], "title": title, "dry": dry}


def make_edit(project: Project, wanted: WantedEdit, tell: Tell) -> Edit:
    """Return what makes an edit, having followed what has to be followed over time.

    Raises:
        NotFoundError: the list does not have the object.
        ConflictError: the object is locked or hidden, or there is no free id.
        AppError: there is no piece where it was pointed at.
    """
    with project.lock:
        file = project.file
        objects = wanted.objects(file)
    frames = range(wanted.first, wanted.last + 1)
    source = wanted.object or 0
    if wanted.op == "finish" and wanted.how is not None:
        return FinishEdges(wanted.how, wanted.amount, objects)
    if wanted.op == "islands":
        return pieces_that_come_up(project, objects, frames, tell)
    if wanted.op == "split":
        start = (wanted.frame, wanted.x, wanted.y)
        found = int(project.mask(wanted.frame).ids[wanted.y, wanted.x])
        if found not in (0, source):
            raise AppError(f"Another object is at this place in frame {wanted.frame}.", "Click a piece of this one.")
        return follow_piece(project, start, frames, wanted.target or file.free_id(), tell)
    if wanted.op == "delete":
        return Renumber({source: 0})
    target = wanted.target or file.free_id()
    table = {source: target, target: source} if wanted.op == "swap" else {source: target}
    return Renumber(table, free=target if wanted.op == "move" else 0)


def _with_target(project: Project, wanted: WantedEdit) -> WantedEdit:
    """Return an edit that says which id a new object gets."""
    if wanted.op not in ("move", "split") or wanted.target is not None:
        return wanted
    return wanted.model_copy(update={"target": project.file.free_id()})


def _tell_nobody(_: int, __: int) -> None:
    return


def _changed(project: Project, edit: Edit, index: int) -> Layers:
    image = project.reader.image(index) if edit.needs_image else None
    with project.lock:
        held = read_layers(project.masks, index)
    return edit.layers(index, held, image)


class _Plan:
    """What an edit makes of the frames of a range.

    Attributes:
        image: the frame that is looked at, if the edit needs it.
        numbers: of the frames that change.
        pixels: that change in all of them.
        skipped: number of accepted frames that stay as they are.
    """

    def __init__(self, project: Project, edit: Edit, wanted: WantedEdit) -> None:
        self._project, self._edit, self._wanted = project, edit, wanted
        self.image: UInt8Array | None = None
        self.numbers: list[int] = []
        self.pixels = self.skipped = 0
        self._known = {info.id for info in project.file.objects}

    def go_through(self, work: Callable[[int], object], job: Job) -> None:
        """Do something with each frame of the range, which is at hand if the edit needs it."""
        for done, (index, image) in enumerate(self._images(), start=1):
            self.image = image
            work(index)
            job.progress(done, self._wanted.last + 1 - self._wanted.first, "computing")

    def put(self, draft: Draft, index: int) -> None:
        """Put what a frame becomes into the draft; a frame that changed since is refused, as the edit was for another.

        Raises:
            ConflictError: somebody has changed the frame.
        """
        if index in self.numbers:
            raise ConflictError(
                f"Frame {index} was changed while the edit was computed.", "Nothing was changed. Try again."
            )
        changed = self.look(index)
        if changed is not None:
            draft.put_layers(index, changed, self._edit.result(self._project.results[index]))

    def look(self, index: int) -> Layers | None:
        """Count what changes in a frame and return what it becomes; None if it stays as it is."""
        with self._project.lock:
            shown = self._project.masks.read(index)
            held = read_layers(self._project.masks, index)
        if shown.status == "empty":
            return None
        changed = self._edit.layers(index, held, self.image)
        pixels = int(np.count_nonzero(changed.shown != held.shown))
        if not pixels and changed.mark == held.mark and _same(changed.under, held.under):
            return None
        if shown.status == "accepted" and not self._wanted.accepted:
            self.skipped += 1
            return None
        self.numbers.append(index)
        self.pixels += pixels
        return changed

    def _images(self) -> Iterator[tuple[int, UInt8Array | None]]:
        """Yield the frames' indices, each with its picture if the edit needs that."""
        frames = range(self._wanted.first, self._wanted.last + 1)
        if not self._edit.needs_image:
            yield from ((index, None) for index in frames)
            return
        for frame in self._project.source.iterate(start=frames.start):
            if frame.index in frames:
                yield frame.index, frame.image
            if frame.index + 1 >= frames.stop:
                return

    def list_objects(self) -> None:
        """Add a new object to the list; one that was moved in the whole video takes its name and colour along.

        Where it is said to be gone, its masks are kept under its old number, which therefore stays in the list.
        """
        wanted, project = self._wanted, self._project
        source, target = wanted.object, wanted.target
        if wanted.op not in ("move", "split") or target is None or source is None or target in self._known:
            return
        whole = self._is_whole_move
        name = project.file.object(source).name if whole else f"object {target}"

        def edit(file: ProjectFile) -> None:
            goes = whole and all(each.object != source for each in file.absences)
            file.objects = [each for each in file.objects if each.id != target and not (goes and each.id == source)]
            file.add_objects([ObjectInfo(id=target, name=name)])
            if whole:
                file.palette[target], file.palette[source] = file.palette[source], file.palette[target]

        project.change(edit)

    def carry_absences(self) -> None:
        """Say of a new object, to which one was moved in the whole video, that it is gone where that one is."""
        source, target, held = self._wanted.object, self._wanted.target, self._project.file.absences
        if not self._is_whole_move or target is None or target in self._known:
            return
        copies = [each.model_copy(update={"object": target}) for each in held if each.object == source]
        if copies and len(held) + len(copies) <= MOST_ABSENCES:
            self._project.change(lambda file: setattr(file, "absences", [*file.absences, *copies]))

    @property
    def _is_whole_move(self) -> bool:
        wanted = self._wanted
        is_whole = (wanted.first, wanted.last + 1) == (0, self._project.frames)
        return wanted.op == "move" and not self.skipped and is_whole


def _same(a: UInt8Array | None, b: UInt8Array | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))

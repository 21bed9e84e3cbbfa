"""Edits of a project's masks: in one frame, as a stroke is; or over a range, which happens whole or not at all.

Over a range the edit is computed first, frame by frame, while others go on; then all that it changes is written as one
step.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cyclevos.app.errors import AppError, ConflictError
from cyclevos.app.projects.absences import gone_at, without_absence
from cyclevos.app.projects.layers import Layers, read_layers
from cyclevos.app.projects.mask_store import FrameMask
from cyclevos.app.projects.object_pixels import areas
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile
from cyclevos.app.projects.result_log import FrameResult
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
    plan = _Plan(project, edit, wanted, dry)
    plan.compute(job)
    if not dry and plan.changes:
        with project.step(title):
            project.drop_snapshots()
            plan.write(job)
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


@dataclass(frozen=True)
class _Change:
    """What one frame becomes, compressed, and the tag of the mask that it was made from."""

    tag: str
    layers: tuple[bytes | None, ...]
    frame: Layers  # without its masks


class _Plan:
    def __init__(self, project: Project, edit: Edit, wanted: WantedEdit, dry: bool) -> None:
        self._project, self._edit, self._wanted, self._dry = project, edit, wanted, dry
        self.changes: dict[int, _Change] = {}
        self.numbers: list[int] = []
        self.pixels = self.skipped = 0
        self._back: dict[int, frozenset[int]] = {}  # objects that are gone in a frame and get pixels there
        self._known = {info.id for info in project.file.objects}

    def compute(self, job: Job) -> None:
        """Work out what every frame becomes."""
        total = self._wanted.last + 1 - self._wanted.first
        for done, (index, image) in enumerate(self._images(), start=1):
            with self._project.lock:
                shown = self._project.masks.read(index)
                held = read_layers(self._project.masks, index)
            self._consider(index, shown, held, image)
            job.progress(done, total, "computing")

    def write(self, job: Job) -> None:
        """Store all changes, or none: what was written is taken back if anything goes wrong."""
        project, done = self._project, dict[int, tuple[_Change, FrameResult]]()
        self._end_absences()
        try:
            for count, (index, change) in enumerate(self.changes.items(), start=1):
                if index not in self._back:
                    self._check_unchanged(index)
                held = project.results[index]
                done[index] = _packed(change.tag, read_layers(project.masks, index)), held
                project.put_layers(index, self._unpacked(change), self._edit.result(held))
                job.progress(count, len(self.changes), "writing")
            self._list_objects()
        except BaseException:
            for index, (change, held) in done.items():
                project.put_layers(index, self._unpacked(change), held)
            raise

    def _check_unchanged(self, index: int) -> None:
        if self._project.masks.read(index).tag != self.changes[index].tag:
            raise ConflictError(
                f"Frame {index} was changed while the edit was computed.", "Nothing was changed. Try again."
            )

    def _end_absences(self) -> None:
        """End the absence of objects in the frames in which they get pixels, as painting them there does."""
        for index in self._back:
            self._check_unchanged(index)

        def edit(file: ProjectFile) -> None:
            for index, objects in self._back.items():
                for object_id in objects:
                    file.absences = without_absence(file.absences, object_id, index, index)

        if self._back:
            self._project.change(edit)

    def _images(self) -> Iterator[tuple[int, UInt8Array | None]]:
        frames = range(self._wanted.first, self._wanted.last + 1)
        if not self._edit.needs_image:
            yield from ((index, None) for index in frames)
            return
        for frame in self._project.source.iterate(start=frames.start):
            yield frame.index, frame.image
            if frame.index + 1 >= frames.stop:
                return

    def _consider(self, index: int, shown: FrameMask, held: Layers, image: UInt8Array | None) -> None:
        if shown.status == "empty":
            return
        changed = self._edit.layers(index, held, image)
        pixels = int(np.count_nonzero(changed.shown != held.shown))
        if not pixels and changed.mark == held.mark and _same(changed.under, held.under):
            return
        if shown.status == "accepted" and not self._wanted.accepted:
            self.skipped += 1
            return
        self.numbers.append(index)
        self.pixels += pixels
        if not self._dry:
            self.changes[index] = _packed(shown.tag, changed)
            if back := gone_at(self._project.file.absences, index).intersection(areas(changed.shown)):
                self._back[index] = back

    def _unpacked(self, change: _Change) -> Layers:
        size = self._project.masks.size
        shown, under, before = (None if data is None else _array(data, size) for data in change.layers)
        return replace(change.frame, shown=change.frame.shown if shown is None else shown, under=under, before=before)

    def _list_objects(self) -> None:
        """Add a new object to the list; one that was moved in the whole video takes its name and colour along."""
        wanted, project = self._wanted, self._project
        source, target = wanted.object, wanted.target
        if wanted.op not in ("move", "split") or target is None or source is None or target in self._known:
            return
        whole = wanted.op == "move" and not self.skipped and (wanted.first, wanted.last + 1) == (0, project.frames)
        name = project.file.object(source).name if whole else f"object {target}"

        def edit(file: ProjectFile) -> None:
            file.objects = [each for each in file.objects if each.id != target and not (whole and each.id == source)]
            file.add_objects([ObjectInfo(id=target, name=name)])
            if whole:
                file.palette[target], file.palette[source] = file.palette[source], file.palette[target]

        project.change(edit)


def _packed(tag: str, layers: Layers) -> _Change:
    masks = (layers.shown, layers.under, layers.before)
    data = tuple(None if ids is None else zlib.compress(ids.tobytes(), 1) for ids in masks)
    empty = np.zeros((0, 0), np.uint8)
    return _Change(tag, data, Layers(empty, layers.mark, None, None))


def _array(data: bytes, size: tuple[int, int]) -> UInt8Array:
    ids: UInt8Array = np.frombuffer(zlib.decompress(data), np.uint8).reshape(size)
    return ids


def _same(a: UInt8Array | None, b: UInt8Array | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))

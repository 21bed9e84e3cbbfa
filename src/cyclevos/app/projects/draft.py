"""A draft: what a long step makes of many frames, laid ready beside what they are, so that nobody waits meanwhile.

    ready/<draft>/masks-00012.png   a file as it will be; the folder is removed when the draft ends or the project opens

While a draft is made, others read and change the project. To keep it only renames files, under the project's lock.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from cyclevos.app.projects.absences import gone_at, without_objects
from cyclevos.app.projects.durable_files import check_there, saving, write_durably
from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.history import History
from cyclevos.app.projects.kept_contents import has_one_name, linked
from cyclevos.app.projects.layers import Layers, write_layers
from cyclevos.app.projects.mask_names import KINDS, Kind, index_of, kind_of, mask_name
from cyclevos.app.projects.mask_pngs import read_mark
from cyclevos.app.projects.mask_store import MaskStore
from cyclevos.app.projects.object_pixels import areas
from cyclevos.app.projects.open_folder import READY, OpenFolder
from cyclevos.app.projects.project_file import ProjectFile
from cyclevos.app.projects.result_log import FrameResult, without_object
from cyclevos.errors import CycleVOSError, MaskError
from cyclevos.files.atomic import sync_file, sync_folder
from cyclevos.pictures.arrays import UInt8Array

_NEVER = (-1, None)  # no frame has changed so often


class Draft:
    """What many frames are to become; a context, whose end discards what was not kept.

    Args:
        project: that the frames belong to.
        make: works out one frame by the draft's own methods; called again, under the lock, if somebody changed the
            frame before the draft is kept. It may refuse that by an error.
    """

    def __init__(self, project: OpenFolder, make: Callable[[int], None]) -> None:
        self._project, self._make = project, make
        self._ends = ExitStack()
        self._made: dict[int, tuple[int, FrameResult | None]] = {}  # each frame as it was when it was worked out
        self._rows: dict[int, FrameResult] = {}
        self._back: dict[int, frozenset[int]] = {}  # objects that are gone in a frame and are shown there

    def __enter__(self) -> Draft:
        """Begin."""
        project = self._project
        self._absences = project.file.absences
        check_there(project.folder)
        with saving(project.folder):
            (project.folder / READY).mkdir(exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=project.folder / READY))
        self._ends.callback(shutil.rmtree, folder, ignore_errors=True)
        pins = self._ends.enter_context(project.steps.history.pin())
        self.masks = _ReadyMasks(project.masks, folder, project.steps.history, pins, self._gone)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Discard what was not kept."""
        self._ends.close()
        steps = self._project.steps
        if error is not None:
            with self._project.lock, suppress(CycleVOSError):  # what went wrong is worth more
                if not (self._project.is_closed or steps.unfinished.is_pending):  # which needs what was there before
                    steps.history.sweep()

    @property
    def frames(self) -> list[int]:
        """Indices of the frames that change."""
        return sorted(self.masks.frames | self._rows.keys())

    @property
    def objects(self) -> set[int]:
        """Ids of the objects that these frames will show."""
        return {object_id for row in self._rows.values() for object_id in row.areas}

    def add(self, index: int) -> None:
        """Work out a frame.

        Raises:
            UnsavedError: the disk takes no more.
        """
        self._made[index] = seen = self._as_it_is(index)
        try:
            self._anew(index)
        except MaskError:
            with self._project.lock:  # a change that is being made is counted when it is whole
                if self._as_it_is(index) == seen:
                    raise  # the file is broken; otherwise it was replaced, and `put` works the frame out again
        else:
            if index not in self.masks.frames and index not in self._rows:
                del self._made[index]

    def work_out_later(self, index: int) -> None:
        """Work out a frame when the draft is put in place, whether it was added before or not."""
        self._made[index] = _NEVER

    def track(self, index: int, ids: UInt8Array) -> None:
        """Make a mask the tracked one of a frame, about which nothing else is known; what a person marked stays."""
        shown = self.masks.with_tracked(index, ids)
        self.masks.write_tracked(index, ids, None, shown)
        self._note(index, shown, FrameResult())

    def put_layers(self, index: int, layers: Layers, result: FrameResult) -> None:
        """Store what an edit makes of a frame's masks, and what is then known of them."""
        back = gone_at(self._project.file.absences, index) & areas(layers.shown).keys()
        if back:
            self._back[index] = back
        write_layers(self.masks, index, layers)
        self._note(index, self.masks.read(index), result)

    def lay(self, name: str, kept: str | None) -> None:
        """Give a frame one of its files back, by the digest of what it held; None = there was no file.

        Raises:
            ConflictError: what is kept of it is damaged.
        """
        self.masks.lay(kind_of(name), index_of(name), kept)

    def know(self, index: int, result: FrameResult) -> None:
        """Make this what is known of a frame."""
        self._rows[index] = result

    def remove_object(self, index: int, object_id: int) -> None:
        """Remove an object from a frame's masks; what is known of the others stays."""
        if self.masks.remove_object(index, object_id):
            known = without_object(self._project.results[index], object_id)
            self._note(index, self.masks.read(index), known)

    @contextmanager
    def step(self, title: str, then: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Keep the draft as one step of the project, which the changes made inside belong to as well.

        Args:
            title: of the step.
            then: called when the draft is in place; what it changes belongs to the step too.

        Raises:
            UnsavedError: the disk takes no more; nothing is changed then.
        """
        self.masks.flush()
        with self._project.step(title):
            yield
            self.put()
            then()
            self._project.tell_frames(self.frames)

    def put(self) -> None:
        """Put everything in place; the caller has begun a step, and waited for the disk."""
        project = self._project
        anew = project.file.absences != self._absences
        changed = [index for index, seen in self._made.items() if anew or self._as_it_is(index) != seen]
        for index in changed:
            self._anew(index)
        if changed:
            self.masks.flush()
        if self._back:
            project.change(self._end_absences)
        project.masks.take(self.masks.files)
        project.results.add_all(self._rows)

    def _as_it_is(self, index: int) -> tuple[int, FrameResult]:
        """Return what tells whether a frame has changed since."""
        return self._project.masks.changes(index), self._project.results[index]

    def _anew(self, index: int) -> None:
        self.masks.forget(index, self._project.masks)
        self._rows.pop(index, None)
        self._back.pop(index, None)
        self._make(index)

    def _note(self, index: int, shown: FrameMask, result: FrameResult) -> None:
        self._rows[index] = result.counted(shown)

    def _gone(self, index: int) -> frozenset[int]:
        return gone_at(self._project.file.absences, index) - self._back.get(index, frozenset())

    def _end_absences(self, file: ProjectFile) -> None:
        for index, objects in self._back.items():
            file.absences = without_objects(file.absences, objects, index)


class _ReadyMasks(MaskStore):
    """The masks of a project as a draft makes them: what it writes lies in a folder of its own.

    Attributes:
        files: the ready file by the one that it replaces; None = it is removed.
    """

    def __init__(
        self, store: MaskStore, ready: Path, history: History, pins: set[str], gone: Callable[[int], frozenset[int]]
    ) -> None:
        super().__init__(store.folder, store.size, gone=gone, held=store.held)
        self._ready, self._history, self._pins = ready, history, pins
        self.files: dict[Path, Path | None] = {}
        self._laid: set[Path] = set()
        self.frames: set[int] = set()

    def forget(self, index: int, store: MaskStore) -> None:
        """Forget what was made of a frame, and see which files it has now."""
        self.frames.discard(index)
        held = store.held
        for kind in KINDS:
            self.files.pop(self.folder / mask_name(kind, index), None)
            self.held = self.held.with_file(kind, index, held.marks.get(index), there=index in held.of(kind))

    def flush(self) -> None:
        """Wait until the disk has everything, which takes less time for all files together.

        Raises:
            UnsavedError: it cannot take them.
        """
        self._history.flush()
        with saving(self._ready):
            for ready in filter(None, self.files.values()):
                if ready not in self._laid:  # which the disk has already
                    sync_file(ready)
            sync_folder(self._ready)

    def lay(self, kind: Kind, index: int, kept: str | None) -> None:
        """Make a file what it was, by the digest of that; None = there was no file."""
        place = self._ready_place(kind, index)
        if kept is not None:
            self._pins.add(kept)
            self._history.lay(kept, place)
            self._laid.add(place)
        self._note_ready(kind, index, None if kept is None else place)

    def _put(self, kind: Kind, index: int, data: bytes | None) -> None:
        place = self._ready_place(kind, index)
        if data is not None:
            write_durably(place, data, flush=False)
            self._laid.discard(place)
        self._note_ready(kind, index, None if data is None else place)

    def _ready_place(self, kind: Kind, index: int) -> Path:
        return self._ready / mask_name(kind, index).replace("/", "-")

    def _note_ready(self, kind: Kind, index: int, place: Path | None) -> None:
        """Take note of what a file becomes, and keep it and what it is where nobody waits."""
        path = self.folder / mask_name(kind, index)
        self.files[path] = place
        self.frames.add(index)
        for each in filter(None, (path, place)):
            self._history.keep(each, flush=False, pins=self._pins)
        # To remove a file's last name takes the disk long; with one more, to replace it under the lock is quick.
        if has_one_name(path):
            linked(path, self._ready / f"old-{kind}-{path.name}")
        mark = read_mark(place) if place is not None and kind == "marks" else None
        self._know(kind, index, mark, there=place is not None)

    def _place(self, kind: Kind, index: int) -> Path:
        path = super()._place(kind, index)
        return self.files.get(path) or path

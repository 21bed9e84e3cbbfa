"""The projects of one server: opened when they are first asked for, made, renamed, copied, deleted and restored."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cyclevos.app.errors import ConflictError, GoneError, NewerProjectError, NotFoundError
from cyclevos.app.projects.copying import copy_name, copy_project
from cyclevos.app.projects.durable_files import check_there
from cyclevos.app.projects.folder_lock import FolderLock
from cyclevos.app.projects.folders import Folders
from cyclevos.app.projects.listing import summary
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import PROJECT_FILE, ProjectFile, load_project_file, stored_text
from cyclevos.app.projects.project_ids import is_id, places
from cyclevos.app.projects.trash import Trash
from cyclevos.errors import CycleVOSError
from cyclevos.files.atomic import output_errors, put_in_place
from cyclevos.files.names import safe_name
from cyclevos.media.open_source import open_source

UPLOADING, _COPYING = ".upload-", ".copy-"
_MOST_OF_A_NAME = 10_000  # projects
_STALE = 24 * 3600  # seconds after which an upload or a copy has been given up


class Workspace:
    """The projects of one server.

    Args:
        projects: folder of the projects; created if needed.
        folders: folders that videos may be opened from and results written to.

    Raises:
        OutputError: the projects' folder cannot be made.
    """

    def __init__(self, projects: Path, folders: Sequence[Path]) -> None:
        self.projects = projects.resolve()
        self.folders = Folders(folders)
        self.trash = Trash(self.projects / ".deleted")
        with output_errors(self.projects):
            self.projects.mkdir(parents=True, exist_ok=True)
            for left in (path for kind in (UPLOADING, _COPYING) for path in self.projects.glob(f"{kind}*")):
                if time.time() - left.stat().st_mtime > _STALE:
                    _remove(left)
        self._open: dict[str, Project] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every open project."""
        with self._lock:
            for project in self._open.values():
                project.close()
            self._open.clear()

    def silence(self) -> None:
        """End the event streams, so that the server can stop."""
        for project in list(self._open.values()):
            project.hub.close()

    def listing(self) -> list[dict[str, Any]]:
        """Return all projects, the last changed one first."""
        found = [summary(folder) for folder in self.projects.iterdir() if _is_project(folder)]
        return sorted(found, key=lambda entry: (-entry["changed"], entry["id"]))

    def folder(self, project_id: str) -> Path:
        """Return the folder of a project.

        Raises:
            NotFoundError: the id is unknown.
            GoneError: the project was deleted and can be restored, or its folder was moved while it was open.
        """
        folder = self.projects / project_id
        if not is_id(project_id):  # it may be a path that leads elsewhere
            raise _unknown(project_id)
        if _is_project(folder):
            return folder
        if project_id in self.trash.ids():
            raise GoneError(
                f"The project {project_id} was deleted.",
                "Restore it under Deleted on the start page; pages that show it then go on.",
            )
        if project_id in self._open:
            check_there(folder)
        raise _unknown(project_id)

    def get(self, project_id: str) -> Project:
        """Return a project, opened; raises like :meth:`folder`.

        Raises:
            CycleVOSError: it cannot be opened.
        """
        with self._lock:
            folder = self.folder(project_id)
            if project_id not in self._open:
                for other in self._open.values():
                    if not other.hub.heard:  # nobody looks at it
                        other.reader.forget()
                self._open[project_id] = Project(folder)
            return self._open[project_id]

    def create(self, video: Path, name: str | None = None, *, deinterlace: bool = False) -> Project:
        """Make a project for a video, which stays where it is, and open it; otherwise like :meth:`add`."""
        folder = self._make(video, name, move=False, deinterlace=deinterlace)
        try:
            return self.get(folder.name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def add(self, video: Path, name: str | None = None, *, move: bool = False) -> dict[str, Any]:
        """Make a project for a video without opening it yet, and return its entry of the list.

        Args:
            video: file or folder of frames; the caller has checked that it may be opened.
            name: of the project; None = the video's name.
            move: move the video into the project's folder.

        Raises:
            VideoError: it cannot be read.
            OutputError: the folder cannot be written to.
        """
        return summary(self._make(video, name, move=move, deinterlace=False))

    def of_video(self, video: Path, *, deinterlace: bool = False) -> Project | None:
        """Return the project of a video, treated in the same way, that was changed last; None if it has none.

        Raises:
            NewerProjectError: a newer version of the program made it; a second one would look as if all work was lost.
        """
        place = str(video.resolve())
        for entry in self.listing():
            folder = self.projects / entry["id"]
            if stored_text(folder, "source") != place:
                continue
            try:
                file = load_project_file(folder)
            except NewerProjectError:
                raise
            except CycleVOSError:  # damaged: the video gets another one
                continue
            if file.deinterlace == deinterlace:
                return self.get(folder.name)
        return None

    def change(self, project_id: str, edit: Callable[[ProjectFile], None]) -> ProjectFile:
        """Edit a project's file, whether the project is open or not, and even if its video is missing.

        Raises:
            ConflictError: another server has the project open.
            CycleVOSError: the file cannot be read or written.
        """
        with self._lock:
            folder = self.folder(project_id)
            opened = self._open.get(project_id)
            if opened is None:
                lock = FolderLock(folder)
                try:
                    file = load_project_file(folder)
                    edit(file)
                    file.save(folder)
                    return file
                finally:
                    lock.release()
        opened.change(edit)
        return opened.file

    def duplicate(self, project_id: str) -> dict[str, Any]:
        """Copy a project with its masks and its history, and return the copy's entry of the list.

        No job may be working on it.

        Raises:
            CycleVOSError: it cannot be opened, or the copy cannot be written.
        """
        project = self.get(project_id)
        name = copy_name(project.file.name, {entry["name"] for entry in self.listing()})
        copying = self.projects / f"{_COPYING}{secrets.token_hex(8)}"
        with project.lock:
            copy_project(project.folder, project.file.model_copy(update={"name": name}), copying)
        folder = self._new_folder(name)
        put_in_place(copying, folder)
        return summary(folder)

    def delete(self, project_id: str) -> str:
        """Close a project and move it into the trash; return its name there. No job may be working on it.

        Raises:
            ConflictError: another server has the project open.
            UnsavedError: it cannot be moved.
        """
        with self._lock:
            folder = self.folder(project_id)
            opened = self._open.get(project_id)
            if opened is None:
                FolderLock(folder).release()
                return self.trash.put(folder)
            del self._open[project_id]
            opened.close()
            try:
                with opened.lock:  # no change is cut in two
                    return self.trash.put(folder)
            finally:
                opened.hub.close()

    def restore(self, entry: str) -> dict[str, Any]:
        """Move a project back from the trash, and return its entry of the list.

        Raises:
            NotFoundError: it is not there any more.
            UnsavedError: it cannot be moved.
        """
        with self._lock:
            return summary(self.projects / self.trash.restore(entry, self.projects))

    def _make(self, video: Path, name: str | None, *, move: bool, deinterlace: bool) -> Path:
        source = open_source(video, deinterlace=deinterlace, pass_over=True)
        title = (name or source.name).strip()[:80].strip() or "video"
        folder = self._new_folder(title)
        place = str(video.resolve())
        height, width = source.size
        try:
            with output_errors(folder):
                if move:
                    (folder / "source").mkdir()
                    target = folder / "source" / f"video{video.suffix.lower()}"
                    place = f"source/{target.name}"
                    shutil.move(video, target)
            file = ProjectFile(name=title, source=place, height=height, width=width, deinterlace=deinterlace)
            file.save(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def _new_folder(self, title: str) -> Path:
        # An id has no underscore, by which a reserved name such as "con" is changed.
        base = safe_name(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60], "video").replace("_", "-x")
        deleted = self.trash.ids()  # pages that still show one of these would save their strokes here
        with output_errors(self.projects):
            for folder in islice(places(self.projects, base), _MOST_OF_A_NAME):
                if folder.name in deleted:
                    continue
                try:
                    folder.mkdir()
                except FileExistsError:
                    continue
                return folder
        raise ConflictError(f"There are too many projects called {base}.", "Choose another name.")


def _unknown(project_id: str) -> NotFoundError:
    return NotFoundError(f"There is no project {project_id!r}.", "Choose one from the start page.")


def _remove(left: Path) -> None:
    if left.is_dir():
        shutil.rmtree(left)
    else:
        left.unlink(missing_ok=True)


def _is_project(folder: Path) -> bool:
    return is_id(folder.name) and (folder / PROJECT_FILE).is_file()

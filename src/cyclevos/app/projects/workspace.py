"""The projects of one server: opened when they are first asked for, made, renamed, copied, deleted and restored."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cyclevos.app.errors import GoneError, NewerProjectError, NotFoundError
from cyclevos.app.projects.copying import copy_name, copy_project
from cyclevos.app.projects.durable_files import check_there
from cyclevos.app.projects.folder_lock import FolderLock
from cyclevos.app.projects.folders import Folders
from cyclevos.app.projects.kept_pictures import KeptPictures
from cyclevos.app.projects.listing import summary
from cyclevos.app.projects.making import give_place, making, remove_half_made
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import PROJECT_FILE, ProjectFile, load_project_file, stored_text
from cyclevos.app.projects.project_ids import is_id
from cyclevos.app.projects.trash import Trash
from cyclevos.errors import CycleVOSError
from cyclevos.files.atomic import output_errors
from cyclevos.media.open_source import open_source


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
            remove_half_made(self.projects)
        self.trash.remove_old()
        self._open: dict[str, Project] = {}
        self._pictures = KeptPictures()
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
                self._open[project_id] = Project(folder, self._pictures)
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
        """Copy a project with its masks, its history and its snapshots, and return the copy's entry of the list.

        No job may be working on it.

        Raises:
            CycleVOSError: it cannot be opened, or the copy cannot be written.
        """
        project = self.get(project_id)
        name = copy_name(project.file.name, {entry["name"] for entry in self.listing()})
        with making(self.projects) as copy:
            with project.lock:
                file, idle = project.file.model_copy(update={"name": name}), not project.steps.versions.is_running
                copy_project(project.folder, file, copy, snapshots=idle)
            return summary(self._placed(copy, name))

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
        place = str(video.resolve())
        height, width = source.size
        with making(self.projects) as made:
            with output_errors(made):
                if move:
                    (made / "source").mkdir()
                    target = made / "source" / f"video{video.suffix.lower()}"
                    place = f"source/{target.name}"
                    shutil.move(video, target)
            file = ProjectFile(name=title, source=place, height=height, width=width, deinterlace=deinterlace)
            file.save(made)
            return self._placed(made, title)

    def _placed(self, made: Path, title: str) -> Path:
        deleted = self.trash.ids()  # pages that still show one of these would save their strokes here
        return give_place(made, title, deleted)


def _unknown(project_id: str) -> NotFoundError:
    return NotFoundError(f"There is no project {project_id!r}.", "Choose one from the start page.")


def _is_project(folder: Path) -> bool:
    return is_id(folder.name) and (folder / PROJECT_FILE).is_file()

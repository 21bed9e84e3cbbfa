"""Folders that the server may read and write: its projects, and the folders given at start."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclevos.app.errors import ConflictError, ForbiddenError, NotFoundError
from cyclevos.app.projects.durable_files import check_there
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import PROJECT_FILE, ProjectFile, load_project_file
from cyclevos.errors import CycleVOSError, VideoError
from cyclevos.files.atomic import output_errors
from cyclevos.files.names import safe_name
from cyclevos.media.animated_picture import is_animated
from cyclevos.media.image_lists import LIST_SUFFIXES
from cyclevos.media.open_source import open_source
from cyclevos.naming import WHOLE_VIDEO_SUFFIXES, is_frame_file, natural_key

DEMO = Path(__file__).resolve().parents[2] / "demo"
_ID = re.compile(r"^[a-z0-9][a-z0-9-]{0,79}$")
_MOST_ENTRIES = 500
UPLOADING = ".upload-"
_STALE = 24 * 3600  # seconds after which an upload has been given up


class Workspace:
    """The projects of one server, opened when they are first asked for.

    Args:
        projects: folder of the projects; created if needed.
        folders: folders that videos may be opened from and results written to.

    Raises:
        OutputError: the projects' folder cannot be made.
    """

    def __init__(self, projects: Path, folders: Sequence[Path]) -> None:
        self.projects = projects.resolve()
        self.folders = [folder.resolve() for folder in folders]
        with output_errors(self.projects):
            self.projects.mkdir(parents=True, exist_ok=True)
            for upload in self.projects.glob(f"{UPLOADING}*"):
                if time.time() - upload.stat().st_mtime > _STALE:
                    upload.unlink(missing_ok=True)
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
        found = []
        for folder in self.projects.iterdir():
            if _ID.match(folder.name) and (folder / PROJECT_FILE).is_file():
                found.append((folder.stat().st_mtime, folder))
        return [_summary(folder) for _, folder in sorted(found, reverse=True)]

    def get(self, project_id: str) -> Project:
        """Return a project, opened.

        Raises:
            NotFoundError: the id is unknown.
            GoneError: the folder of the project, which is open, is gone.
            CycleVOSError: it cannot be opened.
        """
        if project_id in self._open:
            check_there(self.projects / project_id)
        if not _ID.match(project_id) or not (self.projects / project_id / PROJECT_FILE).is_file():
            raise NotFoundError(f"There is no project {project_id!r}.", "Choose one from the start page.")
        with self._lock:
            if project_id not in self._open:
                for other in self._open.values():
                    if not other.hub.heard:  # nobody looks at it
                        other.reader.forget()
                self._open[project_id] = Project(self.projects / project_id)
            return self._open[project_id]

    def create(self, video: Path, name: str | None = None, *, move: bool = False, deinterlace: bool = False) -> Project:
        """Make a project for a video.

        Args:
            video: file or folder of frames; the caller has checked that it may be opened.
            name: of the project; None = the video's name.
            move: move the video into the project's folder.
            deinterlace: make each of its frames from one of its two fields.

        Raises:
            VideoError: it cannot be read.
            OutputError: the folder cannot be written to.
        """
        source = open_source(video, deinterlace=deinterlace)
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
            return self.get(folder.name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def of_video(self, video: Path, *, deinterlace: bool = False) -> Project | None:
        """Return the project of a video, treated in the same way, that was changed last; None if it has none."""
        for entry in self.listing():
            folder = self.projects / entry["id"]
            if "problem" not in entry:
                file = load_project_file(folder)
                if (file.source, file.deinterlace) == (str(video.resolve()), deinterlace):
                    return self.get(folder.name)
        return None

    def openable(self, text: str) -> Path:
        """Return a path that a page may open as a video.

        Raises:
            ForbiddenError: it is outside of the folders given at start, or a list, which may name files outside.
        """
        path = self.confined(text)
        if path.suffix.lower() in LIST_SUFFIXES:
            raise ForbiddenError(
                f"{path.name} is a list, which may name files outside the folders that this app was started for.",
                f"Start the app with it: cyclevos app {path.name}",
            )
        return path

    def confined(self, text: str) -> Path:
        """Return a path if it lies in one of the folders given at start.

        Raises:
            ForbiddenError: it does not.
        """
        path = _resolved(text, self.folders)
        if path is None or not any(path.is_relative_to(folder) for folder in self.folders):
            allowed = ", ".join(map(str, self.folders)) or "none"
            raise ForbiddenError(
                f"{text[:200]!r} is outside the folders that this app was started for ({allowed}).",
                "Choose a path inside, upload the video, or start the app with --folder FOLDER.",
            )
        return path

    def browse(self, text: str) -> dict[str, Any]:
        """List the folders and videos of a folder, or the folders given at start.

        Raises:
            ForbiddenError: it lies outside.
            NotFoundError: the path is not a folder.
        """
        if not text:
            entries = [{"name": str(folder), "path": str(folder), "kind": "folder"} for folder in self.folders]
            return {"path": "", "parent": None, "entries": entries}
        folder = self.confined(text)
        if not folder.is_dir():
            raise NotFoundError(f"{folder} is not a folder.", "Go back and choose another.")
        entries = []
        try:
            for entry in sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name))[: 4 * _MOST_ENTRIES]:
                kind = _kind(entry)
                if kind:
                    entries.append({"name": entry.name, "path": str(entry), "kind": kind})
        except OSError as error:
            raise ForbiddenError(f"{folder} cannot be listed ({error.strerror}).", "Choose another folder.") from error
        above = folder.parent
        parent = str(above) if any(above.is_relative_to(f) for f in self.folders) else ""
        return {"path": str(folder), "parent": parent, "entries": entries[:_MOST_ENTRIES]}

    def demo(self, name: str) -> Path:
        """Return a clip that comes with the package.

        Raises:
            NotFoundError: the name is unknown.
        """
        if name not in demos():
            raise NotFoundError(f"There is no demo clip {name!r}.", f"Choose one of {', '.join(demos())}.")
        return DEMO / f"{name}.mp4"

    def _new_folder(self, title: str) -> Path:
        # An id has no underscore, by which a reserved name such as "con" is changed.
        base = safe_name(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60], "video").replace("_", "-x")
        with output_errors(self.projects):
            for number in range(1, 10_000):
                folder = self.projects / (base if number == 1 else f"{base}-{number}")
                try:
                    folder.mkdir()
                except FileExistsError:
                    continue
                return folder
        raise ConflictError(f"There are too many projects called {base}.", "Choose another name.")


def demos() -> list[str]:
    """Return the names of the clips that come with the package."""
    return sorted(path.stem for path in DEMO.glob("*.mp4"))


def _resolved(text: str, folders: Sequence[Path]) -> Path | None:
    try:
        path = Path(text).expanduser()
        path = (path if path.is_absolute() else folders[0] / path).resolve()
        path.exists()  # fails for names that no file can have
        return path
    except (ValueError, OSError, RuntimeError, IndexError):
        return None


def _kind(entry: Path) -> str | None:
    if entry.name.startswith("."):
        return None
    if entry.is_dir():
        try:
            frames = any(is_frame_file(f) for _, f in zip(range(50), entry.iterdir(), strict=False))
        except OSError:
            return None
        return "frames" if frames else "folder"
    if entry.suffix.lower() not in WHOLE_VIDEO_SUFFIXES:
        return None
    try:
        still = is_frame_file(entry) and not is_animated(entry)  # the ending alone does not tell
    except VideoError:  # too large
        still = True
    return None if still else "video"


def _summary(folder: Path) -> dict[str, Any]:
    try:
        file = load_project_file(folder)
    except CycleVOSError as error:
        return {"id": folder.name, "name": folder.name, "problem": error.problem, "remedy": error.remedy}
    return {
        "id": folder.name,
        "name": file.name,
        "frames": file.frames,
        "width": file.width,
        "height": file.height,
        "objects": len(file.objects),
        "changed": (folder / PROJECT_FILE).stat().st_mtime,
    }

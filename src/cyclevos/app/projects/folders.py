"""The folders given at start, which videos may be opened from and results written to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclevos.app.errors import ForbiddenError, NotFoundError
from cyclevos.errors import VideoError
from cyclevos.media.animated_picture import is_animated
from cyclevos.media.image_lists import LIST_SUFFIXES
from cyclevos.naming import WHOLE_VIDEO_SUFFIXES, is_frame_file, natural_key

_MOST_ENTRIES = 500


class Folders:
    """What a page may reach of this machine's disk.

    Args:
        folders: as given at start.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.given = [folder.resolve() for folder in folders]

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
        path = _resolved(text, self.given)
        if path is None or not any(path.is_relative_to(folder) for folder in self.given):
            allowed = ", ".join(map(str, self.given)) or "none"
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
            entries = [{"name": str(folder), "path": str(folder), "kind": "folder"} for folder in self.given]
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
        parent = str(above) if any(above.is_relative_to(f) for f in self.given) else ""
        return {"path": str(folder), "parent": parent, "entries": entries[:_MOST_ENTRIES]}


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

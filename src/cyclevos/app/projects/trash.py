"""Deleted projects: kept in a folder beside the others for 30 days, from which they can be restored.

.deleted/1796007600-clip/   the project `clip`, deleted at that time (seconds since 1970)
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from pathlib import Path
from typing import Any

from cyclevos.app.errors import NotFoundError
from cyclevos.app.projects.durable_files import saving
from cyclevos.app.projects.listing import summary
from cyclevos.app.projects.project_ids import ID_PATTERN, places
from cyclevos.errors import CycleVOSError

logger = logging.getLogger(__name__)

KEPT_DAYS = 30

_ENTRY = re.compile(rf"^(\d{{1,12}})-({ID_PATTERN})$")
_REMOVING = ".removing-"


class Trash:
    """The deleted projects of one server.

    Args:
        folder: that holds them; created when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, project: Path) -> str:
        """Move a project, which nobody has open, into the trash; return its name there.

        Raises:
            UnsavedError: it cannot be moved.
        """
        with saving(self._folder.parent):
            self._folder.mkdir(exist_ok=True)
            now = int(time.time())
            while (self._folder / f"{now}-{project.name}").exists():
                now += 1  # the same id was deleted in this second already
            target = self._folder / f"{now}-{project.name}"
            project.rename(target)
        return target.name

    def listing(self) -> list[dict[str, Any]]:
        """Return the deleted projects as JSON values, the last one first; those whose time is over are removed."""
        self.remove_old()
        found = sorted(self._entries(), reverse=True)
        return [{**summary(path, name), "id": path.name, "project": name, "deleted": at} for at, name, path in found]

    def ids(self) -> set[str]:
        """Return the ids of the projects that were deleted and can be restored."""
        return {name for _, name, _ in self._entries()}

    def restore(self, entry: str, projects: Path) -> str:
        """Move a project back, under its own id if that is free; return its id.

        Raises:
            NotFoundError: it is not there any more.
            UnsavedError: it cannot be moved.
        """
        path, name = self._path(entry), entry.partition("-")[2]
        target = next(place for place in places(projects, name) if not place.exists())
        with saving(projects):
            path.rename(target)
        return target.name

    def remove(self, entry: str) -> None:
        """Remove a deleted project for good.

        Raises:
            NotFoundError: it is not there any more.
            UnsavedError: it cannot be removed.
        """
        _remove(self._path(entry))

    def empty(self) -> None:
        """Remove all deleted projects for good; raises like :meth:`remove`."""
        for _, _, path in self._entries():
            _remove(path)

    def remove_old(self) -> None:
        """Remove those deleted more than 30 days ago, and what a kill left half removed."""
        for at, _, path in self._entries():
            if time.time() - at > KEPT_DAYS * 24 * 3600:
                try:
                    _remove(path)
                except CycleVOSError as error:  # the list can be shown all the same
                    logger.warning("%s", error)
        for path in self._folder.glob(f"{_REMOVING}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _path(self, entry: str) -> Path:
        for _, _, path in self._entries():
            if path.name == entry:
                return path
        raise NotFoundError("This deleted project is not kept any more.", "Reload the page to see those that are.")

    def _entries(self) -> list[tuple[int, str, Path]]:
        """Return when each was deleted, its id, and where it lies now."""
        if not self._folder.is_dir():
            return []
        matched = ((_ENTRY.match(path.name), path) for path in self._folder.iterdir())
        return [(int(match[1]), match[2], path) for match, path in matched if match is not None]


def _remove(path: Path) -> None:
    with saving(path.parent):
        going = path.with_name(f"{_REMOVING}{path.name}")  # or a kill would leave half a project in the list
        path.rename(going)
        if going.is_symlink():
            going.unlink()
        else:
            shutil.rmtree(going)

"""Projects that are being made, copied or uploaded: in hidden folders, which get their place once they are whole.

.making-3f2a/        what is there so far
.making-3f2a.lock    held until it has its place; what a kill has left is free, and removed by the next server
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.project_ids import places
from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, sync_folder
from cyclevos.files.locks import Lock
from cyclevos.files.names import safe_name

_MAKING, _LOCK = ".making-", ".lock"
_MOST_OF_A_NAME = 10_000  # projects


@contextmanager
def making(projects: Path) -> Iterator[Path]:
    """Yield a new folder, which is removed at the end of the block unless it was given a place.

    Raises:
        OutputError: it cannot be made.
    """
    folder = projects / f"{_MAKING}{secrets.token_hex(8)}"
    place = folder.with_name(folder.name + _LOCK)
    lock = Lock(place)
    try:
        with output_errors(folder):
            folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        place.unlink(missing_ok=True)


def give_place(made: Path, title: str, avoid: Collection[str]) -> Path:
    """Move a finished project to the first place beside it that is free for its title, and return that.

    Args:
        made: folder of the project.
        title: of the project.
        avoid: ids that it must not get.

    Raises:
        ConflictError: too many projects have such a title.
        OutputError: it cannot be moved.
    """
    # An id has no underscore, by which a reserved name such as "con" is changed.
    base = safe_name(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60], "video").replace("_", "-x")
    with output_errors(made.parent):
        for folder in islice(places(made.parent, base), _MOST_OF_A_NAME):
            if folder.name in avoid or folder.exists():
                continue
            try:
                made.rename(folder)
            except OSError:
                if folder.exists():  # another server was faster
                    continue
                raise
            sync_folder(folder.parent)
            return folder
    raise ConflictError(f"There are too many projects called {base}.", "Choose another name.")


def remove_half_made(projects: Path) -> None:
    """Remove what killed servers have left; what another server is making stays.

    Raises:
        OSError: it cannot be removed.
    """
    for place in projects.glob(f"{_MAKING}*{_LOCK}"):
        try:
            lock = Lock(place)
        except (BlockingIOError, OutputError):
            continue
        shutil.rmtree(place.with_name(place.name.removesuffix(_LOCK)), ignore_errors=True)
        lock.release()
        place.unlink(missing_ok=True)

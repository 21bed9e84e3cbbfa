"""A copy of a project: all that a person made or waited for. What is made again by itself is left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from cyclevos.app.projects.adapted_weights import ADAPTED
from cyclevos.app.projects.durable_files import saving
from cyclevos.app.projects.open_folder import STATE
from cyclevos.app.projects.project_file import ProjectFile
from cyclevos.app.projects.result_log import RESULTS
from cyclevos.app.projects.video_index import INDEX

_FOLDERS = ("marks", "masks", "before", "history", "thumbnails", "cover")
_FILES = (RESULTS, INDEX)


def copy_project(folder: Path, file: ProjectFile, target: Path, *, snapshots: bool) -> None:
    """Copy a project whose files nobody changes meanwhile.

    A video that was uploaded is in the project's folder, and is linked, as are adapted weights and the snapshots, by
    which tracking goes on in the copy as it would have here: they take no space. They are copied where the disk has no
    links. Any other video stays where it is, and both projects refer to it.

    Args:
        folder: of the project.
        file: its file, as the copy gets it.
        target: folder of the copy, which is empty.
        snapshots: whether the copy gets them; they must belong to the masks that are there.

    Raises:
        UnsavedError: it cannot be written.
    """
    linked = ("source", ADAPTED, *([STATE] if snapshots else []))
    with saving(target.parent):
        for name in (each for each in _FOLDERS if (folder / each).is_dir()):
            _copy(folder / name, target / name, shutil.copy2)
        for name in (each for each in _FILES if (folder / each).is_file()):
            shutil.copy2(folder / name, target / name)
        for name in (each for each in linked if (folder / each).is_dir()):
            _copy(folder / name, target / name, _link)
    file.save(target)


def copy_name(name: str, taken: Collection[str]) -> str:
    """Return what a copy is called.

    >>> copy_name("Car", ()), copy_name("Car", ("Car copy",))
    ('Car copy', 'Car copy 2')
    """
    number = 1
    while True:
        ending = " copy" if number == 1 else f" copy {number}"
        found = name[: 80 - len(ending)].rstrip() + ending
        if found not in taken:
            return found
        number += 1


def _copy(folder: Path, target: Path, copy: Callable[[Path, Path], object]) -> None:
    """Copy a folder; unlike shutil.copytree, stop at the first file that cannot be copied."""
    target.mkdir()
    for path in folder.iterdir():
        if path.name.startswith("."):  # a kill left it half written
            continue
        if path.is_dir():
            _copy(path, target / path.name, copy)
        else:
            copy(path, target / path.name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

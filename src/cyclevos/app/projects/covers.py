"""The cover of a project: its first marked frame, small, with the masks over it.

    cover/3f2a90c1d4e58b06.jpg   named by what it was made from

It is made when a page first asks for it, and again when its masks have changed, from what lies in the folder: the
project need not be open.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cyclevos.app.projects.durable_files import write_durably
from cyclevos.app.projects.mask_names import masks_in
from cyclevos.app.projects.mask_pngs import read_ids
from cyclevos.app.projects.project_file import ProjectFile, load_project_file
from cyclevos.app.projects.video_index import known_index
from cyclevos.errors import CycleVOSError
from cyclevos.media.open_source import open_source
from cyclevos.media.overlay import blend
from cyclevos.pictures.jpeg import jpeg_bytes

logger = logging.getLogger(__name__)

_FOLDER = "cover"
_WIDTH, _HEIGHT = 320, 240  # pixels that a cover has at most
_making = threading.Lock()  # one at a time: a list of many projects must not take all processors


class Shown(NamedTuple):
    """What the cover of a project shows.

    Attributes:
        frame: its index.
        mask: the file of its mask; None = there is none.
        marked: number of frames that a person marked.
    """

    frame: int
    mask: Path | None
    marked: int


def shown_frame(folder: Path) -> Shown:
    """Return which frame of a project its cover shows: the first marked one, else the first tracked one."""
    marks = masks_in(folder, "marks")
    frame, name = min(marks or masks_in(folder, "masks"), default=(0, None))
    return Shown(frame, None if name is None else folder / name, len(marks))


def cover_tag(file: ProjectFile, shown: Shown) -> str:
    """Return the name of a cover, which follows from all that it is made from."""
    parts = [file.source, str(file.deinterlace), str(shown.frame)]
    if shown.mask is not None:
        parts += [shown.mask.parent.name, *_state(shown.mask), *file.palette]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def cover(folder: Path) -> tuple[bytes, str]:
    """Return the cover of a project as JPEG, and its tag; it is made only if it has to be.

    Raises:
        CycleVOSError: the project's file, its video or the mask cannot be read.
    """
    file, shown = load_project_file(folder), shown_frame(folder)
    tag = cover_tag(file, shown)
    path = folder / _FOLDER / f"{tag}.jpg"
    if path.is_file():
        return path.read_bytes(), tag
    with _making:
        if path.is_file():  # another page waited for the same one
            return path.read_bytes(), tag
        data = _drawn(folder, file, shown)
        try:
            write_durably(path, data, flush=False)
            for old in path.parent.glob("*.jpg"):
                if old != path:
                    old.unlink(missing_ok=True)
        except (CycleVOSError, OSError) as error:  # it can be seen all the same
            logger.info("The cover of %s is not kept: %s", folder.name, error)
    return data, tag


def _state(path: Path) -> list[str]:
    """Return what changes with a file."""
    try:
        stat = path.stat()
    except OSError:  # it was removed just now
        return []
    return [str(stat.st_mtime_ns), str(stat.st_size)]


def _drawn(folder: Path, file: ProjectFile, shown: Shown) -> bytes:
    source = open_source(file.video(folder), deinterlace=file.deinterlace, pass_over=True)
    if shown.frame:
        known_index(folder, source, file.frames)
    image = source.frame(shown.frame).image
    height, width = image.shape[:2]
    scale = min(1.0, _WIDTH / width, _HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    if shown.mask is not None:
        ids = Image.fromarray(read_ids(shown.mask, (file.height, file.width)))
        small = blend(small, np.asarray(ids.resize(size, Image.Resampling.NEAREST)), file.palette_bytes)
    return jpeg_bytes(small, 82)

"""A project's results as files: what ``cyclevos segment`` writes, and a picture per object if wanted."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.app.errors import ConflictError
from cyclevos.app.jobs import Job
from cyclevos.app.project import Project
from cyclevos.exchange.coco_writer import CocoWriter
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.jobs.results import NAMES
from cyclevos.jobs.review import report_reliability
from cyclevos.media.frames import Frame
from cyclevos.media.overlay import OverlayWriter
from cyclevos.media.reliability_files import RELIABILITY_FILE, ReliabilityWriter
from cyclevos.media.writers import MaskWriter, ResultWriter
from cyclevos.pictures.arrays import UInt8Array

_STORED = {".png", ".mp4"}  # packed already
_KEPT = 3  # zips of a project


class ObjectWriter(ResultWriter):
    """A folder per object with a black and white PNG for every frame.

    Args:
        folder: where to; made if need be.
        names: of the objects by id.
    """

    def __init__(self, folder: Path, names: Mapping[int, str]) -> None:
        self._folders = {i: folder / f"{i:03d}_{_file_name(name)}" for i, name in names.items()}

    def write(
        self,
        frame: Frame,
        ids: UInt8Array,
        probabilities: npt.NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Write one frame; see ResultWriter.write."""
        for i, folder in self._folders.items():
            with replacing(folder / f"{frame.name}.png") as temporary:
                Image.fromarray(np.where(ids == i, 255, 0).astype(np.uint8)).save(temporary, format="PNG")


class MarkedMaskWriter(MaskWriter):
    """The masks that a person gave, as ``cyclevos segment --masks FOLDER`` takes them.

    Args:
        folder: where to; made if need be.
        palette: 768 bytes of RGB.
        given: the masks by frame index.
    """

    def __init__(self, folder: Path, palette: bytes, given: Mapping[int, UInt8Array]) -> None:
        super().__init__(folder, palette)
        self._given = given

    def write(
        self,
        frame: Frame,
        ids: UInt8Array,
        probabilities: npt.NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Write one frame, if it is marked; see ResultWriter.write."""
        if frame.index in self._given:
            super().write(frame, self._given[frame.index])


def export(project: Project, kinds: Sequence[str], folder: Path | None, job: Job) -> dict[str, Any]:
    """Write a project's results.

    Args:
        project: the project.
        kinds: any of :data:`cyclevos.app.wire.ExportKind`.
        folder: where to, a new or empty folder; None packs them into a zip within the project.
        job: hears of progress and is asked whether to go on.

    Returns:
        ``folder`` or, for a zip, ``file``: its name.

    Raises:
        ConflictError: the folder holds something.
        OutputError: the disk refuses.
    """
    if folder is not None:
        _check_empty(folder)
        try:
            _write(project, kinds, folder, job)
        except BaseException:
            _clear(folder)
            raise
        return {"folder": str(folder)}
    name = f"{project.id}-{datetime.now():%Y%m%d-%H%M%S}-{job.id}"
    exports = project.folder / "exports"
    _tidy(exports)
    work = exports / name
    try:
        _write(project, kinds, work, job)
        job.progress(job.done, job.total, "packing")
        with replacing(exports / f"{name}.zip") as temporary:
            _pack(work, temporary)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {"file": f"{name}.zip"}


def _write(project: Project, kinds: Sequence[str], folder: Path, job: Job) -> None:
    with project.lock:
        file, marks, given = project.file, project.masks.marks, project.masks.given()
    palette = file.palette_bytes
    names = {info.id: info.name for info in file.objects}
    source = project.source
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        writers: list[ResultWriter] = []
        if "masks" in kinds:
            writers.append(MaskWriter(folder, palette))
        if "objects" in kinds:
            writers.append(ObjectWriter(folder / "objects", names))
        if "overlay" in kinds:
            writers.append(OverlayWriter(folder / NAMES["overlay"], source.frame_rate, palette))
        if "coco" in kinds:
            writers.append(CocoWriter(folder / NAMES["coco"], folder.name, names, palette=palette))
        if "reliability" in kinds:
            writers.append(ReliabilityWriter(folder / RELIABILITY_FILE, source.name))
        if "marks" in kinds:
            writers.append(MarkedMaskWriter(folder / "marks", palette, given))
        for writer in writers:
            stack.enter_context(writer)
        for frame in source:
            with project.lock:
                ids = project.masks.read(frame.index).ids
                known = {} if frame.index in marks else project.results[frame.index].reliability
            for writer in writers:
                writer.write(frame, ids, reliability=known)
            job.progress(frame.index + 1, project.frames, "writing")
    if "reliability" in kinds:
        report_reliability(folder, source, 10, palette)


def _check_empty(folder: Path) -> None:
    with output_errors(folder):
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        raise ConflictError(f"{folder} holds something already.", "Choose a new or an empty folder.")


def _clear(folder: Path) -> None:
    """Take back what was written into a folder that was empty, so that the next try finds it so."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _tidy(exports: Path) -> None:
    """Remove what a killed export left, and old zips but for the last few, which may still be on their way."""
    if exports.is_dir():
        for folder in exports.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
        for old in sorted(exports.glob("*.zip"), key=lambda path: path.stat().st_mtime)[: -(_KEPT - 1)]:
            old.unlink(missing_ok=True)


def _pack(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                how = zipfile.ZIP_STORED if path.suffix in _STORED else zipfile.ZIP_DEFLATED
                archive.write(path, path.relative_to(folder), compress_type=how)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w-]+", "_", name).strip("_")[:60] or "object"

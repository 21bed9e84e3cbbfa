"""A project's results as files: what ``cyclevos segment`` writes, and every other format that the app can make."""

from __future__ import annotations

import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.absences import gone_at
from cyclevos.app.projects.absent_objects import known_results
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult as FrameKnowledge
from cyclevos.app.work.exported_gaps import every_frame, list_unreadable
from cyclevos.app.work.jobs import Job
from cyclevos.exchange.format import Destination, Format
from cyclevos.exchange.formats import APP, find, offered, write_track
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.jobs.review import report_reliability
from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult

_STORED = {".png", ".mp4", ".mov", ".webm", ".gif", ".npz"}  # already compressed
_KEPT = 3  # zips of a project
_REVIEW = 10  # frames in the review list


def export(project: Project, kinds: Sequence[str], folder: Path | None, job: Job) -> dict[str, Any]:
    """Write a project's results.

    Args:
        project: the project.
        kinds: names of formats that the app offers.
        folder: new or empty folder to write; None packs the results into a zip within the project.
        job: receives the progress and stops the export when it is cancelled.

    Returns:
        ``folder``, or for a zip ``file``, its name; and ``lost``, a sentence per format that cannot hold everything,
        and one if frames cannot be read, which a file of the export lists.

    Raises:
        ConflictError: the folder is not empty.
        MaskError: a format cannot hold the masks.
        OutputError: the system refuses to write.
    """
    if folder is not None:
        _check_empty(folder)
        try:
            lost = _write(project, kinds, folder, job)
        except BaseException:
            _clear(folder)
            raise
        return {"folder": str(folder), **lost}
    name = f"{project.id}-{datetime.now():%Y%m%d-%H%M%S}-{job.id}"
    exports = project.folder / "exports"
    _tidy(exports)
    work = exports / name
    try:
        lost = _write(project, kinds, work, job)
        job.progress(job.done, job.total, "packing")
        with replacing(exports / f"{name}.zip") as temporary:
            _pack(work, temporary)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {"file": f"{name}.zip", **lost}


def _write(project: Project, kinds: Sequence[str], folder: Path, job: Job) -> dict[str, list[str]]:
    formats = [each for each in offered(APP) if any(find(name, [each]) for name in kinds)]
    with project.lock:
        file = project.file
    appearance = Appearance(file.palette_bytes, {info.id: info.name for info in file.objects})
    source = project.source
    target = Destination(
        folder,
        folder.name,
        source.name,
        appearance,
        source.frame_rate,
        playback=source.playback,
        objects=tuple(sorted(appearance.names)),
    )
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    by_frame = [each for each in formats if each.writes_by_frame(objects_known=True)]
    if by_frame:
        _write_by_frame(project, by_frame, target, job)
    lost: list[str] = []
    for each in formats:
        if each not in by_frame:
            missing = write_track(_track(project, target, job, each.label), each.name, target.of(each).path)
            lost += [f"{each.label} has no place for {', '.join(missing)}."] if missing else []
    if any("reliability" in each.needs for each in formats):
        report_reliability(folder, source, _REVIEW, appearance)
    lost += list_unreadable(project, folder)
    return {"lost": lost} if lost else {}


def _write_by_frame(project: Project, formats: Sequence[Format], target: Destination, job: Job) -> None:
    with project.lock:
        marks, absences = project.masks.marks, project.file.absences
        known = defaultdict(FrameKnowledge, known_results(project))
    with ExitStack() as stack:
        writers = [stack.enter_context(each.writer(target.of(each))) for each in formats if each.writer is not None]
        for frame in every_frame(project):
            index = frame.index
            with project.lock:
                result = FrameResult(
                    frame,
                    project.masks.read(index).ids,
                    reliability={} if index in marks else known[index].reliability,
                    annotated=index in marks,
                    calibrated=known[index].calibrated,
                    annotation=project.masks.annotation(index),
                    absent=gone_at(absences, index),
                )
            for writer in writers:
                writer.write(result)
            job.progress(index + 1, project.frames, "writing")


def _track(project: Project, target: Destination, job: Job, label: str) -> MaskTrack:
    """Return the project's masks as other tools' formats are made from them."""

    def frames() -> Iterator[MaskFrame]:
        for index in range(project.frames):
            with project.lock:
                ids = project.masks.read(index).ids
            yield MaskFrame(index, project.source.name_of(index), ids)
            job.progress(index + 1, project.frames, f"writing {label}")

    return MaskTrack(target.title, frames, target.appearance)


def _check_empty(folder: Path) -> None:
    with output_errors(folder):
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        raise ConflictError(f"{folder} holds something already.", "Choose a new or an empty folder.")


def _clear(folder: Path) -> None:
    """Empty a folder that was empty before the export, so that the next attempt is not refused."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _tidy(exports: Path) -> None:
    """Remove the leftovers of a killed export and all but the latest zips, which may still be downloading."""
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

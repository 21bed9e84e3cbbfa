"""Many clips: each is recorded as it ends, a failure stops no other clip, and failed clips are tried once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cyclevos.files.records import append_record
from cyclevos.jobs.clips import Clip, ClipRunner
from cyclevos.jobs.manifest import MANIFEST, clip_records, read_manifest
from cyclevos.jobs.progress import OpenBar

Record = dict[str, Any]
Execute = Callable[[Sequence[Clip]], Iterator[tuple[Clip, Record]]]
"""Runs clips, on this machine or elsewhere, and yields each with its record as it ends."""


@dataclass(frozen=True)
class BatchResult:
    """How many frames were segmented, and which clips failed.

    Attributes:
        segmented: frames segmented now; the others were finished before.
        failed: the error, by the name of the sequence.
    """

    segmented: int
    failed: dict[str, str]


def run_batch(
    clips: Sequence[Clip], execute: Execute, folder: Path, run: Record, finished: Callable[[int, int], None]
) -> BatchResult:
    """Run clips, try the failed ones once more after all others, and record each.

    Args:
        clips: the clips.
        execute: runs them.
        folder: of the results; gets the manifest.
        run: the record of the run's start; written before that of the first clip, if any clip is recorded.
        finished: called with the number of clips and of frames that are done.

    Raises:
        CycleVOSError: the command is wrong, or the manifest cannot be written; recorded clips stay.
    """
    manifest = folder / MANIFEST
    known = {name for name, line in clip_records(read_manifest(manifest)[0]).items() if line.get("status") == "done"}
    segmented = done = frames = 0
    failed: dict[str, str] = {}
    again: list[Clip] = []
    start = [run]
    for attempt in (1, 2):
        for clip, record in execute(clips if attempt == 1 else again):
            name, count = clip.sequence.name, int(record.get("segmented", 0))
            if record["status"] == "failed":
                failed[name] = str(record["error"])
                again += [replace(clip, attempt=2)] if attempt == 1 else []
            else:
                failed.pop(name, None)
                segmented += count
            if record["status"] == "failed" or count or name not in known:  # else it was finished and recorded before
                for line in (*start, record):
                    append_record(manifest, line)
                start = []
            if record["status"] == "done" or attempt == 2:
                done, frames = done + 1, frames + len(clip.sequence.frames)
                finished(done, frames)
        if not again:
            break
    return BatchResult(segmented, failed)


def one_by_one(runner: ClipRunner, open_bar: OpenBar) -> Execute:
    """Return what runs clips in this process, one after the other."""

    def execute(clips: Sequence[Clip]) -> Iterator[tuple[Clip, Record]]:
        for clip in clips:
            yield clip, runner.run(clip, open_bar)

    return execute


def side_by_side(runner: ClipRunner, jobs: int, open_bar: OpenBar) -> Execute:
    """Return what runs several clips at a time in this process, with one network.

    While one clip waits for the disk, another one computes.

    Args:
        runner: runs each clip.
        jobs: clips at a time.
        open_bar: opens the bar of a clip.
    """

    def execute(clips: Sequence[Clip]) -> Iterator[tuple[Clip, Record]]:
        waiting = iter(clips)
        with ThreadPoolExecutor(jobs, thread_name_prefix="clip") as pool:
            running: dict[Future[Record], Clip] = {}
            while True:
                while len(running) < jobs and (clip := next(waiting, None)) is not None:
                    running[pool.submit(runner.run, clip, open_bar)] = clip
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()

    return execute

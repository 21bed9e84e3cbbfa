"""Many clips: each one on record as it ends, the failed ones tried again, the rest never stopped by one."""

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
"""Runs clips, here or elsewhere, and yields each with its record as it ends."""


@dataclass(frozen=True)
class BatchResult:
    """What became of the clips.

    Attributes:
        segmented: frames segmented now, the others having been there.
        failed: what went wrong, by the name of the sequence.
    """

    segmented: int
    failed: dict[str, str]


def run_batch(
    clips: Sequence[Clip], execute: Execute, folder: Path, run: Record, finished: Callable[[int, int], None]
) -> BatchResult:
    """Run clips, the failed ones once again after all others, and put each on record.

    Args:
        clips: the clips.
        execute: runs them.
        folder: of the results; the manifest goes there.
        run: the record of the run's start; it goes before that of the first clip, if there is one.
        finished: is told how many clips and frames are done.

    Raises:
        CycleVOSError: the command is wrong, or the manifest cannot be written; clips on record stay.
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
            if record["status"] == "failed" or count or name not in known:  # else it was done and on record
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
    """Run clips here, one after the other."""

    def execute(clips: Sequence[Clip]) -> Iterator[tuple[Clip, Record]]:
        for clip in clips:
            yield clip, runner.run(clip, open_bar)

    return execute


def side_by_side(runner: ClipRunner, jobs: int, open_bar: OpenBar) -> Execute:
    """Run so many clips at a time here, with one network: while one waits for the disk another computes."""

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

"""Many clips: each is recorded as it ends, a failure stops no other clip, and failed clips are tried once more."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cyclevos.files.records import append_record
from cyclevos.jobs.clip_record import Clip, Record
from cyclevos.jobs.clips import ClipRunner
from cyclevos.jobs.manifest import MANIFEST, clip_records, read_manifest
from cyclevos.jobs.progress import OpenBar

Execute = Callable[[Sequence[Clip]], Generator[tuple[Clip, Record], None, None]]
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
        with closing(execute(clips if attempt == 1 else again)) as ended:
            for clip, record in ended:
                name, count = clip.sequence.name, int(record.get("segmented", 0))
                if record["status"] == "failed":
                    failed[name] = str(record["error"])
                    again += [replace(clip, attempt=2)] if attempt == 1 else []
                else:
                    failed.pop(name, None)
                    segmented += count
                changed = record["status"] == "failed" or count > 0
                if changed or name not in known:  # else it was finished and recorded before
                    for line in (*start, record):
                        append_record(manifest, line)
                    start = []
                if record["status"] == "done" or attempt == 2:
                    done, frames = done + 1, frames + len(clip.sequence.frames)
                    finished(done, frames)
        if not again:
            break
    return BatchResult(segmented, failed)


def in_lockstep(runner: ClipRunner, at_once: int, open_bar: OpenBar) -> Execute:
    """Return what runs clips in this process, several of them in lock-step.

    Args:
        runner: runs the clips.
        at_once: maximum number of clips at a time.
        open_bar: opens the bar of a clip.
    """
    return partial(runner.run_together, at_once=at_once, open_bar=open_bar)

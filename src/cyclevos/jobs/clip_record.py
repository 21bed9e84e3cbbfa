"""What is recorded about a clip, as a line of the manifest: its figures, or why it failed."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import CycleVOSError, OutputError
from cyclevos.jobs.run_folder import ended_count
from cyclevos.jobs.segment_job import JobResult
from cyclevos.media.reliability_files import RELIABILITY_FILE, read_reliability

Record = dict[str, Any]
"""A line of the manifest."""

_WARM_UP = 3  # frames at the start of a clip that are left out of its speed


@dataclass(frozen=True)
class Clip:
    """A sequence to be segmented.

    Attributes:
        sequence: its frames and masks.
        attempt: 1, or 2 after a failure.
        title: shown on its progress bar.
    """

    sequence: Sequence
    attempt: int = 1
    title: str = ""


def clip_record(clip: Clip, worker: str = "") -> Record:
    """Return what the record of every attempt at a clip begins with.

    Args:
        clip: the clip.
        worker: name of the process that segments it.
    """
    return {"kind": "clip", "sequence": clip.sequence.name, "attempt": clip.attempt, "worker": worker}


def failed_record(clip: Clip, error: str, worker: str = "") -> Record:
    """Return the record of an attempt that failed; of one whose worker process died, without further arguments.

    Args:
        clip: the clip.
        error: why it failed.
        worker: name of the process that segmented it.
    """
    failure = {"status": "failed", "frames": len(clip.sequence.frames), "error": error}
    return {**clip_record(clip, worker), **failure, "time": timestamp()}


def figures(result: JobResult, folder: Path, names: list[str]) -> Record:
    """Return what is recorded about a finished clip: its frames, chosen size, network time, checksum and reliability.

    Args:
        result: of its job.
        folder: of its results.
        names: of its frames.

    Raises:
        OutputError: its reliability table cannot be read.
        OSError: a mask cannot be read.
    """
    timed = result.seconds[_WARM_UP:] if result.segmented == result.frames else ()
    masks = [folder / f"{name}.png" for name in names]
    digest = hashlib.sha256()
    for mask in masks:
        digest.update(mask.read_bytes() if mask.is_file() else b"")
    adapted = {} if result.adaptation is None else {"adaptation": result.adaptation.as_record()}
    return {
        **adapted,
        "frames": result.frames,
        "segmented": result.segmented,
        "size": None if result.size is None else result.size.size,
        "network_seconds": round(sum(timed), 4) if timed else None,
        "network_frames": len(timed) or None,
        "checksum": digest.hexdigest() if any(mask.is_file() for mask in masks) else None,
        "reliability": _reliability_summary(folder),
    }


def _reliability_summary(folder: Path) -> dict[str, float | bool] | None:
    """Return the mean and lowest predicted J of a clip's masks, the share below 0.5, and if all are calibrated."""
    rows = read_reliability(folder / RELIABILITY_FILE)
    if not rows:
        return None
    values = np.array([row.reliability for row in rows])
    summary = {"mean": values.mean(), "lowest": values.min(), "below_half": (values < 0.5).mean()}
    figures = {name: round(float(value), 4) for name, value in summary.items()}
    return {**figures, "calibrated": all(row.calibrated for row in rows)}


def has_ended(folder: Path) -> bool:
    """Return whether a folder holds the results of a run that has ended."""
    try:
        return ended_count(folder) is not None
    except OutputError:
        return False


def described(error: Exception) -> str:
    """Return why a clip failed, as recorded."""
    if isinstance(error, CycleVOSError):
        return str(error)
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return f"out of memory: try a smaller --size, --max-memory-frames or --clips-at-once ({error})"
    return f"{type(error).__name__}: {error}"


def timestamp() -> str:
    """Return the present time in UTC, in ISO format, to the millisecond."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")

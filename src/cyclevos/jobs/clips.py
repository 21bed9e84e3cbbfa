"""One clip of many: run with a network that is there already, and put on record."""

from __future__ import annotations

import datetime
import hashlib
import logging
import platform
import resource
import socket
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cyclevos import __version__
from cyclevos.datasets.first_masks import first_masks
from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import ConfigError, CycleVOSError, MissingExtraError, OutputError, WeightsError
from cyclevos.jobs.progress import OpenBar
from cyclevos.jobs.run_folder import OtherRunError, check_settings, finished_count
from cyclevos.jobs.segment_job import JobResult, SegmentJob, run_job, settings_signature, weights_file
from cyclevos.media.image_folder import ImageFiles
from cyclevos.media.reliability_files import RELIABILITY_FILE, read_reliability
from cyclevos.network.checkpoints import checksum
from cyclevos.network.stm import SpaceTimeMemoryNetwork
from cyclevos.network.weights import load_network

COMMAND_ERRORS = (ConfigError, WeightsError, MissingExtraError, OtherRunError)
"""What is wrong with the command, not with a clip: no other clip would fare better."""

_WARM_UP = 3  # frames of a clip that its speed does not count
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A sequence to be segmented.

    Attributes:
        sequence: its frames and masks.
        attempt: 1, or 2 when it has failed once.
        title: on its progress bar.
    """

    sequence: Sequence
    attempt: int = 1
    title: str = ""


class ClipRunner:
    """Segments clips with one network.

    Args:
        job: the settings; its source and masks are those of each clip, its output holds a folder of each.
        later: follow objects that appear after the first mask too.
        worker: who this is, for the record.
    """

    def __init__(self, job: SegmentJob, *, later: bool = False, worker: str = "") -> None:
        self._job, self._later, self._worker = job, later, worker
        self._network: SpaceTimeMemoryNetwork = load_network(job.weights, device=job.device, dtype=job.dtype)
        parameter = next(self._network.parameters())
        self.device, self._dtype = parameter.device, parameter.dtype

    def check(self, clips: Iterable[Clip]) -> None:
        """Look for results of other settings before anything is done.

        Raises:
            OtherRunError: the folder of a clip holds some, and they are not to be replaced.
        """
        settings = settings_signature(self._job)
        for clip in () if self._job.overwrite else clips:
            check_settings(self._job.output / clip.sequence.name, settings)

    def run_record(self) -> dict[str, Any]:
        """Return the record of a run's start: the command, versions, weights and settings."""
        job, file = self._job, weights_file(self._job.weights)
        size = self._network.spec.size if job.size == "auto" else job.size
        settings: dict[str, Any] = {
            "size": size,
            "memory_every": job.memory_every,
            "max_memory_frames": job.max_memory_frames,
            "correction": None if job.correction is None else asdict(job.correction),
            "later_objects": self._later,
        }
        return {
            "kind": "run",
            "time": _now(),
            "command": list(sys.argv),
            "versions": {"cyclevos": __version__, "torch": torch.__version__, "python": platform.python_version()},
            "weights": {"name": job.weights, "sha256": checksum(file) if file is not None else None},
            "device": str(self.device),
            "dtype": str(self._dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "settings": settings,
            "host": socket.gethostname(),
        }

    def run(self, clip: Clip, open_bar: OpenBar | None = None) -> dict[str, Any]:
        """Segment a clip, or what is left of it, and return its record.

        Args:
            clip: the clip.
            open_bar: shows how far it is; None shows nothing.

        Raises:
            ConfigError, WeightsError, MissingExtraError, OtherRunError: the command is wrong. All else that goes
                wrong is on the record.
        """
        name, start = clip.sequence.name, time.perf_counter()
        record = {"kind": "clip", "sequence": name, "attempt": clip.attempt, "worker": self._worker}
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        try:
            job = replace(
                self._job,
                source=ImageFiles(clip.sequence.frames),
                masks=first_masks(clip.sequence, later=self._later),
                output=self._job.output / name,
                quiet=self._job.quiet or open_bar is None,
                title=clip.title or name,
            )
            result = run_job(job, self._network, open_bar)
            record |= {"status": "done", **self._figures(result, job.output, clip.sequence.frame_names)}
            whole = result.segmented == result.frames  # of a part the whole's speed cannot be told
            record |= {"seconds": round(time.perf_counter() - start, 3) if whole else None, "error": None}
        except COMMAND_ERRORS:
            raise
        except Exception as error:
            record |= {"status": "failed", "frames": len(clip.sequence.frames), "error": _described(error)}
            record["earlier_results"] = _has_ended(self._job.output / name)
            logger.info("%s failed:\n%s", name, traceback.format_exc())
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return {**record, "time": _now()}

    def _figures(self, result: JobResult, folder: Path, names: list[str]) -> Mapping[str, Any]:
        timed = result.seconds[_WARM_UP:] if result.segmented == result.frames else ()
        masks = [folder / f"{name}.png" for name in names]
        digest = hashlib.sha256()
        for mask in masks:
            digest.update(mask.read_bytes() if mask.is_file() else b"")
        return {
            "frames": result.frames,
            "segmented": result.segmented,
            "network_seconds": round(sum(timed), 4) if timed else None,
            "network_frames": len(timed) or None,
            "peak_memory_mb": round(self._peak_memory() / 2**20, 1),
            "checksum": digest.hexdigest() if any(mask.is_file() for mask in masks) else None,
            "reliability": _reliability_summary(folder),
        }

    def _peak_memory(self) -> int:
        """Bytes: of a GPU for this clip, of a process on the CPU so far."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak if sys.platform == "darwin" else peak * 1024)


def clips_at_once(runner: ClipRunner) -> int:
    """Return how many clips a device may have in hand: one on a CPU, on a GPU one for each 4 GB free, up to four."""
    if runner.device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(runner.device)
    return int(min(4, max(1, free // 4e9)))


def failed_record(clip: Clip, error: str) -> dict[str, Any]:
    """Return the record of a clip that took its worker down."""
    return {
        "kind": "clip",
        "sequence": clip.sequence.name,
        "attempt": clip.attempt,
        "worker": "",
        "status": "failed",
        "frames": len(clip.sequence.frames),
        "error": error,
        "time": _now(),
    }


def _reliability_summary(folder: Path) -> dict[str, float] | None:
    """Mean and lowest predicted J of a clip's masks, and the share below 0.5."""
    values = np.array([row.reliability for row in read_reliability(folder / RELIABILITY_FILE)])
    if not len(values):
        return None
    summary = {"mean": values.mean(), "lowest": values.min(), "below_half": (values < 0.5).mean()}
    return {name: round(float(value), 4) for name, value in summary.items()}


def _has_ended(folder: Path) -> bool:
    """Tell whether a folder holds the results of a run that came to its end."""
    try:
        return finished_count(folder) is not None
    except OutputError:
        return False


def _described(error: Exception) -> str:
    if isinstance(error, CycleVOSError):
        return str(error)
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return f"out of memory: try a smaller --size, --max-memory-frames or --jobs ({error})"
    return f"{type(error).__name__}: {error}"


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")

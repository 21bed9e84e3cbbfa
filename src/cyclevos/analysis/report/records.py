"""The summary of a run's manifest: speed, memory and provenance."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.jobs.manifest import clip_records, read_manifest
from cyclevos.media.reliability_files import CALIBRATED, UNCALIBRATED


@dataclass(frozen=True)
class RunRecord:
    """The summary of a run's manifest; None = not recorded.

    Attributes:
        clips: number of finished sequences.
        failed: the error of each failed sequence.
        frames: number of frames of the finished sequences.
        network_rate: frames per second of propagation alone, synchronised, warm-up left out.
        whole_rate: frames per second, including reading and writing.
        peak_memory_mb: the highest of all clips.
        provenance: each label with its different values, in the order of the records.
        unreadable: number of lines that are not records.
    """

    clips: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    frames: int | None = None
    network_rate: float | None = None
    whole_rate: float | None = None
    peak_memory_mb: float | None = None
    provenance: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unreadable: int = 0


def read_record(path: Path) -> RunRecord | None:
    """Summarise a manifest; None if there is no file."""
    if not path.is_file():
        return None
    lines, unreadable = read_manifest(path)
    runs = [line for line in lines if line.get("kind") == "run"]
    clips = clip_records(lines)
    done = [clip for clip in clips.values() if clip.get("status") == "done"]
    peaks = [peak for clip in done if (peak := _number(clip, "peak_memory_mb")) is not None]
    frames = [count for clip in done if (count := _number(clip, "frames")) is not None]
    return RunRecord(
        clips=len(done),
        failed={
            name: str(clip.get("error") or "no reason recorded")
            for name, clip in clips.items()
            if clip.get("status") == "failed"
        },
        frames=int(sum(frames)) if frames else None,
        network_rate=_rate(done, "network_frames", "network_seconds"),
        whole_rate=_rate(done, "frames", "seconds"),
        peak_memory_mb=max(peaks, default=None),
        provenance=_provenance(runs),
        unreadable=unreadable,
    )


def _rate(clips: Iterable[Mapping[str, Any]], frames: str, seconds: str) -> float | None:
    """Return the frames per second of the clips that record both numbers."""
    pairs = [(_number(clip, frames), _number(clip, seconds)) for clip in clips]
    known = [(count, time) for count, time in pairs if count is not None and time]
    return sum(count for count, _ in known) / sum(time for _, time in known) if known else None


def _number(record: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number from 0; None for anything else."""
    value = record.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e15:
        return None
    return float(value)


def _provenance(runs: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Collect the provenance from the records of a run's starts; every value of a setting that changed is listed."""
    gathered: dict[str, dict[str, None]] = {}
    for run in runs:
        command = run.get("command")
        values = {
            "command": shlex.join(map(str, command)) if isinstance(command, list) else command,
            "weights": _fields(run, "weights", "name"),
            "SHA-256 of the weights": _fields(run, "weights", "sha256"),
            "settings": _flat(run.get("settings")),
            "versions": _flat(run.get("versions"), " "),
            "reliability": _reliability(run),
            "device": " ".join(str(run[key]) for key in ("device", "dtype") if run.get(key)),
            "host": run.get("host"),
            "started": run.get("time"),
        }
        for label, value in values.items():
            if value:
                gathered.setdefault(label, {})[str(value)] = None
    return tuple((label, tuple(values)) for label, values in gathered.items())


def _reliability(run: Mapping[str, Any]) -> str:
    """Return whether a run's reliability was calibrated; an empty text if it does not say."""
    calibrated = _fields(run, "reliability", "calibrated")
    return "" if calibrated is None else CALIBRATED if calibrated else UNCALIBRATED


def _fields(run: Mapping[str, Any], section: str, key: str) -> Any:
    values = run.get(section)
    return values.get(key) if isinstance(values, dict) else None


def _flat(values: Any, sign: str = "=", prefix: str = "") -> str:
    """Write nested values as "a=1, b.c=2"; an empty text for no values."""
    if not isinstance(values, dict):
        return ""
    parts = [
        _flat(value, sign, f"{prefix}{key}.") if isinstance(value, dict) else f"{prefix}{key}{sign}{_plain(value)}"
        for key, value in values.items()
    ]
    return ", ".join(part for part in parts if part)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""Masks of small scenes, and what a run leaves beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.media.reliability_files import ReliabilityRow, write_reliability
from cyclevos.pictures.palette import DAVIS_PALETTE

NASTY = "b <i>e & $1_e$ `|*\u8702"
"""A folder name with a sign for every language the report is written in, and a letter that few fonts have."""
SEQUENCES = {"ape": [1], NASTY: [2, 7]}
FRAMES = [f"{index:05d}" for index in range(6)]
HEIGHT, WIDTH = 48, 80


def squares(ids: list[int], index: int, shift: int = 0) -> np.ndarray:
    """A square of 20 pixels per object, which move down a pixel a frame."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, object_id in enumerate(ids):
        left = 4 + 36 * place + shift
        mask[8 + index : 28 + index, left : left + 20] = object_id
    return mask


def save(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    image.putpalette(DAVIS_PALETTE)
    image.save(path)


def write_run(
    folder: Path,
    shifts: dict[str, int],
    *,
    reliability: float | None = None,
    calibrated: bool = True,
    manifest: list[object] | None = None,
) -> Path:
    """Masks shifted by so many pixels in each sequence; reliability falls from frame to frame."""
    for name, shift in shifts.items():
        ids = SEQUENCES[name]
        for index, frame in enumerate(FRAMES):
            save(folder / name / f"{frame}.png", squares(ids, index, shift))
        if reliability is not None:
            rows = [
                ReliabilityRow("x", frame, i, reliability - 0.02 * n, calibrated)
                for n, frame in enumerate(FRAMES[1:])
                for i in ids
            ]
            write_reliability(folder / name / "reliability.csv", rows)
    if manifest is not None:
        lines = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in manifest]
        (folder / "manifest.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def clip(sequence: str, **values: object) -> dict[str, object]:
    record = {"kind": "clip", "sequence": sequence, "status": "done", "frames": 6, "seconds": 3.0}
    return {**record, "network_seconds": 1.0, "network_frames": 4, "peak_memory_mb": 500.5, **values}


START = {
    "kind": "run",
    "time": "2026-01-02T03:04:05+00:00",
    "command": ["cyclevos", "segment-dataset", "a b", "--output", "<out>"],
    "versions": {"cyclevos": "9.8.7", "torch": "2.4.0"},
    "weights": {"name": "default", "sha256": "abc123"},
    "device": "cpu",
    "dtype": "bfloat16",
    "settings": {"size": 352, "correction": {"steps": 3}},
    "host": "ant",
}

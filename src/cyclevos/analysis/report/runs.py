"""Reads the results of runs: masks by sequence and frame, reliability and manifest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyclevos.analysis.report.records import RunRecord, read_record
from cyclevos.errors import ConfigError, DatasetError, OutputError
from cyclevos.jobs.manifest import MANIFEST
from cyclevos.jobs.run_record import RUN_FILE
from cyclevos.media.reliability_files import RELIABILITY_FILE, UNCALIBRATED, ReliabilityRow, read_reliability
from cyclevos.naming import list_masks, natural_key

Reliability = dict[str, dict[int, float]]
"""Predicted J in one sequence, by frame name and object id."""


@dataclass(frozen=True)
class Run:
    """One run's results.

    Attributes:
        name: the folder's name, with as many parents as distinguish it from the other runs.
        folder: holds `<sequence>/<frame>.png`.
        masks: mask files by sequence and frame name, frames in time order.
        reliability: by sequence; sequences without it are absent.
        record: the summary of the manifest; None without one.
        problems: a text for each file that could not be read.
        calibrated: predictors that were fitted to its network made all of its reliability.
    """

    name: str
    folder: Path
    masks: dict[str, dict[str, Path]]
    reliability: dict[str, Reliability] = field(default_factory=dict)
    record: RunRecord | None = None
    problems: tuple[str, ...] = ()
    calibrated: bool = True

    def reliability_values(self, sequence: str) -> list[float]:
        """Reliability of all masks of a sequence."""
        return [value for objects in self.reliability.get(sequence, {}).values() for value in objects.values()]

    @property
    def prediction(self) -> str:
        """The name of its reliability: ``predicted J``, with ``uncalibrated`` if it is."""
        return "predicted J" if self.calibrated else f"predicted J, {UNCALIBRATED}"


def shared_prediction(runs: Iterable[Run]) -> str:
    """Return the name of the runs' reliability, for a chart that shows them together."""
    calibrated = {run.calibrated for run in runs if run.reliability}
    if calibrated == {True, False}:
        return f"Predicted J, partly {UNCALIBRATED}"
    return f"Predicted J, {UNCALIBRATED}" if calibrated == {False} else "Predicted J"


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read the runs' folders.

    Args:
        folders: one or more, each as written by `cyclevos segment-dataset`; masks of other programs are accepted.

    Raises:
        DatasetError: a folder does not exist or holds no masks.
        ConfigError: a folder is given twice, or `folders` is empty.
    """
    places = [folder.resolve() for folder in folders]
    twice = [folder for folder, place in zip(folders, places, strict=True) if places.count(place) > 1]
    if twice or not folders:
        given = f"{twice[0]} was given twice" if twice else "No run was given"
        raise ConfigError(f"{given}; expected one or more different folders of results.", "Give each folder once.")
    return [_read_run(folder, name) for folder, name in zip(folders, _names(places), strict=True)]


def _read_run(folder: Path, name: str) -> Run:
    masks = _read_masks(folder)
    rows, problems = _read_reliability(folder, masks)
    reliability = {sequence: _by_frame(own) for sequence, own in rows.items()}
    calibrated = all(row.calibrated for own in rows.values() for row in own)
    return Run(name, folder, masks, reliability, read_record(folder / MANIFEST), tuple(problems), calibrated)


def _names(places: Sequence[Path]) -> list[str]:
    """Name folders by the fewest last parts of their paths that distinguish them."""
    for parts in range(1, max(len(place.parts) for place in places) + 1):
        names = ["/".join(place.parts[-parts:]) for place in places]
        if len(set(names)) == len(names):
            break
    return names


def _read_masks(folder: Path) -> dict[str, dict[str, Path]]:
    if not folder.is_dir():
        raise DatasetError(f"The results folder {folder} does not exist.", "Check the path.")
    if (folder / RUN_FILE).is_file():
        raise DatasetError(
            f"{folder} holds the masks of one video; expected <sequence>/<frame>.png.", "Give the folder above it."
        )
    found = {}
    for child in sorted(folder.iterdir(), key=lambda each: natural_key(each.name)):
        if child.is_dir() and not child.name.startswith(".") and (masks := _mask_files(child)):
            found[child.name] = masks
    if not found:
        raise DatasetError(
            f"{folder} holds no masks; expected <sequence>/<frame>.png, as `cyclevos segment-dataset` writes them.",
            "Check the path, or segment first.",
        )
    return found


def _mask_files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in list_masks(folder)}


def _read_reliability(folder: Path, sequences: Iterable[str]) -> tuple[dict[str, list[ReliabilityRow]], list[str]]:
    """Read each sequence's file, or its rows in the joined file; also return which files are broken."""
    problems: list[str] = []

    def rows(file: Path) -> list[ReliabilityRow]:
        try:
            return read_reliability(file, broken_end=True) if file.is_file() else []
        except OutputError as error:
            problems.append(str(error))
            return []

    joined: dict[str, list[ReliabilityRow]] = {}
    for row in rows(folder / RELIABILITY_FILE):
        joined.setdefault(row.sequence, []).append(row)
    # Rows of a sequence's own file have the name of the folder of frames, which may differ from the sequence's.
    found = {name: rows(folder / name / RELIABILITY_FILE) or joined.get(name, []) for name in sequences}
    return {name: own for name, own in found.items() if own}, problems


def _by_frame(rows: Iterable[ReliabilityRow]) -> Reliability:
    found: Reliability = {}
    for row in rows:
        if math.isfinite(row.reliability):
            found.setdefault(row.frame, {})[row.object_id] = row.reliability
    return found

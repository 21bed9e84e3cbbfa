"""The checkpoint folder of a training run: swapped as a whole, checked before it is used, repaired after a kill."""

from __future__ import annotations

import json
import logging
import shutil
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from cyclevos.errors import TrainingError
from cyclevos.files.atomic import output_errors, sync_file, sync_folder
from cyclevos.words import first_line

logger = logging.getLogger(__name__)

STATE = "checkpoint"
_PROGRESS = "progress.json"
_ALWAYS = ("model.safetensors", "optimizer.bin")  # earlier versions did not list a checkpoint's files
_ARCHIVES = {".bin", ".pkl", ".pt"}  # written by torch.save, as zip archives with checksums


class RunProgress(NamedTuple):
    """How far a run was when its checkpoint was written."""

    step: int
    """Steps that were taken."""
    best: float
    """Best validation J so far, 0..1; -1 before the first validation."""
    processes: int | None
    """Number of training processes; None if the checkpoint does not name it."""


class CheckpointFolder:
    """The full state of a run, in ``checkpoint/`` within the run's folder.

    A new state is written to ``checkpoint.partial`` and swapped with the old one, which is ``checkpoint.old`` in
    between. A kill at any moment leaves at least one whole state, which :meth:`repair` finds.

    Args:
        output: the run's folder.
    """

    def __init__(self, output: Path) -> None:
        self.path = output / STATE
        self.partial = output / f"{STATE}.partial"
        self.old = output / f"{STATE}.old"
        self.damaged = output / f"{STATE}.damaged"

    def clear(self) -> None:
        """Remove what a kill has left of a state that was being written."""
        shutil.rmtree(self.partial, ignore_errors=True)

    def complete(self, progress: RunProgress) -> None:
        """Add the progress to a state that was written to :attr:`partial`, and wait until all of it is on disk.

        Raises:
            OutputError: a file cannot be written.
        """
        with output_errors(self.partial):
            files = sorted(each for each in self.partial.iterdir() if each.is_file() and each.name != _PROGRESS)
            record = {**progress._asdict(), "files": [each.name for each in files]}
            text = self.partial / _PROGRESS
            text.write_text(json.dumps(record), encoding="utf-8", newline="\n")
            for each in files:
                if each.suffix == ".safetensors":  # mode 0600 by default: colleagues could not continue the run
                    shutil.copymode(text, each)
            for each in (*files, text):
                sync_file(each)
            sync_folder(self.partial)

    def swap(self) -> None:
        """Replace the old state with the new one.

        Raises:
            OutputError: a folder cannot be renamed.
        """
        with output_errors(self.path):
            if self.path.exists():
                shutil.rmtree(self.old, ignore_errors=True)
                self.path.replace(self.old)
            self.partial.replace(self.path)
            sync_folder(self.path.parent)
        shutil.rmtree(self.old, ignore_errors=True)

    def repair(self) -> None:
        """Make sure that ``checkpoint/`` is whole or absent, and remove what a kill has left next to it.

        If it is absent or damaged, the older state takes its place, if a kill during a swap has left a whole one.

        Raises:
            TrainingError: there are states, but none is whole or readable.
            OutputError: a folder cannot be renamed.
        """
        self.clear()
        damage = find_damage(self.path) if self.path.is_dir() else None
        if self.path.is_dir() and damage is None:
            shutil.rmtree(self.old, ignore_errors=True)
            return
        if self.old.is_dir():
            older = find_damage(self.old)
            if older is None:
                self._restore_old(damage)
                return
            damage = damage or older
        if damage is not None:
            raise self.unusable(damage)

    def _restore_old(self, damage: str | None) -> None:
        with output_errors(self.path):
            if damage is not None:
                logger.warning("%s Continuing from %s; %s is what was damaged.", damage, self.old, self.damaged)
                shutil.rmtree(self.damaged, ignore_errors=True)
                self.path.replace(self.damaged)
            self.old.replace(self.path)

    def read_progress(self) -> RunProgress | None:
        """Return the progress of the state in ``checkpoint/``; None if there is no state.

        Raises:
            TrainingError: the progress is damaged.
        """
        if not self.path.is_dir():
            return None
        try:
            return _parse_progress(self.path / _PROGRESS)[0]
        except (OSError, ValueError) as error:
            raise self.unusable(_damaged(self.path / _PROGRESS, error)) from error

    def unusable(self, problem: str) -> TrainingError:
        """Return the error for a state that cannot be continued from.

        Args:
            problem: a full sentence that names the file, as far as known.
        """
        folders = " and ".join(str(each) for each in (self.path, self.old) if each.is_dir())
        return TrainingError(
            f"{problem} The run cannot be continued from its checkpoint.",
            f"Restore {folders} from a backup, or remove {folders} to train from the start.",
        )


def find_damage(folder: Path) -> str | None:
    """Return a sentence about the first missing or damaged file of a checkpoint; None if it is whole.

    Sizes are checked for all files, contents for those of torch, which have checksums. Nothing is loaded.

    Raises:
        TrainingError: the system refuses to read a file, which may be undamaged.
    """
    file = folder / _PROGRESS
    try:
        _, names = _parse_progress(file)
        for file in (folder / name for name in names):
            file.open("rb").close()
            _check_file(file)
    except (FileNotFoundError, ValueError, SafetensorError, zipfile.BadZipFile, EOFError) as error:
        return _damaged(file, error)
    except OSError as error:
        raise TrainingError(
            f"The system cannot read {file}: {error.strerror or error}.",
            "Check that you have permission to read it and that its disk is connected, then repeat the command.",
        ) from error
    return None


def _check_file(file: Path) -> None:
    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt"):  # checks the header and the size
            return
    if file.suffix in _ARCHIVES:
        with zipfile.ZipFile(file) as archive:
            wrong = archive.testzip()
        if wrong is not None:
            raise ValueError(f"wrong checksum of {wrong}")


def _parse_progress(file: Path) -> tuple[RunProgress, list[str]]:
    """Return the progress and the names of the state's files.

    Raises:
        ValueError: the file is damaged.
    """
    record: Any = json.loads(file.read_text(encoding="utf-8"))
    try:
        processes = record.get("processes")
        progress = RunProgress(
            int(record["step"]), float(record["best"]), None if processes is None else int(processes)
        )
        return progress, [str(name) for name in record.get("files", _ALWAYS)]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"expected step, best and processes, found {str(record)[:80]}") from error


def _damaged(file: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{file} is missing."
    return f"{file} is damaged ({reason(error)})."


def reason(error: Exception) -> str:
    """Return the first line of an error's text without its full stop; its type if it has no text."""
    return first_line(error).rstrip(".")

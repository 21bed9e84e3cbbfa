"""A run's folder: whose results it holds, what is finished there, and what may be removed.

A run leaves `run.json` with its signature (what it was made from) and the names of its results beside the masks; once
it has ended, also with the number of its frames. Only files that cyclevos wrote are ever removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cyclevos.errors import OutputError
from cyclevos.exchange.formats import RUN, offered, remove_output
from cyclevos.files.atomic import check_folder, output_errors, partial_path, remove_leftovers
from cyclevos.files.locks import sole_writer
from cyclevos.jobs.run_record import RUN_FILE, Comparison, DamagedRunError, Identity, OtherRunError, RunRecord
from cyclevos.jobs.run_state import STATE_FILE, RunState
from cyclevos.media.sources import FrameSource
from cyclevos.media.writers import is_finished_mask, is_whole_npz
from cyclevos.naming import index_name
from cyclevos.words import counted, listed

__all__ = ["RUN_FILE", "TIMELINE", "Identity", "OtherRunError", "RunFolder", "Standing"]

TIMELINE = "timeline.png"
"""A picture that is not a mask, so it has a folder of its own."""


@dataclass(frozen=True)
class Standing:
    """What a run finds in its folder.

    Attributes:
        continues: whether it is the same run that was there before.
        finished: names of the frames whose masks are finished.
        ended: number of frames with which the run came to its end; None where it has something left to do.
        signature: the values of the run's identity; of a run that continues with those it keeps.
    """

    continues: bool
    finished: frozenset[str]
    ended: int | None
    signature: Mapping[str, Any]


class RunFolder:
    """The folder of one run's results.

    Args:
        path: the folder; it may not exist yet.
        identity: what the results follow from.
        results: names within the folder of the results beside the masks: files, or folders of probabilities.
        reports: names of what is written about a finished run.
        overwrite: replace the results of another run, or of the same one if it has ended, instead of refusing.
        extra: what else is recorded about the run, such as its device.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity,
        *,
        results: Sequence[str] = (),
        reports: Sequence[str] = (),
        overwrite: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.identity, self.overwrite = path, identity, overwrite
        self.state = RunState(path)
        self._results, self._outputs = tuple(results), (*results, *reports, STATE_FILE)
        self._extra = dict(extra or {})
        self._again = False

    def start_again(self) -> None:
        """Keep nothing of what the same run has left: its earlier results are removed when it begins."""
        self._again = True

    def note(self, **extra: Any) -> None:
        """Add to what is recorded about the run besides its identity, before it begins; values as JSON."""
        self._extra |= extra

    def sole_writer(self) -> AbstractContextManager[None]:
        """Reserve the folder for this process; it is made if need be.

        Raises:
            OutputError: another process writes there, or the folder cannot be created.
        """
        return sole_writer(self.path)

    def refuse_other_settings(self) -> None:
        """Refuse a folder whose run differs in one of the identity's values, which may be some of all.

        Raises:
            OtherRunError: one of them differs, and the results are not to be replaced.
            OutputError: the folder's run.json is not ours.
        """
        if self.overwrite:
            return
        with output_errors(self.path / RUN_FILE):
            record, _ = self._owner()
        if record is not None:
            comparison = Comparison.of(record, self.identity, self.state.dtype, partly=True)
            if not comparison.same:
                raise comparison.error(self.path)

    def look(self) -> Standing:
        """Return what the run finds, without changing anything, so that its inputs can be checked next.

        Raises:
            OtherRunError: the folder holds the results of another run, and they are not to be replaced.
            OutputError: it holds files of other origin that are in the way, or cannot be read.
        """
        check_folder(self.path)
        with output_errors(self.path / RUN_FILE):
            return self._look()[0]

    def begin(self) -> Standing:
        """Make the folder ready for results: remove those of another run, and sign it.

        Raises:
            OutputError: as :meth:`look`; or the system refuses to write.
        """
        check_folder(self.path)
        with output_errors(self.path / RUN_FILE):
            self.path.mkdir(parents=True, exist_ok=True)
            standing, record, pngs = self._look()
            remove_leftovers(self.path)
            if standing.continues:
                self._adopt_partial_files()
            else:
                _remove_results(self.path, pngs, record)
        # From here on the run is not finished, even if it was before: something of it is missing.
        RunRecord(standing.signature, self._outputs, extra=self._extra).write(self.path)
        return replace(standing, ended=None)

    def whole(self, standing: Standing, source: FrameSource, *, masks: bool) -> int | None:
        """Return the number of frames if nothing is left to do, else None.

        Args:
            standing: from :meth:`look`.
            source: the frames.
            masks: whether masks are among the results.
        """
        # A stream may not tell how long it is, but its run does.
        count = source.len_hint if standing.ended is None else standing.ended
        if not standing.continues or count is None or self.state.path.exists():
            return None
        if not all((self.path / name).exists() for name in self._results):
            return None
        if not masks:
            return standing.ended
        names = source.frame_names or [index_name(i) for i in range(count)]
        return len(names) if set(names) <= standing.finished else None

    def finish(self, frames: int) -> None:
        """Note that the run has ended, and with how many frames; its state goes.

        Raises:
            OutputError: the system refuses to write.
        """
        with output_errors(self.state.path):
            self.state.remove()
        record = RunRecord.read(self.path)
        if record is not None and record.finished != frames:
            replace(record, finished=frames).write(self.path)

    def allow_change(self, key: str) -> None:
        """Let the run continue with another value of one part of its identity: the user is asked to repair it.

        Nothing happens where the folder belongs to another run.

        Raises:
            OutputError: the system refuses to write.
        """
        try:
            record = RunRecord.read(self.path)
        except DamagedRunError:  # it is to be replaced, and is not yet
            return
        if record is None:
            return
        comparison = Comparison.of(replace(record, may_change=None), self.identity, self.state.dtype)
        if comparison.same:
            replace(record, may_change=key).write(self.path)

    def _owner(self) -> tuple[RunRecord | None, list[Path]]:
        """Return the record of the run whose results the folder holds, and the folder's pictures."""
        record = self._record()
        pngs = sorted(path for path in self.path.glob("*.png") if not path.name.startswith("."))
        if record is not None and not pngs and not any((self.path / name).exists() for name in record.outputs):
            record = None  # it was stopped before its first result, say by a misspelt option: nothing to keep
        return record, pngs

    def _record(self) -> RunRecord | None:
        """Read the record; in place of a damaged one that is to be replaced, return that of a run of all results."""
        try:
            return RunRecord.read(self.path)
        except DamagedRunError:
            if not self.overwrite:
                raise
        formats = (each.file for each in offered(RUN) if each.file)
        return RunRecord({}, tuple(dict.fromkeys((*self._outputs, *formats))))

    def _look(self) -> tuple[Standing, RunRecord | None, list[Path]]:
        record, pngs = self._owner()
        signature = self.identity.values
        if record is not None:
            comparison = Comparison.of(record, self.identity, self.state.dtype)
            if comparison.same and not (self.overwrite and record.finished is not None):
                if self._again:
                    return Standing(False, frozenset(), None, comparison.now), record, pngs
                finished = frozenset(path.stem for path in pngs if is_finished_mask(path))
                return Standing(True, finished, record.finished, comparison.now), record, pngs
            if not self.overwrite:
                raise comparison.error(self.path)
        self._refuse_foreign(record, pngs)
        return Standing(False, frozenset(), None, signature), record, pngs

    def _refuse_foreign(self, record: RunRecord | None, pngs: Sequence[Path]) -> None:
        """Refuse what others made and this run would replace or mix with."""
        ours = () if record is None else record.outputs
        foreign = [name for name in self._outputs if (self.path / name).exists() and name not in ours]
        if foreign:
            raise OutputError(
                f"{self.path} holds {', '.join(foreign)}, and no {RUN_FILE} there says that cyclevos wrote it. This "
                "run's own results have that name.",
                "Choose another folder, or move it away: even --overwrite leaves what others made.",
            )
        if pngs and not self.overwrite:
            shown = listed([path.name for path in pngs], most=3)
            raise OutputError(
                f"{self.path} already holds {counted(len(pngs), 'picture')} of unknown origin: {shown}.",
                "Choose another folder, or use --overwrite to replace those that cyclevos wrote (others stay).",
            )

    def _adopt_partial_files(self) -> None:
        """Rename what version 0.1 kept of an interrupted run as `<name>.partial`."""
        for name in self._outputs:
            old, new = self.path / f"{name}.partial", partial_path(self.path / name)
            if not new.exists() and _is_our_partial(old):
                old.replace(new)


def ended_count(folder: Path) -> int | None:
    """Return the number of frames of a folder's run if it has ended, else None.

    Raises:
        OutputError: the folder's run.json is not ours, or cannot be read.
    """
    record = RunRecord.read(folder)
    return None if record is None else record.finished


def _remove_results(folder: Path, pngs: Sequence[Path], record: RunRecord | None) -> None:
    for path in pngs:  # run.json last, when it is replaced: after a kill the rest still has an owner
        if is_finished_mask(path):
            path.unlink()
    for name in record.outputs if record is not None else ():
        path = folder / Path(name).name  # a name, whatever the file says: nothing outside the folder
        remove_output(path)
        if path.is_dir():
            remove_leftovers(path)
            for file in path.iterdir():
                if file.name == TIMELINE or (file.suffix == ".npz" and is_whole_npz(file)):
                    file.unlink()
            if not any(path.iterdir()):
                path.rmdir()
            continue
        path.unlink(missing_ok=True)
        partial_path(path).unlink(missing_ok=True)
        old = path.with_name(f"{path.name}.partial")
        if _is_our_partial(old):
            old.unlink()


def _is_our_partial(path: Path) -> bool:
    """Return whether a file holds the lines of an unfinished COCO file, whose name had no mark in version 0.1."""
    try:
        with path.open("rb") as file:
            entry = json.loads(file.readline())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and isinstance(entry.get("image"), dict) and "frame_index" in entry["image"]

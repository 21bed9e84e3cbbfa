"""Several projects tracked one after another: each is a job of the queue, added when the one before it has ended.

    .batch.json   in the projects' folder: the list as it is, so that a restarted server says what was not tracked

A page need not be open. If one of them fails, the next one is tracked all the same.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.app.errors import NotFoundError, describe, explain
from cyclevos.app.projects.durable_files import write_durably
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import stored_text
from cyclevos.app.projects.workspace import Workspace
from cyclevos.app.work.jobs import CancelledError, Job, JobQueue, JobStatus, is_active
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.track_job import queue_tracking
from cyclevos.app.work.track_plan import TrackPlan
from cyclevos.errors import CycleVOSError, OutputError
from cyclevos.files.locks import Lock
from cyclevos.propagation.settings import Direction

logger = logging.getLogger(__name__)

_FILE = ".batch.json"
_READING = 0.1  # seconds between two looks at a video that is still being read
_CUT_OFF = {
    "problem": "The app was stopped before this project was tracked to its end.",
    "remedy": "Track it again: it goes on where it stopped.",
    "kind": "CancelledError",
}


@dataclass
class Entry:
    """One project of the list.

    Attributes:
        project: its id.
        name: what it is called.
        direction: to track.
        status: as of a job.
        error: problem, remedy and kind of what stopped it.
        job: that tracks it; None until its turn.
        stopped: set when a person stops it.
    """

    project: str
    name: str
    direction: Direction = "forward"
    status: JobStatus = "queued"
    error: dict[str, str] | None = None
    job: Job | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def is_active(self) -> bool:
        """Whether it waits or is being tracked."""
        return is_active(self.status)

    def record(self) -> dict[str, Any]:
        """Return what is kept of it, as JSON values."""
        return {name: getattr(self, name) for name in ("project", "name", "direction", "status", "error")}

    def state(self) -> dict[str, Any]:
        """Return it with its progress, as JSON values."""
        job, progress = self.job, ("done", "total", "note", "speed", "result")
        known = {name: getattr(job, name) for name in progress} if job is not None else {}
        if job is None and self.status == "running":
            known = {"note": "reading the video"}
        stopping = self.is_active and self.stopped.is_set()
        return {**self.record(), **known, "stopping": stopping}


class TrackBatch:
    """The list of one server, and the thread that works through it.

    Args:
        workspace: opens the projects.
        queue: runs the jobs.
        network: that tracks.
    """

    def __init__(self, workspace: Workspace, queue: JobQueue, network: NetworkHolder) -> None:
        self._workspace, self._queue, self._network = workspace, queue, network
        self._lock, self._closing = threading.Condition(), threading.Event()
        self._path = workspace.projects / _FILE
        self._owned: Lock | None = None  # of the file, which servers of the same folder share
        self._entries = _left(self._path) if self._path.exists() and self._owns() else []
        self._thread = threading.Thread(target=self._run, name="cyclevos-batch", daemon=True)
        self._thread.start()

    def add(self, project_ids: Sequence[str], direction: Direction) -> None:
        """Track projects after those that wait already; one that waits or works is not added again."""
        with self._lock:
            active = {entry.project for entry in self._entries if entry.is_active}
            new = [each for each in dict.fromkeys(project_ids) if each not in active]
            # Those of an earlier list are forgotten, once that one has ended as a whole.
            kept = [entry for entry in self._entries if active and entry.project not in new]
            self._entries = [*kept, *(Entry(each, self._name(each), direction) for each in new)]
            self._keep()
            self._lock.notify_all()

    def cancel(self, project_id: str) -> None:
        """Take a project from those that wait, or stop tracking it; the next one follows.

        Raises:
            NotFoundError: it neither waits nor is being tracked.
        """
        with self._lock:
            found = [entry for entry in self._entries if entry.project == project_id and entry.is_active]
            if not found:
                raise NotFoundError(f"The project {project_id} is not waiting to be tracked.", "Reload the page.")
            self._stop(found)
            self._keep()

    def cancel_all(self) -> None:
        """Stop all that wait and work; if there are none, forget those that have ended."""
        with self._lock:
            active = [entry for entry in self._entries if entry.is_active]
            self._stop(active)
            self._entries = self._entries if active else []
            self._keep()

    def state(self) -> list[dict[str, Any]]:
        """Return the entries in their order, as JSON values."""
        with self._lock:
            return [entry.state() for entry in self._entries]

    def close(self) -> None:
        """Stop tracking and wait for the thread; what is left is said by the next server."""
        with self._lock:
            self._closing.set()
            jobs = [entry.job for entry in self._entries if entry.is_active and entry.job is not None]
            self._lock.notify_all()
        for job in jobs:
            self._queue.cancel(job.id)
        self._thread.join()
        if self._owned is not None:
            self._owned.release()

    def _name(self, project_id: str) -> str:
        try:
            return stored_text(self._workspace.folder(project_id), "name") or project_id
        except CycleVOSError:
            return project_id

    def _stop(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.stopped.set()
            if entry.job is not None:
                self._queue.cancel(entry.job.id)
            elif entry.status == "queued":
                entry.status = "cancelled"

    def _run(self) -> None:
        while True:
            with self._lock:
                waiting = [entry for entry in self._entries if entry.status == "queued"]
                if self._closing.is_set():
                    return
                if not waiting:
                    self._lock.wait()
                    continue
                entry = waiting[0]
                entry.status = "running"
            status, error = self._track(entry)
            with self._lock:
                if self._closing.is_set():
                    return  # the file says that it was being tracked
                entry.status, entry.error = status, error
                self._keep()

    def _track(self, entry: Entry) -> tuple[JobStatus, dict[str, str] | None]:
        """Track a project; return how that ended, and why it failed."""
        try:
            project = self._opened(entry)
            job = queue_tracking(self._queue, self._network, project, TrackPlan(direction=entry.direction))
            with self._lock:
                entry.job, stopped = job, entry.stopped.is_set() or self._closing.is_set()
            if stopped:
                self._queue.cancel(job.id)
            job.ended.wait()
        except CancelledError:
            return "cancelled", None
        except Exception as error:
            if not isinstance(error, CycleVOSError):
                logger.warning("%s cannot be tracked: %s", entry.project, error, exc_info=error)
            return "failed", describe(explain(error))
        return job.status, job.error

    def _opened(self, entry: Entry) -> Project:
        """Return the project of an entry when its video has been read, or cannot be."""
        while True:
            project = self._workspace.get(entry.project)  # again each time: it may be deleted meanwhile
            if project.index is not None or project.problem is not None:
                return project
            if entry.stopped.is_set() or self._closing.wait(_READING):
                raise CancelledError

    def _owns(self) -> bool:
        """Return whether the file is this server's, and no other one's that runs in the same folder."""
        try:
            self._owned = self._owned or Lock(self._path.with_suffix(".lock"))
        except (BlockingIOError, OutputError):
            return False
        return True

    def _keep(self) -> None:
        """Write the list, so that a server that is started later knows what was not done."""
        if not self._owns():
            return
        records = [entry.record() for entry in self._entries]
        try:
            write_durably(self._path, json.dumps(records).encode(), flush=False)
        except CycleVOSError as error:  # tracking is worth more than what would be said of it after a kill
            logger.warning("The list of projects to track is not kept: %s", error)


def _left(path: Path) -> list[Entry]:
    """Return what an earlier server left, if it did not come to the end of its list."""
    try:
        entries = [Entry(**record) for record in json.loads(path.read_bytes())]
        cut_off = [entry for entry in entries if entry.is_active]
    except (OSError, ValueError, TypeError):
        return []
    for entry in cut_off:
        entry.status, entry.error = "failed", _CUT_OFF
    return entries if cut_off else []

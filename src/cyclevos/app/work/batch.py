"""Several projects tracked one after another: each is a job of the queue, added when the one before it has ended.

    .batch.json   in the projects' folder: the list as it is, with which a restarted server goes on

A page need not be open. If one of them fails, the next one is tracked all the same. A list often runs overnight, when
nobody is there to start it again, so a server that was stopped or killed goes on with it at its next start. It leaves
out a project that it was killed during several times: otherwise that project might kill every server that is started.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.app.errors import AppError, NotFoundError, describe, explain
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
_MOST_KILLS = 3
_KILLED = AppError(
    f"The app was killed {_MOST_KILLS} times while it tracked this project; it may have run out of memory.",
    "Track it alone, at a smaller size or with fewer objects. Tracking goes on where it stopped.",
)


@dataclass
class Entry:
    """One project of the list.

    Attributes:
        project: its id.
        name: what it is called.
        direction: to track.
        status: as of a job.
        begun: how often a server began to track it; one that is stopped in order, not killed, sets it back to 0.
        error: problem, remedy and kind of what stopped it.
        job: that tracks it; None until its turn.
        stopped: set when a person stops it.
    """

    project: str
    name: str
    direction: Direction = "forward"
    status: JobStatus = "queued"
    begun: int = 0
    error: dict[str, str] | None = None
    job: Job | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def is_active(self) -> bool:
        """Whether it waits or is being tracked."""
        return is_active(self.status)

    def record(self) -> dict[str, Any]:
        """Return what is kept of it, as JSON values."""
        kept = ("project", "name", "direction", "status", "begun", "error")
        return {name: getattr(self, name) for name in kept}

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
            self._entries = [*kept, *(Entry(each, self._name(each, each), direction) for each in new)]
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
            states = [entry.state() for entry in self._entries]
        return [{**state, "name": self._name(state["project"], state["name"])} for state in states]  # may be renamed

    def close(self) -> None:
        """Stop tracking and wait for the thread; the next server goes on with what is left."""
        with self._lock:
            self._closing.set()
            jobs = [entry.job for entry in self._entries if entry.is_active and entry.job is not None]
            self._lock.notify_all()
        for job in jobs:
            self._queue.cancel(job.id)
        self._thread.join()
        with self._lock:
            cut_off = [entry for entry in self._entries if entry.status == "running"]
            for entry in cut_off:
                entry.status, entry.begun = ("cancelled" if entry.stopped.is_set() else "queued"), 0
            if cut_off:
                self._keep()
        if self._owned is not None:
            self._owned.release()

    def _name(self, project_id: str, otherwise: str) -> str:
        """Return what a project is called now; it may be gone."""
        try:
            return stored_text(self._workspace.folder(project_id), "name") or otherwise
        except CycleVOSError:
            return otherwise

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
                entry.status, entry.begun = "running", entry.begun + 1
                self._keep()
            status, error = self._track(entry)
            with self._lock:
                if self._closing.is_set() and status == "cancelled":
                    return  # cancelled by the closing: `close` has the next server go on with it
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
        """Write the list, so that a server that is started later goes on with it."""
        if not self._owns():
            return
        records = [entry.record() for entry in self._entries]
        try:
            write_durably(self._path, json.dumps(records).encode())
        except CycleVOSError as error:  # tracking is worth more than going on with the list after a kill
            logger.warning("The list of projects to track is not kept: %s", error)


def _left(path: Path) -> list[Entry]:
    """Return what an earlier server left, if it did not come to the end of its list."""
    try:
        entries = [Entry(**record) for record in json.loads(path.read_bytes())]
        cut_off = [entry for entry in entries if entry.is_active]
        for entry in cut_off:
            entry.status = "queued"
            if entry.begun >= _MOST_KILLS:
                entry.status, entry.error = "failed", describe(_KILLED)
    except (OSError, ValueError, TypeError):
        return []
    return entries if cut_off else []

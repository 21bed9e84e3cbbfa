"""The job queue: one job runs at a time, since there is one device; any job can be cancelled.

A person waits for a heat map, so heat maps have a lane of their own beside the one of the long jobs.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from cyclevos.app.errors import ConflictError, NotFoundError, describe, explain
from cyclevos.app.projects.durable_files import check_there
from cyclevos.app.projects.project import Project
from cyclevos.errors import CycleVOSError
from cyclevos.files.host import return_free_memory

logger = logging.getLogger(__name__)

JobStatus = Literal["queued", "running", "done", "cancelled", "failed"]
_INTERACTIVE = ("heat",)  # kinds of jobs that never wait behind a long one
_REMEMBERED = 50  # finished jobs
_MOST_WAITING = 20  # jobs of one project
_TOLD_EVERY = 0.1  # seconds between two reports of progress


def is_active(status: JobStatus) -> bool:
    """Return whether a job of this status waits or works."""
    return status in ("queued", "running")


class CancelledError(Exception):
    """The job was cancelled; raised inside it, where it asks."""


@dataclass
class Job:
    """One piece of work.

    Attributes:
        id: counts up.
        kind: track, adapt, heat, export, edit, import or review.
        project: that it belongs to; its pages are sent every change.
        work: the function that does it; its return value becomes `result`.
        request: what it was asked for; None = nothing else is the same.
        status: queued, running or how it ended.
        done: units finished.
        total: units in all; None = unknown.
        note: a text about the current step.
        error: problem, remedy and kind of the error that stopped it.
        result: what `work` returned.
        speed: units per second, over the last 20 reports.
        ended: set when it is done, has failed or was cancelled.
    """

    id: str
    kind: str
    project: Project
    work: Work
    request: Hashable = None
    status: JobStatus = "queued"
    done: int = 0
    total: int | None = None
    note: str = ""
    error: dict[str, str] | None = None
    result: dict[str, Any] = field(default_factory=dict)
    speed: float | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _told: float = 0.0
    _times: list[tuple[float, int]] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        """Whether it waits or works."""
        return is_active(self.status)

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Ask the job to stop at its next check."""
        self._stop.set()

    def check(self) -> None:
        """Return unless the job was cancelled.

        Raises:
            CancelledError: it was.
        """
        if self._stop.is_set():
            raise CancelledError

    def progress(self, done: int, total: int | None, note: str = "") -> None:
        """Report progress; raises CancelledError like :meth:`check`."""
        self.check()
        now = time.monotonic()
        goes_on = done > 0 and done >= self.done and note == self.note  # each stage has a speed of its own
        self._times = [*(self._times if goes_on else []), (now, done)][-20:]
        (first, before), seconds = self._times[0], now - self._times[0][0]
        self.speed = (done - before) / seconds if seconds > 0 and first < now else None
        self.done, self.total, self.note = done, total, note
        if now - self._told > _TOLD_EVERY or done in (0, total):
            self.tell()

    def tell(self) -> None:
        """Send its state to the project's pages."""
        self._told = time.monotonic()
        self.project.hub.publish("job", self.state())

    def state(self) -> dict[str, Any]:
        """Return it as JSON values."""
        names = ("id", "kind", "status", "done", "total", "note", "error", "result", "speed")
        order = self.project.next_order()
        return {"project": self.project.id, "order": order, **{name: getattr(self, name) for name in names}}


Work = Callable[[Job], dict[str, Any]]
"""Does a job, asks it whether to go on, and returns its result."""


class JobQueue:
    """Runs long jobs one after the other on a separate thread, and interactive ones on another."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._number = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(interactive,), name=name, daemon=True)
            for name, interactive in (("cyclevos-jobs", False), ("cyclevos-interactive", True))
        ]
        for thread in self._threads:
            thread.start()

    def add(self, kind: str, project: Project, work: Work, request: Hashable = None) -> Job:
        """Queue a job, or return the one that waits or works for the same request.

        Args:
            kind: of the job.
            project: that it belongs to.
            work: the function that does it.
            request: what it is asked for, with the state of the project that it depends on; None = nothing else is
                the same.

        Raises:
            ConflictError: too many jobs of the project wait already.
        """
        with self._lock:
            own = [job for job in self._active() if job.project is project and not job.is_stopping]
            same = [job for job in own if (job.kind, job.request) == (kind, request)]
            if same and request is not None:
                return same[0]
            waiting = sum(job.status == "queued" for job in own)
            if waiting >= _MOST_WAITING:
                raise ConflictError(f"{waiting} jobs of this project wait already.", "Wait for them, or stop some.")
            self._number += 1
            job = Job(str(self._number), kind, project, work, request)
            self._jobs[job.id] = job
            finished = [each for each in self._jobs.values() if not each.is_active]
            for old in finished[:-_REMEMBERED]:
                del self._jobs[old.id]
            self._lock.notify_all()
        job.tell()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            NotFoundError: the id is unknown, or the job ended long ago.
        """
        with self._lock:
            if job_id in self._jobs:
                return self._jobs[job_id]
        raise NotFoundError(f"There is no job {job_id}.", "Reload the page: the server was restarted.")

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued job, or ask a running one to stop."""
        job = self.get(job_id)
        with self._lock:
            job.cancel()
            waited = job.status == "queued"
            if waited:
                job.status = "cancelled"
                job.ended.set()
        if waited:
            job.tell()
        return job

    def of(self, project: Project, kind: str | None = None) -> list[Job]:
        """Return a project's queued and running jobs."""
        return [job for job in self._active() if job.project is project and kind in (None, job.kind)]

    def check_idle(self, project_id: str) -> None:
        """Refuse to go on while a job of a project waits or works.

        Raises:
            ConflictError: one does.
        """
        if any(job.project.id == project_id for job in self._active()):
            raise ConflictError(f"The app is still working on {project_id}.", "Wait until it is done, or stop it.")

    def close(self) -> None:
        """Cancel every job and wait until the running ones have stopped."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                job.cancel()
            self._lock.notify_all()
        for thread in self._threads:
            thread.join()

    def _active(self) -> list[Job]:
        with self._lock:
            return [job for job in self._jobs.values() if job.is_active]

    def _run(self, interactive: bool) -> None:
        while True:
            with self._lock:
                waiting = [job for job in self._jobs.values() if _waits(job, interactive)]
                if self._closed:
                    return
                if not waiting:
                    self._lock.wait()
                    continue
                job = waiting[0]
                job.status = "running"
            job.tell()
            _work(job)
            job.ended.set()
            job.tell()
            _free_memory()


def _waits(job: Job, interactive: bool) -> bool:
    return job.status == "queued" and (job.kind in _INTERACTIVE) == interactive


def _work(job: Job) -> None:
    """Run a job; if it raises, the queue continues."""
    try:
        check_there(job.project.folder)
        job.result = job.work(job)
        job.status = "done"
    except CancelledError:
        job.status = "cancelled"
    except Exception as error:
        job.error = describe(explain(error))
        job.status = "failed"
        logger.warning("job %s failed: %s", job.id, error, exc_info=not isinstance(error, CycleVOSError))


def _free_memory() -> None:
    """Give back what a job leaves free: the next one may be an hour away."""
    gc.collect()
    return_free_memory()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()

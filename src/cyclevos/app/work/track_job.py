"""The job that tracks a project, for a page that shows it and for a list of projects alike."""

from __future__ import annotations

from functools import partial
from typing import Any

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.indexing import check_read
from cyclevos.app.projects.project import Project
from cyclevos.app.work.jobs import Job, JobQueue
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.track_plan import TrackPlan


def queue_tracking(queue: JobQueue, network: NetworkHolder, project: Project, plan: TrackPlan) -> Job:
    """Queue a run of tracking.

    Raises:
        NotFoundError: the project does not have the object or the frame of the plan.
        ConflictError: its video is still being read, or it is being tracked already.
    """
    check_read(project)
    with project.lock:
        if queue.of(project, "track"):
            raise ConflictError("This project is being tracked already.", "Wait for it or cancel it.")
        if plan.object is not None:
            project.file.object(plan.object)
        if plan.first is not None:
            project.check_frame(plan.first)
        return queue.add("track", project, partial(_track, project, network, plan))


def _track(project: Project, network: NetworkHolder, plan: TrackPlan, job: Job) -> dict[str, Any]:
    job.progress(0, None, "getting ready")
    # Imported when it is needed: torch takes seconds to load, and opening the page should not wait.
    from cyclevos.app.work.tracking import track

    title = f"{plan.title}, adapted network" if project.file.adapted else plan.title
    with project.steps.versions.run(title):
        return track(project, network, plan, job)

"""The job that adapts the network to a project's video; its weights stay in the project's folder."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from cyclevos.adaptation.adapting import adapt_to
from cyclevos.adaptation.given_clips import GivenClip
from cyclevos.adaptation.settings import Adaptation
from cyclevos.app.errors import AppError
from cyclevos.app.projects.adapted_weights import ADAPTED, AdaptedRecord, weights_file
from cyclevos.app.projects.durable_files import check_there, saving
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.unreadable import unreadable_frames
from cyclevos.app.work.jobs import Job
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.project_network import network_of
from cyclevos.network.tensor_files import stored_tensors, tensors_digest, write_safetensors


def adapt_project(project: Project, holder: NetworkHolder, job: Job) -> dict[str, Any]:
    """Adapt the network that a project is tracked with to its video, and track with it from then on.

    Args:
        project: keeps the adapted weights. If it is tracked with such already, the steps go on from those.
        holder: of the network.
        job: takes the progress; if it is cancelled, everything stays as it was.

    Returns:
        What a page is told of the weights, see :meth:`~cyclevos.app.projects.adapted_weights.AdaptedRecord.told`.

    Raises:
        AppError: no frame is annotated that can be read, or there is nothing to adapt on.
    """
    with project.lock:
        given = project.masks.given()
    bad = unreadable_frames(project)
    given = given.showing(apart_from=bad)
    if not given:
        raise AppError("No frame is marked yet that can be read.", "Paint an object on a frame that can, then adapt.")
    job.progress(0, None, "loading the network")
    base = network_of(project, holder)
    times = 1 if base.record is None else base.record.times + 1
    adaptation = Adaptation.preset("default", seed=times)  # other frames are drawn when it goes on
    job.progress(0, adaptation.steps, "learning from your masks")
    clip = GivenClip("the video", project.source, given)

    def tell(done: int, _: float) -> None:
        guarded = adaptation.guard and done == adaptation.steps
        job.progress(done, adaptation.steps, "comparing with the network as it was" if guarded else job.note)

    adapted, outcome = adapt_to(base.network, [clip], adaptation, "both", tell)
    if outcome.reason is not None:
        remedy = "Tracking uses the network as before. Mark the objects in another frame, then adapt again."
        raise AppError(f"The network was not adapted: {outcome.reason}.", remedy)
    tensors = stored_tensors(cast(nn.Module, adapted))
    record = AdaptedRecord(
        weights=holder.sha256,
        digest=tensors_digest(tensors).hex(),
        steps=outcome.steps + (0 if base.record is None else base.record.steps),
        times=times,
        annotations=given.digests,
        objects={index: list(objects) for index, objects in given.objects.items()},
        loss_before=outcome.loss_before,
        loss_after=outcome.loss_after,
    )
    job.check()
    with project.lock:
        project.check_open()
        check_there(project.folder)
        with saving(project.folder / ADAPTED):
            (project.folder / ADAPTED).mkdir(exist_ok=True)
            write_safetensors(tensors, weights_file(project.folder), record.as_metadata())
        project.change(lambda file: setattr(file, "adapted", True))
    return record.told()

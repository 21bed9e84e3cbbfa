"""Cycle-ERF on demand: a picture of what the network relies on in a frame for an object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cyclevos.analysis.cycle_erf import cycle_erf
from cyclevos.app.errors import AppError, NotFoundError
from cyclevos.app.projects.durable_files import write_durably
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.unreadable import unreadable_frames
from cyclevos.app.work.jobs import Job
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.project_network import network_of
from cyclevos.media.heat_map import heat_map
from cyclevos.naming import index_name
from cyclevos.pictures.jpeg import jpeg_bytes

_STEPS = 50


def draw_heat(project: Project, holder: NetworkHolder, index: int, object_id: int, job: Job) -> dict[str, Any]:
    """Draw the heat map of one object in one frame; the nearest other frame where it is marked is the reference.

    Args:
        project: stores the picture.
        holder: provides the network.
        index: of the frame to explain.
        object_id: of the object whose mask is reconstructed.
        job: receives the progress; may be cancelled.

    Returns:
        The frame, the object and the reference frame.

    Raises:
        AppError: no other frame is marked with the object.
    """
    with project.lock:
        given, settings = project.masks.given(), project.file.settings
    bad = unreadable_frames(project)
    shown = [i for i, objects in given.objects.items() if i != index and i not in bad and object_id in objects]
    if not shown:
        raise AppError(
            f"Object {object_id} is marked in no other frame.",
            "Mark or accept it in another frame, which becomes the reference frame.",
        )
    reference = min(shown, key=lambda i: abs(i - index))
    job.progress(0, None, "loading the network")
    network = network_of(project, holder).network
    image = project.reader.image(index)
    mask = np.where(given[reference] == object_id, object_id, 0).astype(np.uint8)
    size = None if settings.size == "none" else settings.size
    known = project.reader.image(reference)

    def tell(step: int) -> None:
        job.progress(step, _STEPS, f"asking frame {reference}")

    (field,) = cycle_erf(network, image, known, mask, steps=_STEPS, size=size, before_step=tell)
    write_durably(heat_file(project, index, object_id), jpeg_bytes(heat_map(image, field), 90))
    return {"frame": index, "object": object_id, "reference": reference}


def read_heat(project: Project, index: int, object_id: int) -> bytes:
    """Return a heat map drawn before, as JPEG.

    Raises:
        NotFoundError: the heat map does not exist.
    """
    path = heat_file(project, index, object_id)
    if not path.is_file():
        raise NotFoundError(f"There is no heat map of object {object_id} in frame {index}.", "Start its job first.")
    return path.read_bytes()


def heat_file(project: Project, index: int, object_id: int) -> Path:
    """Path of a heat map."""
    return project.folder / "heat" / f"{index_name(index)}-{object_id}.jpg"

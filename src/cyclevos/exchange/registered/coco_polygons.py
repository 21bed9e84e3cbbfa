"""`coco-polygons`: COCO JSON with polygons in the place of run-length codes; it is read as `coco`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination
from cyclevos.exchange.registered.coco import FORMAT as COCO

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.exchange.tools.coco_writer import CocoWriter

    path, name, appearance = destination.path, destination.title, destination.appearance
    return CocoWriter(path, name, appearance, resume=destination.resume, outlined=True)


FORMAT = replace(
    COCO,
    name="coco-polygons",
    label="COCO JSON with polygons",
    summary="the same with polygons, for tools that read no codes",
    file="annotations_polygons.json",
    writer=_writer,
    detects=None,
)

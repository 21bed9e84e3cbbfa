"""``cyclevos erf``: which pixels of a frame the network relies on to find an object again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyclevos.cli.mask_options import GivenMasks
from cyclevos.cli.options import Source
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError, MaskError
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings
from cyclevos.words import objects_text

if TYPE_CHECKING:
    from cyclevos.pictures.mask_files import MaskImage


@with_settings
def erf(
    source: Source,
    masks: GivenMasks,
    output: Annotated[Path, typer.Option(help="Folder of the pictures and arrays.")],
    frame: Annotated[int, typer.Option(min=0, help="Index of the frame to analyse, from 0.")],
    reading: MaskReading,
    network: Annotated[NetworkSettings, Only("weights", "device", "dtype")],
    segmentation: Annotated[SegmentationSettings, Only("size")],
    results: Annotated[OutputSettings, Only("quiet")],
    reference: Annotated[
        int, typer.Option(min=0, help="Index of the reference frame, whose mask is reconstructed.")
    ] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Number of gradient steps, from an empty mask.")] = 50,
    rate: Annotated[float, typer.Option(help="Length of a gradient step.")] = 180.0,
    strip: Annotated[int, typer.Option(min=0, help="Number of frames in the strip over time; 0 = no strip.")] = 6,
) -> None:
    """Show which pixels of a frame the network needs to reconstruct the reference mask (cycle-ERF).

    Writes erf_FRAME_objectID.png, the raw array in erf_FRAME.npz, and strip_FRAME_objectID.png with the frames
    between the reference and the frame.
    """
    wanted = _over_time(reference, frame, strip)
    import numpy as np
    from PIL import Image

    from cyclevos.analysis.cycle_erf import cycle_erf
    from cyclevos.exchange.given.given_masks import read_source_masks
    from cyclevos.files.atomic import check_folder, output_errors
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.media.contact_sheet import contact_sheet
    from cyclevos.media.heat_map import heat_map
    from cyclevos.media.open_source import open_source
    from cyclevos.propagation.correction import Correction

    check_folder(output)
    Correction(steps=steps, rate=rate)  # refuses what cycle_erf would, before the network is loaded
    opened = open_source(source)
    given = read_source_masks(masks, opened, reading)
    annotation = _reference_mask(given, reference)
    image = opened.frame(reference).image
    images: dict[int, Any] = {frame: opened.frame(frame).image}  # first of all, since it may not exist
    loaded = network.load()
    fields: dict[int, Any] = {}
    with progress_bar("cycle-ERF", len(wanted), unit="frames", quiet=results.quiet) as advance:
        for done, index in enumerate(wanted, start=1):
            if index not in images:
                images[index] = opened.frame(index).image
            fields[index] = cycle_erf(
                loaded, images[index], image, annotation.ids, steps=steps, rate=rate, size=segmentation.size
            )
            advance(done, "")
    with output_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            output / f"erf_{frame:05d}.npz",
            field=fields[frame],
            object_ids=np.array(annotation.object_ids),
            frame=frame,
            reference=reference,
        )
        for row, i in enumerate(annotation.object_ids):
            picture = heat_map(images[frame], fields[frame][row])
            Image.fromarray(picture).save(output / f"erf_{frame:05d}_object{i}.png")
            if len(wanted) > 1:
                tiles = [heat_map(images[index], fields[index][row]) for index in wanted]
                sheet = contact_sheet(tiles, [f"frame {index}" for index in wanted], columns=min(len(wanted), 6))
                Image.fromarray(sheet).save(output / f"strip_{frame:05d}_object{i}.png")
    shown = objects_text(annotation.object_ids, given.names)
    typer.echo(f"{shown} of frame {reference} in frame {frame}: {output}")


def _reference_mask(given: Mapping[int, MaskImage], reference: int) -> MaskImage:
    if reference not in given:
        frames = ", ".join(map(str, sorted(given)))
        raise MaskError(
            f"There is no mask for frame {reference}; there are masks for {frames}.", "Choose --reference from these."
        )
    if not given[reference].object_ids:
        raise MaskError(
            f"The mask of frame {reference} shows no object: every pixel is background 0.",
            "Choose another --reference, or a mask with ids 1..255.",
        )
    return given[reference]


def _over_time(reference: int, frame: int, strip: int) -> list[int]:
    """Return the frames to analyse: evenly spaced from the reference to the frame, which is always among them."""
    if frame == reference:
        raise ConfigError(f"--frame {frame} is the reference frame itself.", "Choose another frame.")
    count = max(1, min(strip, abs(frame - reference)))
    return sorted({reference + round((frame - reference) * k / count) for k in range(1, count + 1)})

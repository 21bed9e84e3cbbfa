"""``cyclevos erf``: which pixels of a frame vouch for the object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyclevos.cli import options
from cyclevos.errors import ConfigError, MaskError, VideoError

if TYPE_CHECKING:
    from cyclevos.media.sources import FrameSource
    from cyclevos.pictures.mask_files import MaskImage


def erf(
    source: Annotated[Path, typer.Argument(help="Video file or folder of frames.")],
    masks: Annotated[
        Path, typer.Option(help="PNG of the first frame's objects, or a folder of PNGs named after frames.")
    ],
    output: Annotated[Path, typer.Option(help="Folder of the pictures and arrays.")],
    frame: Annotated[int, typer.Option(min=0, help="Number of the frame to look at, from 0.")],
    reference: Annotated[int, typer.Option(min=0, help="Number of the frame whose mask is to be found again.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Gradient steps from the empty mask.")] = 50,
    rate: Annotated[float, typer.Option(help="Length of a step, for the loss as a mean over pixels.")] = 180.0,
    strip: Annotated[int, typer.Option(min=0, help="Frames in the strip over time; 0 makes none.")] = 6,
    fit_mask: options.FitMask = False,
    fix_mask: options.FixMask = False,
    weights: options.Weights = "default",
    size: options.Size = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = options.DtypeName.auto,
    quiet: options.Quiet = False,
) -> None:
    """Show which pixels of a frame would have to be marked for the network to find the object again (cycle-ERF).

    Writes erf_FRAME_objectID.png, the raw array in erf_FRAME.npz, and strip_FRAME_objectID.png with the frames
    between the reference and the frame.
    """
    side = options.parse_size(size)
    wanted = _over_time(reference, frame, strip)
    import numpy as np
    from PIL import Image

    from cyclevos.analysis.cycle_erf import cycle_erf
    from cyclevos.exchange.given_masks import MaskReading, read_source_masks
    from cyclevos.files.atomic import check_folder, output_errors
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.media.contact_sheet import contact_sheet
    from cyclevos.media.heat_map import heat_map
    from cyclevos.media.open_source import open_source
    from cyclevos.network.weights import load_network
    from cyclevos.propagation.correction import Correction

    check_folder(output)
    Correction(steps=steps, rate=rate)  # refuses what cycle_erf would, before the network is loaded
    opened = open_source(source)
    given = read_source_masks(masks, opened, MaskReading(fit=fit_mask, fix=fix_mask))
    known = _reference_mask(given, reference)
    image = _frame(opened, reference)
    images: dict[int, Any] = {frame: _frame(opened, frame)}  # of all frames the one that may not be there
    network = load_network(weights, device=device, dtype=dtype)
    fields: dict[int, Any] = {}
    with progress_bar("cycle-ERF", len(wanted), unit="frames", quiet=quiet) as advance:
        for done, index in enumerate(wanted, start=1):
            if index not in images:
                images[index] = _frame(opened, index)
            fields[index] = cycle_erf(network, images[index], image, known.ids, steps=steps, rate=rate, size=side)
            advance(done, "")
    with output_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            output / f"erf_{frame:05d}.npz",
            field=fields[frame],
            object_ids=np.array(known.object_ids),
            frame=frame,
            reference=reference,
        )
        for row, i in enumerate(known.object_ids):
            picture = heat_map(images[frame], fields[frame][row])
            Image.fromarray(picture).save(output / f"erf_{frame:05d}_object{i}.png")
            if len(wanted) > 1:
                tiles = [heat_map(images[index], fields[index][row]) for index in wanted]
                sheet = contact_sheet(tiles, [f"frame {index}" for index in wanted], columns=min(len(wanted), 6))
                Image.fromarray(sheet).save(output / f"strip_{frame:05d}_object{i}.png")
    typer.echo(f"objects {', '.join(map(str, known.object_ids))} of frame {reference} in frame {frame}: {output}")


def _reference_mask(given: Mapping[int, MaskImage], reference: int) -> MaskImage:
    if reference not in given:
        frames = ", ".join(map(str, sorted(given)))
        raise MaskError(f"There is no mask for frame {reference}; there are masks for {frames}. Choose --reference.")
    if not given[reference].object_ids:
        raise MaskError(f"The mask of frame {reference} shows no object: every pixel is background 0.")
    return given[reference]


def _frame(source: FrameSource, index: int) -> Any:
    if source.len_hint is not None and index >= source.len_hint:
        raise VideoError(f"There is no frame {index}: the video has {source.len_hint} frames, counted from 0.")
    found = next(source.iterate(start=index), None)
    if found is None:
        raise VideoError(f"There is no frame {index}: the video ends before it.")
    return found.image


def _over_time(reference: int, frame: int, strip: int) -> list[int]:
    """Return the frames to look at: evenly spaced after the reference up to the frame, which is always there."""
    if frame == reference:
        raise ConfigError(f"--frame {frame} is the reference itself. Choose another frame.")
    count = max(1, min(strip, abs(frame - reference)))
    return sorted({reference + round((frame - reference) * k / count) for k in range(1, count + 1)})

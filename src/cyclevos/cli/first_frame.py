"""``cyclevos first-frame``: a frame as a picture and a blank mask to paint."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.first_files import is_file_of_its_own, segment_command
from cyclevos.cli.options import Source
from cyclevos.errors import VideoError

_PAINT = (
    "Paint each object of the mask in one colour of its palette: object 1 in rgb{}, object 2 in rgb{}, object 3 in "
    "rgb{}; black is the background. Use a hard brush without anti-aliasing, and save as PNG of the same size, indexed "
    "or RGB. In GIMP, open the mask, add the picture as a layer to paint by, and remove it before you export."
)


def first_frame(
    source: Source,
    at: Annotated[int, typer.Option(min=0, help="Index of the frame, from 0.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the picture and the mask, by default named after the video; or, for the first frame, the "
            "mask's file (.png).",
        ),
    ] = None,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make the frame of an interlaced video from one of its two fields.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what was painted before.")] = False,
) -> None:
    """Write a frame as PNG and a blank mask of its size, to be painted in another program.

    Says how to paint it, and which command segments the video from it.
    """
    from cyclevos.files.names import safe_name
    from cyclevos.media.blank_mask import beside, in_folder, refuse_source, write_blank_mask
    from cyclevos.media.open_source import open_source
    from cyclevos.naming import size_text
    from cyclevos.pictures.palette import DAVIS_PALETTE, palette_colours

    opened = open_source(source, deinterlace=deinterlace)
    if not opened.can_be_read_again:
        raise VideoError(
            f"{opened.location} is a stream: a mask that is painted now fits no frame that comes later.",
            "Record it to a file first, for example with ffmpeg.",
        )
    single = output is not None and is_file_of_its_own(output, at)
    frame = opened.frame(at)
    name = safe_name(opened.name, "video")
    folder = Path(f"{name}-first-frame") if output is None else output
    places = beside(folder) if single else in_folder(folder, frame)
    refuse_source(places, opened)
    write_blank_mask(frame, places, overwrite=overwrite)
    colours = [f"({red},{green},{blue})" for red, green, blue in palette_colours(DAVIS_PALETTE)[1:4].tolist()]
    typer.echo(f"Frame {at} ({size_text(frame.size)}): {places.picture}")
    typer.echo(f"Blank mask: {places.mask}")
    typer.echo(f"\n{_PAINT.format(*colours)}")
    then = partial(segment_command, source, output=f"{name}-masks", index=at, deinterlace=deinterlace)
    typer.echo(f"\nThen: {then(['--masks', places.masks])}")
    pointed = then(["--point", "X,Y" if not at else f"{at}:X,Y"])
    typer.echo(f"Or click on the object: {pointed}, with a pixel of it, as the picture shows.")
    if not deinterlace:
        typer.echo(f"Or paint in a browser: {shlex.join(['cyclevos', 'app', source])}")

"""``cyclevos convert``: masks of a video from one tool's format to another's."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.errors import OutputError


class FormatOption(str, Enum):
    """A format's name."""

    indexed = "indexed"
    objects = "objects"
    coco = "coco"
    youtube_vis = "youtube-vis"
    mots = "mots"


class Overlap(str, Enum):
    """Who gets a pixel that two objects claim."""

    error = "error"
    first = "first"
    last = "last"


def convert(
    source: Annotated[Path, typer.Argument(help="Folder of PNGs, COCO or YouTube-VIS .json, MOTS .txt.")],
    output: Annotated[Path, typer.Option(help="File, or for indexed and objects folder, to write; new.")],
    to: Annotated[
        FormatOption,
        typer.Option(
            "--to",
            help="indexed: a PNG of ids per frame; objects: a folder of black-and-white PNGs per object; coco: images "
            "and annotations with tracks; youtube-vis: a list of masks per object; mots: text lines.",
        ),
    ],
    from_: Annotated[FormatOption | None, typer.Option("--from", help="Format of SOURCE, if it does not show.")] = None,
    video: Annotated[str | None, typer.Option(help="Name of the video, where SOURCE holds several.")] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help="Frames of the video, which MOTS does not tell; up to the last mask.")
    ] = None,
    overlap: Annotated[Overlap, typer.Option(help="Who gets a pixel that two objects claim.")] = Overlap.error,
) -> None:
    """Convert masks between formats, losing nothing that both can hold; what is lost is said."""
    from cyclevos.exchange.formats import read_track, write_track

    if output.exists() and (output.is_file() or any(output.iterdir())):
        raise OutputError(f"{output} is there already. Choose a new file or an empty folder.")
    kind = None if from_ is None else from_.value
    track = read_track(source, kind, video=video, length=length, overlap=overlap.value)
    lost = write_track(track, to.value, output)
    for what in lost:
        typer.echo(f"{to.value} has no place for {what}.", err=True)
    typer.echo(f"{sum(1 for _ in track.frames())} frames: {output}")

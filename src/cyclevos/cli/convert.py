"""``cyclevos convert``: masks of a video from one tool's format to another's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.mask_options import Overlap, metavar, parse_format
from cyclevos.errors import OutputError
from cyclevos.exchange.format import Format, ReadOptions
from cyclevos.exchange.formats import CONVERT, offered, read_track, readable, write_track
from cyclevos.words import counted


def _convertible() -> tuple[Format, ...]:
    return offered(CONVERT)


def convert(
    source: Annotated[Path, typer.Argument(help="Masks to convert: a file or folder in one of the --from formats.")],
    output: Annotated[Path, typer.Option(help="New file to write; a new folder for formats that are folders.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            parser=partial(parse_format, _convertible),
            metavar=metavar(_convertible()),
            help="Format to write. " + " ".join(f"{each.name}: {each.summary}." for each in _convertible()),
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            parser=partial(parse_format, readable),
            metavar=metavar(readable()),
            help="Format of SOURCE; recognised if the option is left out.",
        ),
    ] = None,
    video: Annotated[str | None, typer.Option(help="Name of the video, if SOURCE holds several.")] = None,
    length: Annotated[
        int | None,
        typer.Option(min=1, help="Frames of the video, which MOTS does not record; default: up to the last mask."),
    ] = None,
    overlap: Annotated[Overlap, typer.Option(help="Object that gets a pixel claimed by two.")] = Overlap.error,
) -> None:
    """Convert masks between formats. What both formats can hold is kept; losses are reported."""
    if output.exists() and (output.is_file() or any(output.iterdir())):
        raise OutputError(f"{output} is there already.", "Choose a new file or an empty folder.")
    track = read_track(source, from_, ReadOptions(video, length, overlap.value))
    for what in write_track(track, to, output):
        typer.echo(f"{to} has no place for {what}.", err=True)
    typer.echo(f"{counted(sum(1 for _ in track.frames()), 'frame')}. Results: {output}")

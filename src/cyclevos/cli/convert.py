"""``cyclevos convert``: masks of a video from one tool's format to another's."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.errors import OutputError
from cyclevos.exchange.format import Format
from cyclevos.exchange.formats import CONVERT, find, names, offered, read_track, readable, write_track
from cyclevos.words import counted

_Formats = Callable[[], "tuple[Format, ...]"]


class Overlap(str, Enum):
    """Which object gets a pixel that two claim."""

    error = "error"
    first = "first"
    last = "last"


def _parse_format(formats: _Formats, text: str) -> str:
    """Return the name of a format; an alias is replaced by the format's name."""
    found = find(text, formats())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not one of {names(formats())}.")
    return found.name


def _metavar(formats: tuple[Format, ...]) -> str:
    return f"[{'|'.join(each.name for each in formats)}]"


def _convertible() -> tuple[Format, ...]:
    return offered(CONVERT)


def convert(
    source: Annotated[Path, typer.Argument(help="Masks to convert: a file or folder in one of the --from formats.")],
    output: Annotated[Path, typer.Option(help="New file to write; a new folder for formats that are folders.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            parser=partial(_parse_format, _convertible),
            metavar=_metavar(_convertible()),
            help="Format to write. " + " ".join(f"{each.name}: {each.summary}." for each in _convertible()),
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            parser=partial(_parse_format, readable),
            metavar=_metavar(readable()),
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
    track = read_track(source, from_, video=video, length=length, overlap=overlap.value)
    for what in write_track(track, to, output):
        typer.echo(f"{to} has no place for {what}.", err=True)
    typer.echo(f"{counted(sum(1 for _ in track.frames()), 'frame')}. Results: {output}")

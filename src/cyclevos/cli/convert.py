"""``cyclevos convert``: masks of a video from one tool's format to another's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli.mask_options import Overlap, metavar, parse_format
from cyclevos.errors import ConfigError, OutputError, VideoError
from cyclevos.exchange.format import Format, ReadOptions
from cyclevos.exchange.formats import RUN, offered, read_track, readable, write_track
from cyclevos.exchange.given.places import find_masks
from cyclevos.files.atomic import put_in_place, temporary_path
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.exchange.joined import Footage
    from cyclevos.exchange.track import MaskTrack
    from cyclevos.jobs.finished_run import FinishedRun


def _convertible() -> tuple[Format, ...]:
    return offered(RUN)


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of a finished run; or masks to convert: a file or folder in one of the --from formats."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            parser=partial(parse_format, _convertible),
            metavar=metavar(_convertible()),
            help="Format to write. " + " ".join(f"{each.name}: {each.summary}." for each in _convertible()),
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="New file to write; a new folder for formats that are folders. May be left out for a finished run: "
            "the result then lies in its folder, where --save would have put it."
        ),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            help="Video or folder of frames that the masks belong to, for formats that show it or have its times or "
            "do not hold its size. A finished run knows its own."
        ),
    ] = None,
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
    keep_255: Annotated[
        bool,
        typer.Option(
            "--keep-255", help="Read 255 in PNGs of ids as object 255, not as unknown pixels or as the only object."
        ),
    ] = False,
) -> None:
    """Convert masks between formats, or make another format of a finished run without the network.

    What both formats can hold is kept; losses are reported.
    """
    kind = next(each for each in _convertible() if each.name == to)
    run = _finished_run(source, from_)
    if output is None and run is None:
        raise ConfigError(
            "--output is missing. Only for a finished run is there a default: its folder.",
            "Add --output with a new file or folder.",
        )
    _check_new(output)
    if run is None:
        options = ReadOptions(video, length, overlap.value, keep_255=keep_255)
        _convert_masks(source, from_, options, kind, Path(str(output)), frames)
        return
    track, footage = run.masks(), _footage_of(run, kind, frames)
    _note_edges(kind, footage, source)
    if output is None:
        output = run.place(kind)
        with run.adding(kind):
            lost = _write(track, kind, output, footage)
    else:
        lost = _write(track, kind, output, footage)
    _report(track, kind, lost, output)


def _convert_masks(
    source: Path, from_: str | None, options: ReadOptions, kind: Format, output: Path, frames: str | None
) -> None:
    """Convert masks that are no run's."""
    from cyclevos.exchange.joined import Footage
    from cyclevos.media.open_source import open_source

    opened = None if frames is None else open_source(frames)
    footage = Footage(opened if "frames" in kind.needs | kind.uses else None)
    options = options._replace(size=None if opened is None else opened.size)
    with find_masks(source, from_) as place:
        track = read_track(place.path, from_ or place.kind, options)
        for note in (*([] if place.note is None else [place.note]), *track.notes):
            typer.echo(place.shown(note), err=True)
        _note_edges(kind, footage, source)
        _report(track, kind, _write(track, kind, output, footage), output)


def _report(track: MaskTrack, kind: Format, lost: Sequence[str], output: Path) -> None:
    for what in lost:
        typer.echo(f"{kind.name} has no place for {what}.", err=True)
    typer.echo(f"{counted(sum(1 for _ in track.frames()), 'frame')}. Results: {output}")


def _note_edges(kind: Format, footage: Footage, source: Path) -> None:
    if "probabilities" in kind.uses and footage.probabilities is None:
        typer.echo(
            f"{source} holds no probabilities, so the edges are hard. segment --save masks,probabilities keeps them.",
            err=True,
        )


def _check_new(output: Path | None) -> None:
    if output is not None and output.exists() and (output.is_file() or any(output.iterdir())):
        raise OutputError(f"{output} is there already.", "Choose a new file or an empty folder.")


def _finished_run(source: Path, from_: str | None) -> FinishedRun | None:
    """Return the run whose folder SOURCE is; None if SOURCE is not a run, or only its masks are converted."""
    from cyclevos.jobs.finished_run import FinishedRun

    if from_ is None:
        return FinishedRun.of(source)
    try:
        return FinishedRun.of(source) if from_ == "masks" else None
    except OutputError:
        return None  # --from masks takes the masks that there are


def _footage_of(run: FinishedRun, kind: Format, frames: str | None) -> Footage:
    """Return what a format of a run is made from beside its masks, and say what is not as it was."""
    from cyclevos.exchange.joined import Footage

    wanted = kind.needs | kind.uses
    probabilities = run.probabilities if "probabilities" in wanted else None
    if frames is not None:
        source, same = run.source_at(frames)
        if not same:
            typer.echo(f"{frames} is not what the run was made from; its frames are taken in their order.", err=True)
        return Footage(source, probabilities)
    try:
        return Footage(run.source() if "frames" in wanted else None, probabilities)
    except VideoError as error:
        if "frames" in kind.needs:
            raise
        typer.echo(f"The times of the frames are left out. {error}", err=True)
        return Footage(None, probabilities)


def _write(track: MaskTrack, kind: Format, path: Path, footage: Footage) -> list[str]:
    """Write a format so that it is whole or not there; see :func:`cyclevos.exchange.formats.write_track`."""
    if not kind.is_folder or path.exists():
        return write_track(track, kind.name, path, footage)
    work = temporary_path(path)
    shutil.rmtree(work, ignore_errors=True)  # of a command that was killed
    try:
        lost = write_track(track, kind.name, work, footage)
        put_in_place(work, path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return lost

"""``cyclevos app``: the browser app on a local server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError, MissingExtraError, VideoError
from cyclevos.media.addresses import address_of
from cyclevos.network.settings import NetworkSettings


@with_settings
def app(
    network: Annotated[NetworkSettings, Only("weights", "device", "dtype")],
    video: Annotated[
        str | None,
        typer.Argument(help="Video file, folder, pattern or list of frames, or earlier project to open."),
    ] = None,
    projects: Annotated[Path, typer.Option(help="Folder that holds the projects.")] = Path("cyclevos-projects"),
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder from which videos may be opened and to which results may be written; may be given several "
            "times. Default: the current folder."
        ),
    ] = None,
    prompter: Annotated[
        str,
        typer.Option(
            help="What turns clicks and boxes into masks: default, another name of `cyclevos weights`, or a file."
        ),
    ] = "default",
    host: Annotated[
        str, typer.Option(help="Address to listen on; any address but this machine's own requires a token.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 = any free port.")] = 8420,
    token: Annotated[
        str | None,
        typer.Option(help="Token that pages must send, at least 16 characters; generated where one is required."),
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, help="Maximum size of an uploaded video in megabytes.")] = 4096,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make each frame of an interlaced video from one of its two fields.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Paint objects, track them, review and fix frames, and export the result, in a browser."""
    if token is not None and len(token) < 16:
        raise ConfigError("--token is too short to be secret.", "Give at least 16 characters, or leave it out.")
    if video is not None and address_of(video) is not None:
        raise VideoError(
            f"The app shows the frames of a video in any order, which {address_of(video)} does not allow.",
            "Download or record the video, and open the file.",
        )
    try:
        from cyclevos.app.server.launch import AppOptions, launch
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("cyclevos"):
            raise
        raise MissingExtraError.of("The app", error.name, "cyclevos[app]") from error
    started = AppOptions(
        projects=projects,
        folders=folder or [Path.cwd()],
        host=host,
        token=token,
        max_upload=max_upload * 2**20,
        weights=network.weights,
        device=network.device,
        dtype=network.dtype,
        prompter=prompter,
    )
    place = None if video is None else Path(video)
    launch(started, place, port, browser=browser, say=typer.echo, deinterlace=deinterlace)

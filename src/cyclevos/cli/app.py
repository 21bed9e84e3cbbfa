"""``cyclevos app``: the browser app on a local server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options
from cyclevos.errors import ConfigError, MissingExtraError


def app(
    video: Annotated[
        Path | None, typer.Argument(help="Video file, folder of frames, or an earlier project to open at once.")
    ] = None,
    projects: Annotated[Path, typer.Option(help="Folder that holds the projects.")] = Path("cyclevos-projects"),
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder that videos may be opened from and results written to; may be given several times. Default: "
            "the folder that the command is started in."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to bind; any but this machine's own demands a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 = any that is free.")] = 8420,
    token: Annotated[
        str | None, typer.Option(help="Ask pages for this token (at least 16 characters); made up where one is needed.")
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, help="Megabytes of a video that a page may send.")] = 4096,
    weights: options.Weights = "default",
    device: options.Device = "auto",
    dtype: options.Dtype = options.DtypeName.auto,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Paint objects, track them, see which frames to fix, fix and export, in a browser."""
    if token is not None and len(token) < 16:
        raise ConfigError("--token is too short to be secret: give at least 16 characters, or leave it out.")
    try:
        from cyclevos.app.launch import AppOptions, launch
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("cyclevos"):
            raise
        raise MissingExtraError(f"The app needs {error.name}: pip install 'cyclevos[app]'.") from error
    started = AppOptions(
        projects=projects,
        folders=folder or [Path.cwd()],
        host=host,
        token=token,
        max_upload=max_upload * 2**20,
        weights=weights,
        device=device,
        dtype=dtype.value,
    )
    launch(started, video, port, browser=browser, say=typer.echo)

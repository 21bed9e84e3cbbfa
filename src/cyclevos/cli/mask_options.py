"""Options of how a user's masks are read."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.exchange.format import Format
from cyclevos.exchange.formats import find, names, readable

MASKS = "Masks"  # panel of the help


class Overlap(str, Enum):
    """Values of --overlap."""

    error = "error"
    first = "first"
    last = "last"


class TurnName(str, Enum):
    """Values of --turn-mask."""

    no = "no"
    left = "left"
    right = "right"
    auto = "auto"


_MASKS_HELP = (
    "File or folder of masks, in any format of --mask-format: a picture of ids for the first frame, a folder "
    "of such named after their frames, or another tool's export, also as a ZIP file."
)
GivenMasks = Annotated[Path, typer.Option(help=_MASKS_HELP)]
MasksOfEach = Annotated[
    list[Path],
    typer.Option("--masks", help=f"{_MASKS_HELP} Once for each clip, in the order of the clips."),
]
MasksBesidePrompts = Annotated[
    Path | None, typer.Option(help=f"{_MASKS_HELP} May be left out where there is a --point or --box.")
]
FitMask = Annotated[
    bool, typer.Option("--fit-mask", help="Resize masks to the size of the frames.", rich_help_panel=MASKS)
]
FixMask = Annotated[
    bool,
    typer.Option(
        "--fix-mask",
        help="Map soft edges, and colours that are not in the palette, to the nearest id; lists what became of each.",
        rich_help_panel=MASKS,
    ),
]
TurnMask = Annotated[
    TurnName,
    typer.Option(
        help="Turn masks by 90 degrees, or (auto) as the EXIF orientation of their frames or the rotation of the video "
        "says, for masks of the camera's raw pixels.",
        rich_help_panel=MASKS,
    ),
]
Keep255 = Annotated[
    bool,
    typer.Option(
        "--keep-255",
        help="Read 255 as object 255, not as unknown pixels or as the only object.",
        rich_help_panel=MASKS,
    ),
]
OverlapOption = Annotated[
    Overlap, typer.Option("--overlap", help="Object that gets a pixel claimed by two.", rich_help_panel=MASKS)
]


def parse_format(formats: Callable[[], tuple[Format, ...]], text: str) -> str:
    """Return the name of a format; an alias is replaced by the format's name.

    Raises:
        typer.BadParameter: none of the formats is named so.
    """
    found = find(text, formats())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not one of {names(formats())}.")
    return found.name


def metavar(formats: tuple[Format, ...]) -> str:
    """Return how an option shows the formats to choose from."""
    return f"[{'|'.join(each.name for each in formats)}]"


MaskFormat = Annotated[
    str | None,
    typer.Option(
        "--mask-format",
        parser=partial(parse_format, readable),
        metavar=metavar(readable()),
        help="Format of the masks; recognised if the option is left out.",
        rich_help_panel=MASKS,
    ),
]

"""Options of how a user's masks are read."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

MASKS = "Masks"  # panel of the help


class TurnName(str, Enum):
    """Values of --turn-mask."""

    no = "no"
    left = "left"
    right = "right"
    auto = "auto"


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
        help="Turn masks by 90 degrees, or (auto) as the EXIF orientation of their frames says, for masks of the "
        "camera's raw pixels.",
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

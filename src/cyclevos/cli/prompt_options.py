"""Options of prompts: points and boxes in place of a mask, and the prompter that makes masks of them."""

from __future__ import annotations

from typing import Annotated

import typer

from cyclevos.cli.completion import complete_prompter

PROMPTS = "Prompts"  # panel of the help

Point = Annotated[
    list[str] | None,
    typer.Option(
        "--point",
        metavar="[FRAME:]X,Y[:ID]",
        help="A pixel on the object; may be given several times, for several objects and frames. FRAME is an index "
        "from 0, by default the first frame; ID is the object's, by default 1.",
        rich_help_panel=PROMPTS,
    ),
]
NotPoint = Annotated[
    list[str] | None,
    typer.Option(
        "--not-point",
        metavar="[FRAME:]X,Y[:ID]",
        help="A pixel beside the object, which takes away what was found there by mistake.",
        rich_help_panel=PROMPTS,
    ),
]
BoxOption = Annotated[
    list[str] | None,
    typer.Option(
        "--box",
        metavar="[FRAME:]X0,Y0,X1,Y1[:ID]",
        help="Left, top, right and bottom edge of a box around the object.",
        rich_help_panel=PROMPTS,
    ),
]
PrompterOption = Annotated[
    str,
    typer.Option(
        help="What makes masks of points and boxes: a name that `cyclevos weights` lists for it, a file of "
        "`cyclevos train prompt`, a folder of SAM 2, NAME=FILE or an hf:// address.",
        rich_help_panel=PROMPTS,
        autocompletion=complete_prompter,
    ),
]

"""Options that several commands share: their help, and how their texts are read."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cyclevos.cli.changed_values import parse_settings
from cyclevos.cli.completion import complete_split, complete_weights
from cyclevos.errors import ConfigError
from cyclevos.exchange.formats import RUN, chosen, names, offered

if TYPE_CHECKING:
    from cyclevos.propagation.correction import Correction

SEGMENTATION, NETWORK, RESULTS, DATASET = "Segmentation", "Network", "Results", "Data set"  # panels of the help


class Direction(str, Enum):
    """Values of --direction."""

    forward = "forward"
    backward = "backward"
    both = "both"


class DtypeName(str, Enum):
    """Values of --dtype."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class CorrectionName(str, Enum):
    """Values of --correction."""

    off = "off"
    prune = "prune"
    paper = "paper"
    default = "default"


class ProtocolOption(str, Enum):
    """Values of --protocol."""

    davis = "davis"
    per_appearance = "per-appearance"
    youtube_vos = "youtube-vos"


class ChallengeOption(str, Enum):
    """Values of --challenge."""

    davis = "davis"
    youtube_vos = "youtube-vos"


class ObjectsOption(str, Enum):
    """Values of --objects."""

    first = "first"
    appearing = "appearing"


# Text and not a path, which would take a slash from an address.
_SOURCE_HELP = "Video file, folder of frames, pattern (frames/%05d.jpg), list of image files (.txt), address or camera."
Source = Annotated[str, typer.Argument(help=_SOURCE_HELP)]
Sources = Annotated[list[str], typer.Argument(help=f"{_SOURCE_HELP} One or several.")]
Weights = Annotated[
    str,
    typer.Option(
        help="A NAME that `cyclevos weights` lists, a file or folder, NAME=FILE, hf://OWNER/REPO or "
        "hf://OWNER/REPO/FILE.",
        autocompletion=complete_weights,
        rich_help_panel=NETWORK,
    ),
]
Size = Annotated[
    str,
    typer.Option(
        help="Shorter side inside the network in pixels, or the side of the square of networks that take squares; "
        "auto = what suits the weights best, and a larger one for several objects of which one is small; none = the "
        "video's own.",
        rich_help_panel=SEGMENTATION,
    ),
]
MemoryEvery = Annotated[
    str,
    typer.Option(
        metavar="N", help="Keep every n-th frame in memory; auto suits the network.", rich_help_panel=SEGMENTATION
    ),
]
MaxMemoryFrames = Annotated[
    str,
    typer.Option(metavar="N", help="Maximum number of frames in memory; 0 = no limit.", rich_help_panel=SEGMENTATION),
]
DirectionOption = Annotated[
    Direction,
    typer.Option(
        help="Segment later frames, earlier frames, or both, from each annotated frame.", rich_help_panel=SEGMENTATION
    ),
]
Device = Annotated[
    str, typer.Option(help="auto (cuda if available, else cpu), cpu, cuda, cuda:1, mps.", rich_help_panel=NETWORK)
]
Dtype = Annotated[
    DtypeName,
    typer.Option(
        help="Floating-point type of the network; auto = what suits the device, or what an interrupted run began with.",
        rich_help_panel=NETWORK,
    ),
]
CorrectionOption = Annotated[
    CorrectionName,
    typer.Option(
        help="prune: drop islands, false pieces far from an object; default: take gradient steps, too; paper: the "
        "paper's steps; off.",
        rich_help_panel=SEGMENTATION,
    ),
]
CorrectionSet = Annotated[
    list[str] | None,
    typer.Option(
        help="Change one value of the correction, e.g. steps=5; may be given several times.",
        rich_help_panel=SEGMENTATION,
    ),
]
ObjectsAtOnce = Annotated[
    int | None,
    typer.Option(
        min=1, help="Objects the network processes at a time; fewer need less memory.", rich_help_panel=NETWORK
    ),
]
Save = Annotated[
    str,
    typer.Option(
        help=f"Formats to write, separated by commas: any of {names(offered(RUN))}.",
        rich_help_panel=RESULTS,
    ),
]
Review = Annotated[
    int, typer.Option(min=0, help="Number of frames to list, least reliable first.", rich_help_panel=RESULTS)
]
Split = Annotated[
    str,
    typer.Option(
        help="Split of the data set; all or none = every sequence.",
        autocompletion=complete_split,
        rich_help_panel=DATASET,
    ),
]
Year = Annotated[
    int | None,
    typer.Option(help="Year of the DAVIS split, 2016 or 2017; the newest by default.", rich_help_panel=DATASET),
]
Layout = Annotated[
    str, typer.Option(help="Layout of the data set: auto, davis, youtube-vos or plain.", rich_help_panel=DATASET)
]
Annotations = Annotated[str, typer.Option(help="Name of the folder with the annotations.", rich_help_panel=DATASET)]
AnnotationRoot = Annotated[
    Path | None, typer.Option(help="Where that folder is, if not in the data set's.", rich_help_panel=DATASET)
]
Sequences = Annotated[
    str | None, typer.Option(help="Only these sequences, separated by commas.", rich_help_panel=DATASET)
]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of processes; one per CPU by default.")]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace earlier results; an interrupted run is still continued.",
        rich_help_panel=RESULTS,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]


def parse_size(text: str) -> int | Literal["auto"] | None:
    """Read ``--size``.

    Raises:
        ConfigError: the text is not a number, auto or none.
    """
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    if text.isdecimal() and int(text) >= 16:
        return int(text)
    raise ConfigError(f"--size {text!r} is not a size.", "Give auto, none, or a number of pixels from 16.")


def parse_every(text: str) -> int | Literal["auto"]:
    """Read ``--memory-every``.

    Raises:
        ConfigError: the text is not a number from 1 or auto.
    """
    if text == "auto":
        return "auto"
    if text.isdecimal() and int(text):
        return int(text)
    raise ConfigError(f"--memory-every {text!r} is not a number of frames.", "Give auto or a whole number from 1.")


def parse_bound(text: str) -> int | Literal["auto"] | None:
    """Read ``--max-memory-frames``: 0 means no bound.

    Raises:
        ConfigError: the text is no number or auto, or leaves no room for a reference and a previous frame.
    """
    if text == "auto":
        return "auto"
    if text == "1":
        problem = "--max-memory-frames 1 leaves no room for a reference and a previous frame."
        raise ConfigError(problem, "Give auto, 0 (no limit) or at least 2.")
    if text.isdecimal():
        return int(text) or None
    raise ConfigError(f"--max-memory-frames {text!r} is no number of frames.", "Give auto, 0 (no limit) or from 2.")


def parse_at_once(text: str, option: str = "--clips-at-once") -> int | None:
    """Read ``--clips-at-once``: the number of sequences at a time, None for auto.

    Args:
        text: the option's value.
        option: the name under which it was given.

    Raises:
        ConfigError: the text is neither auto nor a positive number.
    """
    if text == "auto":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigError(f"{option} {text!r} is not a number of sequences.", "Give auto or a positive number.")


def parse_save(text: str) -> tuple[str, ...]:
    """Read ``--save``.

    Returns:
        Names of formats, each once.

    Raises:
        ConfigError: it is empty, or names something that no run can write.
    """
    return tuple(each.name for each in chosen(parse_names(text) or ()))


def parse_correction(name: CorrectionName, settings: list[str] | None) -> Correction | None:
    """Read ``--correction`` and ``--correction-set``.

    Raises:
        ConfigError: a setting is not key=value, unknown or out of range, or the correction has no use for it.
    """
    if name is CorrectionName.off:
        if settings:
            raise ConfigError(
                "--correction-set changes a correction, but the correction is off.",
                "To correct masks, add --correction prune, default or paper.",
            )
        return None
    from cyclevos.propagation.correction import Correction

    return Correction.preset(name.value, **parse_settings(settings, "--correction-set"))


def parse_names(text: str | None) -> tuple[str, ...] | None:
    """Read a list separated by commas, each name once; None stays None."""
    return None if text is None else tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

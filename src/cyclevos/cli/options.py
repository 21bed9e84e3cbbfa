"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

import typer

from cyclevos.errors import ConfigError

SAVES = ("masks", "overlay", "probabilities", "coco")


class Direction(str, Enum):
    """Where masks are carried to."""

    forward = "forward"
    backward = "backward"
    both = "both"


class DtypeName(str, Enum):
    """What the network computes in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class ObjectsOption(str, Enum):
    """Which objects of a data set's sequence are followed."""

    first = "first"
    appearing = "appearing"


Weights = Annotated[
    str,
    typer.Option(
        help="default, a weights file, hf://owner/repository/file, or NAME=FILE with NAME one of "
        "stm-resnet50, stm-cycle-resnet50, stm-cycle-resnet18."
    ),
]
Size = Annotated[
    str, typer.Option(help="Shorter side inside the network; auto = the weights' best, none = the video's own.")
]
MemoryEvery = Annotated[int, typer.Option(min=1, help="Every n-th frame stays in memory.")]
MaxMemoryFrames = Annotated[int, typer.Option(min=0, help="Frames in memory at most; 0 = no bound.")]
DirectionOption = Annotated[Direction, typer.Option(help="From each mask to later frames, earlier ones, or both.")]
Device = Annotated[str, typer.Option(help="auto (cuda, else cpu), cpu, cuda, cuda:1, mps.")]
Dtype = Annotated[DtypeName, typer.Option(help="What the network computes in; auto suits the device.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]


def parse_size(text: str) -> int | Literal["auto"] | None:
    """Read ``--size``.

    Raises:
        ConfigError: it is neither a number nor auto nor none.
    """
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    if text.isdecimal() and int(text) >= 16:
        return int(text)
    raise ConfigError(f"--size {text!r}: expected auto, none, or a number of pixels from 16.")


def parse_bound(frames: int) -> int | None:
    """Read ``--max-memory-frames``: 0 means no bound.

    Raises:
        ConfigError: there would be no room for a reference and a previous frame.
    """
    if frames == 1:
        raise ConfigError("--max-memory-frames 1: expected 0 (no bound) or at least 2 (reference and previous frame).")
    return frames or None


def parse_save(text: str) -> tuple[str, ...]:
    """Read ``--save``.

    Raises:
        ConfigError: it is empty or names something that cannot be saved.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in SAVES]
    if unknown or not names:
        raise ConfigError(f"--save {text!r}: expected any of {','.join(SAVES)}, separated by commas.")
    return names


def parse_names(text: str | None) -> tuple[str, ...] | None:
    """Read a list separated by commas; None stays None."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())

"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
import yaml

from cyclevos.cli.completion import complete_split
from cyclevos.errors import ConfigError

if TYPE_CHECKING:
    from cyclevos.propagation.correction import Correction

SAVES = ("masks", "overlay", "probabilities", "coco", "youtube-vis", "mots")


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


class CorrectionName(str, Enum):
    """Whether and how masks are corrected."""

    off = "off"
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
    """Which objects of a data set's sequence are followed."""

    first = "first"
    appearing = "appearing"


Weights = Annotated[
    str,
    typer.Option(
        help="default, a weights file, hf://OWNER/REPO/FILE, or NAME=FILE with NAME one of "
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
CorrectionOption = Annotated[
    CorrectionName, typer.Option(help="Gradient correction: as in the paper's program, or our own settings.")
]
CorrectionSet = Annotated[
    list[str] | None,
    typer.Option(help="Change a value of the correction, e.g. steps=5; may be given several times."),
]
ObjectsAtOnce = Annotated[
    int | None, typer.Option(min=1, help="Objects the network takes at a time; fewer need less memory.")
]
Save = Annotated[
    str, typer.Option(help="Any of masks, overlay, probabilities, coco, youtube-vis and mots, separated by commas.")
]
Review = Annotated[int, typer.Option(min=0, help="Frames to list for a look, those to distrust most first.")]
Split = Annotated[
    str,
    typer.Option(help="Split list to score; all or none: every sequence there is.", autocompletion=complete_split),
]
Year = Annotated[int | None, typer.Option(help="DAVIS year of the split list: 2016 or 2017, the newer by default.")]
Layout = Annotated[str, typer.Option(help="How the data set is laid out: auto, davis, youtube-vos or plain.")]
Annotations = Annotated[str, typer.Option(help="Name of the data set's folder with the ground truth.")]
AnnotationRoot = Annotated[Path | None, typer.Option(help="Where that folder lies, if not in the root.")]
Sequences = Annotated[str | None, typer.Option(help="Score only these sequences, separated by commas.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes to use; one per CPU by default.")]
FitMask = Annotated[bool, typer.Option("--fit-mask", help="Resize masks to the video's size.")]
FixMask = Annotated[bool, typer.Option("--fix-mask", help="Map off-palette colours of masks to the nearest entry.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace earlier results; what was interrupted still goes on.")
]
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


def parse_jobs(text: str) -> int | None:
    """Read ``--jobs``: how many at a time, None for auto.

    Raises:
        ConfigError: it is neither auto nor a positive number.
    """
    if text == "auto":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigError(f"--jobs {text}: expected auto or a positive number.")


def parse_save(text: str) -> tuple[str, ...]:
    """Read ``--save``.

    Raises:
        ConfigError: it is empty or names something that cannot be saved.
    """
    names = parse_names(text) or ()
    unknown = [name for name in names if name not in SAVES]
    if unknown or not names:
        raise ConfigError(f"--save {text!r}: expected any of {','.join(SAVES)}, separated by commas.")
    return names


def parse_correction(name: CorrectionName, settings: list[str] | None) -> Correction | None:
    """Read ``--correction`` and ``--correction-set``.

    Raises:
        ConfigError: a setting is not key=value, unknown or out of range, or there is nothing to set.
    """
    if name is CorrectionName.off:
        if settings:
            raise ConfigError("--correction-set changes a correction: add --correction paper or --correction default.")
        return None
    values = {}
    for setting in settings or []:
        key, equals, text = setting.partition("=")
        try:
            values[key.strip()] = _setting(text)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise ConfigError(f"--correction-set {setting!r}: expected key=value, e.g. steps=5.")
    from cyclevos.propagation.correction import Correction

    return Correction.preset(name.value, **values)


def _setting(text: str) -> Any:
    """Read a value as YAML, and as people write what YAML takes for words: none and 1e-3."""
    value = yaml.safe_load(text)
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value


def parse_names(text: str | None) -> tuple[str, ...] | None:
    """Read a list separated by commas, each name once; None stays None."""
    return None if text is None else tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

"""What a job writes and how it reads the user's masks: the settings that commands and cluster share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputSettings:
    """What a job writes.

    Attributes:
        save: names of the results.
        review: frames on the review list.
        overwrite: replace earlier results; an interrupted run is still continued.
        quiet: show no progress bar.
    """

    save: tuple[str, ...] = ("masks", "overlay")
    review: int = 10
    overwrite: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class MaskSettings:
    """How the user's masks are read.

    Attributes:
        fit_mask: resize masks of another size to the frames'.
        fix_mask: map colours that are not in the palette to the nearest one that is.
    """

    fit_mask: bool = False
    fix_mask: bool = False

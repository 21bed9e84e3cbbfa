"""What a job writes: the settings that commands and cluster share."""

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

"""Which sequences of a data set a command takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclevos.datasets.layouts import Dataset


@dataclass(frozen=True)
class DatasetSettings:
    """Which sequences of a data set a command takes, and where their annotations are.

    Attributes:
        split: name of the split; all or none = every sequence.
        year: of a DAVIS split; None = the newest that has the split.
        layout: auto, davis, youtube-vos or plain.
        annotations: name of the folder with the masks.
        annotation_root: folder that holds it; None = the data set's own.
        sequences: take only these; None = all of the split.
    """

    split: str = "val"
    year: int | None = None
    layout: str = "auto"
    annotations: str = "Annotations"
    annotation_root: Path | None = None
    sequences: tuple[str, ...] | None = None

    def open(self, root: Path, *, need_frames: bool = True) -> Dataset:
        """Find the sequences.

        Args:
            root: the data set's folder.
            need_frames: False accepts a data set of masks alone, which is enough for scoring.

        Raises:
            DatasetError: a folder, split, sequence or frame is missing or ambiguous.
        """
        from cyclevos.datasets.layouts import open_dataset

        return open_dataset(
            root,
            self.split,
            layout=self.layout,
            year=self.year,
            annotations=self.annotations,
            annotation_root=self.annotation_root,
            sequences=self.sequences,
            need_frames=need_frames,
        )

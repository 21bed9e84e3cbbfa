"""What a job writes: masks, overlay, probabilities and COCO, behind the network's back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyclevos.exchange.coco_writer import CocoWriter
from cyclevos.exchange.formats import read_track, write_track
from cyclevos.media.frames import Frame
from cyclevos.media.overlay import OverlayWriter
from cyclevos.media.reliability_files import RELIABILITY_FILE, ReliabilityWriter
from cyclevos.media.sources import FrameSource
from cyclevos.media.write_behind import write_behind
from cyclevos.media.writers import MaskWriter, ProbabilityWriter, ResultWriter
from cyclevos.pictures.mask_files import read_ground_truth
from cyclevos.propagation.propagator import Prediction

EXPORTS = {"youtube-vis": "youtube_vis.json", "mots": "mots.txt"}
"""Names of what is made of the masks at the end, by format."""

NAMES = {"overlay": "overlay.mp4", "probabilities": "probabilities", "coco": "annotations.json", **EXPORTS}
"""Names of the results beside the masks, within the output folder."""


class Results:
    """All writers of a job as one context manager.

    Args:
        folder: output folder.
        sequence: what the video is called in the reliability file.
        kinds: any of masks, overlay, probabilities, coco, youtube-vis, mots.
        frame_rate: of the overlay.
        palette: of masks and overlay; None = DAVIS's.
        resumed: keep what an interrupted run has left of the COCO file.
        late_overlay: frames do not come from first to last, or the first ones are done: render the
            overlay at the end from the masks on disk, by :meth:`render_overlay`.
    """

    def __init__(
        self,
        folder: Path,
        sequence: str,
        kinds: Sequence[str],
        frame_rate: Fraction | None,
        palette: bytes | None,
        *,
        resumed: bool,
        late_overlay: bool,
    ) -> None:
        self.folder, self._frame_rate, self._palette = folder, frame_rate, palette
        self._late = late_overlay and "overlay" in kinds
        self._exports = [kind for kind in kinds if kind in EXPORTS]
        self._after = _After()
        writers: list[ResultWriter] = []
        if "coco" in kinds:
            writers.append(CocoWriter(folder / NAMES["coco"], folder.name, palette=palette, resume=resumed))
        if "probabilities" in kinds:
            writers.append(ProbabilityWriter(folder / NAMES["probabilities"]))
        if "overlay" in kinds and not self._late:
            writers.append(self._overlay())
        writers.append(ReliabilityWriter(folder / RELIABILITY_FILE, sequence, resume=resumed))
        if "masks" in kinds:  # last: a mask on disk means that the frame's other results are there too
            writers.append(MaskWriter(folder, palette))
        self._writer = _Together([*writers, self._after])
        self._behind = write_behind(self._writer)
        self._probabilities = "probabilities" in kinds

    def write(self, frame: Frame, prediction: Prediction, after: Callable[[], None] | None = None) -> None:
        """Queue one frame's results; ``after`` is called once they are written."""
        if after is not None:
            self._after.calls[frame.index] = after
        probabilities = prediction.probabilities.cpu().numpy() if self._probabilities else None
        self._behind.write(
            frame,
            prediction.ids,
            probabilities,
            object_ids=prediction.object_ids,
            reliability={} if prediction.annotated else prediction.reliability,
        )

    def render_overlay(self, source: FrameSource) -> None:
        """Make a late overlay, once all masks are on disk; does nothing for any other."""
        if not self._late:
            return
        with self._overlay() as writer:
            for frame in source:
                writer.write(frame, read_ground_truth(self.folder / f"{frame.name}.png").ids)

    def export(self) -> None:
        """Make of the masks on disk what other tools read."""
        for kind in self._exports:
            write_track(read_track(self.folder, "indexed"), kind, self.folder / EXPORTS[kind])

    def _overlay(self) -> OverlayWriter:
        return OverlayWriter(self.folder / NAMES["overlay"], self._frame_rate, self._palette)

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._behind.__exit__(kind, error, trace)


class _After(ResultWriter):
    """Runs what has to wait until a frame's results are on disk."""

    def __init__(self) -> None:
        self.calls: dict[int, Callable[[], None]] = {}

    def write(
        self,
        frame: Frame,
        ids: NDArray[np.uint8],
        probabilities: NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Run the frame's call, if it has one."""
        call = self.calls.pop(frame.index, None)
        if call is not None:
            call()


class _Together(ResultWriter):
    """Hands everything to several writers."""

    def __init__(self, writers: Sequence[ResultWriter]) -> None:
        self._writers = writers

    def write(
        self,
        frame: Frame,
        ids: NDArray[np.uint8],
        probabilities: NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Write with each writer in turn."""
        for writer in self._writers:
            writer.write(frame, ids, probabilities, object_ids=object_ids, reliability=reliability)

    def close(self) -> None:
        """Close all, even if one fails."""
        with ExitStack() as stack:
            for writer in self._writers:
                stack.callback(writer.close)

    def abort(self) -> None:
        """Abort all, even if one fails."""
        with ExitStack() as stack:
            for writer in self._writers:
                stack.callback(writer.abort)

"""Chooses the frames of the report and draws each run's masks, with the ground truth as outlines.

Shapes: H W pixels.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from cyclevos.analysis.report.measures import Measured, frame_scores
from cyclevos.datasets import layouts
from cyclevos.media.image_folder import ImageFiles
from cyclevos.media.overlay import blend, inner_contour
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import read_ground_truth

_WIDTH = 480  # of a picture, in pixels
_SMALLEST = 0.4  # window, as a share of the frame's sides
_MARGIN = 0.25  # around the objects, as a share of their extent
_OUTLINE = (255, 255, 255)
_HALO = (20, 20, 20)  # drawn around the outline, which would be invisible on white


@dataclass(frozen=True)
class RunPicture:
    """One run's mask on a frame.

    Attributes:
        run: number of the run.
        score: mean J of the frame's objects.
        reliability: mean predicted J of the frame's objects; None if unknown.
        jpeg: the encoded picture.
        calibrated: see :class:`.runs.Run`.
    """

    run: int
    score: float
    reliability: float | None
    jpeg: bytes
    calibrated: bool = True


@dataclass(frozen=True)
class ShownFrame:
    """A frame with every run's mask on it.

    Attributes:
        sequence: its sequence.
        frame: its name.
        pictures: one for each run that has scores for the frame.
    """

    sequence: str
    frame: str
    pictures: tuple[RunPicture, ...]


@dataclass(frozen=True)
class Gallery:
    """Frames chosen for one reason.

    Attributes:
        title: the reason.
        frames: most relevant first, one per sequence.
    """

    title: str
    frames: tuple[ShownFrame, ...]


def galleries(measured: Measured, count: int) -> Iterator[Gallery]:
    """Choose and draw the worst frames, those in which runs differ most, and the best.

    Args:
        measured: runs with scores; without scores there are no galleries.
        count: most frames per gallery, no two of one sequence; 0 = none.

    Yields:
        The galleries that have frames, one by one.

    Raises:
        CycleVOSError: a frame or mask cannot be read.
    """
    if measured.dataset is None or count == 0:
        return
    sequences = {sequence.name: sequence for sequence in measured.dataset}
    scores = _scores(measured)
    reasons: list[tuple[str, Callable[[list[float]], float]]] = [("Worst frames", lambda values: -min(values))]
    if len(measured.runs) > 1:
        reasons.append(("Where the runs differ most", lambda values: max(values) - min(values) or -math.inf))
    reasons.append(("Best frames", min))
    for title, urgency in reasons:
        chosen = _choose(scores, urgency, count)
        if chosen:
            yield Gallery(title, tuple(_drawn(measured, sequences[name], frame, scores) for name, frame in chosen))


def _scores(measured: Measured) -> dict[tuple[str, str], dict[int, float]]:
    """Return the mean J by sequence and frame, and by run."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for run, scores in enumerate(measured.scores):
        for name, sequence in scores.items():
            for frame, value in frame_scores(sequence).items():
                found.setdefault((name, frame), {})[run] = value
    return found


def _choose(
    scores: dict[tuple[str, str], dict[int, float]], urgency: Callable[[list[float]], float], count: int
) -> list[tuple[str, str]]:
    """Choose the most relevant frame of each sequence, and the most relevant ones of these."""
    urgent: dict[str, tuple[float, str]] = {}
    for (name, frame), values in scores.items():
        value = urgency(list(values.values()))
        if value > urgent.get(name, (-math.inf, ""))[0]:
            urgent[name] = (value, frame)
    ordered = sorted(urgent, key=lambda name: -urgent[name][0])
    return [(name, urgent[name][1]) for name in ordered[:count]]


def _drawn(
    measured: Measured, sequence: layouts.Sequence, frame: str, scores: dict[tuple[str, str], dict[int, float]]
) -> ShownFrame:
    truth = sequence.masks.read(sequence.annotations[frame]).ids.copy()
    own = scores[sequence.name, frame]
    # 255 in the ground truth of several objects is IGNORE.
    truth[~np.isin(truth, [i for run in own for i in measured.scores[run][sequence.name].objects])] = 0
    masks = {run: read_ground_truth(measured.runs[run].masks[sequence.name][frame], binary=True).ids for run in own}
    box = _window(np.any([truth > 0, *(ids > 0 for ids in masks.values())], axis=0))
    size = (_WIDTH, max(1, round(_WIDTH * truth.shape[0] / truth.shape[1])))
    image = _frame_image(sequence, frame, truth).resize(size, Image.Resampling.BICUBIC, box)
    outline = _scaled(truth, size, box)
    pictures = []
    for run, ids in masks.items():
        picture = _outlined(blend(np.array(image), _scaled(ids, size, box)), outline)
        trusted = list(measured.runs[run].reliability.get(sequence.name, {}).get(frame, {}).values())
        reliability = float(np.mean(trusted)) if trusted else None
        calibrated = measured.runs[run].calibrated
        pictures.append(RunPicture(run, own[run], reliability, _jpeg(picture), calibrated))
    return ShownFrame(sequence.name, frame, tuple(pictures))


def _frame_image(sequence: layouts.Sequence, frame: str, truth: UInt8Array) -> Image.Image:
    """Read a frame at the size of its ground truth (H, W); black where the data set has no frames."""
    size = (truth.shape[1], truth.shape[0])
    file = next((path for path in sequence.frames if path.stem == frame), None)
    if file is None:
        return Image.new("RGB", size)
    return Image.fromarray(next(iter(ImageFiles([file]))).image).resize(size, Image.Resampling.BICUBIC)


def _window(shown: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Choose a window of the frame's proportions around all objects (H, W): left, top, right, bottom."""
    height, width = shown.shape
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if not len(rows):
        return 0, 0, width, height
    share = max(np.ptp(rows) / height, np.ptp(columns) / width)
    share = min(1.0, max(_SMALLEST, share * (1 + _MARGIN)))
    wide, high = max(1, round(share * width)), max(1, round(share * height))
    left = min(max(0, (columns[0] + columns[-1] + 1 - wide) // 2), width - wide)
    top = min(max(0, (rows[0] + rows[-1] + 1 - high) // 2), height - high)
    return int(left), int(top), int(left + wide), int(top + high)


def _scaled(ids: UInt8Array, size: tuple[int, int], box: tuple[int, int, int, int]) -> UInt8Array:
    return np.array(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST, box))


def _outlined(picture: UInt8Array, ids: UInt8Array) -> UInt8Array:
    """Draw the objects' outlines onto a picture (H, W, 3)."""
    edge = inner_contour(ids)
    picture[binary_dilation(edge)] = _HALO
    picture[edge] = _OUTLINE
    return picture


def _jpeg(picture: UInt8Array) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=85, subsampling=0)
    return data.getvalue()

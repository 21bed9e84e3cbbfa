"""Evaluating a prompter: boxes, and clicks placed one after the other at the centre of the largest error.

Shapes: H W pixels of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.datasets.layouts import Dataset, Sequence
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.evaluation.drawn_boxes import drawn_boxes
from cyclevos.evaluation.mask_pairs import MaskPairs, read_truth
from cyclevos.evaluation.measures import region_similarity
from cyclevos.evaluation.prompt_scores import (
    AFTER,
    FEWEST_PIXELS,
    MOST_CLICKS,
    SLACKS,
    TARGETS,
    PromptedObject,
    PromptEvaluation,
)
from cyclevos.evaluation.protocols import ids_in
from cyclevos.labels import IGNORE
from cyclevos.media.image_folder import ImageFiles
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.boxes import bounds
from cyclevos.prompts.next_click import next_click
from cyclevos.prompts.prompter import Prompter
from cyclevos.prompts.prompts import Box, Click

_Bools = NDArray[np.bool_]
_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PromptProtocol:
    """How prompts are given.

    Attributes:
        begin_with_box: the clicks go with the true box; otherwise they are all that is given.
        masks: folder of masks `<sequence>/<frame>.png` that the clicks repair; None = they begin from nothing.
        repair: each call gets the probabilities of the call before, beside all clicks so far. Otherwise each call
            answers anew, as the app does, and gets nothing but the prompts (and the mask from `masks`).
        most_clicks: at which clicking ends.
        frames: annotated frames of each sequence, evenly spaced from the first; None = all of them.
    """

    begin_with_box: bool = False
    masks: Path | None = None
    repair: bool = False
    most_clicks: int = MOST_CLICKS
    frames: int | None = 1

    def __post_init__(self) -> None:
        if self.begin_with_box and self.masks is not None:
            raise ConfigError("Clicks cannot begin both from a box and from masks.", "Choose one of the two.")
        if self.most_clicks < 1 or (self.frames is not None and self.frames < 1):
            raise ConfigError(
                f"There are {self.most_clicks} clicks and {self.frames} frames per sequence; expected 1 or more.",
                "Give at least 1.",
            )

    @property
    def begun_from(self) -> str:
        """``clicks``, ``box`` or ``masks``."""
        return "masks" if self.masks is not None else "box" if self.begin_with_box else "clicks"


class _Target(NamedTuple):
    """An object in a picture, and the mask of it that the clicks repair; None = they repair none."""

    image: UInt8Array
    truth: _Bools
    counted: _Bools
    given: _Bools | None

    def score(self, probabilities: _Floats | _Bools) -> float:
        """Return J of probabilities, without the pixels that do not count."""
        return region_similarity((probabilities > 0.5) & self.counted, self.truth)


def evaluate_prompts(
    prompter: Prompter,
    dataset: Dataset,
    protocol: PromptProtocol | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> PromptEvaluation:
    """Score a prompter on a data set: J from boxes, and after each click of a simulated user.

    Each object is prompted by itself. Pixels that the ground truth ignores count neither for J nor for clicks, and
    objects with fewer than `FEWEST_PIXELS` other pixels are left out.

    Args:
        prompter: is called for every box and after every click.
        dataset: the sequences, from `open_dataset` or `open_stills`.
        protocol: how prompts are given; None = the default.
        progress: called with the number of frames done and the name of the next sequence.

    Raises:
        DatasetError: a sequence has no mask, a mask has another size than its frame, a mask to repair is missing, or
            no object is large enough.
        VideoError: a frame cannot be read.
    """
    protocol = protocol or PromptProtocol()
    objects: list[PromptedObject] = []
    left_out = done = 0
    for sequence in dataset:
        earlier = None if protocol.masks is None else MaskPairs(protocol.masks / sequence.name, sequence)
        for frame in chosen_frames(sequence, protocol.frames):
            if progress is not None:
                progress(done, sequence.name)
            for object_id, target in _targets(sequence, frame, earlier):
                pixels = int(target.truth.sum())
                if pixels < FEWEST_PIXELS:
                    left_out += 1
                    continue
                name = f"{sequence.name}/{frame}/{object_id}"
                box = _true_box(target)
                boxes = {} if earlier else {slack: _from_boxes(prompter, target, slack, name) for slack in SLACKS}
                start, curve = _click_curve(prompter, target, box if protocol.begin_with_box else None, protocol)
                objects.append(PromptedObject(sequence.name, frame, object_id, pixels, curve, start, boxes))
            done += 1
    if progress is not None:
        progress(done, "")
    if not objects:
        raise DatasetError(
            f"The chosen frames of {dataset.name} show no object of {FEWEST_PIXELS} or more pixels.",
            "Choose other frames or sequences.",
        )
    frames = "all" if protocol.frames is None else "first" if protocol.frames == 1 else str(protocol.frames)
    return PromptEvaluation(
        dataset=dataset.name,
        prompter=prompter.name,
        begun_from=protocol.begun_from,
        repair=protocol.repair,
        most_clicks=protocol.most_clicks,
        frames=frames,
        objects=tuple(objects),
        left_out=left_out,
    )


def chosen_frames(sequence: Sequence, most: int | None) -> list[str]:
    """Return names of annotated frames, evenly spaced from the first one on.

    Args:
        sequence: its annotated frames.
        most: how many; None = all.

    Raises:
        DatasetError: the sequence has no annotated frame.
    """
    names = [sequence.first_annotated, *list(sequence.annotations)[1:]]
    if most is None or most >= len(names):
        return names
    return [names[i * len(names) // most] for i in range(most)]


def _targets(sequence: Sequence, frame: str, earlier: MaskPairs | None) -> Iterator[tuple[int, _Target]]:
    """Yield the objects of a frame by their ids, ascending."""
    labels = read_truth(sequence, frame)
    file = next(file for file in sequence.frames if file.stem == frame)
    image = ImageFiles([file]).frame(0).image
    if labels.shape != image.shape[:2]:
        raise DatasetError(
            f"{sequence.annotations[frame]} is {size_text((labels.shape[0], labels.shape[1]))}, its frame {file} is "
            f"{size_text((image.shape[0], image.shape[1]))} (width x height).",
            "Write masks in the size of the frames.",
        )
    results = None if earlier is None else earlier.read(frame)[1]
    for object_id in sorted(ids_in(labels) - {IGNORE}):
        given = None if results is None else results == object_id
        yield object_id, _Target(image, labels == object_id, labels != IGNORE, given)


def _true_box(target: _Target) -> Box:
    box = bounds(target.truth)
    if box is None:
        raise ValueError("expected an object with at least one pixel")
    return box


def _from_boxes(prompter: Prompter, target: _Target, slack: float, name: str) -> float:
    """Return the mean J from boxes with a slack."""
    size = (target.truth.shape[0], target.truth.shape[1])
    boxes = drawn_boxes(_true_box(target), slack, size, name)
    return float(np.mean([target.score(prompter(target.image, box=box)) for box in boxes]))


def _click_curve(
    prompter: Prompter, target: _Target, box: Box | None, protocol: PromptProtocol
) -> tuple[float | None, tuple[float, ...]]:
    """Return J before the first click and after each one, until enough is known."""
    found: _Floats | _Bools = np.zeros(target.truth.shape, np.bool_)
    begun = target.given
    start = None
    if box is not None:
        found = prompter(target.image, box=box)
        start = target.score(found)
    elif begun is not None:
        found, start = begun, target.score(begun)
    clicks: list[Click] = []
    curve: list[float] = []
    while len(curve) < protocol.most_clicks and not _settled(start, curve):
        click = next_click(target.truth, found > 0.5, target.counted)
        if click is None:
            break
        clicks.append(click)
        earlier = found if protocol.repair and (curve or start is not None) else begun
        found = prompter(
            target.image,
            points=[(each.x, each.y) for each in clicks],
            labels=[int(each.positive) for each in clicks],
            box=box,
            mask=earlier,
        )
        curve.append(target.score(found))
    return start, tuple(curve)


def _settled(start: float | None, curve: list[float]) -> bool:
    """Return whether further clicks would change no figure that is reported."""
    best = max([*curve, 0.0 if start is None else start])
    return len(curve) >= max(AFTER) and best >= max(TARGETS)

"""The result of an evaluation: J, F and islands of every object, of every sequence and of the whole data set.

All values are fractions, not percent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cyclevos.evaluation.measures import Statistics


@dataclass(frozen=True)
class Scores:
    """Region similarity J, boundary accuracy F and islands of an object, a sequence or a data set.

    Attributes:
        J: mean, recall and decay of region similarity.
        F: mean, recall and decay of boundary accuracy.
        islands: share of frames in which the object's mask has an island.
    """

    J: Statistics
    F: Statistics
    islands: float

    @property
    def j_and_f(self) -> float:
        """J&F, the mean of the two means."""
        return (self.J.mean + self.F.mean) / 2


@dataclass(frozen=True)
class ObjectScores(Scores):
    """Scores of one object over its video.

    Attributes:
        object_id: the object's number in the ground truth.
        frame_names: the scored frames in time order.
        J_values: region similarity of each of them.
        F_values: boundary accuracy of each of them.
        island_values: whether the mask has an island in each of them.
    """

    object_id: int
    frame_names: tuple[str, ...]
    J_values: tuple[float, ...]
    F_values: tuple[float, ...]
    island_values: tuple[bool, ...]


@dataclass(frozen=True)
class SequenceScores(Scores):
    """Scores of one sequence: the mean over its objects.

    Attributes:
        name: the sequence.
        objects: each object's scores by its id, ascending.
    """

    name: str
    objects: dict[int, ObjectScores]


@dataclass(frozen=True)
class CategoryScores:
    """Scores of seen and of unseen categories (YouTube-VOS); at least one of the two is present.

    Attributes:
        seen: the mean over the objects whose category occurs in training; None if there are no such objects.
        unseen: the mean over the other objects; None if there are none.
    """

    seen: Scores | None
    unseen: Scores | None

    @property
    def g(self) -> float:
        """G, the mean of J and F over seen and unseen categories; a group without objects is left out."""
        groups = [each for each in (self.seen, self.unseen) if each is not None]
        return sum(each.j_and_f for each in groups) / len(groups)


@dataclass(frozen=True)
class Evaluation:
    """Scores of a data set.

    Attributes:
        dataset: the data set's name.
        overall: the mean over all objects of all sequences, as in DAVIS-2017.
        sequences: each sequence's scores by its name, in the data set's order.
        protocol: the rules that decided which frames and objects count.
        categories: means over seen and unseen categories; None if they are unknown.
    """

    dataset: str
    overall: Scores
    sequences: dict[str, SequenceScores]
    protocol: str = "davis"
    categories: CategoryScores | None = None


def mean_scores(scores: Iterable[Scores]) -> Scores:
    """Average scores, each figure separately.

    >>> low, high = Statistics(0.25, 0.0, 0.0), Statistics(0.75, 1.0, 0.5)
    >>> scores = mean_scores([Scores(J=low, F=low, islands=0.0), Scores(J=high, F=low, islands=0.5)])
    >>> scores.J, scores.islands
    (Statistics(mean=0.5, recall=0.5, decay=0.25), 0.25)
    """
    each = list(scores)
    region = np.mean([score.J for score in each], axis=0).tolist()
    boundary = np.mean([score.F for score in each], axis=0).tolist()
    islands = float(np.mean([score.islands for score in each]))
    return Scores(J=Statistics(*region), F=Statistics(*boundary), islands=islands)

"""The G measure: scores of seen and unseen categories, as YouTube-VOS reports them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from cyclevos.datasets.youtube_meta import YouTubeMeta
from cyclevos.errors import DatasetError
from cyclevos.evaluation.scores import CategoryScores, Evaluation, ObjectScores, Scores, mean_scores


def with_categories(evaluation: Evaluation, meta: YouTubeMeta, seen: Collection[str] | None = None) -> Evaluation:
    """Add the means over seen and over unseen categories to an evaluation.

    Args:
        evaluation: the scores.
        meta: the category of every scored object.
        seen: categories that occur in training; None counts all as seen.

    Raises:
        DatasetError: `meta` lacks a scored object or its category.
    """
    groups: dict[bool, list[ObjectScores]] = {True: [], False: []}
    for name, sequence in evaluation.sequences.items():
        for object_id, scores in sequence.objects.items():
            category = _category(meta, name, object_id)
            groups[seen is None or category in seen].append(scores)
    categories = CategoryScores(seen=_mean(groups[True]), unseen=_mean(groups[False]))
    return replace(evaluation, categories=categories)


def _category(meta: YouTubeMeta, name: str, object_id: int) -> str:
    video = meta.videos.get(name)
    known = None if video is None else video.objects.get(object_id)
    if known is None or not known.category:
        raise DatasetError(
            f"The meta file gives no category for object {object_id} of sequence '{name}', which is scored.",
            "Give the meta.json of the scored split.",
        )
    return known.category


def _mean(scores: list[ObjectScores]) -> Scores | None:
    return mean_scores(scores) if scores else None

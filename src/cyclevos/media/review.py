"""Which frames to review first: the most urgent ones, spread over time."""

from __future__ import annotations

from collections.abc import Sequence


def spread_choice(
    urgency: Sequence[float], count: int, *, frames: Sequence[int] | None = None, apart: int = 0
) -> list[int]:
    """Choose urgent positions that are spread over time.

    Each choice blocks its neighbourhood, a fixed share of the whole length on either side. When every position is
    blocked, the neighbourhoods shrink by half.

    Args:
        urgency: one number per position; higher is more urgent.
        count: positions to choose at most.
        frames: frame index of each position, in rising order; None = position 0, 1, 2, ...
        apart: smallest number of frames between two choices. With 1, neighbouring frames are never chosen, even if
            fewer than `count` positions remain.

    Returns:
        Positions, most urgent first.

    Example:
        >>> spread_choice([0.1, 0.9, 0.8, 0.2, 0.3, 0.7], 2)
        [1, 5]
    """
    if not urgency or count < 1:
        return []
    numbers = range(len(urgency)) if frames is None else frames
    distance = max(apart, (numbers[-1] - numbers[0] + 1) // (2 * count))
    order = sorted(range(len(urgency)), key=lambda position: (-urgency[position], position))
    chosen: list[int] = []
    while len(chosen) < count:
        free = (p for p in order if all(abs(numbers[p] - numbers[c]) > distance for c in chosen))
        best = next(free, None)
        if best is not None:
            chosen.append(best)
        elif distance > apart:
            distance = max(apart, distance // 2)
        else:
            break
    return chosen

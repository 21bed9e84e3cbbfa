"""Which frames to look at first: the most urgent ones, spread over time."""

from __future__ import annotations

from collections.abc import Sequence


def spread_choice(urgency: Sequence[float], count: int) -> list[int]:
    """Choose positions of high urgency that are no neighbours.

    Each choice keeps its surroundings from being chosen next, a share of the whole length to either side;
    when nothing is left, the surroundings shrink by half.

    Args:
        urgency: one number per position, the higher the sooner.
        count: positions to choose at most.

    Returns:
        Positions, the most urgent first.

    Example:
        >>> spread_choice([0.1, 0.9, 0.8, 0.2, 0.3, 0.7], 2)
        [1, 5]
    """
    chosen: list[int] = []
    distance = len(urgency) // (2 * count) if count > 0 else 0
    order = sorted(range(len(urgency)), key=lambda position: (-urgency[position], position))
    while len(chosen) < min(count, len(urgency)):
        free = [p for p in order if p not in chosen and all(abs(p - c) > distance for c in chosen)]
        if free:
            chosen.append(free[0])
        else:
            distance //= 2
    return chosen

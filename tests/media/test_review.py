"""The frames to look at first are urgent ones, and no neighbours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cyclevos.media.review import spread_choice


def test_a_bad_stretch_is_shown_once_before_other_trouble():
    urgency = [0.1] * 50
    urgency[20:30] = [0.9, 0.91, 0.92, 0.93, 0.99, 0.93, 0.92, 0.91, 0.9, 0.9]
    urgency[45] = 0.5
    assert spread_choice(urgency, 2) == [24, 45]


def test_frames_left_out_count_as_distance():
    assert spread_choice([0.9, 0.8, 0.7], 3, frames=[3, 4, 90], apart=1) == [0, 2]


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 50), st.integers(1, 4))
def test_choices_keep_their_distance_and_nothing_that_keeps_it_is_left_out(urgency, count, apart):
    frames = [2 * position for position in range(len(urgency))]
    chosen = [frames[k] for k in spread_choice(urgency, count, frames=frames, apart=apart)]
    assert all(abs(a - b) > apart for a in chosen for b in chosen if a != b)
    left = [f for f in frames if all(abs(f - c) > apart for c in chosen)]
    assert len(chosen) == count or not left


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 50))
def test_as_many_as_there_are_and_the_worst_first(urgency, count):
    chosen = spread_choice(urgency, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(urgency))
    if chosen:
        assert urgency[chosen[0]] == max(urgency)

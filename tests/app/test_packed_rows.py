"""Steps over long videos: little memory for each, and the same steps after a restart."""

from __future__ import annotations

import hashlib
import tracemalloc

import numpy as np

from cyclevos.app.projects.history import History, Step

FRAMES = 2000


def long_step(number: int) -> Step:
    """A step that changes every frame of a long video, from what the step before left."""
    rows, files = {}, {}
    for index in range(FRAMES):
        known = [{"frame": index, "reliability": {"1": 0.5 + k / 99}, "areas": {"1": index}} for k in (0, 1)]
        names = [hashlib.md5(f"{number + k} {index}".encode()).hexdigest() for k in (0, 1)]
        rows[index], files[f"masks/{index:05d}.png"] = tuple(known), tuple(names)
    return Step(0, f"Import {number}", 1.5, 0, files, rows, {"name": ("a", "b")})


def test_a_step_over_a_long_video_takes_little_memory(tmp_path):
    history = History(tmp_path)
    history.add(long_step(0))
    tracemalloc.start()
    try:
        sums = [0]
        for number in range(1, 5):
            history.add(long_step(number))
            sums.append(tracemalloc.get_traced_memory()[0])
        held = sums[-1]
        again = History(tmp_path)
        both, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Not the mean: Python's own table of shared strings, which other tests fill too, may double during one of them.
    assert np.median(np.diff(sums)) < 500 * FRAMES
    assert both - held < 5 * 500 * FRAMES
    assert most - both < 5000 * FRAMES, "no more than one step is unpacked at a time"
    assert len(again.steps) == 5


def test_a_packed_step_is_the_same_after_a_restart(tmp_path):
    made = long_step(3)
    History(tmp_path).add(made)
    (step,) = History(tmp_path).steps
    assert dict(step.rows.items()) == made.rows
    assert (step.files, step.fields, step.title, step.time) == (made.files, made.fields, made.title, made.time)
    assert step.tracked
    assert sorted(step.rows) == list(range(FRAMES))


def test_joined_steps_keep_the_first_before_and_the_last_after(tmp_path):
    history = History(tmp_path)
    first = history.add(Step(0, "Paint", 1.0, rows={4: ({"areas": {}}, {"areas": {"1": 1}})}))
    second = {4: ({"areas": {"1": 1}}, {"areas": {"1": 2}}), 5: ({"areas": {}}, {"areas": {"2": 7}})}
    history.add(Step(0, "Paint", 2.0, rows=second), amend=first.id)
    for kept in (history, History(tmp_path)):
        (step,) = kept.steps
        assert dict(step.rows.items()) == {4: ({"areas": {}}, {"areas": {"1": 2}}), 5: second[5]}


def test_a_step_with_a_digest_that_is_none_is_passed_over(tmp_path):
    history = History(tmp_path)
    history.add(Step(0, "Paint", 1.0, files={"masks/00001.png": (None, "a" * 32)}))
    log = tmp_path / "history" / "steps.jsonl"
    log.write_text(log.read_text() + log.read_text().replace('"' + "a" * 32 + '"', "17").replace('"id": 1', '"id": 2'))
    assert [step.id for step in History(tmp_path).steps] == [1]

"""Several clips in lock-step: the masks of one by one, whatever the clips are and however one of them ends."""

from __future__ import annotations

import tempfile
import threading
from copy import deepcopy

import numpy as np
import pytest
import torch
from PIL import Image

from cyclevos import Correction
from cyclevos.errors import ConfigError, MaskError
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import segment_frames
from cyclevos.propagation.together import ClipEnd, ClipFrame, ClipRun, segment_together


@pytest.fixture
def clips(images, square, strip):
    """Frames, masks and correction of clips that have nothing in common."""
    narrow = [image[:, :32] for image in images]
    consistent = Correction.preset("default", every=2)
    return [
        (images, {0: square}, None),
        (images[:6], {0: square + strip, 3: strip}, consistent),
        (narrow, {2: square[:, :32]}, Correction(steps=2, every=3, rate=500.0, apply_to="both")),
        (images[4:], {0: np.roll(square, 8, axis=1), 1: strip}, consistent),
        (narrow[:1], {0: square[:, :32]}, None),
    ]


def run_of(network, clip, size=20):
    frames, masks, correction = clip
    return ClipRun(Propagator(network, size, MemoryPolicy(2, 4), correction), frames, masks)


def alone(network, clip):
    run = run_of(network, clip)
    return [p for _, p in segment_frames(run.propagator, run.frames, run.masks)]


def collected(events, runs):
    """Predictions of each clip and what ended it, checked to come in order and to end once."""
    predictions = {run: [] for run in runs}
    ends = {}
    for event in events:
        assert event.run not in ends
        if isinstance(event, ClipEnd):
            ends[event.run] = event.error
        else:
            assert event.frame.index == event.prediction.index
            assert event.seconds > 0
            predictions[event.run].append(event.prediction)
    return [predictions[run] for run in runs], [ends[run] for run in runs]


def assert_same(found, expected, **tolerance):
    assert [p.index for p in found] == [p.index for p in expected]
    for p, q in zip(found, expected, strict=True):
        assert p.object_ids == q.object_ids
        assert p.annotated == q.annotated
        assert p.reliability == pytest.approx(q.reliability, abs=1e-6 if tolerance else 0)
        torch.testing.assert_close(p.probabilities, q.probabilities, **(tolerance or {"atol": 0, "rtol": 0}))
        assert tolerance or np.array_equal(p.ids, q.ids)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_masks_are_those_of_the_clips_one_by_one(lively_network, clips, at_once):
    runs = [run_of(lively_network, clip) for clip in clips]
    predictions, errors = collected(segment_together(runs, at_once), runs)
    assert errors == [None] * len(runs)
    for found, clip in zip(predictions, clips, strict=True):
        assert_same(found, alone(lively_network, clip))


@pytest.mark.slow
def test_frames_of_one_size_are_encoded_together(lively_network, clips, monkeypatch):
    network = deepcopy(lively_network).double()  # rounding of batches must not decide anything
    expected = [alone(network, clip) for clip in clips]
    batches = []
    plain = network.encode_query
    monkeypatch.setattr(network, "encode_query", lambda frames: batches.append(len(frames)) or plain(frames))
    runs = [run_of(network, clip) for clip in clips]
    predictions, _ = collected(segment_together(runs, 5, batch=True), runs)
    assert max(batches) == 3  # as wide as each other; two are narrower
    for found, each in zip(predictions, expected, strict=True):
        assert_same(found, each, atol=1e-6, rtol=0)


def test_a_batch_that_fails_is_encoded_one_by_one(lively_network, clips, monkeypatch):
    plain = lively_network.encode_query

    def small(frames):
        if len(frames) > 1:
            raise torch.cuda.OutOfMemoryError("no room for a batch")
        return plain(frames)

    monkeypatch.setattr(lively_network, "encode_query", small)
    runs = [run_of(lively_network, clip) for clip in clips]
    predictions, errors = collected(segment_together(runs, 5, batch=True), runs)
    assert errors == [None] * len(runs)
    for found, clip in zip(predictions, clips, strict=True):
        assert_same(found, alone(lively_network, clip))


def test_a_clip_that_fails_ends_alone(lively_network, clips, images, square):
    def broken():
        yield from images[:2]
        raise OSError("the disk is gone")

    bad = [
        (broken(), {0: square}, None),
        (images[:3], {0: square[:5]}, None),
        (images[:3], {0: square, 7: square}, None),
        ([*images[:2], images[2][:9]], {0: square}, None),
    ]
    mixed = [clips[0], *bad, clips[1]]
    runs = [run_of(lively_network, clip) for clip in mixed]
    predictions, errors = collected(segment_together(runs, 3), runs)
    assert [len(found) for found in predictions[1:-1]] == [2, 0, 0, 2]
    assert [type(error) for error in errors[1:4]] == [OSError, MaskError, MaskError]
    assert errors[4] is not None
    assert errors[0] is errors[-1] is None
    assert_same(predictions[0], alone(lively_network, clips[0]))
    assert_same(predictions[-1], alone(lively_network, clips[1]))


@pytest.mark.parametrize("stage", ["segment", "encode_memory"])
def test_a_step_that_fails_ends_its_clip_alone(lively_network, clips, monkeypatch, stage):
    runs = [run_of(lively_network, clip) for clip in clips]
    own = deepcopy(lively_network)
    monkeypatch.setattr(own, stage, lambda *_: (_ for _ in ()).throw(MemoryError("full")))
    runs[0].propagator.network = own
    predictions, errors = collected(segment_together(runs, 5), runs)
    assert isinstance(errors[0], MemoryError)
    assert errors[1:] == [None] * 4
    for found, clip in zip(predictions[1:], clips[1:], strict=True):
        assert_same(found, alone(lively_network, clip))


def test_a_stopped_clip_ends_and_makes_room(lively_network, clips):
    runs = [run_of(lively_network, clip) for clip in clips[:3]]
    seen = []
    for event in segment_together(runs, 2):
        seen.append(event)
        if event.run is runs[0] and isinstance(event, ClipFrame) and event.frame.index == 1:
            runs[0].stop()
    first = [event for event in seen if event.run is runs[0]]
    assert [type(event) for event in first] == [ClipFrame, ClipFrame, ClipEnd]
    assert first[-1].error is None
    assert len([event for event in seen if event.run is runs[2]]) == len(clips[2][0]) + 1


def test_clips_are_taken_only_when_there_is_room(lively_network, images, square):
    taken = []

    def queue():
        for number in range(4):
            taken.append(number)
            yield run_of(lively_network, (images[: number + 1], {0: square}, None))

    events = segment_together(queue(), 2)
    assert not taken
    next(events)
    assert taken == [0, 1]
    assert len([event for event in events if isinstance(event, ClipEnd)]) == 4
    assert taken == [0, 1, 2, 3]


def test_backward_clips_and_continued_ones(lively_network, clips, tmp_path, images, square):
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index:05d}.png")
    whole = alone(lively_network, (tmp_path, {0: square}, None))
    begun = run_of(lively_network, (tmp_path, {0: square}, None))
    steps = segment_frames(begun.propagator, tmp_path, begun.masks)
    for _ in range(4):
        next(steps)
    steps.close()
    again = begun.propagator.fresh()
    again.restore(begun.propagator.snapshot())
    back = ClipRun(Propagator(lively_network, 20, MemoryPolicy(2, 4)), images, {9: square}, "backward")
    runs = [ClipRun(again, tmp_path, {0: square}, start=4), back]
    predictions, errors = collected(segment_together(runs), runs)
    assert errors == [None, None]
    assert_same(predictions[0], whole[4:])
    turned = segment_frames(back.propagator.fresh(), images, {9: square}, "backward")
    assert_same(predictions[1], [p for _, p in turned])


def test_clips_in_both_directions_among_others(lively_network, clips, images, square, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    masks = {2: square, 7: np.roll(square, 8, axis=1)}
    both = ClipRun(Propagator(lively_network, 20, MemoryPolicy(2, 4)), images, masks, "both")
    stopped = ClipRun(Propagator(lively_network, 20, MemoryPolicy(2, 4)), images, masks, "both")
    runs = [both, run_of(lively_network, clips[1]), stopped]
    predictions, errors = collected(stopping(segment_together(runs, 3), stopped), runs)
    assert errors == [None] * 3
    fresh = both.propagator.fresh()
    assert_same(predictions[0], [p for _, p in segment_frames(fresh, images, masks, "both")])
    assert_same(predictions[1], alone(lively_network, clips[1]))
    assert len(predictions[2]) == 1
    assert not list(tmp_path.iterdir()), "what the backward pass keeps is removed, of a stopped clip too"


def stopping(events, run):
    """Stop a clip after its first frame."""
    for event in events:
        yield event
        if event.run is run:
            run.stop()


def test_closing_ends_the_reading_of_all_clips(lively_network, images, square, tmp_path):
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index:05d}.png")
    readers = set(threading.enumerate())
    events = segment_together([run_of(lively_network, (tmp_path, {0: square}, None)) for _ in range(2)], 2)
    assert len([next(events) for _ in range(4)]) == 4
    assert len(set(threading.enumerate()) - readers) == 2
    events.close()
    assert not set(threading.enumerate()) - readers


def test_no_clips_and_no_room():
    assert list(segment_together([])) == []
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        segment_together([], 0)

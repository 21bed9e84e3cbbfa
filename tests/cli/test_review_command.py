"""`cyclevos review`: the reliability of masks that others made."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_inputs import save_mask

import cyclevos
from cyclevos.media.reliability_files import read_reliability
from cyclevos.pictures.mask_files import read_mask

NAMES = [f"shot_{i:03d}" for i in range(6)]


@pytest.fixture
def given(tmp_path, ids):
    """Masks of all frames: the square follows the clip's, the strip stays."""
    folder = tmp_path / "theirs"
    for index, name in enumerate(NAMES):
        mask = np.where(ids == 7, 7, 0).astype(np.uint8)
        mask[6:16, 3 + 2 * index : 13 + 2 * index] = 2
        save_mask(folder / f"{name}.png", mask)
    return folder


@pytest.fixture
def review(call, clip, given, weights, tmp_path):
    """Run `cyclevos review` on the clip; options of the test's own come last and win."""

    def run(*options, masks=given, output=tmp_path / "out"):
        base = ("--frames", clip, "--output", output, "--weights", weights)
        return call("review", masks, *base, "--size", "none", "--dtype", "float32", "--quiet", *options)

    return run


def test_the_reports_of_a_run_about_masks_that_stay_as_they_are(review, given, tmp_path):
    answer = review()
    assert answer.code == 0, answer.err
    out = tmp_path / "out"
    assert "6 frames, objects 2, 7. Results: " in answer.out
    assert "Check first (predicted J, uncalibrated): shot_" in answer.out
    rows = read_reliability(out / "reliability.csv")
    assert [row[:3] for row in rows] == [("clip", name, i) for name in NAMES[1:] for i in (2, 7)]
    assert len(json.loads((out / "reliability.json").read_text())["review"]) == 5
    assert (out / "review" / "timeline.png").is_file()
    for name in NAMES:
        np.testing.assert_array_equal(read_mask(out / f"{name}.png").ids, read_mask(given / f"{name}.png").ids)

    again = review()
    assert (again.code, "finished before; --overwrite reviews it again" in again.out) == (0, True)


def test_a_changed_mask_is_another_review(review, given, ids):
    assert review().code == 0
    save_mask(given / f"{NAMES[4]}.png", ids)
    answer = review()
    assert (answer.code, "masks (" in answer.err) == (7, True)
    assert review("--overwrite").code == 0


def test_an_empty_mask_is_the_worst(review, given, tmp_path):
    save_mask(given / f"{NAMES[3]}.png", np.zeros((24, 40), np.uint8))
    assert review().code == 0
    rows = read_reliability(tmp_path / "out" / "reliability.csv")
    for i in (2, 7):
        scores = {row.frame: row.reliability for row in rows if row.object_id == i}
        assert scores[NAMES[3]] == min(scores.values()) < 0.01


def test_held_against_a_later_frame(review, tmp_path):
    assert review("--first", "3").code == 0
    rows = read_reliability(tmp_path / "out" / "reliability.csv")
    assert sorted({row.frame for row in rows}) == [name for name in NAMES if name != NAMES[3]]


def test_an_object_that_begins_later_is_held_against_its_own_first_mask(review, given, tmp_path):
    for name in NAMES[:2]:
        mask = read_mask(given / f"{name}.png").ids
        save_mask(given / f"{name}.png", np.where(mask == 7, 0, mask).astype(np.uint8))
    assert review().code == 0
    rows = read_reliability(tmp_path / "out" / "reliability.csv")
    assert [row.frame for row in rows if row.object_id == 2] == NAMES[1:]
    assert [row.frame for row in rows if row.object_id == 7] == NAMES[3:]


def test_an_interrupted_review_goes_on_where_it_was(review, tmp_path, monkeypatch):
    monkeypatch.setattr("cyclevos.jobs.segment_job._SECONDS_BETWEEN_STATES", 0)
    assert review(output=tmp_path / "whole").code == 0
    from cyclevos.propagation.reviewing import Reviewer

    segment, seen = Reviewer.segment, []

    def stops_at_4(self, frame):
        seen.append(frame.index)
        if frame.index == 4 and len(seen) == 5:
            raise KeyboardInterrupt
        return segment(self, frame)

    monkeypatch.setattr(Reviewer, "segment", stops_at_4)
    assert review().code == 130
    assert review().code == 0
    assert seen == [0, 1, 2, 3, 4, 4, 5]
    whole, continued = (tmp_path / name / "reliability.csv" for name in ("whole", "out"))
    assert continued.read_bytes() == whole.read_bytes()


def test_what_cannot_be_reviewed_is_refused_in_words(review, given, tmp_path):
    answer = review(output=given)
    assert (answer.code, "holds the masks themselves" in answer.err) == (7, True)
    answer = review("--first", "9")
    assert (answer.code, "The mask of frame 9 shows no object" in answer.err) == (4, True)
    save_mask(given / f"{NAMES[2]}.png", np.ones((12, 20), np.uint8))
    answer = review()
    assert (answer.code, "20x12" in answer.err, "40x24" in answer.err) == (4, True, True)


def test_frames_without_a_mask_are_named_in_the_log(review, given, caplog):
    (given / f"{NAMES[4]}.png").unlink()
    assert review().code == 0
    assert "1 frame of 6 without a mask: they are taken to show no object." in caplog.text


def test_from_python(lively_network, images, given):
    masks = {index: read_mask(given / f"{name}.png").ids for index, name in enumerate(NAMES)}
    results = list(cyclevos.review(lively_network, images[:6], masks, size=None))
    assert [set(p.reliability) for p in results] == [{2, 7}] * 6
    assert [p.annotated for p in results] == [True, *[False] * 5]
    for index, p in enumerate(results):
        np.testing.assert_array_equal(p.ids, masks[index])

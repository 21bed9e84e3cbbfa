"""An object that is gone: no pixels there, nothing learned from there, nothing said against it, and exported so."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import cyclevos
from cyclevos.app.projects.absences import Absence, gone_at, until_frame, with_absence, without_absence
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.settings import SegmentationSettings

SPANS = st.tuples(st.integers(1, 2), st.integers(0, 12), st.integers(0, 4))


def say(client, project, first, last, gone=True, expect=200, number=1) -> dict:
    path = f"/projects/{project}/objects/{number}/gone"
    return client.json("PUT", path, expect, json={"gone": gone, "first": first, "last": last})


def shows(client, project, number=1) -> list[bool]:
    return [bool((client.mask(project, index)[0] == number).any()) for index in range(10)]


@given(st.lists(st.tuples(st.booleans(), SPANS), max_size=12), st.integers(0, 17))
def test_ranges_are_what_sets_of_frames_say(changes, index):
    held, expected = [], {1: set(), 2: set()}
    for gone, (number, first, length) in changes:
        frames = range(first, first + length + 1)
        if gone:
            held = with_absence(held, Absence(object=number, first=first, last=first + length))
            expected[number] |= {*frames}
        else:
            held = without_absence(held, number, first, first + length)
            expected[number] -= {*frames}
    for frame in range(18):
        assert gone_at(held, frame) == {number for number, frames in expected.items() if frame in frames}
    for backward in (False, True):
        met = {(i, k) for i, first, last in until_frame(held, index, backward=backward) for k in range(first, last + 1)}
        assert met == {
            (i, k) for i, frames in expected.items() for k in frames if (k >= index if backward else k <= index)
        }


def test_it_vanishes_at_once_and_is_there_again_when_that_is_taken_back(serve, clip, square):
    client = serve()
    project = client.open(clip)
    client.paint(project, 0, square)
    client.track(project)
    before = [client.mask(project, index)[0] for index in range(10)]
    told = say(client, project, 3, 5)
    assert told == {"absences": [{"object": 1, "first": 3, "last": 5}], "kept": []}
    client = serve()  # it is kept
    assert shows(client, project) == [bool(mask.any()) and index not in (3, 4, 5) for index, mask in enumerate(before)]
    assert say(client, project, 3, 5, gone=False)["absences"] == []
    assert all(np.array_equal(client.mask(project, index)[0], mask) for index, mask in enumerate(before))


def test_tracking_keeps_it_away_and_finds_it_again_as_if_the_frames_had_shown_none_of_it(
    client, project, square, images, lively_network
):
    client.paint(project, 0, square)
    client.json("PATCH", f"/projects/{project}", json={"settings": {"memory_every": 1}})
    say(client, project, 3, 5)
    client.track(project)
    assert shows(client, project)[3:6] == [False] * 3
    policy = SegmentationSettings(memory_every=1).resolved(lively_network.traits).policy(lively_network.traits)
    taught = Propagator(lively_network, policy=policy, absent=lambda index: (1,) if 3 <= index <= 5 else ())
    expected = [taught.advance(index, image, square if index == 0 else None) for index, image in enumerate(images)]
    assert not expected[4].ids.any()
    assert float(expected[4].probabilities[1].max()) == 0
    for index in range(1, 10):
        assert np.array_equal(client.mask(project, index)[0], expected[index].ids), index
    plain = [p.ids for p in cyclevos.segment(lively_network, list(images), square, memory_every=1)]
    assert any(not np.array_equal(plain[index], expected[index].ids) for index in (6, 7, 8, 9)), "memory knows it"
    assert plain[4].any()


def test_only_what_follows_from_it_is_tracked_again(client, project, square, monkeypatch):
    monkeypatch.setattr("cyclevos.app.projects.snapshots._EVERY", 2)
    client.paint(project, 0, square)
    client.track(project)
    say(client, project, 6, 9)
    asked, advance = [], Propagator.advance
    monkeypatch.setattr(Propagator, "advance", lambda self, i, *rest: asked.append(i) or advance(self, i, *rest))
    client.track(project)
    assert asked == [6, 7, 8, 9]


def test_painting_it_ends_its_absence_there_and_what_is_painted_stays(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    assert "painted or accepted in frame 0" in say(client, project, 0, 0, expect=400)["problem"]
    client.paint(project, 4, square)
    told = say(client, project, 2, 6)
    assert told["kept"] == [4]
    assert [(each["first"], each["last"]) for each in told["absences"]] == [(2, 3), (5, 6)]
    client.paint(project, 5, square)
    state = client.json("GET", f"/projects/{project}")
    assert [(each["first"], each["last"]) for each in state["absences"]] == [(2, 3), (6, 6)]
    assert np.array_equal(client.mask(project, 5)[0], square)
    other = client.mask(project, 2)[0].copy()
    other[0:3, 0:3] = 2
    client.paint(project, 2, other)  # another object: the first one is still gone
    assert client.json("GET", f"/projects/{project}")["absences"] == state["absences"]


def test_reliability_review_list_and_exports_say_so(client, project, square):
    opened = client.http.app.services.workspace.get(project)
    for index in range(10):
        opened.track_frame(index, square, FrameResult({1: 0.2 if index in (3, 4) else 0.9}), None)
    assert {entry["frame"] for entry in client.json("GET", f"/projects/{project}")["review"]} == {3}
    client.json("POST", f"/projects/{project}/objects", 201, json={})
    say(client, project, 3, 4)
    state = client.json("GET", f"/projects/{project}")
    assert [entry["frame"] for entry in state["review"]] != [3]
    assert state["results"]["3"][0] == {}
    body = {"kinds": ["masks", "reliability"]}
    job = client.finish(client.json("POST", f"/projects/{project}/export", 202, json=body))
    packed = client.http.get(f"/api/projects/{project}/exports/{job['result']['file']}").content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("reliability.csv").decode())))
    said = [(row["reliability"], row["calibration"]) for row in rows]
    assert [k for k, row in enumerate(said) if row == ("", "absent")] == [3, 4]
    assert len(rows) == 10


def test_nothing_is_said_of_its_islands_nor_of_its_reliability_by_undo(client, project, square):
    opened = client.http.app.services.workspace.get(project)
    apart = square.copy()
    apart[18:22, 34:38] = 1
    apart[0:4, 30:34] = 2
    opened.track_frame(4, apart, FrameResult({1: 0.3, 2: 0.9}), None)
    path = f"/projects/{project}"
    assert set(client.json("GET", path)["results"]["4"][3]) == {"1"}
    say(client, project, 3, 5)
    reliability, _, _, islands = client.json("GET", path)["results"]["4"]
    assert (reliability, islands) == ({"2": 0.9}, {})
    client.json("POST", f"{path}/frames/4/accept", json={"accepted": True})
    (told,) = client.json("POST", f"{path}/undo")["frames"]
    assert (told["reliability"], told["islands"]) == ({"2": 0.9}, {})


def test_what_cannot_be_is_refused(client, project, square):
    client.json("PUT", f"/projects/{project}/objects/1/gone", 404, json={"gone": True, "first": 0, "last": 0})
    client.paint(project, 0, square)
    say(client, project, 12, 14, expect=400)
    say(client, project, 5, 4, expect=400)
    assert "first" in say(client, project, -1, 4, expect=422)["problem"]


def test_what_is_kept_of_it_outlives_tracking_of_another_object(client, project, square):
    opened = client.http.app.services.workspace.get(project)
    both = square + 2 * np.roll(square, 20, axis=1)
    client.paint(project, 0, both)
    for index in range(1, 10):
        opened.track_frame(index, both, FrameResult({1: 0.9, 2: 0.9}), None)
    say(client, project, 3, 5, number=2)
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={"object": 1}))
    assert job["status"] == "done", job
    assert not any(shows(client, project, 2)[3:6])
    others = [client.mask(project, index)[0] == 1 for index in range(10)]
    say(client, project, 3, 5, gone=False, number=2)
    for index in (3, 4, 5):
        assert np.array_equal(client.mask(project, index)[0] == 2, (both == 2) & ~others[index])


def test_deleting_an_object_forgets_where_it_was_gone(client, project, square):
    client.paint(project, 0, square)
    say(client, project, 3, 9)
    client.json("DELETE", f"/projects/{project}/objects/1", 204)
    assert client.json("GET", f"/projects/{project}")["absences"] == []

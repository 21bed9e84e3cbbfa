"""Edits of objects over time and of edges, through the server: real files, tracked masks, marks and accepted frames."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from cyclevos.app.projects.mask_pngs import Mark
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work.jobs import Job

FIRST = np.s_[2:8, 2:8]
SECOND = np.s_[12:20, 20:30]


@pytest.fixture
def two() -> np.ndarray:
    """Two objects."""
    mask = np.zeros((24, 40), np.uint8)
    mask[FIRST], mask[SECOND] = 1, 2
    return mask


class Edited:
    """A project whose ten frames have two objects: frame 0 painted, frame 6 accepted, the others as tracked."""

    def __init__(self, client, name: str, two: np.ndarray) -> None:
        self.client, self.name, self.two = client, name, two
        self.project = client.http.app.services.workspace.get(name)
        client.paint(name, 0, two)
        for index in range(1, 10):
            self.track(index, two)
        self.post("/frames/6/accept", 200, accepted=True)

    def track(self, index: int, ids: np.ndarray) -> None:
        self.project.track_frame(index, ids, FrameResult({1: 0.9, 2: 0.6}), ids[:, ::-1].copy())

    def post(self, path: str, expect: int = 200, **body):
        return self.client.json("POST", f"/projects/{self.name}{path}", expect, json=body)

    def over(self, *, dry: bool = False, status: str = "done", **body) -> dict:
        """Edit a range; return how the job ended."""
        job = self.client.finish(self.post(f"/edits?dry={str(dry).lower()}", 202, **body))
        assert job["status"] == status, job
        return job["result"] if status == "done" else job

    def ids(self, index: int) -> np.ndarray:
        return self.client.mask(self.name, index)[0]

    def state(self) -> dict:
        return self.client.json("GET", f"/projects/{self.name}")

    def everything(self) -> list:
        """All that the project holds of its masks."""
        store = self.project.masks
        frames = [
            (store.read(i).ids.tobytes(), store.read_tracked(i), store.read_before(i), store.marks.get(i))
            for i in range(10)
        ]
        return [*map(repr, frames), self.state()["results"], self.state()["objects"]]


@pytest.fixture
def edited(client, clip, two) -> Edited:
    return Edited(client, client.open(clip), two)


def test_objects_that_are_gone_keep_their_masks_and_those_that_get_pixels_are_there_again(edited, two):
    name = edited.name
    edited.client.json("PUT", f"/projects/{name}/objects/2/gone", json={"gone": True, "first": 2, "last": 8})
    edited.over(op="finish", how="shrink", amount=1, object=1, first=2, last=3)
    assert set(np.unique(edited.ids(2))) == {0, 1}
    edited.client.json("PUT", f"/projects/{name}/objects/2/gone", json={"gone": False, "first": 2, "last": 3})
    assert np.array_equal(edited.ids(2) == 2, two == 2)
    before = edited.everything()
    edited.over(op="swap", object=1, target=2, first=4, last=5)
    assert np.array_equal(edited.ids(4), np.where(two == 1, 2, 0))
    absences = [(each["object"], each["first"], each["last"]) for each in edited.state()["absences"]]
    assert absences == [(2, 7, 8)]  # frame 6 is accepted with the object
    edited.post("/undo")
    assert edited.everything() == before


def test_two_objects_are_swapped_from_a_frame_on_with_all_that_is_known_of_them(edited, two):
    swapped = np.array([0, 2, 1], np.uint8)[two]
    answer = edited.over(op="swap", object=1, target=2, first=4)
    assert answer["frames"] == 5
    assert answer["accepted"] == 1
    assert answer["title"] == "Swap object 1 and object 2 from frame 4 on"
    for index in (0, 1, 2, 3, 6):  # frame 6 is accepted
        assert np.array_equal(edited.ids(index), two)
    for index in (4, 5, 7, 8, 9):
        assert np.array_equal(edited.ids(index), swapped)
        assert np.array_equal(edited.project.mask_before(index), swapped[:, ::-1])
        reliability, areas = edited.state()["results"][str(index)][:2]
        assert reliability == {"1": 0.6, "2": 0.9}
        assert areas == {"1": 80, "2": 36}
    assert edited.state()["tracked"] == list(range(1, 10))
    assert set(edited.state()["marks"]) == {"0", "6"}
    assert edited.over(op="swap", object=1, target=2, first=4, accepted=True)["frames"] == 6
    assert np.array_equal(edited.ids(6), swapped)
    assert np.array_equal(edited.project.masks.read_tracked(6), swapped)
    assert edited.project.masks.marks[6].accepted


def test_a_mark_stays_one_and_its_objects_are_renamed(edited, two):
    painted = two.copy()
    painted[20:24, 0:4] = 2
    edited.client.paint(edited.name, 3, painted)
    assert edited.project.masks.marks[3] == Mark(frozenset([2]))
    edited.over(op="merge", object=2, target=1)
    assert edited.project.masks.marks[3] == Mark(frozenset([1]))
    assert edited.project.masks.marks[0] == Mark(frozenset([1]))
    assert np.array_equal(edited.ids(3), np.minimum(painted, 1))
    assert np.array_equal(edited.project.masks.read_tracked(3), np.minimum(two, 1))
    assert edited.state()["results"]["5"][0] == {"1": 0.6}  # the lower one


def test_an_object_is_moved_to_a_new_number_and_in_the_whole_video_takes_its_name_along(edited, two):
    edited.client.json("PATCH", f"/projects/{edited.name}/objects/2", json={"name": "car", "colour": "#123456"})
    assert edited.over(op="move", object=2, first=8)["frames"] == 2
    assert np.array_equal(edited.ids(9), np.array([0, 1, 3], np.uint8)[two])
    assert [info["name"] for info in edited.state()["objects"]] == ["object 1", "car", "object 3"]
    refused = edited.over(status="failed", op="move", object=2, target=1)["error"]
    assert "frame 0 already" in refused["problem"]
    edited.over(op="merge", object=3, target=2)
    edited.over(op="move", object=2, target=9, accepted=True)
    infos = {info["id"]: info["name"] for info in edited.state()["objects"]}
    assert infos == {1: "object 1", 3: "object 3", 9: "car"}
    assert edited.state()["palette"][9] == "#123456"
    assert not any((edited.ids(index) == 2).any() for index in range(10))


def test_pixels_are_deleted_in_a_range_and_nothing_else(edited, two):
    counted = edited.over(dry=True, op="delete", object=2, first=2, last=5)
    assert counted["frames"] == 4
    assert counted["pixels"] == 4 * 80
    assert np.array_equal(edited.ids(3), two)
    assert edited.over(op="delete", object=2, first=2, last=5)["pixels"] == 4 * 80
    for index in range(10):
        assert (edited.ids(index) == 2).any() == (index not in (2, 3, 4, 5))
        assert (edited.ids(index)[FIRST] == 1).all()
    assert edited.state()["results"]["3"][0] == {"1": 0.9}


def test_one_frame_becomes_marked_as_by_a_stroke(edited, two):
    answer = edited.post("/frames/4/edit", op="swap", object=1, target=2)
    assert answer["frames"] == 1
    assert edited.project.masks.marks[4] == Mark(frozenset([1, 2]))
    assert np.array_equal(edited.project.masks.read_tracked(4), two)  # what tracking made comes back by Clear frame
    assert "accepted" in edited.post("/frames/6/edit", 409, op="swap", object=1, target=2)["problem"]
    assert edited.post("/frames/6/edit", op="delete", object=1, accepted=True)["pixels"] == 36
    assert edited.project.masks.marks[6].accepted
    assert edited.post("/frames/5/edit", op="finish", object=1, how="fill")["frames"] == 0
    assert 5 not in edited.project.masks.marks


def test_a_piece_is_split_off_and_followed_until_it_joins_the_rest(edited, two):
    for index in range(1, 10):
        ids = two.copy()
        ids[14:18, max(2, 16 - 2 * index) : 20 - 2 * index] = 1 if index < 7 else 0
        if index in (3, 4, 5):
            ids[2:18, 2:5] = 1
            ids[14:18, 2 : 20 - 2 * index] = 1  # it touches the first object
        edited.track(index, ids)
    looked = edited.client.http.post(
        f"/api/projects/{edited.name}/frames/1/edit/preview", json={"op": "split", "object": 1, "x": 15, "y": 15}
    )
    shown = np.frombuffer(looked.content, np.uint8).reshape(24, 40)
    assert (shown[14:18, 14:18] == 3).all()
    assert np.array_equal(shown == 1, np.isin(two, 1))
    answer = edited.over(op="split", object=1, frame=1, x=15, y=15)
    assert answer["changed"] == [1, 2]
    assert (edited.ids(2)[14:18, 12:16] == 3).all()
    assert (edited.ids(2)[FIRST] == 1).all()
    assert (edited.ids(3)[14:18, 2:14] == 1).all()
    assert edited.state()["results"]["1"][0]["3"] == 0.9
    assert [info["id"] for info in edited.state()["objects"]] == [1, 2, 3]
    assert edited.over(status="failed", op="split", object=1, frame=1, x=0, y=23)["error"]["remedy"]


def test_pieces_that_come_up_are_removed_and_those_that_a_person_marked_go_on(edited, two):
    start = two.copy()
    start[20:24, 2:6] = 1  # a second piece that belongs to the object
    edited.client.paint(edited.name, 0, start)
    for index in range(1, 10):
        ids = two.copy()
        if index != 6:
            ids[20:24, 2:6] = 1
        if index >= 4:
            ids[2:6, 34:38] = 1  # comes up and stays
        if index == 8:
            ids[ids == 1] = 0
            ids[10:14, 8:14] = 1  # jumps: nothing overlaps, so the largest goes on
            ids[18:20, 36:38] = 1
        edited.track(index, ids)
    islands = {index: row[3] for index, row in edited.state()["results"].items()}
    assert islands["4"] == {"1": 32}
    assert islands["2"] == {"1": 16}
    counted = edited.over(dry=True, op="islands", first=3)
    assert counted["changed"] == [4, 5, 7, 8, 9]
    assert counted["pixels"] == 16 + 16 + 32 + 4 + 32
    edited.over(op="islands", first=3)
    assert edited.state()["history"]["undo"]["title"] == "Remove pieces that come up of all objects from frame 3 on"
    assert (edited.ids(5)[20:24, 2:6] == 1).all()
    assert not edited.ids(5)[2:6, 34:38].any()
    assert (edited.ids(8)[10:14, 8:14] == 1).all()
    assert not edited.ids(8)[18:20, 36:38].any()
    assert edited.state()["results"]["5"][3] == {"1": 16}


def test_edges_are_finished_over_a_range_and_locked_objects_stay(edited, two):
    edited.client.json("PATCH", f"/projects/{edited.name}/objects/2", json={"locked": True})
    edited.over(op="finish", how="grow", amount=1, last=2)
    grown = edited.ids(2)
    assert (grown[1:9, 3:7] == 1).all()
    assert np.array_equal(grown == 2, two == 2)
    assert np.array_equal(edited.ids(3), two)
    assert 2 not in edited.project.masks.marks
    for expected, body in (
        ("locked", {"op": "delete", "object": 2}),
        ("locked", {"op": "merge", "object": 1, "target": 2}),
        ("different", {"op": "swap", "object": 1, "target": 1}),
        ("no frames", {"op": "delete", "object": 1, "first": 50}),
        ("No object", {"op": "delete"}),
        ("too much", {"op": "finish", "how": "grow", "amount": 5000}),
        ("There is no object 7", {"op": "delete", "object": 7}),
    ):
        response = edited.client.http.post(f"/api/projects/{edited.name}/edits", json=body)
        assert 400 <= response.status_code < 500
        assert expected in response.json()["problem"]


def test_snapping_looks_at_each_frames_own_picture(edited, images):
    for index in range(1, 10):
        mask = np.zeros((24, 40), np.uint8)
        mask[5:17, 2 + 2 * index : 14 + 2 * index] = 1  # one pixel too large on each side
        edited.track(index, mask)
    edited.over(op="finish", how="snap", amount=3, first=1, last=3)
    for index in range(1, 4):
        truth = (images[index] == [230, 60, 40]).all(axis=-1)
        assert ((edited.ids(index) == 1) != truth).sum() < 12  # of 44 pixels that were wrong
    assert (edited.ids(9) == 1).sum() == 144


def test_an_edit_that_is_stopped_or_refused_midway_changes_nothing(edited, two, monkeypatch):
    before = edited.everything()
    progress, seen = Job.progress, []

    def stopping(self, done, total, note=""):
        seen.append((done, note))
        if (done, note) == (3, "computing"):
            self.cancel()
        progress(self, done, total, note)

    monkeypatch.setattr(Job, "progress", stopping)
    edited.over(status="cancelled", op="move", object=1, accepted=True)
    assert (3, "computing") in seen
    assert edited.everything() == before
    monkeypatch.undo()
    waiting, go_on = threading.Event(), threading.Event()

    def holding(self, done, total, note=""):
        if (done, note) == (10, "computing"):
            waiting.set()
            assert go_on.wait(20)
        progress(self, done, total, note)

    monkeypatch.setattr(Job, "progress", holding)
    job = edited.post("/edits", 202, op="delete", object=1)
    assert waiting.wait(20)
    painted = two.copy()
    painted[0, 39] = 2
    edited.client.paint(edited.name, 8, painted)
    go_on.set()
    ended = edited.client.finish(job)
    assert "Frame 8 was changed" in ended["error"]["problem"]
    assert (edited.ids(1)[FIRST] == 1).all()
    assert np.array_equal(edited.ids(8), painted)


def test_an_edit_of_one_object_keeps_what_is_kept_of_another_that_is_gone(edited, two):
    path = f"/projects/{edited.name}/objects/2/gone"
    edited.client.json("PUT", path, json={"gone": True, "first": 3, "last": 5})
    edited.over(op="finish", how="grow", amount=1, object=1)
    edited.client.json("PUT", path, json={"gone": False, "first": 3, "last": 5})
    assert (edited.ids(4)[SECOND] == 2).all()
    assert (edited.ids(4) == 1).sum() > (two == 1).sum()


def test_an_edit_that_makes_pixels_of_an_object_that_is_gone_shows_them(edited, two):
    edited.client.json("PUT", f"/projects/{edited.name}/objects/2/gone", json={"gone": True, "first": 3, "last": 5})
    edited.over(op="merge", object=1, target=2)
    assert [(edited.ids(index)[FIRST] == 2).all() for index in (3, 4, 5)] == [True] * 3
    assert edited.state()["absences"] == []


def test_an_object_that_gets_another_number_is_gone_where_it_was_and_its_old_number_is_not_free(edited):
    edited.client.json("PUT", f"/projects/{edited.name}/objects/2/gone", json={"gone": True, "first": 3, "last": 5})
    before = edited.everything()
    edited.over(op="move", object=2, target=7, accepted=True)
    told = [(each["object"], each["first"], each["last"]) for each in edited.state()["absences"]]
    assert told == [(2, 3, 5), (7, 3, 5)]
    assert edited.post("/objects", 201)["id"] == 3, "masks of object 2 are kept where it is gone"
    edited.post("/undo")
    edited.post("/undo")
    assert edited.everything() == before
    assert len(edited.state()["absences"]) == 1


def test_masks_are_not_edited_while_they_are_tracked(edited, go_on):
    job = edited.post("/track", 202, direction="forward")
    assert "being tracked" in edited.post("/edits", 409, op="delete", object=1)["problem"]
    go_on.set()
    edited.client.finish(job)

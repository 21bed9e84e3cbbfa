"""What steps keep of project.json: little, and enough to bring every value back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclevos.app.projects.absences import Absence, gone_at, with_absence, without_absence
from cyclevos.app.projects.field_changes import can_join, difference, joined, restored
from cyclevos.app.projects.project import Project

RANGES = st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(0, 9), st.integers(0, 4)), max_size=6)
OBJECTS = st.dictionaries(st.integers(1, 12), st.text("ab", max_size=2), max_size=5)


def absences(ranges) -> list[dict]:
    held: list[Absence] = []
    for gone, number, first, more in ranges:
        if gone:
            held = with_absence(held, Absence(object=number, first=first, last=first + more))
        else:
            held = without_absence(held, number, first, first + more)
    return [each.model_dump() for each in held]


def objects(names) -> list[dict]:
    return [{"id": number, "name": name} for number, name in sorted(names.items())]


VALUES = st.one_of(
    st.tuples(st.just("absences"), *[RANGES.map(absences)] * 3),
    st.tuples(st.just("objects"), *[OBJECTS.map(objects)] * 3),
    st.tuples(st.just("palette"), *[st.lists(st.sampled_from("abc"), min_size=5, max_size=5)] * 3),
    st.tuples(st.just("name"), st.text(), st.text(), st.text()),
)


@given(VALUES)
def test_changes_lead_back_and_forth_alone_and_joined(values):
    name, one, two, three = values
    first, second = difference(name, one, two), difference(name, two, three)
    assert restored(two, first[1], first[0]) == one
    assert restored(one, first[0], first[1]) == two
    assert can_join(first, second)
    whole = joined(first, second)
    assert restored(three, whole[1], whole[0]) == one
    assert restored(one, whole[0], whole[1]) == three


@pytest.fixture
def opened(client, clip) -> Project:
    return client.http.app.services.workspace.get(client.open(clip))


def test_a_step_takes_as_much_space_as_it_changed(client, opened):
    for number in range(1, 201):
        client.json("POST", f"/projects/{opened.id}/objects", 201, json={"name": f"object {number}"})
    gone = {"gone": True, "first": 2, "last": 3}
    for number in range(1, 101):
        client.json("PUT", f"/projects/{opened.id}/objects/{number}/gone", json=gone)
    lines = (opened.folder / "history" / "steps.jsonl").read_bytes().splitlines()
    assert max(map(len, lines)) < 400
    client.json("PATCH", f"/projects/{opened.id}/objects/7", json={"colour": "#123456"})
    client.json("PATCH", f"/projects/{opened.id}/objects/9", json={"hidden": True})
    for _ in range(2):
        client.json("POST", f"/projects/{opened.id}/undo")
    assert gone_at(opened.file.absences, 2) == frozenset(range(1, 100))
    assert opened.file.palette[7] != "#123456"
    assert opened.file.object(9).hidden


def test_steps_of_an_earlier_version_which_hold_whole_lists_are_undone(client, opened, square):
    opened.paint(0, square, opened.mask(0).tag)
    client.json("PATCH", f"/projects/{opened.id}/objects/1", json={"name": "car", "colour": "#123456"})
    log = opened.folder / "history" / "steps.jsonl"
    *_, last = map(json.loads, log.read_text().splitlines())
    now = opened.file.model_dump()
    fields = {name: (restored(now[name], pair[1], pair[0]), now[name]) for name, pair in last["fields"].items()}
    opened.close()
    log.write_text(log.read_text().replace(json.dumps(last), json.dumps({**last, "fields": fields})))
    again = Project(opened.folder)
    assert again.file.object(1).name == "car"
    again.undo()
    assert again.file.object(1).name == "object 1"
    assert again.file.palette[1] != "#123456"
    np.testing.assert_array_equal(again.mask(0).ids, square)
    again.close()

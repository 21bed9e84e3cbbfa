"""Undoing everything and redoing it gives the masks that were there, whatever tracking made of them in between."""

from __future__ import annotations

import random
import threading
from itertools import count

import numpy as np
import pytest

from cyclevos.app.projects.absent_objects import set_gone
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.errors import CycleVOSError


def shown(project: Project) -> list[str]:
    return [project.mask(index).tag for index in range(10)]


def there_and_back(project: Project) -> None:
    while project.undo():
        pass
    while project.redo():
        pass


def track(project: Project, index: int, ids: np.ndarray) -> None:
    project.track_frame(index, ids, FrameResult({1: 0.9}), None)


def test_a_stroke_keeps_the_other_objects_that_tracking_gave_its_frame_since(opened, square):
    both = square + 2 * np.roll(square, 20, axis=1)
    opened.paint(0, square, opened.mask(0).tag)
    track(opened, 0, both)
    there_and_back(opened)
    assert np.array_equal(opened.mask(0).ids, both)


def test_a_hole_that_a_person_left_in_a_tracked_object_is_a_hole_again(opened, square):
    other = 2 * np.roll(square, 20, axis=1)
    opened.paint(0, square, opened.mask(0).tag)
    track(opened, 0, square + other)
    for value in (1, 0):  # over a piece of the other object, then off again: the piece belongs to nobody
        ids = opened.mask(0).ids.copy()
        ids[8:10, 24:26] = value
        opened.paint(0, ids, opened.mask(0).tag)
    before = shown(opened)
    there_and_back(opened)
    assert shown(opened) == before
    assert opened.mask(0).ids[8, 24] == 0


def test_a_stroke_that_is_redone_takes_the_other_objects_from_what_was_tracked_meanwhile(opened, square):
    other = 2 * np.roll(square, 20, axis=1)
    track(opened, 0, other)
    opened.paint(0, square + other, opened.mask(0).tag)
    opened.undo()
    track(opened, 0, np.roll(other, 4, axis=1))
    opened.redo()
    assert np.array_equal(opened.mask(0).ids, square + np.roll(other, 4, axis=1))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_step_that_was_passed_over_stays_so_if_tracking_makes_the_same_mask_again(
    serve, clip, square, tmp_path, restarted
):
    client = serve()
    name = client.open(clip)
    opened = client.http.app.services.workspace.get(name)
    track(opened, 4, square)
    with opened.step("Move it"):
        track(opened, 4, np.roll(square, 5, axis=1))
    track(opened, 4, square)  # as before that step
    assert opened.undo().passed
    if restarted:
        opened = serve().http.app.services.workspace.get(name)
    assert opened.redo().passed
    assert np.array_equal(opened.mask(4).ids, square)


def test_an_object_whose_masks_tracking_has_replaced_is_deleted_again(opened, square):
    opened.list_objects([1])
    track(opened, 4, square)
    opened.remove_object(1)
    track(opened, 4, 2 * square)
    before = [info.id for info in opened.file.objects]
    there_and_back(opened)
    assert [info.id for info in opened.file.objects] == before == [2]


def do_anything(project: Project, chance: random.Random, runs: count) -> None:
    """Do one thing that a person or tracking does, if it is not refused."""
    index, ids = chance.randrange(10), np.zeros((24, 40), np.uint8)

    def put(value: int) -> None:
        row, column = chance.randrange(18), chance.randrange(30)
        ids[row : row + chance.randrange(2, 9), column : column + chance.randrange(2, 12)] = value

    def paint() -> None:
        held = project.mask(index)
        ids[:] = held.ids
        put(chance.randrange(4))
        project.paint(index, ids, held.tag)

    def run() -> None:
        with project.steps.versions.run("Track"):
            number = next(runs)
            for frame in range(index, min(10, index + 4)):
                ids[:] = 0
                put(1)
                put(2)
                ids[0, :8] = [3 * (number >> bit & 1) for bit in range(8)]  # no two runs make the same mask
                track(project, frame, ids.copy())

    objects = [info.id for info in project.file.objects] or [1]
    chance.choice(
        [
            *(paint, paint, paint, paint, run, project.undo, project.undo, project.redo),
            lambda: project.accept(index, chance.random() < 0.6),
            lambda: project.forget(index),
            lambda: project.remove_object(chance.choice(objects)),
            lambda: set_gone(project, chance.choice(objects), index, min(9, index + 2), gone=chance.random() < 0.6),
        ]
    )()


def test_after_random_work_of_four_threads_all_is_undone_and_redone_to_the_pixel(opened):
    runs = count(1)

    def work(number: int) -> None:
        chance = random.Random(f"7 {number}")
        for _ in range(12):
            try:
                do_anything(opened, chance, runs)
            except CycleVOSError:
                continue

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while opened.redo():
        pass
    before = shown(opened)
    there_and_back(opened)
    assert shown(opened) == before

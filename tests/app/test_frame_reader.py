"""Frames by index: the same answer however often and in whatever order they are asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.errors import NotFoundError, UnreadableError
from cyclevos.app.projects.frame_reader import FrameReader
from cyclevos.media.open_source import open_source

BROKEN = 4


@pytest.fixture
def images(tmp_path):
    """A folder of eight frames, of which one is cut off."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for index in range(8):
        Image.fromarray(np.full((24, 40, 3), 20 * index, np.uint8)).save(folder / f"f{index}.png")
    path = folder / f"f{BROKEN}.png"
    path.write_bytes(path.read_bytes()[:50])
    return folder


def answer(reader, index):
    try:
        return reader.jpeg(index)
    except (UnreadableError, NotFoundError) as error:
        return str(error)


def test_a_broken_frame_is_named_each_time(images):
    reader = FrameReader(open_source(images, pass_over=True))
    for _ in range(4):
        with pytest.raises(UnreadableError, match=rf"f{BROKEN}\.png"):
            reader.jpeg(BROKEN)


@pytest.mark.parametrize("order", [(3, 4, 4, 5, 4, 3), (4, 4, 4, 5), (7, 6, 5, 4, 3, 4), (0, 6, 4, 7, 4), (9, 9, 0, 9)])
def test_the_answer_does_not_depend_on_what_was_asked_before(images, order):
    alone = {index: answer(FrameReader(open_source(images, pass_over=True)), index) for index in set(order)}
    reader = FrameReader(open_source(images, pass_over=True))
    for index in order:
        assert answer(reader, index) == alone[index], index
    assert isinstance(alone.get(5, b""), bytes)  # a broken neighbour does not hide a good frame


def test_the_app_answers_the_same_each_time(client, options, images):
    target = images.rename(options.folders[0] / "shot")
    project = client.open(target)
    answers = [client.json("GET", f"/projects/{project}/frames/{BROKEN}", 422) for _ in range(3)]
    assert all(one == two for one, two in itertools.pairwise(answers))
    assert f"f{BROKEN}.png" in answers[0]["problem"]
    assert client.http.get(f"/api/projects/{project}/frames/{BROKEN + 1}").status_code == 200


def test_a_path_with_a_full_stop_and_a_space_is_shown_whole(client, options, images):
    target = images.rename(options.folders[0] / "St. Pauli")
    for file in target.iterdir():
        file.write_bytes(b"")
    told = client.json("POST", "/projects", 422, json={"path": str(target)})
    assert f"{target} can be read" in told["problem"]

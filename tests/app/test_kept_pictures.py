"""Pictures of several videos are kept within one bound: the frames are the same, and memory does not add up."""

from __future__ import annotations

import av
import numpy as np
import pytest

from cyclevos.app.projects.frame_reader import FrameReader
from cyclevos.app.projects.kept_pictures import KeptPictures, Latest
from cyclevos.media.open_source import open_source


@pytest.fixture
def videos(tmp_path):
    """Five videos of twelve frames."""
    paths = [tmp_path / f"{name}.mp4" for name in "abcde"]
    for number, path in enumerate(paths):
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=10, options={"g": "6"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for index in range(12):
                image = np.full((48, 64, 3), 20 * index + number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    return paths


def exact_bytes(kept):
    return sum(frame.image.nbytes for frame in kept.exact._values.values())


def test_the_videos_of_a_server_share_one_bound(videos, monkeypatch):
    image = 48 * 64 * 3
    monkeypatch.setattr("cyclevos.app.projects.kept_pictures._EXACT_BYTES", 4 * image)
    kept = KeptPictures()
    readers = [FrameReader(open_source(path), kept) for path in videos]
    for _ in range(2):
        for reader in readers:
            for index in (0, 1, 2, 7):
                reader.jpeg(index)
                assert exact_bytes(kept) <= 4 * image
    assert [reader for reader, _ in kept.exact._values] == [readers[-1]] * 4, "the ones that were asked for last"
    assert len(kept.decoders._values) < len(readers), "an idle video keeps no decoder"


def test_what_others_ask_for_does_not_change_a_frame(videos, monkeypatch):
    monkeypatch.setattr("cyclevos.app.projects.kept_pictures._JPEG_BYTES", 1)
    kept = KeptPictures()
    readers = [FrameReader(open_source(path), kept) for path in videos]
    alone = [[FrameReader(open_source(path)).jpeg(index) for index in range(12)] for path in videos]
    for index in (3, 4, 5, 2, 1, 0, 11, 6):
        for number, reader in enumerate(readers):
            assert reader.jpeg(index) == alone[number][index]
            np.testing.assert_array_equal(reader.image(index), open_source(videos[number]).frame(index).image)


def test_a_closed_project_keeps_no_pictures(client, clip):
    workspace = client.http.app.services.workspace
    first, second = client.open(clip), client.open(clip)
    shown = [client.http.get(f"/api/projects/{project}/frames/3").content for project in (first, second)]
    assert shown[0] == shown[1]
    kept = workspace._pictures
    readers = {reader for reader, _ in kept.jpegs._values}
    assert readers == {workspace.get(first).reader, workspace.get(second).reader}
    left = workspace.get(second).reader
    client.json("DELETE", f"/projects/{first}")
    assert {reader for each in (kept.jpegs, kept.exact, kept.decoders) for reader, _ in each._values} == {left}


def test_the_value_used_longest_ago_goes_first():
    kept = Latest(10, len)
    for index in range(3):
        kept.put("a", index, b"123")
    assert kept.get("a", 0) == b"123"
    kept.put("b", 0, b"1234")
    assert [kept.holds("a", index) for index in range(3)] == [True, False, True]
    kept.put("a", 0, b"")
    kept.put("b", 0, b"1" * 50)
    assert [kept.get("a", index) for index in range(3)] == [None] * 3
    assert kept.pop("b", 0) == b"1" * 50, "one value is kept, however large"
    kept.put("c", 1, b"12345678")
    kept.put("c", 2, b"12")
    assert kept.holds("c", 1), "what was taken out counts no longer"

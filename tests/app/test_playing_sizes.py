"""Frames and masks as playing asks for them: as large as they are shown, the ids of masks untouched."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from PIL import Image

SIZE = 1500, 1920  # (H, W)


@pytest.fixture
def large(client, options):
    """The project of a video of three frames, wider than the smallest width that may be asked for."""
    path = options.folders[0] / "large.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]] // 8
        for index in range(3):
            image = np.stack([rows + 9 * index, columns, rows + columns], axis=-1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return client.open(path)


def test_frames_and_masks_come_reduced(client, large):
    place = f"/api/projects/{large}"
    ids = np.random.default_rng(0).integers(0, 3, SIZE).astype(np.uint8)
    client.paint(large, 1, ids)
    mask = client.http.get(f"{place}/masks/1?width=960")
    assert (mask.headers["x-width"], mask.headers["x-height"]) == ("960", "750")
    np.testing.assert_array_equal(np.frombuffer(mask.content, np.uint8).reshape(750, 960), ids[1::2, 1::2])
    assert mask.headers["etag"] == client.mask(large, 1)[1]

    frame = client.http.get(f"{place}/frames/1?width=960")
    whole = client.http.get(f"{place}/frames/1")
    picture, exact = (Image.open(io.BytesIO(answer.content)) for answer in (frame, whole))
    assert (picture.size, exact.size) == ((960, 750), (1920, 1500))
    difference = np.asarray(picture, float) - np.asarray(exact.reduce(2), float)
    assert np.abs(difference).mean() < 4
    known = {"If-None-Match": frame.headers["etag"]}
    assert client.http.get(f"{place}/frames/1?width=960", headers=known).status_code == 304


def test_what_is_not_larger_is_sent_as_it_is(client, large):
    frames = [
        client.http.get(f"/api/projects/{large}/frames/2{asked}").content
        for asked in ("", "?width=1920", "?width=2560")
    ]
    assert frames[0] == frames[1] == frames[2]


@pytest.mark.parametrize("kind", ["frames", "masks"])
def test_other_widths_are_refused(client, project, kind):
    for width in (0, 961, "wide"):
        told = client.json("GET", f"/projects/{project}/{kind}/0?width={width}", 422)
        assert "width is not valid" in told["problem"]
        assert "960" in told["problem"]

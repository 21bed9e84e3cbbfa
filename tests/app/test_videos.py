"""Videos as they come: turned, of odd size, of uneven rate; frame-exact in both directions."""

from __future__ import annotations

import io
import json
from pathlib import Path

import clips
import numpy as np
import pytest
from PIL import Image

from cyclevos.media.open_source import open_source
from cyclevos.media.video_file import VideoFile


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "videos").mkdir(exist_ok=True)
    return tmp_path / "videos"


def shown(client, project: str, index: int) -> np.ndarray:
    data = client.http.get(f"/api/projects/{project}/frames/{index}").content
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_a_phones_video_stands_upright(client, folder):
    path = clips.write_video(folder / "phone.mp4", clips.scene(6))
    clips.patch_display_matrix(path, clips.ROTATE_CLOCKWISE)
    project = client.open(path)
    state = client.json("GET", f"/projects/{project}")
    assert (state["width"], state["height"]) == (48, 64)
    assert shown(client, project, 3).shape == (64, 48, 3)


def test_an_odd_size_and_an_uneven_rate_are_kept(client, folder):
    stamps = [0, 1, 5, 6, 20, 21, 22]
    images = clips.scene(7, 49, 65)
    path = clips.write_video(folder / "odd.mkv", images, codec="ffv1", pix_fmt="bgr0", pts=stamps)
    project = client.open(path)
    state = client.json("GET", f"/projects/{project}")
    assert (state["width"], state["height"], state["frames"]) == (65, 49, 7)
    assert state["times"] == pytest.approx([stamp / 25 for stamp in stamps], abs=1e-3)
    ids = np.zeros((49, 65), np.uint8)
    ids[-1, -1] = 1
    client.paint(project, 6, ids)
    assert np.array_equal(client.mask(project, 6)[0], ids)
    assert np.abs(shown(client, project, 6) - images[6]).mean() < 5


def test_scrubbing_is_frame_exact_and_decodes_little(client, folder, monkeypatch):
    path = clips.write_video(folder / "long.mp4", clips.scene(90), gop=30, b_frames=2)
    exact = [frame.image.astype(int) for frame in open_source(path)]
    project = client.open(path)
    decoded = []
    convert = VideoFile._frame
    monkeypatch.setattr(VideoFile, "_frame", lambda self, index, p: decoded.append(index) or convert(self, index, p))
    for index in (70, 71, 72, 40, 39, 38, 37, 36, 89, 0):
        assert np.abs(shown(client, project, index) - exact[index]).mean() < 5, index
        others = [np.abs(shown(client, project, index) - other).mean() for other in exact]
        assert int(np.argmin(others)) == index
    assert len(decoded) < 50
    assert len(client.json("GET", f"/projects/{project}")["thumbnails"]) == 90


def test_a_browser_asks_for_a_frame_again_only_when_the_video_changed(client, clip):
    project = client.open(clip)
    first = client.http.get(f"/api/projects/{project}/frames/2")
    again = client.http.get(f"/api/projects/{project}/frames/2", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.http.get(f"/api/projects/{project}/frames/2", headers={"If-None-Match": '"other"'})
    assert other.content == first.content


def test_another_video_in_the_old_ones_place_is_said(serve, folder):
    path = clips.write_video(folder / "a.mp4", clips.scene(6))
    client = serve()
    project = client.open(path)
    serve.stop()
    clips.write_video(path, clips.scene(8))
    client = serve()
    client.wait(lambda: client.json("GET", f"/projects/{project}")["problem"] is not None)
    assert "a frame count of 8, but" in client.json("GET", f"/projects/{project}")["problem"]
    serve.stop()
    clips.write_video(path, clips.scene(6, 32, 32))
    assert "32x32 now" in serve().json("GET", f"/projects/{project}", 422)["problem"]


def test_a_video_that_breaks_off_is_shown_and_tracked_as_far_as_it_goes(client, folder):
    path = clips.write_video(folder / "long.mkv", clips.scene(60), codec="ffv1", pix_fmt="bgr0")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    project = client.open(path)
    state = client.json("GET", f"/projects/{project}")
    assert state["problem"] is None
    assert state["cut_short"].endswith(" s more")
    assert 20 < state["frames"] < 40
    assert shown(client, project, 5).shape == (48, 64, 3)
    client.paint(project, state["frames"] - 4, np.ones((48, 64), np.uint8))
    assert client.track(project)["result"]["frames"] == 4


def test_animations_are_offered_and_uploaded_and_stills_are_not(client, tmp_path, folder):
    frames = [Image.fromarray(image) for image in clips.scene(3)]
    for name in ("moving.webp", "moving.tif", "moving.apng", "moving.gif"):
        options = {"format": "PNG"} if name.endswith("apng") else {}
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], **options)
    for name in ("still.webp", "still.tif", "still.png"):
        frames[0].save(folder / name)
    (folder / "huge.webp").write_bytes(b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + b"\xff" * 6)
    listed = client.json("GET", f"/folders?path={folder}")["entries"]
    assert {entry["name"] for entry in listed if entry["kind"] == "video"} >= {"moving.apng", "moving.gif"}
    assert {entry["name"] for entry in listed if "still" in entry["name"] or "huge" in entry["name"]} == set()
    assert {entry["name"] for entry in listed if entry["name"].startswith("moving")} == {
        *("moving.webp", "moving.tif", "moving.apng", "moving.gif")
    }
    suffixes = client.json("GET", "/server")["suffixes"]
    assert {".webp", ".apng", ".avif", ".tif", ".gif", ".mov", ".mkv", ".mxf"} <= set(suffixes)
    for name in ("moving.webp", "moving.tif", "moving.apng"):
        state = client.json("POST", f"/uploads?name={name}", 201, content=(folder / name).read_bytes())
        assert state["name"] == "moving"


def test_a_list_is_not_opened_for_a_page_since_it_may_name_files_elsewhere(client, tmp_path, folder):
    Image.fromarray(clips.scene(1)[0]).save(tmp_path / "secret.png")
    (folder / "list.txt").write_text(f"{tmp_path / 'secret.png'}\n")
    answer = client.json("POST", "/projects", 403, json={"path": str(folder / "list.txt")})
    assert "Start the app with it" in json.dumps(answer)
    clips.write_images(folder / "frames", clips.scene(3))
    state = client.json("POST", "/projects", 201, json={"path": str(folder / "frames" / "%05d.png")})
    assert (state["width"], state["height"]) == (64, 48)

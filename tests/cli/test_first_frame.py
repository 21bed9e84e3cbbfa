"""`cyclevos first-frame`: a frame and a blank mask that `segment` takes for that frame, once it is painted."""

import shlex

import numpy as np
import pytest
from clips import SHARED, write_video
from file_server import NO_LENGTH, serving
from PIL import Image

from cyclevos.media.open_source import open_source
from cyclevos.pictures.palette import DAVIS_PALETTE


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paint(path, colour=1):
    """Paint a square as an editor does that keeps indexed PNGs."""
    with Image.open(path) as image:
        image.load()
    image.paste(colour, (3, 6, 13, 16))
    image.save(path)


def next_command(answer):
    line = next(line for line in answer.out.splitlines() if line.startswith("Then: "))
    return shlex.split(line.removeprefix("Then: "))[1:]


def test_the_first_frame_of_a_video_and_a_blank_mask(call, here, images):
    video = write_video(here / "holiday.mp4", images)
    answer = call("first-frame", video)
    assert answer.code == 0, answer.err
    with Image.open(here / "holiday-first-frame" / "00000.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), open_source(video).frame(0).image)
    with Image.open(here / "holiday-first-frame" / "masks" / "00000.png") as mask:
        assert (mask.mode, mask.size) == ("P", (40, 24))
        assert bytes(mask.getpalette("RGB")) == DAVIS_PALETTE
        assert not np.asarray(mask).any()
    assert "rgb(128,0,0)" in answer.out
    assert f"cyclevos app {video}" in answer.out
    assert next_command(answer) == [
        *("segment", str(video), "--masks", "holiday-first-frame/masks", "--output", "holiday-masks")
    ]


@pytest.mark.parametrize("kind", ["video", "folder", "pattern"])
def test_the_printed_command_uses_the_painted_mask_for_its_frame(call, here, images, clip, weights, kind):
    source = {"folder": clip, "pattern": clip / "shot_%03d.png"}.get(kind) or write_video(here / "a b.mp4", images)
    answer = call("first-frame", source, "--at", 4)
    assert answer.code == 0, answer.err
    command = next_command(answer)
    name = "00004" if kind == "video" else "shot_004"
    folder = here / command[command.index("--masks") + 1]
    paint(folder / f"{name}.png")
    assert call(*command, "--weights", weights, "--size", "none", "--dtype", "float32", "--quiet").code == 0
    results = here / command[command.index("--output") + 1]
    with Image.open(results / f"{name}.png") as made, Image.open(folder / f"{name}.png") as painted:
        np.testing.assert_array_equal(np.asarray(made), np.asarray(painted))


def test_a_mask_in_a_file_of_its_own_is_that_of_the_first_frame(call, here, clip):
    answer = call("first-frame", clip, "--output", here / "mine.png")
    assert answer.code == 0, answer.err
    assert (here / "mine-picture.png").is_file()
    assert next_command(answer)[2:4] == ["--masks", str(here / "mine.png")]
    refused = call("first-frame", clip, "--at", 2, "--output", here / "other.png")
    assert refused.code == 4
    assert "Give a folder as --output" in refused.err
    assert not (here / "other.png").exists()


def test_what_was_painted_is_never_overwritten_unasked(call, here, clip):
    call("first-frame", clip, "--output", "out")
    assert call("first-frame", clip, "--output", "out").code == 0  # nothing was painted yet
    mask, picture = here / "out" / "masks" / "shot_000.png", here / "out" / "shot_000.png"
    for path in (mask, picture):
        before = path.read_bytes()
        paint(path, 1 if path is mask else (255, 0, 0))
        painted = path.read_bytes()
        answer = call("first-frame", clip, "--output", "out")
        assert answer.code == 7
        assert f"{path.relative_to(here)} exists already, and may have been painted" in answer.err
        assert path.read_bytes() == painted
        assert call("first-frame", clip, "--output", "out", "--overwrite").code == 0
        assert path.read_bytes() == before
    mask.write_bytes(b"half a file")
    assert call("first-frame", clip, "--output", "out").code == 7


@pytest.mark.parametrize("source", ["video", "folder"])
def test_a_frame_that_does_not_exist_is_named(call, here, images, clip, source):
    place = clip if source == "folder" else write_video(here / "holiday.mp4", images)
    answer = call("first-frame", place, "--at", 6)
    assert answer.code == 3
    assert "There is no frame 6: the video has 6 frames, counted from 0" in answer.err
    assert call("first-frame", place, "--at", -1).code == 2
    assert not list(here.glob("*-first-frame"))


def test_nothing_is_written_among_the_frames(call, here, clip):
    before = sorted(clip.iterdir())
    for output in (clip, clip / "mask.png"):
        answer = call("first-frame", clip, "--output", output)
        assert answer.code == 7
        assert "holds the frames themselves" in answer.err
    assert sorted(clip.iterdir()) == before


def test_a_stream_has_no_frame_to_paint(call, here, images):
    with serving(write_video(here / "a.ts", images).read_bytes()) as server:
        server.plan = [NO_LENGTH]
        answer = call("first-frame", server.url)
    assert answer.code == 3
    assert "Record it to a file first" in answer.err


def test_a_phone_s_video_is_written_as_it_is_shown(call, here):
    video = SHARED / "cases" / "video" / "rotated.mov"
    if not video.is_file():
        pytest.skip(f"{video} is not here")
    answer = call("first-frame", video, "--at", 3)
    assert "Frame 3 (428x240)" in answer.out
    with Image.open(here / "rotated-first-frame" / "00003.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), open_source(video).frame(3).image)
    with Image.open(here / "rotated-first-frame" / "masks" / "00003.png") as mask:
        assert mask.size == (428, 240)

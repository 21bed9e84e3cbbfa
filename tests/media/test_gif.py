"""The GIF plays as the source does, as far as hundredths of a second allow, and stays small."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from clips import closeness, scene, scene_ids, write_video
from PIL import Image

from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import frames_from_arrays
from cyclevos.media.gif import GifWriter
from cyclevos.media.open_source import open_source
from cyclevos.media.overlay import blend
from cyclevos.media.playback import Playback

PALETTE = bytes([0, 0, 0, 0, 200, 250]) + bytes(762)


def write_gif(path, source, **options):
    with GifWriter(path, source.frame_rate, playback=source.playback, **options) as writer:
        for frame, ids in zip(source, scene_ids(100, *source.size), strict=False):
            writer.write(FrameResult(frame, ids))
    return path


def shown_times(path) -> list[float]:
    times, now = [], 0
    with Image.open(path) as image:
        assert image.info["loop"] == 0, "for ever"
        for index in range(image.n_frames):
            image.seek(index)
            times.append(now / 1000)
            now += image.info["duration"]
    return times


def test_the_sources_times_to_a_hundredth(tmp_path):
    pts = [0, 40, 80, 500, 540, 1200]
    source = open_source(write_video(tmp_path / "a.mp4", scene(6), rate=1000, pts=pts))
    path = write_gif(tmp_path / "a.gif", source, appearance=Appearance(PALETTE))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.gif", "a.mp4"]
    assert shown_times(path) == pytest.approx([time / 1000 for time in pts])
    with Image.open(path) as image:
        image.seek(4)
        played = np.asarray(image.convert("RGB"))
    expected = blend(list(source)[4].image, scene_ids(5)[4], PALETTE)
    assert closeness(played, expected) < 6


def test_a_rate_that_is_no_hundredths_does_not_drift(tmp_path):
    source = open_source(write_video(tmp_path / "a.mp4", scene(50), rate=24))
    assert shown_times(write_gif(tmp_path / "a.gif", source)) == pytest.approx(
        [round(100 * index / 24) / 100 for index in range(50)]
    )


def test_no_frame_is_shorter_than_browsers_show(tmp_path):
    source = open_source(write_video(tmp_path / "a.mp4", scene(61), rate=60))
    times = shown_times(write_gif(tmp_path / "a.gif", source))
    assert min(np.diff(times)) >= 0.0199
    assert times[-1] == pytest.approx(1, abs=0.02)
    assert 30 <= len(times) <= 51


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [((480, 640), 1, (480, 360)), ((300, 200), 1, (200, 300)), ((720, 1280), Fraction(4, 3), (854, 360))],
)
def test_large_videos_are_scaled_down_and_pixels_made_square(tmp_path, size, aspect, expected):
    playback = Playback(pixel_aspect=Fraction(aspect))
    with GifWriter(tmp_path / "a.gif", 25, playback=playback) as writer:
        for frame in frames_from_arrays(scene(2, *size)):
            writer.write(FrameResult(frame, scene_ids(1, *size)[0]))
    with Image.open(tmp_path / "a.gif") as image:
        assert image.size == expected


def test_stopped_half_way_it_leaves_nothing(tmp_path):
    source = open_source(write_video(tmp_path / "a.mp4", scene(2)))
    writer = GifWriter(tmp_path / "a.gif")
    writer.write(FrameResult(next(iter(source)), scene_ids(1)[0]))
    writer.abort()
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]

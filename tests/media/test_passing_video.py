"""Damaged videos whose bad frames are passed over: what is shown is exact, and every frame keeps its number."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest
from clips import damage_packet, images_of, scene, write_video

from cyclevos.errors import VideoError
from cyclevos.media.open_source import open_source

ONE_SLICE = {"crf": "10", "x264-params": "sliced-threads=0:slices=1"}
FRAMES, GOP = 40, 10


def write(path, b_frames=0):
    return write_video(path, scene(FRAMES, 96, 128), gop=GOP, b_frames=b_frames, options=ONE_SLICE)


def check_exact(path, whole):
    """Check that all ways to read give the same exact frames and pass over the same others; return these."""
    source = open_source(path, pass_over=True)
    ahead = {frame.index: frame.image for frame in source}
    bad = dict(source.bad)
    assert sorted({*ahead, *bad}) == list(range(FRAMES))
    assert source.len_hint == FRAMES
    good = sorted({*ahead} - {*bad})
    for index in good:
        np.testing.assert_array_equal(ahead[index], whole[index], err_msg=str(index))
    for known in (source, reopened(path, source)):
        for index in range(FRAMES):
            found = next(known.iterate(start=index), None)
            assert getattr(found, "index", None) == next((each for each in good if each >= index), None)
            if found is not None:
                np.testing.assert_array_equal(found.image, whole[found.index])
        back = list(reversed(known))
        assert [frame.index for frame in back] == good[::-1]
        for frame in back:
            np.testing.assert_array_equal(frame.image, whole[frame.index])
        assert known.bad == bad
    return bad


def reopened(path, source):
    """The file opened again, as after a restart."""
    again = open_source(path, pass_over=True)
    again.use_seek_table(source.seek_table)
    again.bad.update(source.bad)
    return again


@pytest.mark.parametrize(
    ("packet", "share", "bad"),
    [
        (14, 0.0, range(14, 20)),  # it cannot be decoded at all, and those up to the next keyframe are made from it
        (14, 0.5, range(14, 20)),  # FFmpeg conceals it
        (20, 0.5, range(20, 30)),  # a keyframe
        (39, 0.0, range(39, 40)),  # the last one
        (39, 0.5, range(39, 40)),
    ],
)
def test_a_damaged_packet_costs_the_frames_made_from_it_alone(tmp_path, packet, share, bad):
    path = write(tmp_path / "hit.mp4")
    whole = images_of(open_source(path))
    damage_packet(path, packet, share)
    found = check_exact(path, whole)
    assert sorted(found) == list(bad)
    assert found[bad[0]] == "its data is damaged"
    assert set(found.values()) <= {"its data is damaged", "it is made from a frame that is damaged"}


def test_frames_that_are_shown_before_the_damaged_one_they_are_made_from_are_bad_too(tmp_path):
    path = write(tmp_path / "hit.mp4", b_frames=2)
    whole = images_of(open_source(path))
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    ahead = next(k for k, (stamp, after) in enumerate(pairwise(stamps)) if after < stamp)  # shown after the next one
    damage_packet(path, ahead)
    bad = check_exact(path, whole)
    damaged = sorted(stamps).index(stamps[ahead])
    assert bad[damaged] == "its data is damaged"
    assert bad[damaged - 1] == "it is made from a frame that is damaged"


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_damaged_first_keyframe_leaves_the_frames_from_the_next_one_on(tmp_path, b_frames):
    path = write(tmp_path / "hit.mp4", b_frames)
    whole = images_of(open_source(path))
    damage_packet(path, 0, 0.5)
    with pytest.raises(VideoError, match="no frame that can be decoded"):
        open_source(path)
    assert sorted(check_exact(path, whole)) == list(range(GOP))


def test_a_file_that_is_cut_off_ends_early_and_says_so(tmp_path):
    path = write_video(tmp_path / "cut.mp4", scene(60), gop=10, container_options={"movflags": "+faststart"})
    whole = images_of(open_source(path))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    source = open_source(path, pass_over=True)
    got = list(source)
    assert source.cut_short is not None
    assert 20 < len(got) < 50
    assert [frame.index for frame in got] == list(range(len(got)))
    for frame in got:
        np.testing.assert_array_equal(frame.image, whole[frame.index])


def test_a_file_without_time_stamps_ends_at_its_first_damaged_frame(tmp_path):
    path = write_video(tmp_path / "raw.h264", scene(FRAMES, 96, 128), gop=GOP, options=ONE_SLICE)
    whole = images_of(open_source(path))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(byte ^ 0x5A for byte in data[middle : middle + 60])
    path.write_bytes(data)
    source = open_source(path, pass_over=True)
    got = list(source)
    assert "no time stamps" in source.cut_short
    assert GOP < len(got) == source.len_hint < FRAMES
    for frame in got:
        np.testing.assert_array_equal(frame.image, whole[frame.index])
    assert [frame.index for frame in reversed(source)] == list(range(len(got)))[::-1]


def test_a_whole_video_is_read_as_ever(tmp_path):
    path = write(tmp_path / "whole.mp4", b_frames=2)
    assert check_exact(path, images_of(open_source(path))) == {}


def test_the_time_of_a_bad_frame_is_known(tmp_path):
    path = write(tmp_path / "hit.mp4")
    damage_packet(path, 14)
    source = open_source(path, pass_over=True)
    times = {frame.index: frame.time for frame in source}
    assert source.time_of(14) == pytest.approx(14 / 25)
    assert source.time_of(20) == pytest.approx(times[20])

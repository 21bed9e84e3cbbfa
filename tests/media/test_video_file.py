import weakref
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import (
    ROTATE_CLOCKWISE,
    closeness,
    damage_packet,
    images_of,
    patch_display_matrix,
    scene,
    write_video,
)

from cyclevos.errors import VideoError
from cyclevos.media import video_file as video_file_module
from cyclevos.media.open_source import open_source
from cyclevos.media.video_pixels import apply_display_matrix


def collect(frames, into):
    for frame in frames:
        into.append(frame.image)


def same_backwards(source):
    forwards = list(source)
    backwards = list(reversed(source))
    assert [frame.index for frame in backwards] == list(range(len(forwards)))[::-1]
    for ahead, back in zip(forwards, reversed(backwards), strict=True):
        assert (ahead.index, ahead.name, ahead.time) == (back.index, back.name, back.time)
        np.testing.assert_array_equal(ahead.image, back.image)
    return forwards


def test_video_streams_what_was_encoded(tmp_path):
    drawn = scene(10)
    source = open_source(write_video(tmp_path / "clip.mp4", drawn, options={"crf": "5"}))
    frames = list(source)
    assert source.name == "clip"
    assert source.size == (48, 64)
    assert source.frame_rate == 25
    assert source.len_hint == 10
    assert source.frame_names is None
    assert [frame.name for frame in frames] == [f"{index:05d}" for index in range(10)]
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(10)])
    assert all(frame.image.dtype == np.uint8 and frame.image.shape == (48, 64, 3) for frame in frames)
    assert max(closeness(frame.image, image) for frame, image in zip(frames, drawn, strict=True)) < 8
    assert len(list(source)) == 10, "a source can be streamed again"


def test_long_group_of_pictures_with_b_frames_backwards(tmp_path, monkeypatch):
    monkeypatch.setattr(video_file_module, "_CHUNK_FRAMES", 7)
    path = write_video(tmp_path / "long.mp4", scene(40), gop=250, b_frames=3)
    assert len(same_backwards(open_source(path))) == 40


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("short_gop.mp4", {"gop": 5, "b_frames": 2}),
        ("open_gop.mkv", {"gop": 6, "b_frames": 2, "options": {"x264-params": "open-gop=1:scenecut=0"}}),
        ("mpeg2.ts", {"codec": "mpeg2video", "gop": 6, "b_frames": 2}),
        ("intra.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p", "gop": 1}),
        ("vp8.webm", {"codec": "libvpx", "gop": 7}),
        ("raw.h264", {"gop": 6}),
    ],
)
def test_backwards_equals_forwards_reversed(tmp_path, monkeypatch, name, settings):
    monkeypatch.setattr(video_file_module, "_CHUNK_FRAMES", 8)
    path = write_video(tmp_path / name, scene(21), **settings)
    assert len(same_backwards(open_source(path))) == 21


def test_start_in_both_directions(tmp_path):
    source = open_source(write_video(tmp_path / "clip.mp4", scene(12), gop=5, b_frames=2))
    assert [frame.index for frame in source.iterate(start=9)] == [9, 10, 11]
    assert [frame.index for frame in source.iterate(reverse=True, start=4)] == [4, 3, 2, 1, 0]
    assert [frame.index for frame in source.iterate(reverse=True, start=99)] == list(range(11, -1, -1))


def test_variable_frame_rate_keeps_every_frame_and_its_time(tmp_path):
    pts = [0, 1, 2, 10, 11, 30, 31, 60]
    path = write_video(tmp_path / "vfr.mp4", scene(8), rate=30, pts=pts, b_frames=2)
    source = open_source(path)
    frames = same_backwards(source)
    assert [frame.time for frame in frames] == pytest.approx([stamp / 30 for stamp in pts])
    assert isinstance(source.frame_rate, Fraction)
    assert source.frame_rate < 10


def test_portrait_phone_video_is_turned_upright(tmp_path):
    drawn = scene(4)
    path = write_video(tmp_path / "phone.mp4", drawn, options={"crf": "5"})
    patch_display_matrix(path, ROTATE_CLOCKWISE)
    source = open_source(path)
    assert source.size == (64, 48)
    for frame, image in zip(source, drawn, strict=True):
        assert closeness(frame.image, np.rot90(image, -1)) < 8


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((0, -1, 1, 0), lambda image: np.rot90(image)),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    ],
)
def test_display_matrix_by_hand(entries, expected):
    image = scene(1, 6, 9)[0]
    a, b, c, d = (value << 16 for value in entries)
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()
    np.testing.assert_array_equal(apply_display_matrix(image, matrix), expected(image))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (47, 63), (1, 1)])
def test_odd_and_tiny_sizes_and_single_frames(tmp_path, height, width):
    path = write_video(tmp_path / "odd.mkv", scene(1, height, width), codec="ffv1", pix_fmt="bgr0", gop=1)
    source = open_source(path)
    assert source.size == (height, width)
    np.testing.assert_array_equal(next(iter(source)).image, scene(1, height, width)[0])
    same_backwards(source)


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_truncated_video_yields_what_there_is_then_names_the_frame(tmp_path, name):
    options = {"movflags": "+faststart"} if name.endswith("mp4") else None
    path = write_video(tmp_path / name, scene(60), gop=10, container_options=options)
    whole = images_of(open_source(path))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    source, got = open_source(path), []
    with pytest.raises(VideoError, match=rf"{name} breaks off at frame \d+.*before it are good") as caught:
        collect(source, got)
    assert 20 < len(got) < 50
    assert f"at frame {len(got)}:" in str(caught.value)
    for image, original in zip(got, whole, strict=False):
        np.testing.assert_array_equal(image, original)
    backwards = images_of(source.iterate(reverse=True, start=len(got) - 3))
    np.testing.assert_array_equal(backwards[-1], whole[0])


@pytest.mark.parametrize(("share", "text"), [(0.0, "Invalid data"), (0.5, "its data is damaged")])
@pytest.mark.parametrize("packet", [1, 2, 4, 6, 20])
def test_a_damaged_packet_never_shifts_the_frames_behind_it(tmp_path, packet, share, text):
    path = write_video(tmp_path / "hit.mp4", scene(40, 96, 128), gop=40, b_frames=3, options={"crf": "10"})
    whole = images_of(open_source(path))
    damage_packet(path, packet, share)
    got = []
    with pytest.raises(VideoError, match=rf"breaks off at frame \d+: {text}") as caught:
        collect(open_source(path), got)
    assert f"The {len(got)} frames before it are good" in str(caught.value)
    assert 0 < len(got) < 40
    for image, original in zip(got, whole, strict=False):
        np.testing.assert_array_equal(image, original)


def test_frames_made_with_a_damaged_later_one_are_not_given_out(tmp_path):
    path = write_video(tmp_path / "hit.mp4", scene(40, 96, 128), gop=40, b_frames=3, options={"crf": "10"})
    damage_packet(path, 3)  # frame 4, which the frames before it are made with
    got = []
    with pytest.raises(VideoError, match="breaks off at frame 3"):
        collect(open_source(path), got)
    assert len(got) == 3


def test_a_damaged_first_frame_fails_at_open(tmp_path):
    path = write_video(tmp_path / "hit.mp4", scene(10, 96, 128), gop=5, options={"crf": "10"})
    damage_packet(path, 0, share=0.5)
    with pytest.raises(VideoError, match="no frame that can be decoded"):
        open_source(path)


def test_a_stream_that_begins_between_keyframes_begins_with_the_next_one_and_says_so(tmp_path, caplog):
    path = write_video(tmp_path / "whole.ts", scene(30), gop=10, b_frames=2)
    whole = images_of(open_source(path))
    with av.open(str(path)) as whole_file, av.open(str(tmp_path / "tail.mkv"), "w") as tail:
        stream = tail.add_stream_from_template(whole_file.streams.video[0])
        for packet in [packet for packet in whole_file.demux(video=0) if packet.size][4:]:
            packet.stream = stream
            tail.mux(packet)
    got = images_of(open_source(tmp_path / "tail.mkv"))
    assert len(got) == 20
    assert "tail.mkv begins without a keyframe that can be decoded: 6 pictures" in caplog.text
    for image, original in zip(got, whole[10:], strict=True):
        np.testing.assert_array_equal(image, original)


def test_mp4_without_its_index_fails_at_open(tmp_path):
    path = write_video(tmp_path / "cut.mp4", scene(30))
    path.write_bytes(path.read_bytes()[:-800])
    with pytest.raises(VideoError, match=r"cut\.mp4 (cannot be read|holds no video stream).*lacks its index"):
        open_source(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"these are only words\n" * 50,
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n",
        bytes(range(256)) * 40,
    ],
)
def test_a_text_file_is_no_video(tmp_path, content):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"notes\.mp4.*Expected|notes\.mp4.*no video stream"):
        open_source(path)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r"sound\.wav holds no video stream; found: audio"):
        open_source(path)


def test_size_change_in_the_middle_shows_both_sizes(tmp_path):
    first = write_video(tmp_path / "a.ts", scene(8, 48, 64), codec="mpeg2video")
    second = write_video(tmp_path / "b.ts", scene(8, 64, 96), codec="mpeg2video")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    frames = iter(open_source(joined))
    got = []
    with pytest.raises(VideoError, match=r"00000 is 64x48 but 0000\d is 96x64"):
        collect(frames, got)
    assert len(got) > 3


def test_frames_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(video_file_module, "_CHUNK_FRAMES", 8)
    held = []
    decode_range = video_file_module.VideoFile._decode_range

    def watched(*arguments):
        pictures = decode_range(*arguments)
        held.append(len(pictures))
        return pictures

    monkeypatch.setattr(video_file_module.VideoFile, "_decode_range", watched)
    source = open_source(write_video(tmp_path / "long.mp4", scene(40), gop=100))
    for reverse in (False, True):
        images = weakref.WeakValueDictionary()
        for frame in source.iterate(reverse=reverse):
            images[frame.index] = frame.image
            assert len(images) <= 2, "the one before may still be in the loop's hand"
    assert held == [8] * 5


def test_missing_path_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"nowhere\.mp4 does not exist"):
        open_source(tmp_path / "nowhere.mp4")


@pytest.mark.parametrize("b_frames", [0, 2])
def test_start_after_a_whole_pass_seeks_and_gives_the_same_frames(tmp_path, b_frames):
    path = write_video(tmp_path / "a.mp4", scene(40), gop=12, b_frames=b_frames)
    source = open_source(path)
    whole = images_of(source)
    for start in (1, 11, 12, 13, 30, 39):
        frames = list(source.iterate(start=start))
        assert [frame.index for frame in frames] == list(range(start, 40))
        assert all(np.array_equal(frame.image, whole[frame.index]) for frame in frames)
    assert list(source.iterate(start=40)) == []


def test_seeking_decodes_from_the_keyframe_before_not_from_the_beginning(tmp_path, monkeypatch):
    source = open_source(write_video(tmp_path / "a.mp4", scene(60), gop=12))
    images_of(source)
    decoded = []
    decode = video_file_module.decode

    def counted(*arguments):
        for picture in decode(*arguments):
            decoded.append(picture.pts)
            yield picture

    monkeypatch.setattr(video_file_module, "decode", counted)
    assert next(source.iterate(start=50)).index == 50
    assert len(decoded) == 3  # 48, a keyframe, to 50


def test_a_file_that_changed_after_a_whole_pass_is_noticed_when_seeking(tmp_path):
    path = write_video(tmp_path / "a.mp4", scene(40), gop=12)
    source = open_source(path)
    images_of(source)
    write_video(path, scene(30), gop=12)
    with pytest.raises(VideoError, match="frame 30 is not where it was"):
        list(source.iterate(start=20))

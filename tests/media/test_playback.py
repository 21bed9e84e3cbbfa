"""A video made from a source plays like it: its frames' times, its sound, its pixels' shape."""

import tracemalloc
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import ROTATE_CLOCKWISE, SHARED, closeness, images_of, patch_display_matrix, scene, write_video

from cyclevos.errors import OutputError
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.open_source import open_source
from cyclevos.media.overlay import OverlayWriter
from cyclevos.media.playback import Clock, Playback
from cyclevos.media.sound import SoundTrack

RATE = 48000


def write_sounding_video(
    path: Path, *, codec="aac", frames=30, pts=None, aspect=None, begins=0, layout="stereo"
) -> Path:
    """A video with a tone as long as itself; `begins` in seconds."""
    options = {"aspect": aspect} if aspect else {}
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options=options)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream(codec, rate=RATE, layout=layout)
        fifo = av.AudioResampler(format=audio.codec_context.format, layout=layout, rate=RATE, frame_size=1024)
        for index, image in enumerate(scene(frames)):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = (
                (40 * index if pts is None else pts[index]) + 1000 * begins,
                Fraction(1, 1000),
            )
            container.mux(video.encode(picture))
        seconds = frames / 25 if pts is None else pts[-1] / 1000
        tone = np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * 440 / RATE).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(np.stack([tone * 0.5] * 2), format="fltp", layout="stereo")
        sound.sample_rate, sound.pts, sound.time_base = RATE, begins * RATE, Fraction(1, RATE)
        for piece in [*fifo.resample(sound), *fifo.resample(None)]:
            container.mux(audio.encode(piece))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    return path


def overlay_of(source, path: Path) -> Path:
    with OverlayWriter(path, source.frame_rate, playback=source.playback) as writer:
        for frame in source:
            writer.write(FrameResult(frame, np.zeros(frame.size, np.uint8)))
    return path


def sound_of(path: Path) -> tuple[float, np.ndarray]:
    """Time at which the sound begins, and its samples, mono."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return float(frames[0].time), np.concatenate([frame.to_ndarray().mean(0) for frame in frames])


def times_of(source) -> list[float]:
    return [frame.time for frame in source]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_frame_rate_and_sound_are_kept(tmp_path, suffix):
    pts = [0, 40, 80, 500, 540, 1200, 1240, 1900, 2400, 2440]
    path = write_sounding_video(tmp_path / f"a.{suffix}", frames=10, pts=pts)
    source = open_source(path)
    made = overlay_of(source, tmp_path / "overlay.mp4")
    assert times_of(open_source(made)) == pytest.approx(times_of(source), abs=0.0006)
    assert times_of(open_source(made))[-1] == pytest.approx(2.44)
    begins, sound = sound_of(made)
    before, expected = sound_of(path)
    primed = len(expected) - len(sound)  # samples of the encoder's delay, which older FFmpeg cuts off
    assert primed in (0, 1024)
    assert begins == pytest.approx(before + primed / RATE, abs=0.001)
    np.testing.assert_array_equal(sound, expected[primed:])  # copied, not encoded again
    assert open_source(made).len_hint == 10


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.mov", "pcm_s16le", "stereo"),
        ("a.mkv", "flac", "stereo"),
        ("a.mkv", "libopus", "stereo"),
        ("b.mkv", "mp2", "mono"),
    ],
)
def test_sound_of_every_codec_arrives(tmp_path, name, codec, layout):
    path = write_sounding_video(tmp_path / name, codec=codec, layout=layout)
    source = open_source(path)
    made = overlay_of(source, tmp_path / "overlay.mp4")
    begins, sound = sound_of(made)
    with av.open(str(made)) as container:
        audio = container.streams.audio[0]
        assert audio.codec_context.codec.canonical_name == ("opus" if codec == "libopus" else "aac")
    assert begins == pytest.approx(0, abs=0.03)
    assert len(sound) / RATE == pytest.approx(1.2, abs=0.1)
    middle = sound[len(sound) // 4 : len(sound) // 4 + RATE // 2]
    loudest = np.abs(np.fft.rfft(middle)).argmax() * 2  # Hz, of half a second
    assert loudest == pytest.approx(440, abs=3)


def test_a_clock_that_does_not_begin_at_zero_does_not_delay_the_result(tmp_path):
    path = write_sounding_video(tmp_path / "a.ts", begins=20)
    source = open_source(path)
    times = times_of(source)
    assert times[0] >= 20
    made = overlay_of(source, tmp_path / "overlay.mp4")
    shift = times[0] - times_of(open_source(made))[0]
    assert times_of(open_source(made)) == pytest.approx([time - shift for time in times], abs=0.0001)
    assert times_of(open_source(made))[0] < 0.2
    assert sound_of(path)[0] - sound_of(made)[0] == pytest.approx(shift, abs=0.002)


@pytest.mark.parametrize(("turned", "expected"), [(False, Fraction(16, 15)), (True, Fraction(15, 16))])
def test_pixel_aspect_is_kept(tmp_path, turned, expected):
    path = write_sounding_video(tmp_path / "a.mp4", frames=5, aspect="16/15")
    if turned:
        with av.open(str(path)) as container:
            plain = list(container.decode(video=0))
        path = write_video(
            tmp_path / "b.mp4", [each.to_ndarray(format="rgb24") for each in plain], options={"aspect": "16/15"}
        )
        patch_display_matrix(path, ROTATE_CLOCKWISE)
    source = open_source(path)
    assert source.playback.pixel_aspect == expected
    made = open_source(overlay_of(source, tmp_path / "overlay.mp4"))
    assert (made.playback.pixel_aspect, made.size) == (expected, source.size)


def test_silent_square_and_constant_stays_so(tmp_path):
    source = open_source(write_video(tmp_path / "a.mp4", scene(12), rate=30))
    made = open_source(overlay_of(source, tmp_path / "overlay.mp4"))
    assert (made.playback.sound, made.playback.pixel_aspect, made.frame_rate) == (None, 1, 30)
    assert times_of(made) == pytest.approx([index / 30 for index in range(12)])
    with av.open(str(made.path)) as container:
        assert not container.streams.audio
        assert container.duration == pytest.approx(400_000, abs=2000)


def test_damaged_sound_is_left_out_with_a_warning_and_the_picture_stays(tmp_path, caplog, monkeypatch):
    source = open_source(write_sounding_video(tmp_path / "a.mkv", codec="flac"))

    def fail(*arguments):
        raise av.error.InvalidDataError(1, "damaged")

    monkeypatch.setattr("cyclevos.media.sound._EncodedTrack.take", fail)
    made = overlay_of(source, tmp_path / "overlay.mp4")
    assert len(list(open_source(made))) == 30
    assert caplog.text.count("sound of") == 1


def test_a_source_that_is_gone_leaves_the_picture(tmp_path, caplog):
    with av.open(str(tmp_path / "b.mp4"), "w") as container:
        SoundTrack(tmp_path / "gone.mp4", Fraction(0), container)
    assert "gone.mp4 is left out" in caplog.text


def test_an_aborted_overlay_with_sound_leaves_nothing(tmp_path):
    source = open_source(write_sounding_video(tmp_path / "a.mp4"))
    writer = OverlayWriter(tmp_path / "overlay.mp4", 25, playback=source.playback)
    for frame in source.iterate(start=25):
        writer.write(FrameResult(frame, np.zeros(frame.size, np.uint8)))
    writer.abort()
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]


def test_sound_is_written_as_it_is_due_not_kept(tmp_path):
    source = open_source(write_sounding_video(tmp_path / "a.mp4", frames=100))
    with av.open(str(tmp_path / "b.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sound = SoundTrack(source.path, Fraction(0), container)
        muxed = []
        sound._output = type(
            "Recorder", (), {"mux": lambda self, packet: muxed.append(float(packet.pts * packet.time_base))}
        )()
        for seconds in (1, 2, 3):
            sound.write_until(Fraction(seconds))
            assert seconds - 0.05 < muxed[-1] < seconds
        sound.close(complete=True)
    assert muxed[-1] > 3.9
    assert all(a < b for a, b in pairwise(muxed))


def test_times_of_the_clock():
    clock = Clock(Fraction(1, 25), Playback(time_base=Fraction(1, 90000), begins=Fraction(3)))
    assert [clock.stamp(time) for time in (3.0, 3.04, 3.04, 3.02, 4.0)] == [0, 3600, 3601, 3602, 90000]
    counted = Clock(Fraction(1, 25), Playback())
    assert ([counted.stamp(None) for _ in range(3)], counted.tick) == ([0, 1, 2], Fraction(1, 25))


@pytest.mark.parametrize(("name", "last"), [("vfr.mp4", 2.4), ("h264.mp4", 0.44), ("rotated.mov", 0.44)])
def test_real_videos(tmp_path, name, last):
    path = SHARED / "cases" / "video" / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    source = open_source(path)
    made = open_source(overlay_of(source, tmp_path / "overlay.mp4"))
    assert times_of(made)[-1] == pytest.approx(last, abs=0.001)
    assert times_of(made) == pytest.approx(times_of(source), abs=0.0001)
    assert (made.playback.sound is None) == (source.playback.sound is None)
    if name == "h264.mp4":
        np.testing.assert_array_equal(sound_of(made.path)[1], sound_of(path)[1])


def test_times_of_an_animation_are_kept(tmp_path):
    from PIL import Image

    first, *others = map(Image.fromarray, scene(4))
    first.save(tmp_path / "a.webp", save_all=True, append_images=others, duration=[40, 700, 33, 40])
    source = open_source(tmp_path / "a.webp")
    made = open_source(overlay_of(source, tmp_path / "overlay.mp4"))
    assert times_of(made) == pytest.approx([0, 0.04, 0.74, 0.773])
    assert max(closeness(a, b) for a, b in zip(images_of(made), images_of(source), strict=True)) < 12


def test_memory_stays_flat_over_a_long_video(tmp_path):
    source = open_source(write_sounding_video(tmp_path / "a.mp4", frames=200))
    frame = next(iter(source))
    writer = OverlayWriter(tmp_path / "overlay.mp4", 25, playback=source.playback)
    tracemalloc.start()
    try:
        for _ in range(20):
            writer.write(FrameResult(frame, np.zeros(frame.size, np.uint8)))
        early = tracemalloc.get_traced_memory()[0]
        for _ in range(180):
            writer.write(FrameResult(frame, np.zeros(frame.size, np.uint8)))
        assert tracemalloc.get_traced_memory()[0] < early + 2**19
    finally:
        tracemalloc.stop()
    writer.close()


def test_a_disk_that_fills_up_is_named_with_sound_too(tmp_path, monkeypatch):
    source = open_source(write_sounding_video(tmp_path / "a.mp4"))
    writer = OverlayWriter(tmp_path / "overlay.mp4", 25, playback=source.playback)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SoundTrack, "write_until", full)
    frame = next(iter(source))
    with pytest.raises(OutputError, match=r"overlay\.mp4.*No space left"):
        writer.write(FrameResult(frame, np.zeros(frame.size, np.uint8)))
    writer.abort()
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]

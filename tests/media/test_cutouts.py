"""Cut-outs are what FFmpeg and Pillow read back: the object, its alpha, the source's times, sound and pixel aspect."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import SHARED, read_with_alpha, scene, scene_ids, write_video
from PIL import Image

from cyclevos.errors import OutputError
from cyclevos.files.atomic import partial_path
from cyclevos.media.appearance import Appearance
from cyclevos.media.cutouts import (
    CutoutPictures,
    CutoutVideo,
    ObjectVideos,
    first_missing_picture,
    remove_pictures,
    remove_videos,
)
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import frames_from_arrays
from cyclevos.media.open_source import open_source
from cyclevos.media.playback import Playback
from cyclevos.media.video_encoding import PRORES, VP9

KINDS = [pytest.param(PRORES, id="prores"), pytest.param(VP9, id="webm")]
NAMES = Appearance(names={5: "red car"})
TIMES = [0, 40, 80, 500, 540, 1200]


def results(count=4, height=48, width=64, *, soft=False):
    for frame, ids in zip(
        frames_from_arrays(scene(count, height, width)), scene_ids(count, height, width), strict=True
    ):
        channels = None
        if soft:
            channels = np.stack([ids == 0, ids == 1, ids == 5]) * 0.5 + np.array([0.25, 0.25, 0])[:, None, None]
            channels[1, ids == 5], channels[0, ids == 5] = 0, 0.5
        yield FrameResult(frame, ids, channels, [1, 5] if soft else None)


def write_all(writer, written):
    with writer:
        for result in written:
            writer.write(result)


def tags(path: Path) -> tuple[str, str]:
    with av.open(str(path)) as container:
        named = {name.lower(): value for name, value in container.metadata.items()}
        return named.get("title", ""), named["comment"]


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63)])
@pytest.mark.parametrize("encoding", KINDS)
def test_a_cut_out_shows_the_objects_and_nothing_else(tmp_path, encoding, height, width):
    path = tmp_path / f"cutout.{encoding.container}"
    write_all(CutoutVideo(path, encoding, 25, title="clip"), results(4, height, width))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert tags(path) == ("clip", "cyclevos")
    frames, times = read_with_alpha(path)
    assert times == pytest.approx([0, 0.04, 0.08, 0.12])
    for rgba, result in zip(frames, results(4, height, width), strict=True):
        assert rgba.shape == (height, width, 4)
        shown = result.ids > 0
        assert (rgba[..., 3][shown] >= 250).mean() > 0.97
        assert (rgba[..., 3][~shown] <= 5).mean() > 0.97
        difference = np.abs(rgba[..., :3].astype(int) - result.frame.image)[shown]
        assert difference.mean() < (3 if encoding is PRORES else 14), "half as many colours as pixels in VP9"
    assert not frames[0][-8:, 40:, :3].any() or encoding is VP9, "black far from the objects"


@pytest.mark.parametrize("encoding", KINDS)
def test_soft_edges_are_straight_alpha(tmp_path, encoding):
    path = tmp_path / f"soft.{encoding.container}"
    write_all(CutoutVideo(path, encoding), results(soft=True))
    frames, _ = read_with_alpha(path)
    for rgba, result in zip(frames, results(), strict=True):
        for chosen, share in ((result.ids == 1, 0.75), (result.ids == 5, 0.5), (result.ids == 0, 0.25)):
            assert np.median(rgba[..., 3][chosen]) == pytest.approx(255 * share, abs=3)
        disc = result.ids == 1
        error = np.abs(rgba[..., :3].astype(int) - result.frame.image)[disc].mean()
        assert error < 14, "colours are those of the picture, not darkened by alpha"


def test_alpha_is_exact_every_time(tmp_path):
    """FFmpeg's conversion on several threads spoils rows of every seventh frame of this size."""
    expected = [(result.ids > 0) * 255 for result in results(40, 24, 40)]
    for _ in range(3):
        write_all(CutoutVideo(tmp_path / "a.mov", PRORES), results(40, 24, 40))
        np.testing.assert_allclose(np.array(read_with_alpha(tmp_path / "a.mov")[0])[..., 3], expected, atol=1)


@pytest.mark.parametrize("encoding", KINDS)
def test_each_object_has_a_silent_video_as_long_as_the_source(tmp_path, encoding):
    playback = Playback(Fraction(25), sound=tmp_path / "there is none")
    writer = ObjectVideos(tmp_path / "out", encoding, [1, 5, 9], NAMES, 25, playback)
    write_all(writer, results())
    suffix = encoding.container
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"001.{suffix}", f"005_red car.{suffix}", f"009.{suffix}"]
    assert tags(files[1])[0] == "red car"
    for file, object_id in zip(files, (1, 5, 9), strict=True):
        frames, times = read_with_alpha(file)
        assert len(times) == 4
        for rgba, result in zip(frames, results(), strict=True):
            assert ((rgba[..., 3] > 127) == (result.ids == object_id)).mean() > 0.99
    (tmp_path / "out" / "notes.txt").write_text("mine")
    write_video(tmp_path / "out" / "mine.mov", scene(2))
    remove_videos(tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["mine.mov", "notes.txt"]


def test_what_a_killed_run_left_is_not_taken_over(tmp_path):
    partial = partial_path(tmp_path / "out")
    partial.mkdir()
    (partial / ".007.mov.cyclevos.tmp").write_bytes(b"half")
    write_all(ObjectVideos(tmp_path / "out", PRORES, [1, 5], Appearance()), results())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["001.mov", "005.mov", "out"]


def test_an_object_that_was_not_announced_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"frame 00000: expected the objects \[1\], got \[5\] too"):
        write_all(ObjectVideos(tmp_path / "out", PRORES, [1], NAMES), results())
    assert list(tmp_path.iterdir()) == []


def test_videos_stopped_half_way_leave_nothing(tmp_path):
    writer = ObjectVideos(tmp_path / "out", VP9, [1, 5], NAMES)
    writer.write(next(results()))
    assert len(list(tmp_path.iterdir())) == 1
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_of_others_is_not_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        write_all(ObjectVideos(tmp_path / "out", PRORES, [1, 5], NAMES), results())
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "notes.txt"]


def cut_source(source, path: Path, encoding) -> Path:
    with CutoutVideo(path, encoding, source.frame_rate, source.playback) as writer:
        for frame in source:
            writer.write(FrameResult(frame, np.ones(frame.size, np.uint8)))
    return path


@pytest.mark.parametrize("encoding", KINDS)
def test_variable_frame_rate_and_pixel_aspect_are_kept(tmp_path, encoding):
    source = open_source(write_video(tmp_path / "a.mp4", scene(6), rate=1000, pts=TIMES, options={"aspect": "16/15"}))
    made = cut_source(source, tmp_path / f"cut.{encoding.container}", encoding)
    assert read_with_alpha(made)[1] == pytest.approx([time / 1000 for time in TIMES], abs=0.0006)
    source = open_source(made)
    if encoding is VP9:  # square pixels instead
        assert (source.playback.pixel_aspect, source.size) == (1, (48, 68))
    else:
        assert (source.playback.pixel_aspect, source.size) == (Fraction(16, 15), (48, 64))


@pytest.mark.parametrize(("encoding", "codecs"), [(PRORES, {"aac"}), (VP9, {"opus"})], ids=["prores", "webm"])
@pytest.mark.parametrize("name", ["h264.mp4", "vfr.mp4", "rotated.mov"])
def test_real_videos_keep_times_and_sound(tmp_path, name, encoding, codecs):
    path = SHARED / "cases" / "video" / name
    if not path.is_file():
        pytest.skip(f"no real video at {path}")
    source = open_source(path)
    made = cut_source(source, tmp_path / f"cut.{encoding.container}", encoding)
    times = [frame.time for frame in source]
    found = read_with_alpha(made)[1]
    assert [time - found[0] for time in found] == pytest.approx([time - times[0] for time in times], abs=0.0011)
    with av.open(str(path)) as before, av.open(str(made)) as after:
        assert len(after.streams.audio) == len(before.streams.audio)
        assert {stream.codec_context.codec.canonical_name for stream in after.streams.audio} <= codecs
        seconds = [
            sum(frame.samples / frame.sample_rate for frame in each.decode(audio=0))
            for each in (before, after)
            if each.streams.audio
        ]
    assert seconds == [] or seconds[0] == pytest.approx(seconds[1], abs=0.1)


def test_without_the_encoder_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"libx264"})
    with pytest.raises(OutputError, match=r"no ProRes 4444 encoder \(prores_ks\).*pip install"):
        CutoutVideo(tmp_path / "a.mov", PRORES)


def test_pictures_hold_picture_and_alpha_exactly(tmp_path):
    folder = tmp_path / "cutouts"
    write_all(CutoutPictures(folder), results(2, soft=True))
    for result in results(2, soft=True):
        with Image.open(folder / f"{result.name}.png") as image:
            assert image.mode == "RGBA"
            rgba = np.asarray(image)
        np.testing.assert_array_equal(rgba[..., :3], result.frame.image, "every pixel shows something")
        assert set(np.unique(rgba[..., 3])) == {64, 128, 191}
    assert first_missing_picture(folder, ["00000", "00001"]) is None
    assert first_missing_picture(folder, ["00000", "00001", "00002"]) == "00002"
    file = folder / "00001.png"
    file.write_bytes(file.read_bytes()[:-20])
    assert first_missing_picture(folder, ["00000", "00001"]) == "00001"
    Image.new("RGBA", (4, 4)).save(folder / "mine.png")
    remove_pictures(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["00001.png", "mine.png"], "what is not ours or not whole"


def test_a_picture_of_others_is_not_overwritten(tmp_path):
    Image.new("RGBA", (4, 4)).save(tmp_path / "00000.png")
    with pytest.raises(OutputError, match=r"00000\.png was not written by cyclevos"):
        CutoutPictures(tmp_path).write(next(results()))

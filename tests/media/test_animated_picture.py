"""Files that hold many frames: all of them are read, with their times, and a still stays one frame."""

import io
import warnings
import weakref
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import SHARED, closeness, images_of, scene, write_images, write_video
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from cyclevos.errors import VideoError
from cyclevos.media import animated_picture
from cyclevos.media.animated_picture import AnimatedPicture
from cyclevos.media.image_folder import ImageFolder
from cyclevos.media.open_source import open_source
from cyclevos.media.source_identity import source_identity

DURATIONS = [40, 40, 420, 40, 40, 620, 40]
TIMES = [0, 0.04, 0.08, 0.5, 0.54, 0.58, 1.2]
LOSSLESS = {"a.webp": {"lossless": True}, "a.png": {}, "a.apng": {"format": "PNG"}, "a.tif": {}, "a.TIFF": {}}


def save(path: Path, images, **options) -> Path:
    first, *others = map(Image.fromarray, images)
    if path.suffix.lower() not in {".tif", ".tiff"}:
        options.setdefault("duration", DURATIONS[: len(images)])
    first.save(path, save_all=True, append_images=others, **options)
    return path


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_frame_is_read_with_its_time_from_anywhere_in_both_directions(tmp_path, name, monkeypatch):
    monkeypatch.setattr(animated_picture, "_CHUNK_FRAMES", 3)
    drawn = scene(7)
    source = open_source(save(tmp_path / name, drawn, **LOSSLESS[name]))
    frames = list(source)
    assert (source.name, source.size, source.len_hint, source.frame_names, source.files) == (
        "a",
        (48, 64),
        7,
        None,
        None,
    )
    np.testing.assert_array_equal(images_of(frames), drawn)
    assert [frame.name for frame in frames] == [f"{index:05d}" for index in range(7)]
    timed = "tif" not in name.lower()
    assert [frame.time for frame in frames] == (pytest.approx(TIMES) if timed else [None] * 7)
    assert source.frame_rate == (25 if timed else None)
    for other, expected in [
        (list(reversed(source)), frames[::-1]),
        (list(source.iterate(start=4)), frames[4:]),
        (list(source.iterate(reverse=True, start=4)), frames[4::-1]),
        (list(source.iterate(reverse=True, start=99)), frames[::-1]),
    ]:
        assert [(frame.index, frame.time) for frame in other] == [(frame.index, frame.time) for frame in expected]
        np.testing.assert_array_equal(images_of(other), images_of(expected))
    assert list(source.iterate(start=7)) == []


def test_a_gif_is_read_as_ffmpeg_reads_it(tmp_path):
    images = [Image.fromarray(image).quantize(200) for image in scene(6)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[40, 0, 10, 20, 120, 40])
    source = open_source(tmp_path / "a.gif")
    frames = list(source)
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.14, 0.24, 0.26, 0.38])
    with av.open(str(tmp_path / "a.gif")) as container:
        others = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    np.testing.assert_array_equal(images_of(frames), others)


def test_a_transparent_animation_is_drawn_on_black(tmp_path):
    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    solid = Image.new("RGBA", (8, 8), (200, 0, 0, 255))
    clear.save(tmp_path / "a.webp", save_all=True, append_images=[solid], lossless=True, exact=True)
    assert [frame.image[0, 0].tolist() for frame in open_source(tmp_path / "a.webp")] == [[0, 0, 0], [200, 0, 0]]


def test_what_an_apng_shows_to_programs_that_do_not_animate_is_no_frame(tmp_path):
    poster, *drawn = scene(4)
    save(tmp_path / "a.png", [poster, *drawn], default_image=True, duration=40)
    np.testing.assert_array_equal(images_of(open_source(tmp_path / "a.png")), drawn)


def test_previews_in_a_tiff_are_no_frames(tmp_path):
    preview = TiffImagePlugin.ImageFileDirectory_v2()
    preview[254] = 1
    drawn = scene(2)
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "a.tif"), True) as file:
        for image, info in [(drawn[0], None), (drawn[0][::2, ::2], preview)]:
            Image.fromarray(np.ascontiguousarray(image)).save(file, format="TIFF", tiffinfo=info or {})
            file.newFrame()
    assert isinstance(open_source(tmp_path / "a.tif"), ImageFolder)
    np.testing.assert_array_equal(images_of(open_source(tmp_path / "a.tif")), drawn[:1])


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.tif", "a.gif", "a.jpg"])
def test_a_still_stays_one_frame(tmp_path, name):
    Image.fromarray(scene(1)[0]).save(tmp_path / name)
    assert [frame.size for frame in open_source(tmp_path / name)] == [(48, 64)]


def test_pages_of_different_sizes_are_named(tmp_path):
    save(tmp_path / "a.tif", [*scene(2), *scene(1, 24, 32)])
    with pytest.raises(VideoError, match=r"00000 is 64x48 but 00002 is 32x24"):
        list(open_source(tmp_path / "a.tif"))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.gif"])
def test_a_file_that_is_cut_off_names_the_frame(tmp_path, name):
    path = save(tmp_path / name, scene(7))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    with pytest.raises(VideoError, match=rf"{name}"):
        list(open_source(path))


def _whole(kind: str) -> bytes:
    first, *others = map(Image.fromarray, scene(4, 12, 16))
    file = io.BytesIO()
    first.save(file, format=kind, save_all=True, append_images=others)
    return file.getvalue()


WHOLE = {kind: _whole(kind) for kind in ("WEBP", "PNG", "GIF", "TIFF")}


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_give_frames_or_an_error_by_name(tmp_path, kind, data):
    content = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on broken tags
        try:
            indices = [frame.index for frame in AnimatedPicture(path)]
        except VideoError as error:
            problem = error.problem
        else:
            problem = f"{path} is whole"
            assert indices == list(range(AnimatedPicture(path).len_hint))
    assert path.name in problem


def test_frames_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(animated_picture, "_CHUNK_FRAMES", 4)
    source = open_source(save(tmp_path / "a.webp", scene(20), duration=40))
    for reverse, held in ((False, 2), (True, 5)):
        images = weakref.WeakValueDictionary()
        for frame in source.iterate(reverse=reverse):
            images[frame.index] = frame.image
            assert len(images) <= held


def test_an_animation_among_the_frames_of_a_folder_is_named(tmp_path):
    write_images(tmp_path, scene(2))
    save(tmp_path / "00002.webp", scene(3))
    with pytest.raises(VideoError, match=r"00002\.webp.*holds 3 frames where one is expected"):
        list(open_source(tmp_path))


def test_its_content_identifies_it(tmp_path):
    one, other = save(tmp_path / "a.webp", scene(3)), save(tmp_path / "b.webp", scene(4))
    assert source_identity(one, open_source(one).files) != source_identity(other, open_source(other).files)
    copy = tmp_path / "c.webp"
    copy.write_bytes(one.read_bytes())
    assert source_identity(one) == source_identity(copy)


@pytest.mark.parametrize(
    ("names", "asked", "neighbour"),
    [
        (["00000.jpg", "00001.jpg"], "00000.jpg", "00001.jpg"),
        (["00000.jpg", "00001.jpg"], "00001.jpg", "00000.jpg"),
        (["a9_x.png", "a10_x.png"], "a9_x.png", "a10_x.png"),
        (["shot 1 (007).png", "shot 1 (008).png"], "shot 1 (007).png", "shot 1 (008).png"),
    ],
)
def test_one_image_of_a_sequence_names_its_folder(tmp_path, names, asked, neighbour):
    for name in names:
        Image.fromarray(scene(1)[0]).save(tmp_path / name)
    with pytest.raises(VideoError) as caught:
        open_source(tmp_path / asked)
    assert f"{neighbour} lies beside it" in caught.value.problem
    assert str(tmp_path) in caught.value.remedy


@pytest.mark.parametrize("others", [["00002.jpg"], ["00001.png"], ["a00001.jpg"], ["cat.jpg"]])
def test_an_image_without_a_neighbour_is_a_source(tmp_path, others):
    for name in ["00000.jpg", *others]:
        Image.fromarray(scene(1)[0]).save(tmp_path / name)
    assert len(list(open_source(tmp_path / "00000.jpg"))) == 1


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("order", [1, -1])
def test_the_largest_of_several_streams_is_read_and_said(tmp_path, suffix, order, caplog):
    path = tmp_path / f"two.{suffix}"
    drawn = [scene(6, 24, 32), scene(6)][::order]
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in drawn]
        for stream, images in zip(streams, drawn, strict=True):
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = "yuv420p"
        for stream, images in zip(streams, drawn, strict=True):
            for image in images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    source = open_source(path)
    assert max(closeness(a, b) for a, b in zip(images_of(source), scene(6), strict=True)) < 20
    assert source.size == (48, 64)
    assert f"number {2 if order == 1 else 1} is read" in caplog.text
    caplog.clear()
    open_source(write_video(tmp_path / "one.mp4", scene(2)))
    assert not caplog.text


@pytest.mark.parametrize("name", ["anim.webp", "anim.avif"])
def test_animations_of_other_tools(name):
    path = SHARED / "cases" / "video" / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    source = open_source(path)
    frames = list(source)
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(12)])
    assert source.size == (240, 428)
    np.testing.assert_array_equal(images_of(reversed(source)), images_of(frames)[::-1])
    assert all(closeness(a.image, b.image) > 0.5 for a, b in pairwise(frames))
    assert isinstance(source, AnimatedPicture) == (name == "anim.webp")


def test_one_frame_of_a_real_sequence_is_refused():
    path = SHARED / "cases" / "frames" / "three" / "00000.jpg"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    with pytest.raises(VideoError, match=r"one image of a sequence: 00001\.jpg"):
        open_source(path)


def test_a_damaged_page_of_a_tiff_is_passed_over(tmp_path):
    path, drawn = tmp_path / "pages.tif", scene(4)
    pages = [Image.fromarray(image) for image in drawn]
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_deflate")
    with Image.open(path) as image:
        image.seek(2)
        (start, *_) = image.tag_v2[273]  # where its pixels lie
    data = bytearray(path.read_bytes())
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    source = open_source(path, pass_over=True)
    for frames in (source, reversed(source)):
        found = list(frames)
        assert sorted(frame.index for frame in found) == [0, 1, 3]
        for frame in found:
            np.testing.assert_array_equal(frame.image, drawn[frame.index])
    assert source.bad == {2: "its page cannot be decoded"}

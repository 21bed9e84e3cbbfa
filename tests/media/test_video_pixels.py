"""High dynamic range becomes what an ordinary screen shows; interlaced pictures become whole ones on request."""

import av
import numpy as np
import pytest
from clips import SHARED, closeness, images_of, scene, write_images, write_video

from cyclevos.errors import VideoError
from cyclevos.jobs.job import CONTENT, content_identity
from cyclevos.media.open_source import open_source
from cyclevos.media.tone_mapping import HLG, PQ, pq_code, tone_mapped
from cyclevos.media.video_file import VideoFile


def level(nits: float) -> np.ndarray:
    return np.full((1, 1, 3), round(float(pq_code(nits)) * 65535), np.uint16)


@pytest.mark.parametrize("nits", [0, 1, 10, 50, 90])
def test_below_half_of_white_light_is_kept(nits):
    expected = 255 * (nits / 203) ** (1 / 2.4)
    np.testing.assert_allclose(tone_mapped(level(nits), PQ)[0, 0], expected, atol=1)


def test_highlights_are_told_apart_and_never_get_darker():
    shown = [int(tone_mapped(level(nits), PQ)[0, 0, 0]) for nits in (100, 203, 400, 700, 1000, 10000)]
    assert shown == sorted(shown)
    assert 220 < shown[1] < 240 < shown[2] < shown[3] <= shown[4] == shown[5] == 255


def test_the_pq_code_is_that_of_the_standard():
    np.testing.assert_allclose(pq_code([0, 100, 1000, 10000]), [0, 0.508, 0.752, 1], atol=5e-4)


def test_hlg_white_is_as_bright_as_pq_white():
    hlg = tone_mapped(np.full((1, 1, 3), round(0.75 * 65535), np.uint16), HLG)
    np.testing.assert_allclose(hlg[0, 0].astype(int), tone_mapped(level(203), PQ)[0, 0], atol=2)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_grey_stays_grey_and_ordinary_colours_come_back(transfer):
    grey = np.linspace(0, 65535, 256).astype(np.uint16)[None, :, None].repeat(3, axis=2)
    mapped = tone_mapped(grey, transfer).astype(int)
    assert np.ptp(mapped, axis=2).max() <= 1
    assert (np.diff(mapped[0, :, 0]) >= 0).all()


def test_bt2020_red_is_redder_than_a_screen_shows():
    red = np.array([[[round(float(pq_code(80)) * 65535), 0, 0]]], np.uint16)
    mapped = tone_mapped(red, PQ)[0, 0]
    assert mapped[0] > 150
    assert mapped[1:].tolist() == [0, 0]


def test_an_ordinary_transfer_is_refused():
    with pytest.raises(ValueError, match="expected transfer 16 or 18, got 1"):
        tone_mapped(level(1), 1)


def in_pq(image: np.ndarray) -> np.ndarray:
    """An ordinary picture as an HDR file holds it, BT.2020 and PQ, uint16, white at 90 nits."""
    to_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
    light = 90 * (image / 255) ** 2.4 @ np.linalg.inv(to_709).T
    return (pq_code(light.clip(0)) * 65535).round().astype(np.uint16)


def write_hdr_video(path, images):
    with av.open(str(path), "w") as container:
        options = {"crf": "1", "x265-params": "log-level=none:range=limited:colorprim=9:transfer=16:colormatrix=9"}
        stream = container.add_stream("libx265", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p10le"
        stream.codec_context.color_trc, stream.codec_context.color_primaries = 16, 9
        stream.codec_context.colorspace = 9
        for index, image in enumerate(images):
            picture = av.VideoFrame.from_ndarray(in_pq(image), format="rgb48le")
            picture = picture.reformat(format="yuv420p10le", dst_colorspace=9)
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.mark.skipif("libx265" not in av.codecs_available, reason="this build of PyAV has no encoder for 10 bits")
def test_a_pq_video_looks_like_the_ordinary_one_and_says_once_that_it_was_toned_down(tmp_path, caplog):
    drawn = [image // 2 + 60 for image in scene(4, 96, 128)]
    source = open_source(write_hdr_video(tmp_path / "hdr.mp4", drawn))
    expected = [255 * (90 / 203) ** (1 / 2.4) * (image / 255) for image in drawn]
    for shown, image in zip(images_of(source), expected, strict=True):
        assert closeness(shown, image) < 4
    list(source)
    list(reversed(source))
    assert caplog.text.count("high dynamic range") == 1
    with av.open(str(source.path)) as container:
        plain = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert closeness(plain, expected[0]) > 2 * closeness(images_of(source)[0], expected[0]), (
        "without tone mapping it would look otherwise"
    )


def combs(image: np.ndarray) -> float:
    """How much neighbouring lines differ beyond those two lines apart."""
    lines = image.astype(float)
    return float(np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean())


@pytest.fixture
def interlaced(tmp_path):
    """A disc that moves between the two fields of each frame."""
    moving = scene(16)
    woven = []
    for first, second in zip(moving[::2], moving[1::2], strict=True):
        picture = first.copy()
        picture[::2] = second[::2]  # the encoder is told of no other order, so the lower field is the first
        woven.append(picture)
    options = {"crf": "3", "flags": "+ildct+ilme", "x264-params": "interlaced=1"}
    return write_video(tmp_path / "interlaced.mp4", woven, options=options), moving[::2]


def test_an_interlaced_video_is_named_and_deinterlaced_on_request(interlaced, caplog):
    path, whole = interlaced
    plain = open_source(path)
    assert caplog.text.count("is interlaced") == 1
    assert "--deinterlace" in caplog.text
    caplog.clear()
    source = open_source(path, deinterlace=True)
    frames = images_of(source)
    assert not caplog.text
    assert len(frames) == 8
    assert [frame.time for frame in source] == [frame.time for frame in plain]
    for combed, smooth, drawn in zip(images_of(plain), frames, whole, strict=True):
        assert combs(smooth) < 0.75 * combs(combed)
        assert closeness(smooth, drawn) < closeness(combed, drawn)
    np.testing.assert_array_equal(images_of(reversed(source)), frames[::-1])
    np.testing.assert_array_equal(images_of(source.iterate(start=5)), frames[5:])


def test_a_deinterlaced_run_is_another_run(interlaced):
    path, _ = interlaced
    plain, treated = (content_identity(open_source(path, deinterlace=each), {})[CONTENT] for each in (False, True))
    assert treated == f"{plain}, deinterlaced"


def test_what_cannot_be_deinterlaced_is_named(tmp_path, monkeypatch):
    with pytest.raises(VideoError, match="no fields to deinterlace"):
        open_source(write_images(tmp_path / "clip", scene(2)), deinterlace=True)
    path = write_video(tmp_path / "a.mp4", scene(2))
    monkeypatch.setattr("cyclevos.media.video_pixels._DEINTERLACER", "no_such_filter")
    with pytest.raises(VideoError, match="lacks FFmpeg's filter"):
        VideoFile(path, deinterlace=True)


def test_a_real_interlaced_video(caplog):
    path = SHARED / "cases" / "video" / "interlaced.ts"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    plain, treated = images_of(open_source(path)), images_of(open_source(path, deinterlace=True))
    assert caplog.text.count("is interlaced") == 1
    assert len(plain) == len(treated) == 12
    assert all(combs(smooth) < 0.98 * combs(combed) for combed, smooth in zip(plain, treated, strict=True))


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mkv", "ffv1", "yuv422p12le"),
        ("a.mkv", "ffv1", "gbrp16le"),
        ("a.mxf", "mpeg2video", "yuv422p"),
    ],
)
def test_the_deep_formats_of_editors_are_read(tmp_path, name, codec, layout):
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV has no encoder {codec}")
    drawn = scene(3)
    source = open_source(write_video(tmp_path / name, drawn, codec=codec, pix_fmt=layout, options={"qscale": "1"}))
    shown = images_of(source)
    assert len(shown) == 3
    for seen, image in zip(shown, drawn, strict=True):
        assert closeness(seen, image) < 8
    np.testing.assert_array_equal(images_of(reversed(source)), shown[::-1])

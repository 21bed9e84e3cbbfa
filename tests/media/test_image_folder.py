import struct

import av
import numpy as np
import pytest
from clips import SHARED, images_of, scene, write_images
from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.media.image_folder import ImageFiles, ImageFolder
from cyclevos.media.open_source import open_source
from cyclevos.media.source_identity import source_identity
from cyclevos.pictures.images import read_image, upright_size


def collect(frames, into):
    for frame in frames:
        into.append(frame.name)


def test_natural_order_hidden_files_and_reverse(tmp_path):
    drawn = scene(4)
    for name, image in zip(["frame2.png", "frame10.png", "frame1.bmp", "frame33.webp"], drawn, strict=True):
        Image.fromarray(image).save(tmp_path / name, lossless=True)
    (tmp_path / ".hidden.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("no image")
    source = open_source(tmp_path)
    assert source.frame_names == ("frame1", "frame2", "frame10", "frame33")
    assert (source.size, source.len_hint, source.frame_rate) == ((48, 64), 4, None)
    np.testing.assert_array_equal(images_of(source), [drawn[2], drawn[0], drawn[1], drawn[3]])
    np.testing.assert_array_equal(images_of(reversed(source)), images_of(source)[::-1])
    assert [frame.index for frame in source.iterate(reverse=True, start=2)] == [2, 1, 0]
    assert [frame.index for frame in source.iterate(start=2)] == [2, 3]
    assert next(iter(source)).path.name == "frame1.bmp"


def test_one_image_and_one_tiny_image(tmp_path):
    write_images(tmp_path / "one", scene(1, 8, 8))
    assert len(list(open_source(tmp_path / "one"))) == 1
    single = open_source(tmp_path / "one" / "00000.png")
    assert (single.name, single.size, len(list(single))) == ("00000", (8, 8), 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    path = tmp_path / f"image{suffix}"
    top_left_red = np.full((32, 48, 3), 40, np.uint8)
    top_left_red[:16, :16] = [250, 10, 10]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {  # what a camera stores, given how the scene looks upright
        1: top_left_red,
        2: top_left_red[:, ::-1],
        3: top_left_red[::-1, ::-1],
        4: top_left_red[::-1],
        5: top_left_red.transpose(1, 0, 2),
        6: np.rot90(top_left_red),
        7: top_left_red[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(top_left_red, -1),
    }[orientation]
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    image = open_source(path).size, read_image(path)
    assert image[0] == (32, 48)
    np.testing.assert_allclose(image[1][4:12, 4:12].mean((0, 1)), [250, 10, 10], atol=12)
    np.testing.assert_allclose(image[1][24:, 24:].mean((0, 1)), [40, 40, 40], atol=12)


def test_other_pixel_formats_become_rgb(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    rgba = np.dstack([grey, grey, grey, np.full((8, 8), 255, np.uint8)])
    rgba[0, 0] = [200, 100, 50, 0]
    images = {
        "grey": Image.fromarray(grey),
        "deep": Image.fromarray(grey.astype(np.uint16) * 257),
        "alpha": Image.fromarray(rgba),
        "palette": Image.fromarray(np.dstack([grey] * 3)).quantize(256),
        "cmyk": Image.fromarray(np.dstack([grey] * 3)).convert("CMYK"),
    }
    for name, image in images.items():
        path = tmp_path / f"{name}.{'tif' if name == 'cmyk' else 'png'}"
        image.save(path)
        rgb = read_image(path)
        assert rgb.shape == (8, 8, 3)
        np.testing.assert_allclose(rgb[1:, 1:, 1], grey[1:, 1:], atol=2)
    assert tuple(read_image(tmp_path / "alpha.png")[0, 0]) == (0, 0, 0)


@pytest.mark.parametrize("damage", ["truncate", "replace"])
def test_a_broken_image_in_the_middle_is_named_after_the_good_ones(tmp_path, damage):
    folder = write_images(tmp_path / "clip", scene(5), ".jpg")
    broken = folder / "00003.jpg"
    broken.write_bytes(broken.read_bytes()[:300] if damage == "truncate" else b"not a picture")
    got = []
    with pytest.raises(VideoError, match=r"Frame 3 cannot be decoded: .*00003\.jpg"):
        collect(open_source(folder), got)
    assert got == ["00000", "00001", "00002"]


def test_floating_point_images_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(VideoError, match=r"a\.tif.*floating-point"):
        open_source(tmp_path)


def test_differing_sizes_show_both(tmp_path):
    write_images(tmp_path, scene(2))
    write_images(tmp_path, scene(1, 24, 32), start=2)
    got = []
    with pytest.raises(VideoError, match=r"00000\.png is 64x48 but 00002\.png is 32x24"):
        collect(open_source(tmp_path), got)
    assert len(got) == 2


def test_two_files_of_one_stem_are_named(tmp_path):
    write_images(tmp_path, scene(2))
    write_images(tmp_path, scene(1), ".jpg", start=1)
    with pytest.raises(VideoError, match=r"one name: 00001\.(png|jpg) and 00001\.(png|jpg)"):
        open_source(tmp_path)


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    with pytest.raises(VideoError, match=r"holds no image\. Found: nothing"):
        open_source(tmp_path)
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(VideoError, match=r"Found: clip\.mp4"):
        open_source(tmp_path)


def test_real_frames():
    folder = SHARED / "data" / "DAVIS-2016" / "JPEGImages" / "480p" / "bear"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    source = open_source(folder)
    assert source.name == "bear"
    assert source.frame_names[:2] == ("00000", "00001")
    assert next(iter(source)).size == source.size


def test_listed_files_are_the_frames_in_the_order_given(tmp_path):
    for name in ("a", "b", "c"):
        Image.fromarray(np.full((4, 6, 3), ord(name), np.uint8)).save(tmp_path / f"{name}.png")
    files = [tmp_path / "c.png", tmp_path / "a.png"]
    source = ImageFiles(files)
    assert source.frame_names == ("c", "a")
    assert (source.path, source.name, source.size, source.len_hint) == (tmp_path, tmp_path.name, (4, 6), 2)
    assert [(frame.name, int(frame.image[0, 0, 0])) for frame in source] == [("c", ord("c")), ("a", ord("a"))]
    assert source_identity(tmp_path, source.files) != source_identity(tmp_path)
    whole = ImageFolder(tmp_path)
    assert source_identity(tmp_path, whole.files) == source_identity(tmp_path)
    assert ImageFolder(files[0]).files is None
    with pytest.raises(VideoError, match="empty"):
        ImageFiles([])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_the_upright_size_is_that_of_the_image_read(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path, exif=exif)
    assert upright_size(path) == read_image(path).shape[:2]


def write_deep(path, image, layout="rgb48be"):
    """Write uint16 (H, W, C) by FFmpeg, since Pillow writes no colours of 16 bits."""
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream(path.suffix.lstrip(".").replace("tif", "tiff"), rate=1)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = layout
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=layout)))
        container.mux(stream.encode(None))


def deep_image(channels):
    image = (np.arange(12 * 20 * channels, dtype=np.uint32) * 271 % 2**16).astype(np.uint16)
    return image.reshape(12, 20, channels)


@pytest.mark.parametrize(("suffix", "layout"), [(".png", "rgb48be"), (".tif", "rgb48le"), (".png", "rgba64be")])
def test_sixteen_bits_of_each_colour_keep_the_upper_eight(tmp_path, suffix, layout):
    image = deep_image(4 if "a" in layout else 3)
    image[..., 3:] = 65535
    for index in range(2):
        write_deep(tmp_path / f"{index}{suffix}", image, layout)
    np.testing.assert_array_equal(images_of(open_source(tmp_path)), [image[..., :3] >> 8] * 2)


def write_tiff(path, planes, tags):
    """Write 16-bit planes (C, H, W) one after another as an uncompressed TIFF."""
    data = planes.astype("<u2").tobytes()
    count, height, width = planes.shape
    entries = {256: width, 257: height, 258: 16, 259: 1, 262: 2, 277: count, 278: height, 284: 2, **tags}
    wide = {258: [16] * count, 273: [8 + index * height * width * 2 for index in range(count)]}
    wide[279] = [height * width * 2] * count
    with path.open("wb") as file:
        extra, rows, place = b"", [], 8 + len(data)
        for tag in sorted(entries | wide):
            values = wide.get(tag, [entries.get(tag, 0)])
            kind = "H" if tag == 258 else "I"
            packed = struct.pack(f"<{len(values)}{kind}", *values)
            if len(packed) > 4:
                packed, extra = struct.pack("<I", place + len(extra)), extra + packed
            rows.append(struct.pack("<HHI", tag, 3 if kind == "H" else 4, len(values)) + packed.ljust(4, b"\0"))
        file.write(struct.pack("<2sHI", b"II", 42, place + len(extra)) + data + extra)
        file.write(struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4))


def test_sixteen_bits_in_planes_are_refused_since_pillow_reads_them_wrongly(tmp_path):
    write_tiff(tmp_path / "a.tif", np.moveaxis(deep_image(3), -1, 0), {})
    with pytest.raises(VideoError, match=r"a\.tif.*separate planes.*interleaved"):
        open_source(tmp_path)


@pytest.mark.parametrize("white", [0, 1])
def test_grey_of_sixteen_bits_may_count_from_white(tmp_path, white):
    grey = deep_image(1)
    write_tiff(tmp_path / "a.tif", np.moveaxis(grey, -1, 0), {262: white, 284: 1})
    expected = grey[..., 0] >> 8 if white else 255 - (grey[..., 0] >> 8)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], expected)


def test_a_camera_s_raw_pictures_are_refused_with_what_to_do(tmp_path):
    (tmp_path / "DSC_1.NEF").write_bytes(b"II*\0")
    for place in (tmp_path, tmp_path / "DSC_1.NEF"):
        with pytest.raises(VideoError, match=r"DSC_1\.NEF is a camera's raw picture.*export them as JPEG"):
            open_source(place)
    write_images(tmp_path, scene(2), ".jpg")
    assert open_source(tmp_path).len_hint == 2


def test_files_that_cannot_be_read_are_passed_over_in_both_directions(tmp_path):
    folder = write_images(tmp_path / "shot", scene(6))
    (folder / "00000.png").write_bytes(b"")
    cut = folder / "00002.png"
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    Image.fromarray(scene(1, 24, 32)[0]).save(folder / "00003.png")
    (folder / "00005.png").write_text("no picture")
    source = open_source(folder, pass_over=True)
    assert [frame.index for frame in source] == [1, 4]
    assert [frame.index for frame in reversed(source)] == [4, 1]
    assert (source.size, source.len_hint) == ((48, 64), 6)
    assert source.bad == {
        0: "00000.png is empty",
        2: "00002.png is cut off",
        3: "00003.png is 32x24, but 00001.png is 64x48",
        5: "00005.png is not a picture",
    }
    with pytest.raises(VideoError, match=r"Frame 2 cannot be read: 00002\.png is cut off"):
        source.frame(2)
    cut.write_bytes(whole)
    assert [frame.index for frame in source] == [1, 2, 4]
    assert 2 not in source.bad


def test_a_file_that_vanished_is_passed_over(tmp_path):
    folder = write_images(tmp_path / "shot", scene(3))
    source = open_source(folder, pass_over=True)
    (folder / "00001.png").unlink()
    assert [frame.index for frame in source] == [0, 2]
    assert source.bad == {1: "00001.png cannot be opened (No such file or directory)"}

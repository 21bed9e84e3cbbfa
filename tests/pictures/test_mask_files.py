import io
import tracemalloc

import numpy as np
import pytest
from clips import SHARED, scene, scene_ids
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageFilter

from cyclevos.errors import MaskError
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.pictures.mask_files import MaskImage, read_ground_truth, read_labels, read_mask
from cyclevos.pictures.mask_notes import texts
from cyclevos.pictures.palette import DAVIS_PALETTE, palette_colours

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def indexed(ids, palette=DAVIS_PALETTE):
    image = Image.fromarray(ids)
    image.putpalette(palette)
    return image


def saved(image, folder, name="mask.png"):
    path = folder / name
    image.save(path)
    return path


def disc(height=64, width=80, radius=20.0):
    rows, columns = np.mgrid[0:height, 0:width]
    return (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < radius**2


def softened(mask, low, high):
    """Anti-alias a disc between two colours."""
    alpha = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.2))
    weight = np.asarray(alpha)[..., None] / 255
    return (np.array(low) * (1 - weight) + np.array(high) * weight).round().astype(np.uint8)


def test_palette_is_the_published_one():
    assert len(DAVIS_PALETTE) == 768
    colours = [tuple(colour) for colour in palette_colours(None).tolist()]
    assert colours[:8] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128),
        (128, 128, 128),
    ]  # fmt: skip
    assert colours[255] == (224, 224, 192)
    assert len(set(colours)) == 256


@quick
@given(ids=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_indexed_ids_come_back(tmp_path, ids):
    mask = read_mask(saved(indexed(ids), tmp_path))
    expected = (ids > 0).astype(np.uint8) if set(np.unique(ids)) in ({0, 255}, {255}) else np.where(ids == 255, 0, ids)
    np.testing.assert_array_equal(mask.ids, expected)
    np.testing.assert_array_equal(read_ground_truth(tmp_path / "mask.png").ids, ids)
    assert mask.object_ids == tuple(sorted(set(expected.ravel().tolist()) - {0}))


@quick
@given(
    ids=arrays.arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 7, 40, 254])),
    mode=st.sampled_from(["L", "RGB", "RGBA", "LA", "I;16"]),
)
def test_grey_ids_come_back_in_every_mode(tmp_path, ids, mode):
    image = Image.fromarray(ids.astype(np.uint16)) if mode == "I;16" else Image.fromarray(ids).convert(mode)
    np.testing.assert_array_equal(read_mask(saved(image, tmp_path)).ids, ids)


def test_own_palette_is_kept(tmp_path):
    palette = bytes(range(256)) * 3
    mask = read_mask(saved(indexed(scene_ids(1)[0], palette), tmp_path))
    assert mask.palette == palette
    assert mask.object_ids == (1, 5)
    short = read_mask(saved(indexed(scene_ids(1)[0], bytes(range(30))), tmp_path)).palette
    assert short == bytes(range(30)) + DAVIS_PALETTE[30:], "objects that appear later are not black"


@pytest.mark.parametrize("kind", ["L", "1", "P", "RGB", "I;16"])
def test_binary_masks_become_object_one(tmp_path, kind):
    binary = np.where(disc(), 255, 0).astype(np.uint8)
    image = {
        "L": lambda: Image.fromarray(binary),
        "1": lambda: Image.fromarray(binary).convert("1"),
        "P": lambda: indexed(binary),
        "RGB": lambda: Image.fromarray(binary).convert("RGB"),
        "I;16": lambda: Image.fromarray(binary.astype(np.uint16) * 257),
    }[kind]()
    path = saved(image, tmp_path)
    np.testing.assert_array_equal(read_mask(path).ids, disc())
    np.testing.assert_array_equal(read_ground_truth(path, binary=True).ids, disc())
    if kind != "1":
        assert read_ground_truth(path).object_ids == (255,)


def test_255_beside_ids_is_unknown(tmp_path, caplog):
    ids = scene_ids(1)[0]
    ids[-1] = 255
    path = saved(indexed(ids), tmp_path)
    for mask in (read_ground_truth(path), read_ground_truth(path, binary=True), read_mask(path, keep_255=True)):
        np.testing.assert_array_equal(mask.ids, ids)
    assert not caplog.text
    np.testing.assert_array_equal(read_masks(path, None)[0].ids, np.where(ids == 255, 0, ids))
    assert f"{path}: 255 beside other ids marks unknown pixels (64 pixels)" in caplog.text
    assert "--keep-255" in caplog.text
    fixed = read_mask(path, fix_mask=True)
    np.testing.assert_array_equal(fixed.ids, np.where(ids == 255, 0, ids))
    assert next(texts(fixed)).endswith("5 is object 5, 255 is unknown")


def test_a_kept_255_is_an_object_even_alone(tmp_path):
    binary = np.where(disc(), 255, 0).astype(np.uint8)
    path = saved(Image.fromarray(binary), tmp_path)
    masks = read_masks(path, None, reading=MaskReading(keep_255=True))
    np.testing.assert_array_equal(masks[0].ids, binary)


def test_the_border_of_voc_is_no_object(cases, caplog):
    truth = np.load(cases / "masks" / "ids.npy")
    mask = read_masks(cases / "masks" / "voc255.png", None)[0]
    assert mask.object_ids == (1, 2)
    np.testing.assert_array_equal(mask.ids, truth)
    assert "(241 pixels)" in caplog.text


def test_an_empty_mask_is_a_mask(tmp_path):
    assert read_mask(saved(Image.new("L", (8, 8)), tmp_path)).object_ids == ()


def test_davis_colours_as_rgb_are_mapped(tmp_path):
    ids = scene_ids(1)[0]
    mask = read_mask(saved(indexed(ids).convert("RGB"), tmp_path))
    np.testing.assert_array_equal(mask.ids, ids)
    assert mask.palette == DAVIS_PALETTE


def test_the_data_sets_own_191_counts_as_192(tmp_path):
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:4] = [191, 0, 0]
    rgb[4:] = [64, 128, 0]
    assert read_mask(saved(Image.fromarray(rgb), tmp_path)).object_ids == (9, 10)


def test_transparent_pixels_are_background(tmp_path):
    ids = np.where(disc(), 2, 0).astype(np.uint8)
    rgba = np.array(indexed(ids).convert("RGBA"))
    rgba[~disc()] = [255, 255, 255, 0]
    np.testing.assert_array_equal(read_mask(saved(Image.fromarray(rgba), tmp_path)).ids, ids)


def test_foreign_colours_are_listed_and_can_be_fixed(tmp_path):
    picture = np.zeros((64, 80, 3), np.uint8)
    picture[disc()] = [255, 20, 20]
    picture[:10, :10] = [30, 240, 10]
    path = saved(Image.fromarray(picture), tmp_path)
    with pytest.raises(MaskError, match=r"mask\.png.*3 colours.*0\) [\d,]+ pixels, \(255,20,20\).*--fix-mask"):
        read_mask(path)
    expected = np.where(disc(), 1, 0)
    expected[:10, :10] = 2
    np.testing.assert_array_equal(read_mask(path, fix_mask=True).ids, expected)


def test_soft_coloured_edges_snap_to_the_solid_colours(tmp_path):
    path = saved(Image.fromarray(softened(disc(), (0, 0, 0), (0, 128, 0))), tmp_path)
    with pytest.raises(MaskError, match="--fix-mask"):
        read_mask(path)
    fixed = read_mask(path, fix_mask=True)
    assert fixed.object_ids == (2,)
    assert (fixed.ids > 0).sum() == pytest.approx(disc().sum(), rel=0.03)


@pytest.mark.parametrize("high", [255, 90])
def test_soft_grey_edges_are_refused_or_thresholded(tmp_path, high):
    path = saved(Image.fromarray(softened(disc(), [0], [high])[..., 0]), tmp_path)
    with pytest.raises(MaskError, match=r"grey values.*0 \([\d,]+ pixels\).*anti-aliasing.*--fix-mask"):
        read_mask(path)
    fixed = read_mask(path, fix_mask=True)
    assert fixed.object_ids == (1 if high == 255 else high,)
    assert (fixed.ids > 0).sum() == pytest.approx(disc().sum(), rel=0.03)


def test_a_photograph_is_no_mask_even_when_fixed(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    for image in (scene(1)[0], noise):
        path = saved(Image.fromarray(image), tmp_path)
        with pytest.raises(MaskError, match="looks like a picture"):
            read_mask(path, fix_mask=True)


def test_values_over_255_are_refused(tmp_path):
    path = saved(Image.fromarray(np.array([[0, 300], [7, 7]], np.uint16)), tmp_path)
    with pytest.raises(MaskError, match=r"reach 300: 7 \(2 pixels\)"):
        read_mask(path)


def test_16_bit_ids_are_numbered_anew_when_fixed(tmp_path):
    keys = np.zeros((48, 64), np.uint16)
    keys[4:14, 4:14], keys[20:30, 4:14], keys[20:30, 30:34] = 200, 1001, 1002
    path = saved(Image.fromarray(keys), tmp_path)
    expected = np.select([keys == 200, keys == 1001, keys == 1002], [1, 2, 3]).astype(np.uint8)
    mask = read_mask(path, fix_mask=True)
    np.testing.assert_array_equal(mask.ids, expected)
    assert list(texts(mask)) == ["0 is background, 200 is object 1, 1001 is object 2, 1002 is object 3"]


def test_more_16_bit_ids_than_a_mask_has_room_for(tmp_path):
    keys = np.arange(256, dtype=np.uint16).reshape(16, 16).repeat(3, 0).repeat(3, 1) + 1000
    with pytest.raises(MaskError, match="holds 256 objects; expected 255 or fewer"):
        read_mask(saved(Image.fromarray(keys), tmp_path), fix_mask=True)


def test_soft_16_bit_edges_are_scaled_down_and_thresholded(tmp_path):
    soft = softened(disc(), [0], [255])[..., 0].astype(np.uint16) * 257
    fixed = read_mask(saved(Image.fromarray(soft), tmp_path), fix_mask=True)
    assert fixed.object_ids == (1,)
    assert (fixed.ids > 0).sum() == pytest.approx(disc().sum(), rel=0.03)


def test_jpeg_is_refused_by_name(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(scene(1)[0]).save(buffer, "JPEG")
    path = tmp_path / "mask.png"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(MaskError, match=r"mask\.png is a JPEG file\. Expected PNG"):
        read_mask(path)


@quick
@given(content=st.binary(max_size=300), header=st.booleans())
def test_arbitrary_bytes_are_a_mask_error(tmp_path, content, header):
    path = tmp_path / "mask.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content if header else content)
    with pytest.raises(MaskError, match=r"mask\.png"):
        read_mask(path)


@settings(quick, max_examples=80)
@given(data=st.data(), fix=st.booleans())
def test_damaged_pngs_are_read_or_refused(tmp_path, data, fix):
    buffer = io.BytesIO()
    ids = scene_ids(1, 12, 14)[0]
    image = data.draw(st.sampled_from([indexed(ids), Image.fromarray(ids), indexed(ids).convert("RGBA")]))
    image.save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mask.png"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        mask = read_mask(path, fix_mask=fix)
    except MaskError as error:
        assert "mask.png" in str(error)  # noqa: PT017
    else:
        assert mask.ids.dtype == np.uint8
        assert mask.ids.ndim == 2


def test_one_png_belongs_to_the_first_frame(tmp_path):
    masks = read_masks(saved(indexed(scene_ids(1)[0]), tmp_path), ["a", "b"])
    assert list(masks) == [0]
    assert isinstance(masks[0], MaskImage)


@pytest.mark.parametrize(
    ("name", "frames", "count", "told"),
    [
        ("00006.png", None, 12, True),
        ("6.png", None, None, True),
        ("00006.png", None, 6, False),  # there is no such frame: a number of its own
        ("00000.png", None, 12, False),
        ("first.png", None, 12, False),
        ("b.png", ["a", "b"], None, True),
        ("a.png", ["a", "b"], None, False),
        ("00001.png", ["a", "b"], None, False),
    ],
)
def test_one_png_named_after_another_frame_is_warned_of(tmp_path, caplog, name, frames, count, told):
    path = saved(indexed(scene_ids(1)[0]), tmp_path, name)
    assert list(read_masks(path, frames, frame_count=count)) == [0]
    assert (f"{path} is used for the first frame" in caplog.text) == told


def test_a_folder_is_matched_by_name(tmp_path):
    for name, ids in zip(["frame10", "frame2"], scene_ids(2), strict=True):
        saved(indexed(ids), tmp_path, f"{name}.png")
    (tmp_path / "notes.txt").touch()
    masks = read_masks(tmp_path, ["frame1", "frame2", "frame10"])
    assert list(masks) == [1, 2]
    np.testing.assert_array_equal(masks[2].ids, scene_ids(2)[0])


def test_a_videos_masks_are_matched_by_number(tmp_path):
    for name, ids in zip(["00007", "12"], scene_ids(2), strict=True):
        saved(indexed(ids), tmp_path, f"{name}.png")
    assert list(read_masks(tmp_path, None, frame_count=13)) == [7, 12]
    with pytest.raises(MaskError, match=r"12\.png belongs to no frame.*up to 00009"):
        read_masks(tmp_path, None, frame_count=10)
    saved(indexed(scene_ids(1)[0]), tmp_path, "7.png")
    with pytest.raises(MaskError, match=r"two masks for frame 7"):
        read_masks(tmp_path, None)


def test_masks_for_no_frame_show_the_frames_names(tmp_path):
    saved(indexed(scene_ids(1)[0]), tmp_path, "shot.png")
    with pytest.raises(MaskError, match=r"shot\.png belongs to no frame.*00000, 00001, 00002, \.\.\., 00008"):
        read_masks(tmp_path, [f"{index:05d}" for index in range(9)])
    with pytest.raises(MaskError, match=r"shot\.png belongs to no frame.*named by frame index"):
        read_masks(tmp_path, None)


def test_no_masks_at_all(tmp_path):
    with pytest.raises(MaskError, match="holds no PNG"):
        read_masks(tmp_path, None)
    with pytest.raises(MaskError, match=r"nothing\.png does not exist"):
        read_masks(tmp_path / "nothing.png", None)


def test_another_size_is_refused_or_fitted(tmp_path):
    path = saved(indexed(scene_ids(1)[0]), tmp_path)
    with pytest.raises(MaskError, match=r"64x48 but the video is 128x96 .*--fit-mask"):
        read_masks(path, None, fit_to=(96, 128))
    fitted = read_masks(path, None, fit_to=(96, 128), reading=MaskReading(fit=True))[0]
    np.testing.assert_array_equal(fitted.ids, scene_ids(1)[0].repeat(2, 0).repeat(2, 1))
    assert fitted.palette == DAVIS_PALETTE


def test_real_masks():
    folder = SHARED / "data" / "DAVIS-2017" / "Annotations" / "480p" / "bmx-trees"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    assert read_masks(folder / "00000.png", None, fit_to=(480, 854))[0].object_ids == (1, 2)


def test_a_large_grey_mask_takes_little_more_than_one_copy_in_64_bits(tmp_path):
    image = Image.new("L", (4000, 4000))
    image.putpixel((0, 0), 3)
    image.save(tmp_path / "a.png")
    tracemalloc.start()
    try:
        assert read_labels(tmp_path / "a.png").object_ids == (3,)
        assert tracemalloc.get_traced_memory()[1] < 11 * 4000 * 4000
    finally:
        tracemalloc.stop()

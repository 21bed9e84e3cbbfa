"""Masks in other files than PNG: which hold ids unchanged, which blur them, several pictures, deep values, mattes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.pictures.label_pictures import count_pictures
from cyclevos.pictures.mask_files import read_ground_truth, read_label_pages, read_labels, read_mask
from cyclevos.pictures.palette import DAVIS_PALETTE

IDS = np.zeros((40, 60), np.uint8)
IDS[5:20, 5:30], IDS[22:38, 30:55] = 1, 2


def indexed(ids, palette=DAVIS_PALETTE):
    image = Image.fromarray(ids)
    image.putpalette(palette)
    return image


def drawn(ids):
    return indexed(ids).convert("RGB")


KEPT = {
    "grey.tif": lambda path: Image.fromarray(IDS).save(path),
    "deflate.tiff": lambda path: Image.fromarray(IDS).save(path, compression="tiff_adobe_deflate"),
    "indexed.tif": lambda path: indexed(IDS).save(path),
    "16.tif": lambda path: Image.fromarray(IDS.astype(np.uint16)).save(path),
    "32.tif": lambda path: Image.fromarray(IDS.astype(np.int32)).save(path),
    "float.tif": lambda path: Image.fromarray(IDS.astype(np.float32)).save(path),
    "grey.bmp": lambda path: Image.fromarray(IDS).save(path),
    "indexed.bmp": lambda path: indexed(IDS).save(path),
    "colours.BMP": lambda path: drawn(IDS).save(path),
    "indexed.gif": lambda path: indexed(IDS).save(path),
    "colours.webp": lambda path: drawn(IDS).save(path, lossless=True),
    "grey.webp": lambda path: Image.fromarray(IDS).convert("RGB").save(path, lossless=True),
    "named_wrongly.png": lambda path: Image.fromarray(IDS).save(path, format="TIFF"),
}


@pytest.mark.parametrize("name", KEPT)
def test_files_that_hold_ids_unchanged_are_read(tmp_path, name):
    KEPT[name](tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name).ids, IDS)


def test_a_black_and_white_one_is_object_1(tmp_path):
    for name in ("a.tif", "a.bmp", "a.gif", "a.webp"):
        options = {"lossless": True} if name == "a.webp" else {}
        Image.fromarray((IDS == 1).astype(np.uint8) * 255).save(tmp_path / name, **options)
        np.testing.assert_array_equal(read_mask(tmp_path / name).ids, IDS == 1)


BLURRED = {
    "a.jpg": (lambda path: Image.fromarray((IDS > 0).astype(np.uint8) * 255).save(path), "a JPEG file"),
    "a.webp": (lambda path: Image.fromarray((IDS > 0).astype(np.uint8) * 255).save(path), "a lossy WebP file"),
    "a.tif": (
        lambda path: Image.fromarray((IDS > 0).astype(np.uint8) * 255).save(path, compression="jpeg"),
        "a JPEG-compressed TIFF file",
    ),
    "a.png": (lambda path: Image.fromarray((IDS > 0).astype(np.uint8) * 255).save(path, format="JPEG"), "a JPEG file"),
}


@pytest.mark.parametrize("name", BLURRED)
def test_files_that_blur_ids_are_refused_and_repaired_on_request(tmp_path, name):
    save, called = BLURRED[name]
    save(tmp_path / name)
    with pytest.raises(MaskError, match=rf"is {called}\. Expected PNG.*--fix-mask"):
        read_mask(tmp_path / name)
    fixed = read_mask(tmp_path / name, fix_mask=True)
    assert np.count_nonzero((fixed.ids > 0) != (IDS > 0)) <= 10
    assert fixed.object_ids == (1,)
    with pytest.raises(MaskError, match=r"is a .* file"):
        read_labels(tmp_path / name, fix_mask=True, exact=True)


def test_colours_of_a_blurred_mask_are_found_again(tmp_path):
    drawn(IDS).save(tmp_path / "a.jpg", quality=75)
    fixed = read_mask(tmp_path / "a.jpg", fix_mask=True)
    assert fixed.object_ids == (1, 2)
    assert np.count_nonzero(fixed.ids != IDS) <= 40
    assert "its format blurs colours, and every pixel became the nearest of these" in fixed.notes


def test_a_photograph_is_no_blurred_mask(tmp_path):
    waves = np.sin(np.arange(60) / 9) * 90 + np.cos(np.arange(40) / 7)[:, None] * 30 + 128
    picture = np.dstack([waves, waves[::-1], waves[:, ::-1]]).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.jpg")
    with pytest.raises(MaskError, match="looks like a picture"):
        read_mask(tmp_path / "a.jpg", fix_mask=True)


def test_an_animated_lossy_webp_is_no_lossless_one(tmp_path):
    pages = [Image.fromarray(IDS * 100).convert("RGB"), Image.fromarray(IDS * 50).convert("RGB")]
    pages[0].save(tmp_path / "a.webp", save_all=True, append_images=pages[1:])
    with pytest.raises(MaskError, match="is a lossy WebP file"):
        list(read_label_pages(tmp_path / "a.webp"))


PAGED = {
    "a.tif": ({}, lambda ids: Image.fromarray(ids)),
    "16.tif": ({}, lambda ids: Image.fromarray(ids.astype(np.uint16))),
    "a.gif": ({"disposal": 1}, indexed),
    "grey.gif": ({}, lambda ids: Image.fromarray(ids)),
    "a.webp": ({"lossless": True}, drawn),
    "a.png": ({}, lambda ids: Image.fromarray(ids)),
}


@pytest.mark.parametrize("name", PAGED)
def test_several_pictures_of_one_file_are_read_one_by_one(tmp_path, name):
    options, make = PAGED[name]
    masks = [IDS, IDS[::-1].copy(), np.where(IDS == 2, 2, 0).astype(np.uint8)]
    first, *others = map(make, masks)
    first.save(tmp_path / name, save_all=True, append_images=others, **options)
    assert count_pictures(tmp_path / name) == 3
    for read, right in zip(read_label_pages(tmp_path / name), masks, strict=True):
        np.testing.assert_array_equal(read.ids, right)
    with pytest.raises(MaskError, match=r"holds 3 pictures\. Expected one mask\..*--masks FILE"):
        read_mask(tmp_path / name)


def test_a_gif_whose_later_pictures_have_other_colours_is_refused(tmp_path):
    red, blue = (indexed(IDS, bytes([0, 0, 0, *colour]) + bytes(range(250))) for colour in ((200, 0, 0), (0, 0, 77)))
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue])
    with pytest.raises(MaskError, match=r"a\.gif shows colours that its first picture's palette lacks"):
        list(read_label_pages(tmp_path / "a.gif"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (IDS.astype(np.float32) / 2, "floating-point values that are not whole"),
        (IDS.astype(np.float32) * np.nan, "not whole"),
        (IDS.astype(np.int32) - 1, "values from -1 to 1"),
        (IDS.astype(np.int32) * 100_000, "values from 0 to 200000"),
        (IDS.astype(np.uint16) * 1000, "16-bit values, which reach 2000"),
    ],
)
def test_deep_values_that_are_no_ids_are_refused(tmp_path, values, said):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(MaskError, match=said):
        read_mask(tmp_path / "a.tif")


def test_deep_ids_are_renumbered_on_request(tmp_path):
    Image.fromarray(IDS.astype(np.int32) * 1000).save(tmp_path / "a.tif")
    fixed = read_mask(tmp_path / "a.tif", fix_mask=True)
    np.testing.assert_array_equal(fixed.ids, IDS)
    assert dict(fixed.found) == {"0": 0, "1000": 1, "2000": 2}


def test_masks_of_runs_keep_their_meaning(tmp_path):
    Image.fromarray(IDS * 127).save(tmp_path / "a.png")
    assert read_ground_truth(tmp_path / "a.png").object_ids == (127, 254)


def write_exr(path, **channels):
    library = pytest.importorskip("OpenEXR")
    header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}
    library.File(header, channels).write(str(path))
    return path


MATTE = np.where(IDS == 1, 0.9, np.where(IDS == 2, 0.4, 0)).astype(np.float16)


@pytest.mark.parametrize(
    "channels",
    [
        {"A": MATTE},
        {"Y": MATTE},
        {"matte": MATTE.astype(np.float32)},
        {"R": MATTE, "G": MATTE, "B": MATTE},
        {"R": MATTE * 0, "G": MATTE, "B": MATTE, "A": MATTE},
        {"R": MATTE, "G": MATTE, "B": MATTE, "A": MATTE * 0 + 1},
    ],
    ids=lambda channels: "".join(channels),
)
def test_a_matte_is_thresholded_at_half(tmp_path, channels):
    mask = read_mask(write_exr(tmp_path / "a.exr", **channels))
    np.testing.assert_array_equal(mask.ids, IDS == 1)
    assert mask.notes == ("775 soft pixels became object or background, whichever was nearer (threshold at half)",)


def test_ids_in_openexr_and_channels_that_say_nothing(tmp_path):
    whole = write_exr(tmp_path / "a.exr", id=IDS.astype(np.uint32))
    np.testing.assert_array_equal(read_mask(whole).ids, IDS)
    with pytest.raises(MaskError, match=r"none of its channels is alpha, luminance or red \(channels: N, Z\)"):
        read_mask(write_exr(tmp_path / "b.exr", Z=MATTE, N=MATTE))
    (tmp_path / "c.exr").write_bytes((tmp_path / "a.exr").read_bytes()[:200])
    with pytest.raises(MaskError, match=r"c\.exr cannot be read as a mask"):
        read_mask(tmp_path / "c.exr")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from([*KEPT, *PAGED]), fix=st.booleans())
def test_damaged_files_are_read_or_refused(tmp_path, data, name, fix):
    path = tmp_path / f"damaged_{name}"
    if name in KEPT:
        KEPT[name](path)
    else:
        options, make = PAGED[name]
        make(IDS).save(path, save_all=True, append_images=[make(IDS[::-1].copy())], **options)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, min(len(content), 400) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    assert count_pictures(path) >= 1
    try:
        types = {page.ids.dtype for page in read_label_pages(path, fix_mask=fix)}
    except MaskError as error:
        types, refusal = set(), str(error)
        assert path.name in refusal
    assert types <= {np.dtype(np.uint8)}

"""Archives: found by content whatever folder the masks lie in, confined, bounded, and gone afterwards."""

from __future__ import annotations

import io
import json
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import archives
from cyclevos.exchange.contents.archives import unpacked
from cyclevos.exchange.formats import read_track, write_track
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.appearance import Appearance

IDS = np.zeros((6, 8), np.uint8)
IDS[1:3, 1:3], IDS[4:, 4:] = 1, 2
TRACK = MaskTrack("clip", lambda: iter([MaskFrame(0, "00000", IDS)]), Appearance(names={1: "car", 2: "box"}))


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield
    assert not list(temporary.iterdir())


def png(ids):
    file = io.BytesIO()
    Image.fromarray(ids).save(file, format="PNG")
    return file.getvalue()


def packed(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def written(kind, folder):
    write_track(TRACK, kind, folder / "x")
    return (folder / "x").read_bytes()


FRAME = {"images/00000.png": png(IDS * 50), "images/00001.jpg": b"not read"}


@pytest.mark.parametrize(
    ("kind", "inside"),
    [("cvat", "annotations.xml"), ("coco", "annotations/instances_default.json"), ("mots", "gt/gt.txt")],
)
def test_annotations_are_found_beside_the_frames(tmp_path, caplog, kind, inside):
    path = packed(tmp_path / "export.ZIP", {**FRAME, inside: written(kind, tmp_path)})
    masks = read_masks(path, None)
    np.testing.assert_array_equal(masks[0].ids, IDS)
    assert f"{path}: read {inside} as {kind}." in caplog.text
    assert str(tmp_path / "temporary") not in caplog.text


def test_a_folder_with_one_known_thing_in_it_is_searched_too(tmp_path, caplog):
    (tmp_path / "export" / "annotations").mkdir(parents=True)
    (tmp_path / "export" / "readme.txt").write_text("hello")
    (tmp_path / "export" / "annotations" / "a.json").write_bytes(written("coco", tmp_path))
    np.testing.assert_array_equal(read_masks(tmp_path / "export", None)[0].ids, IDS)
    assert "the masks were read from annotations/a.json (coco)" in caplog.text


@pytest.mark.parametrize("inside", ["", "export/masks/"])
def test_pictures_of_ids_are_read_as_those_of_a_folder_are(tmp_path, inside):
    frames = {"images/00000.png": png(IDS * 50)} if inside else {}
    path = packed(tmp_path / "a.zip", {f"{inside}00003.png": png(IDS), "__MACOSX/._00003.png": b"x", **frames})
    assert list(read_masks(path, None)) == [3]


def test_the_only_picture_of_an_archive_is_read_as_it_is_without_the_archive(tmp_path, caplog):
    path = packed(tmp_path / "mask.zip", {"painted.png": png(IDS)})
    np.testing.assert_array_equal(read_masks(path, ["00000", "00001"])[0].ids, IDS)
    assert "painted.png is named after none of the frames, so it is used for frame 00000." in caplog.text
    with pytest.raises(MaskError, match=r"00050\.png belongs to no frame"):
        read_masks(packed(tmp_path / "late.zip", {"00050.png": png(IDS)}), None, frame_count=12)


def test_folders_of_objects(tmp_path):
    members = {f"e/{name}/00000.png": png((k == IDS).astype(np.uint8) * 255) for k, name in ((1, "car"), (2, "box"))}
    assert read_masks(packed(tmp_path / "a.zip", members), None).names == {1: "box", 2: "car"}


def test_errors_name_the_archive_and_not_where_it_was_unpacked(tmp_path):
    path = packed(tmp_path / "a.zip", {"a.xml": "<annotations><image name='x' width='2' height='z'/></annotations>"})
    with pytest.raises(MaskError) as caught:
        read_masks(path, None)
    assert str(caught.value).startswith(f"{path}/a.xml, image x")
    for members in ({"a.txt": "hello"}, {}):
        with pytest.raises(MaskError, match=r"a\.zip holds no masks in a known format"):
            read_masks(packed(path, members), None)


def test_several_things_are_refused_by_name(tmp_path):
    content = written("coco", tmp_path)
    path = packed(tmp_path / "a.zip", {"a/train.json": content, "a/val.json": content})
    with pytest.raises(MaskError, match=r"several things that could be the masks: a/train\.json \(coco\), a/val"):
        read_masks(path, None)


LINK = zipfile.ZipInfo("link.png")
LINK.external_attr = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/a.png", "a/../../b.png", "C:\\a.png", "..\\a.png", "nul.png", "a/con/b.png", "a//b.png", LINK],
)
def test_files_that_would_lie_elsewhere_are_refused(tmp_path, name):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(MaskError, match=r"a\.zip holds .* which is"):
        read_masks(path, None)
    assert {each.name for each in tmp_path.iterdir()} == {"a.zip", "temporary"}


@pytest.mark.parametrize(
    ("bound", "value", "problem"),
    [
        ("MAX_MEMBERS", 1, "holds 2 files; expected at most 1"),
        ("MAX_BYTES", 9_999, "unpacks to 10,001 bytes"),
        ("MAX_MEMBER_BYTES", 9_999, "its largest file to 10,000"),
        ("FREE_BYTES", 0, "more than 10 times its size"),
    ],
)
def test_too_much_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, bound, value, problem):
    monkeypatch.setattr(archives, "MAX_RATIO", 10)
    monkeypatch.setattr(archives, bound, value)
    path = packed(tmp_path / "a.zip", {"a.txt": "a" * 10_000, "b.txt": "b"})
    with pytest.raises(MaskError, match=problem), unpacked(path):
        pass


def test_broken_encrypted_and_doubled(tmp_path):
    path = packed(tmp_path / "a.zip", {"a.txt": "hello " * 50})
    whole = path.read_bytes()
    path.write_bytes(b"not a zip")
    with pytest.raises(MaskError, match=r"a\.zip cannot be unpacked"):
        read_masks(path, None)
    flag = whole.index(b"PK\x01\x02") + 8
    path.write_bytes(whole[:flag] + b"\x01" + whole[flag + 1 :])
    with pytest.raises(MaskError, match="is encrypted"):
        read_masks(path, None)
    with pytest.raises(MaskError, match=r"holds 'A\.TXT' twice"):
        read_masks(packed(path, {"a.txt": "x", "A.TXT": "y"}), None)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_good_archive_with_some_wrong_bytes_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = packed(Path(folder) / "a.zip", {"a/00000.png": png(IDS), "b.json": json.dumps({"images": []})})
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
        try:
            read_masks(path, None)
        except MaskError as error:
            assert str(path) in str(error)  # noqa: PT017


def test_what_cvat_takes_is_read_without_unpacking_it(tmp_path):
    write_track(TRACK, "cvat-masks", tmp_path / "m.zip")
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        assert archive.namelist() == [
            "labelmap.txt",
            "SegmentationClass/00000.png",
            "SegmentationObject/00000.png",
            "ImageSets/Segmentation/default.txt",
        ]
        assert archive.read("labelmap.txt").decode().splitlines()[2:] == [
            "background:0,0,0::",
            "car:128,0,0::",
            "box:0,128,0::",
        ]
    np.testing.assert_array_equal(next(read_track(tmp_path / "m.zip").frames()).ids, IDS)
    assert read_masks(tmp_path / "m.zip", None).names == {1: "car", 2: "box"}

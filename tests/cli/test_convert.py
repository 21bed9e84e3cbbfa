"""`cyclevos convert`, and masks of other tools to start from."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from cli_inputs import HEIGHT, WIDTH, save_mask

from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import read_track
from cyclevos.files.atomic import partial_path
from cyclevos.pictures.mask_files import read_mask


@pytest.fixture
def masks(tmp_path, ids):
    for index in range(3):
        save_mask(tmp_path / "masks" / f"f{index}.png", np.roll(ids, index, axis=1))
    return tmp_path / "masks"


def test_there_and_back_gives_the_same_files(call, masks, tmp_path):
    for source, to, output in (
        (masks, "coco", "a.json"),
        (tmp_path / "a.json", "youtube-vis", "b.json"),
        (tmp_path / "b.json", "indexed", "back"),
    ):
        answer = call("convert", source, "--to", to, "--output", tmp_path / output)
        assert answer.code == 0, answer.err
        assert answer.err == ""
        assert "3 frames" in answer.out
    for file in masks.iterdir():
        before, after = read_mask(file), read_mask(tmp_path / "back" / file.name)
        np.testing.assert_array_equal(before.ids, after.ids)
        assert before.palette == after.palette


def test_what_is_lost_is_said_and_what_is_there_stays(call, masks, tmp_path):
    answer = call("convert", masks, "--to", "mots", "--output", tmp_path / "m.txt")
    assert answer.code == 0
    assert "mots has no place for the names of 3 frames." in answer.err
    again = call("convert", masks, "--to", "coco", "--output", tmp_path / "m.txt")
    assert again.code == 7
    assert "is there already" in again.err
    assert call("convert", tmp_path / "nothing", "--to", "coco", "--output", tmp_path / "x.json").code == 4


def test_a_mask_that_is_probably_inverted_is_said(call, masks, tmp_path):
    save_mask(masks / "f3.png", np.full((HEIGHT, WIDTH), 1, np.uint8))
    for source in (masks, masks / "f3.png"):
        answer = call("convert", source, "--to", "coco", "--output", tmp_path / f"{source.stem}.json")
        assert answer.code == 0
        assert answer.err.startswith(f"{masks / 'f3.png'}: object 1 covers more than 90% of the frame.")


def test_segment_starts_from_coco_and_leaves_what_others_read(segment, call, ids, tmp_path):
    save_mask(tmp_path / "first" / "shot_000.png", ids)
    call("convert", tmp_path / "first", "--to", "coco", "--output", tmp_path / "first.json")
    answer = segment("--save", "masks,coco,youtube-vis,mots", masks=tmp_path / "first.json")
    assert answer.code == 0, answer.err
    out = tmp_path / "out"
    np.testing.assert_array_equal(read_mask(out / "shot_000.png").ids, ids)
    wanted = [frame.ids.tolist() for frame in read_track(out).frames()]
    for name, length in (("annotations.json", None), ("youtube_vis.json", None), ("mots.txt", 6)):
        assert [
            frame.ids.tolist() for frame in read_track(out / name, options=ReadOptions(length=length)).frames()
        ] == wanted, name


def test_save_writes_folders_of_objects_and_overwrite_removes_them(segment, tmp_path, ids):
    out, kept = tmp_path / "out", tmp_path / "out" / "objects" / "7" / "notes.txt"
    assert segment("--save", "masks,objects").code == 0
    assert sorted(path.name for path in (out / "objects").iterdir()) == ["2", "7"]
    masks = [frame.ids.tolist() for frame in read_track(out).frames()]
    assert [frame.ids.tolist() for frame in read_track(out / "objects").frames()] == masks
    kept.write_text("mine")
    shutil.copytree(out / "objects" / "2", partial_path(out / "objects") / "2")  # of a run killed while it wrote them
    half = partial_path(out / "webm") / ".002.webm.cyclevos.tmp"  # of one killed in the middle of a video
    half.parent.mkdir()
    half.write_bytes(b"half")
    record = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**record, "outputs": [*record["outputs"], "webm"]}))
    other = save_mask(tmp_path / "other.png", np.where(ids == 2, 2, 0).astype(np.uint8))
    assert segment("--save", "indexed", "--overwrite", masks=other).code == 0
    assert list((out / "objects").rglob("*.*")) == [kept], "what cyclevos did not write stays"
    assert not partial_path(out / "objects").exists()
    assert not half.parent.exists()


@pytest.mark.parametrize(("to", "same"), [("indexed", "masks"), ("masks", "indexed")])
def test_an_older_name_means_the_same_format(call, masks, tmp_path, to, same):
    for name in (to, same):
        assert call("convert", masks, "--from", name, "--to", name, "--output", tmp_path / name / "x").code == 0
    for file in (tmp_path / to / "x").iterdir():
        assert file.read_bytes() == (tmp_path / same / "x" / file.name).read_bytes()


def test_a_format_that_masks_alone_do_not_make_is_refused(call, masks, tmp_path):
    for name in ("reliability", "bmp"):
        answer = call("convert", masks, "--to", name, "--output", tmp_path / "x")
        assert answer.code == 2
        assert f"'{name}' is not one of " in answer.err


@pytest.mark.parametrize(
    ("name", "size", "text"), [("other", (HEIGHT, WIDTH), "belongs to no frame"), ("shot_000", (9, 9), "is 9x9 but")]
)
def test_a_json_mask_that_does_not_fit_is_named(segment, tmp_path, name, size, text):
    image = {"id": 1, "file_name": f"{name}.jpg", "height": size[0], "width": size[1]}
    annotation = {"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]]}
    (tmp_path / "m.json").write_text(json.dumps({"images": [image], "annotations": [annotation]}))
    answer = segment(masks=tmp_path / "m.json")
    assert answer.code == 4
    assert text in answer.err


def test_exports_are_made_of_masks(segment):
    answer = segment("--save", "mots")
    assert answer.code == 6
    assert "Add masks to --save" in answer.err


def test_unknown_pixels_belong_to_no_object_unless_the_user_says_otherwise(call, tmp_path, ids):
    with_border = ids.copy()
    with_border[0] = 255
    save_mask(tmp_path / "voc" / "00000.png", with_border)
    answer = call("convert", tmp_path / "voc", "--to", "coco", "--output", tmp_path / "a.json")
    assert "255 beside other ids marks unknown pixels" in answer.err
    assert 255 not in next(read_track(tmp_path / "a.json").frames()).ids
    answer = call("convert", tmp_path / "voc", "--to", "coco", "--output", tmp_path / "b.json", "--keep-255")
    assert answer.err == ""
    np.testing.assert_array_equal(next(read_track(tmp_path / "b.json").frames()).ids, with_border)


def test_an_archive_is_converted_and_what_was_read_is_said(call, masks, tmp_path):
    call("convert", masks, "--to", "cvat", "--output", tmp_path / "export" / "annotations.xml")
    archive = shutil.make_archive(str(tmp_path / "export"), "zip", tmp_path / "export")
    answer = call("convert", archive, "--to", "masks", "--output", tmp_path / "back")
    assert answer.code == 0, answer.err
    assert f"{archive}: read annotations.xml as cvat." in answer.err
    for k in range(3):
        np.testing.assert_array_equal(
            read_mask(tmp_path / "back" / f"{k:05d}.png").ids, read_mask(masks / f"f{k}.png").ids
        )

"""Masks through every format and back, and files that nobody should trust."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as library

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import detect, read_track, readable, write_track
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.appearance import Appearance
from cyclevos.pictures.palette import DAVIS_PALETTE

# pycocotools' decoder is older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FORMATS = [each.name for each in readable() if each.is_written]
NAMES = {
    "masks": "masks",
    "objects": "objects",
    "coco": "a.json",
    "youtube-vis": "b.json",
    "mots": "c.txt",
    "cvat": "d.xml",
    "cvat-masks": "e.zip",
    "labelme": "labelme",
    "coco-polygons": "f.json",
    "sa-v": "g.json",
    "label-studio": "h.json",
    "yolo": "yolo",
    "npz": "i.npz",
}


def track_of(masks, names=None, object_names=None, palette=DAVIS_PALETTE):
    names = names or [f"{k:05d}" for k in range(len(masks))]
    frames = [MaskFrame(k, name, ids) for k, (name, ids) in enumerate(zip(names, masks, strict=True))]
    return MaskTrack("clip", lambda: iter(frames), Appearance(palette, object_names or {}))


def content(track):
    return [(frame.index, frame.name, frame.ids.tolist()) for frame in track.frames()]


@st.composite
def clips(draw):
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    ids = st.sampled_from([0, 0, 1, 2, 7, 254])
    masks = draw(st.lists(arrays.arrays(np.uint8, size, elements=ids), min_size=1, max_size=4))
    masks[-1][0, 0] = 7  # MOTS cannot hold empty frames at the end, nor folders of objects a video without any object
    return masks


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=40, deadline=None)
@given(masks=clips())
def test_what_is_written_is_read(kind, masks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("f")
    track = track_of(masks)
    write_track(track, kind, folder / NAMES[kind])
    assert detect(folder / NAMES[kind]) == ("coco" if kind in ("youtube-vis", "coco-polygons") else kind)
    assert content(read_track(folder / NAMES[kind])) == content(track)


@pytest.mark.parametrize(
    "kind", ["masks", "objects", "coco", "coco-polygons", "youtube-vis", "label-studio", "yolo", "npz"]
)
def test_names_colours_and_gaps_of_ids_survive_where_there_is_room(kind, tmp_path):
    masks = [np.zeros((6, 5), np.uint8) for _ in range(3)]
    masks[0][2:4, 1:3], masks[2][5, 4] = 9, 200
    track = track_of(masks, ["shot_a", "shot_b", "shot_c"], {9: "dog, brown"}, bytes(range(255, -1, -1)) * 3)
    lost = write_track(track, kind, tmp_path / NAMES[kind])
    read = read_track(tmp_path / NAMES[kind])
    assert content(read) == content(track)
    assert dict(read.object_names) == ({} if kind == "masks" else {9: "dog, brown"})
    colourless = kind in ("objects", "label-studio", "yolo", "npz")
    assert read.palette == (None if colourless else track.palette)
    said = {"masks": ["the names of the objects: 9 is dog, brown"]}
    assert lost == said.get(kind, ["the colours of the objects"] if colourless else [])


def test_endings_of_objects_in_capitals_and_hidden_folders(tmp_path):
    masks = [np.full((4, 4), 7, np.uint8), np.eye(4, dtype=np.uint8) * 7]
    write_track(track_of(masks), "objects", tmp_path)
    for file in sorted((tmp_path / "7").iterdir()):
        file.rename(file.with_suffix(".PNG"))
    (tmp_path / ".cache").mkdir()
    Image.fromarray(masks[0]).save(tmp_path / ".cache" / "00000.png")
    assert detect(tmp_path) == "objects"
    assert content(read_track(tmp_path)) == content(track_of(masks))


def test_folders_of_objects_cannot_be_written_without_an_object(tmp_path):
    with pytest.raises(MaskError, match=r"No mask shows an object.*Choose another format"):
        write_track(track_of([np.zeros((4, 4), np.uint8)]), "objects", tmp_path / "objects")


def test_mots_says_what_it_loses(tmp_path):
    masks = [np.full((4, 4), 3, np.uint8), np.zeros((4, 4), np.uint8)]
    assert write_track(track_of(masks[:1]), "mots", tmp_path / "plain.txt") == [], "the DAVIS palette is no loss"
    track = track_of(masks, ["a", "b"], {3: "dog"}, bytes(range(255, -1, -1)) * 3)
    lost = write_track(track, "mots", tmp_path / "m.txt")
    assert [text.split(" (")[0] for text in lost] == [
        "the names of the objects: 3 is dog",
        "the colours of the objects",
        "the names of 2 frames",
        "1 empty frame at the end",
    ]
    assert len(content(read_track(tmp_path / "m.txt"))) == 1
    assert len(content(read_track(tmp_path / "m.txt", options=ReadOptions(length=2)))) == 2
    with pytest.raises(MaskError, match="a line for frame 0, the video only"):
        read_track(tmp_path / "m.txt", options=ReadOptions(length=0))


@settings(deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_our_decoder_and_pycocotools_agree(mask):
    code = run_length.encode(mask)
    np.testing.assert_array_equal(run_length.decode(code, mask.shape, "x"), mask)
    theirs = library.decode({"size": list(mask.shape), "counts": code.encode()})
    np.testing.assert_array_equal(theirs.astype(bool), mask)


@pytest.mark.parametrize("kind", ["coco", "coco-polygons", "youtube-vis"])
def test_pycocotools_reads_the_masks_of_the_file(kind, tmp_path):
    masks = [np.random.default_rng(k).integers(0, 4, (13, 17)).astype(np.uint8) for k in range(3)]
    write_track(track_of(masks), kind, tmp_path / "m.json")
    read = json.loads((tmp_path / "m.json").read_text())
    for entry in read["annotations"]:
        codes = entry["segmentations"] if kind == "youtube-vis" else {entry["image_id"] - 1: entry["segmentation"]}
        for index, code in codes.items() if isinstance(codes, dict) else enumerate(codes):
            if kind == "coco-polygons":
                assert isinstance(code, list)
                code = library.merge(library.frPyObjects(code, 13, 17))
            np.testing.assert_array_equal(library.decode(code).astype(bool), masks[index] == entry["category_id"])


@settings(deadline=None, max_examples=60)
@given(st.one_of(st.text(max_size=30), st.lists(st.integers(-(2**40), 2**70), max_size=6)), st.integers(-2, 2**40))
def test_a_broken_code_is_an_error_and_nothing_else(counts, width):
    try:
        shape = run_length.decode(counts, (5, width), "x").shape
    except MaskError:
        shape = (5, width)
    assert shape == (5, width)


def test_a_code_of_runs_too_long_to_be_written_is_refused():
    with pytest.raises(MaskError, match="a run is"):
        run_length.decode([10**4299, 10**4299], (5, 4), "x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "images",
                    "videos",
                    "annotations",
                    "categories",
                    "info",
                    "id",
                    "image_id",
                    "video_id",
                    "category_id",
                    "track_id",
                    "file_name",
                    "file_names",
                    "height",
                    "width",
                    "segmentation",
                    "segmentations",
                    "counts",
                    "size",
                    "name",
                    "frame_index",
                    "palette",
                ]
            ),
            inner,
            max_size=7,
        )
    ),
    max_leaves=30,
)


@settings(deadline=None, max_examples=60)
@given(json_values)
def test_any_json_is_read_or_refused(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("j") / "m.json"
    path.write_text(json.dumps(value))
    read_or_refused(path)


def read_or_refused(path):
    try:
        frames = list(read_track(path).frames())
    except MaskError as error:
        frames, refusal = [], str(error)
        assert refusal.startswith(str(path))
    assert all(frame.ids.dtype == np.uint8 for frame in frames)


def good(tmp_path, kind):
    masks = [np.eye(8, dtype=np.uint8) * 3, np.ones((8, 8), np.uint8)]
    write_track(track_of(masks), kind, tmp_path / NAMES[kind])
    return json.loads((tmp_path / NAMES[kind]).read_text())


@settings(deadline=None, max_examples=60)
@given(data=st.data(), kind=st.sampled_from(["coco", "youtube-vis"]))
def test_a_good_file_with_one_wrong_place_is_read_or_refused(tmp_path_factory, data, kind):
    folder = tmp_path_factory.mktemp("g")
    tree = good(folder, kind)
    node, key = tree, data.draw(st.sampled_from(sorted(tree)))
    while isinstance(node[key], dict | list) and node[key] and data.draw(st.integers(0, 3)):
        node = node[key]
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
    node[key] = data.draw(json_values)
    (folder / "m.json").write_text(json.dumps(tree))
    read_or_refused(folder / "m.json")


@given(st.binary(max_size=60))
def test_any_text_is_mots_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("t") / "m.txt"
    path.write_bytes(content)
    with pytest.raises(MaskError):
        list(read_track(path).frames())


def coco(annotations, tmp_path, **more):
    images = [{"id": k, "file_name": f"{k}.jpg", "height": 4, "width": 4} for k in (1, 2)]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, **more}))
    return path


def square(x, **fields):
    return {"image_id": 1, "segmentation": [[x, 0, x + 2, 0, x + 2, 2, x, 2]], **fields}


def test_polygons_of_other_tools_become_objects_by_their_order(tmp_path):
    path = coco([square(0, category_id=1), square(2, category_id=1)], tmp_path)
    (first, second) = read_track(path).frames()
    assert first.ids.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [0] * 4, [0] * 4]
    assert (first.name, second.name, second.ids.any()) == ("1", "2", False)


def test_objects_nobody_can_tell_apart_are_refused(tmp_path):
    both = [square(0, category_id=1), square(2, category_id=1), {**square(0, category_id=1), "image_id": 2}]
    with pytest.raises(MaskError, match="track_id in COCO"):
        read_track(coco(both, tmp_path))
    numbered = [{**each, "track_id": k} for k, each in zip((1000, 2000, 1000), both, strict=True)]
    assert [np.unique(f.ids).tolist() for f in read_track(coco(numbered, tmp_path)).frames()] == [[0, 1, 2], [0, 1]]


def test_overlapping_objects_need_a_rule(tmp_path):
    path = coco([square(0, category_id=1), square(1, category_id=2)], tmp_path)
    with pytest.raises(MaskError, match="objects 1 and 2 overlap in 2 pixels"):
        list(read_track(path).frames())
    assert next(read_track(path, options=ReadOptions(overlap="first")).frames()).ids[0].tolist() == [1, 1, 2, 0]
    assert next(read_track(path, options=ReadOptions(overlap="last")).frames()).ids[0].tolist() == [1, 2, 2, 0]


def test_one_of_several_videos_is_named(tmp_path):
    videos = [{"id": k, "name": n, "height": 2, "width": 2, "file_names": ["0.jpg"]} for k, n in ((1, "a"), (2, "b"))]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"videos": videos, "annotations": []}))
    with pytest.raises(MaskError, match=r"holds 2 videos: a, b\. Take one out: cyclevos convert .* --video NAME"):
        read_track(path)
    assert read_track(path, options=ReadOptions(video="b")).name == "b"
    with pytest.raises(MaskError, match=r"holds 2 videos: a, b, and none is named c\."):
        read_track(path, options=ReadOptions(video="c"))


def test_folders_named_after_objects_are_numbered(tmp_path):
    for name, column in (("cat", 0), ("dog", 2)):
        mask = np.zeros((4, 4), np.uint8)
        mask[:, column] = 255
        (tmp_path / name).mkdir()
        Image.fromarray(mask).save(tmp_path / name / "x.png")
    track = read_track(tmp_path)
    assert track.object_names == {1: "cat", 2: "dog"}
    assert next(track.frames()).ids[0].tolist() == [1, 0, 2, 0]


def test_a_binary_folder_is_of_object_one(tmp_path):
    Image.fromarray(np.eye(3, dtype=np.uint8) * 255).save(tmp_path / "0.png")
    assert next(read_track(tmp_path).frames()).ids.max() == 1


def test_255_beside_other_ids_is_unknown_but_in_the_masks_of_a_run(tmp_path):
    for name, value in (("0", 255), ("1", 4)):
        Image.fromarray(np.eye(3, dtype=np.uint8) * value).save(tmp_path / f"{name}.png")
    track = read_track(tmp_path)
    assert [int(frame.ids.max()) for frame in track.frames()] == [0, 4]
    assert "255 beside other ids marks unknown pixels" in track.notes[0]
    kept = read_track(tmp_path, options=ReadOptions(keep_255=True))
    assert ([int(frame.ids.max()) for frame in kept.frames()], kept.notes) == ([255, 4], ())
    (tmp_path / "run.json").write_text("{}")
    run = read_track(tmp_path)
    assert ([int(frame.ids.max()) for frame in run.frames()], run.notes) == ([255, 4], ())

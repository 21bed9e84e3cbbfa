"""labelme's JSON: what is written is what labelme saves, and what tells objects apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.formats import detect, read_track, write_track
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.tools.labelme_writer import remove_labelme
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.appearance import Appearance


def square(label, x, group=None):
    points = [[x, 0], [x + 1, 0], [x + 1, 1], [x, 1]]
    return {"label": label, "points": points, "group_id": group, "shape_type": "polygon", "flags": {}}


def save(folder, **pictures):
    for name, shapes in pictures.items():
        content = {"version": "5.5.0", "shapes": shapes, "imagePath": f"{name}.jpg", "imageHeight": 2, "imageWidth": 6}
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def rows(folder):
    return [frame.ids[0].tolist() for frame in read_track(folder).frames()]


def test_a_file_has_an_outline_per_piece_with_the_object_as_its_group(tmp_path):
    ids = np.zeros((4, 6), np.uint8)
    ids[0, 0], ids[2:, 3:5], ids[0, 5] = 7, 7, 200
    track = MaskTrack("", lambda: iter([MaskFrame(0, "shot_a", ids)]), Appearance(names={7: "car"}))
    write_track(track, "labelme", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "shot_a.json").read_text())
    assert set(content) == {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"}
    assert (content["imagePath"], content["imageData"]) == ("shot_a.png", None)
    assert (content["imageHeight"], content["imageWidth"]) == (4, 6)
    shapes = [(each["label"], each["group_id"], each["shape_type"]) for each in content["shapes"]]
    assert shapes == [("car", 7, "polygon"), ("car", 7, "polygon"), ("object", 200, "polygon")]
    assert content["shapes"][1]["points"] == [[3, 2], [5, 2], [5, 4], [3, 4]]
    assert read_track(tmp_path / "out").object_names == {7: "car"}


def test_a_group_is_an_object_in_every_picture(tmp_path):
    save(tmp_path, a=[square("car", 0, 4), square("car", 2, 4), square("car", 4, 9)], b=[square("car", 1, 9)])
    assert rows(tmp_path) == [[4, 0, 4, 0, 9, 0], [0, 9, 0, 0, 0, 0]]


def test_a_group_of_two_labels_is_two_objects(tmp_path):
    save(tmp_path, a=[square("car", 0, 4), square("box", 2, 4)])
    assert rows(tmp_path) == [[1, 0, 2, 0, 0, 0]]
    assert read_track(tmp_path).object_names == {1: "car", 2: "box"}


def test_what_labelme_saved_is_not_removed_with_what_we_wrote(tmp_path):
    write_track(MaskTrack("", lambda: iter([MaskFrame(0, "a", np.ones((2, 2), np.uint8))])), "labelme", tmp_path)
    own = json.dumps(json.loads((tmp_path / "a.json").read_text()), indent=2)
    (tmp_path / "b.json").write_text(own)
    remove_labelme(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["b.json"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "<annotation><filename>a.jpg</filename><object><polygon><pt><x>1</x></pt></polygon></object></annotation>",
            "old LabelMe",
        ),
        (
            "<annotation><folder>VOC</folder><object><bndbox/></object></annotation>",
            "PASCAL VOC's XML, which holds boxes",
        ),
    ],
)
def test_other_xml_is_refused_by_name(tmp_path, text, problem):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(MaskError, match=problem):
        detect(tmp_path / "a.xml")


def test_case(cases):
    masks = read_masks(cases / "masks" / "labelme.json", [f"{k:05d}" for k in range(12)])
    assert [int((masks[0].ids == k).sum()) for k in (1, 2)] == [1734, 2891]
    assert masks.names == {1: "car", 2: "box"}


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_pictures_beside_the_files_are_no_masks_annotated_or_not(tmp_path, ending):
    save(tmp_path, **{"00000": [square("car", 0)]})
    for name in ("00000", "00001"):
        Image.new("RGB", (6, 2), "grey").save(tmp_path / f"{name}.{ending}")
    given = read_masks(tmp_path, ["00000", "00001"])
    assert (list(given), given.names, int(given[0].ids.sum())) == ([0], {1: "car"}, 1)

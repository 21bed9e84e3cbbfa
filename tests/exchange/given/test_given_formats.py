"""Masks of other tools given to a run: the small inputs with what is right, for a folder of frames and a video."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as library

from cyclevos.exchange.given.given_masks import read_source_masks
from cyclevos.media.open_source import open_source

CASES = Path(__file__).parents[4] / "shared" / "cases"
pytestmark = [
    pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here"),
    # pycocotools' decoder is older than NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
EXACT = [1830, 3000]  # pixels of the car and the box
OUTLINED = [1734, 2891]  # of their outlines, as pycocotools fills them


@pytest.fixture(params=["frames/three", "video/h264.mp4"])
def source(request):
    return open_source(CASES / request.param)


def right(pixels):
    """The ids as they are, or as pycocotools draws the outlines."""
    if pixels == EXACT[: len(pixels)]:
        ids = np.array(Image.open(CASES / "masks" / "ok.png"))
        ids[ids > len(pixels)] = 0
        return ids
    ids = np.zeros((240, 428), np.uint8)
    for annotation in json.loads((CASES / "masks" / "coco_poly.json").read_text())["annotations"]:
        codes = library.frPyObjects([list(map(float, ring)) for ring in annotation["segmentation"]], *ids.shape)
        ids[library.decode(library.merge(codes)) > 0] = annotation["id"]
    ids[ids > len(pixels)] = 0
    return ids


@pytest.mark.parametrize(
    ("name", "pixels", "names"),
    [
        ("coco_rle.json", EXACT, ["car", "box"]),
        ("coco_poly.json", OUTLINED, ["car", "box"]),
        ("coco_samecat.json", OUTLINED, ["car 1", "car 2"]),
        ("ytvis.json", EXACT, ["car 1", "car 2"]),
        ("labelme.json", OUTLINED, ["car", "box"]),
        ("labelstudio.json", OUTLINED[:1], ["car"]),
        ("supervisely.json", EXACT[:1], ["car"]),
        ("sam.json", EXACT[:1], []),
        ("sav_manual.json", EXACT, []),
        ("yolo.txt", OUTLINED, []),
        ("ids.npy", EXACT, []),
        ("sam2.npz", EXACT, []),
        ("napari16.tif", EXACT, []),
        ("ids.gif", EXACT, []),
        ("mask.tif", EXACT[:1], []),
        ("mask.bmp", EXACT[:1], []),
        ("mask.webp", EXACT[:1], []),
    ],
)
def test_masks_of_other_tools_are_read_to_the_pixel_with_their_names(source, name, pixels, names):
    given = read_source_masks(CASES / "masks" / name, source)
    assert list(given) == [0]
    ids = given[0].ids
    assert [int((ids == k).sum()) for k in range(1, len(pixels) + 1)] == pixels
    np.testing.assert_array_equal(ids, right(pixels))
    assert dict(given.names) == dict(enumerate(names, start=1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file_name": "train\\00000.jpg"}, None),
        ({"file_name": "clips/00000.JPEG"}, None),
        ({"file_name": "frame_000000.PNG"}, "frame_000000 is frame"),
    ],
)
def test_pictures_of_a_coco_file_are_matched_by_their_names_or_numbers(source, tmp_path, change, said):
    content = json.loads((CASES / "masks" / "coco_rle.json").read_text())
    content["images"][0] |= change
    (tmp_path / "m.json").write_text(json.dumps(content))
    given = read_source_masks(tmp_path / "m.json", source)
    np.testing.assert_array_equal(given[0].ids, right(EXACT))
    assert (said is None and given.notes == ()) or (said is not None and said in given.notes[0])


def test_tracks_of_cvat_lie_among_the_attributes(source, tmp_path):
    content = json.loads((CASES / "masks" / "coco_samecat.json").read_text())
    content["images"].append({**content["images"][0], "id": 2, "file_name": "00001.jpg"})
    content["annotations"] += [{**each, "image_id": 2} for each in content["annotations"]]
    for each, track in zip(content["annotations"], (7, 4, 7, 4), strict=True):
        each["attributes"] = {"track_id": track, "occluded": False}
    (tmp_path / "m.json").write_text(json.dumps(content))
    given = read_source_masks(tmp_path / "m.json", source)
    for index in (0, 1):
        assert [int((given[index].ids == k).sum()) for k in (7, 4)] == OUTLINED
    assert dict(given.names) == {4: "car 4", 7: "car 7"}

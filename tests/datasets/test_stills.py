"""Sets of still images: as one set, as a folder of sets, and what is no set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.datasets.stills import holds_stills, open_stills, still_pairs
from cyclevos.errors import DatasetError

HALF = np.repeat(np.array([[0] * 4 + [255] * 4], np.uint8), 6, axis=0)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """`cats` with two images and a mask for each, and `dogs` with an image without a mask."""
    for name, images, masks in (("cats", ["a2", "a10"], ["a2", "a10"]), ("dogs", ["b", "c"], ["c"])):
        for folder, stems, ending in (("images", images, "jpg"), ("masks", masks, "png")):
            (tmp_path / name / folder).mkdir(parents=True)
            for stem in stems:
                Image.fromarray(HALF).save(tmp_path / name / folder / f"{stem}.{ending}")
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_each_set_is_a_sequence_and_each_image_with_a_mask_a_frame(sets):
    dataset = open_stills(sets)
    assert dataset.name == sets.name
    assert [each.name for each in dataset] == ["cats", "dogs"]
    assert [each.frame_names for each in dataset] == [["a2", "a10"], ["c"]]
    assert list(dataset.sequences[0].annotations) == ["a2", "a10"]
    assert [each.name for each in open_stills(sets, ["dogs"])] == ["dogs"]


def test_one_set_alone(sets):
    [one] = open_stills(sets / "cats")
    assert (one.name, one.frame_names) == ("cats", ["a2", "a10"])
    assert [path.name for pair in still_pairs(sets / "cats") for path in pair] == [
        *("a2.jpg", "a2.png"),
        *("a10.jpg", "a10.png"),
    ]


def test_255_is_decided_for_the_whole_set(sets):
    [one] = open_stills(sets / "cats")
    np.testing.assert_array_equal(one.masks.read(one.annotations["a2"]).ids, HALF // 255)
    Image.fromarray(np.full((6, 8), 3, np.uint8)).save(sets / "cats" / "masks" / "a10.png")
    [one] = open_stills(sets / "cats")
    np.testing.assert_array_equal(one.masks.read(one.annotations["a2"]).ids, HALF)


def test_what_holds_stills(sets):
    assert holds_stills(sets)
    assert holds_stills(sets / "dogs")
    assert not holds_stills(sets / "dogs" / "images")
    assert not holds_stills(sets / "absent")


def test_what_is_no_set_is_an_error(sets):
    with pytest.raises(DatasetError, match="holds no stills"):
        open_stills(sets / "notes")
    with pytest.raises(DatasetError, match="holds no stills"):
        open_stills(sets / "absent")
    with pytest.raises(DatasetError, match=r"no sequence 'cat'.*cats"):
        open_stills(sets, ["cat"])
    with pytest.raises(DatasetError, match="not a folder"):
        still_pairs(sets / "cats", masks="labels")
    (sets / "dogs" / "masks" / "c.png").unlink()
    with pytest.raises(DatasetError, match="no image in images/ has a mask"):
        open_stills(sets)

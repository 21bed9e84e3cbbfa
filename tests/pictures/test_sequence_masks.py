"""What 255 means is decided once for a sequence."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.labels import IGNORE
from cyclevos.pictures import sequence_masks
from cyclevos.pictures.sequence_masks import SequenceMasks


def write(folder: Path, *rows: list[int]) -> list[Path]:
    """Write masks of one row of pixels each."""
    files = [folder / f"{index:05d}.png" for index in range(len(rows))]
    for file, row in zip(files, rows, strict=True):
        Image.fromarray(np.array([row], np.uint8)).save(file)
    return files


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0, 255], [255, 0]], [[0, 1], [1, 0]]),
        ([[0, 255], [255, 255]], [[0, 1], [1, 1]]),
        ([[0, 0], [0, 255]], [[0, 0], [0, 1]]),
        ([[1, 255], [0, 255]], [[1, 255], [0, 255]]),
        ([[0, 255], [1, 255]], [[0, 255], [1, 255]]),
        ([[0, 255], [0, 0], [0, 7]], [[0, 255], [0, 0], [0, 7]]),
        ([[255, 255], [255, 255]], [[255, 255], [255, 255]]),
    ],
)
def test_255_is_the_object_only_if_no_mask_holds_another_id(tmp_path, rows, expected, exact):
    files = write(tmp_path, *rows)
    for order in (range(len(files)), reversed(range(len(files)))):
        masks = SequenceMasks(files)
        for index in order:
            assert masks.read(files[index], exact=exact).ids[0].tolist() == expected[index]


def test_other_masks_are_read_only_as_far_as_it_takes(tmp_path, monkeypatch):
    files = write(tmp_path, [0, 255], [0, 0], [0, 2], [0, 3], [1, 255])
    read: list[str] = []

    def counted(path, **options):
        read.append(path.name)
        return original(path, **options)

    original = sequence_masks.read_labels
    monkeypatch.setattr(sequence_masks, "read_labels", counted)
    masks = SequenceMasks(files)
    masks.read(files[2])
    assert read == ["00002.png"], "a mask without 255 needs no decision"
    read.clear()
    masks.read(files[0])
    assert read == ["00000.png", "00000.png", "00001.png", "00002.png"]
    read.clear()
    masks.read(files[0])
    assert read == ["00000.png"], "the decision is kept"
    read.clear()
    assert SequenceMasks(files).read(files[4]).ids[0].tolist() == [1, IGNORE]
    assert read == ["00004.png"], "a mask that holds another id decides alone"


def test_exact_labels_are_any_grey_level_and_no_colour(tmp_path):
    levels = np.arange(40, dtype=np.uint8).reshape(1, 40).repeat(20, 0)
    Image.fromarray(levels).save(tmp_path / "grey.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "colour.png")
    masks = SequenceMasks([tmp_path / "grey.png"])
    np.testing.assert_array_equal(masks.read(tmp_path / "grey.png", exact=True).ids, levels)
    with pytest.raises(MaskError, match="only along edges"):
        masks.read(tmp_path / "grey.png")
    with pytest.raises(MaskError, match=r"colour\.png is an image of mode RGB"):
        masks.read(tmp_path / "colour.png", exact=True)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 255], [0, 0], [0, 255]], [[1, 0], [0, 0], [0, 0]]),
        ([[0, 255], [0, 0], [1, 255]], [[0, 0], [0, 0], [1, 0]]),
        ([[0, 255], [0, 0], [255, 255]], [[0, 1], [0, 0], [1, 1]]),
        ([[255, 255]], [[1, 1]]),
    ],
)
def test_the_masks_that_a_user_gives_are_decided_together(tmp_path, rows, expected):
    write(tmp_path, *rows)
    masks = read_masks(tmp_path, None)
    assert [masks[index].ids[0].tolist() for index in range(len(rows))] == expected

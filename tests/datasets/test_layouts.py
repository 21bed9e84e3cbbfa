"""Data set layouts: what is found, in which order, and what the errors say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.datasets.layouts import open_dataset
from cyclevos.errors import DatasetError

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_list(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def fill(base: Path, sequence: str, resolution: str = "", frames: int = 4, masks: tuple[int, ...] = (0,)) -> None:
    touch(*(base / "JPEGImages" / resolution / sequence / f"{index:05d}.jpg" for index in range(frames)))
    touch(*(base / "Annotations" / resolution / sequence / f"{index:05d}.png" for index in masks))


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    root = tmp_path / "DAVIS"
    for name in ("bear", "camel", "swan"):
        fill(root, name, "480p", masks=(0, 2))
        fill(root, name, "1080p", masks=(0, 2))
    write_list(root / "ImageSets" / "2016" / "train.txt", "bear")
    write_list(root / "ImageSets" / "2016" / "val.txt", "swan")
    write_list(root / "ImageSets" / "2017" / "val.txt", "swan", "", "camel")
    return root


@pytest.fixture
def youtube(tmp_path: Path) -> Path:
    root = tmp_path / "YouTubeVOS"
    fill(root / "train", "0a", masks=(0, 1))
    fill(root / "valid", "0b")
    fill(root / "valid", "0c")
    write_list(root / "train" / "meta.json", "{}")
    return root


def names(dataset) -> list[str]:
    return [sequence.name for sequence in dataset.sequences]


def test_davis_split_keeps_the_lists_order_and_prefers_480p(davis):
    dataset = open_dataset(davis, "val")
    assert dataset.name == "DAVIS/val"
    assert names(dataset) == ["swan", "camel"]
    sequence = dataset.sequences[0]
    assert sequence.frame_names == ["00000", "00001", "00002", "00003"]
    assert list(sequence.annotations) == ["00000", "00002"]
    assert sequence.first_annotated == "00000"
    assert {path.parent.parent.name for path in sequence.frames} == {"480p"}
    assert {path.parent.parent.name for path in sequence.annotations.values()} == {"480p"}


def test_hidden_folders_in_a_sequence_make_it_no_resolution(tmp_path):
    for name in ("cat", "dog"):
        fill(tmp_path, name)
    touch(*(tmp_path / kind / "dog" / ".ipynb_checkpoints" / "x.png" for kind in ("JPEGImages", "Annotations")))
    assert names(open_dataset(tmp_path)) == ["cat", "dog"]


def test_davis_year_and_resolution_can_be_chosen(davis):
    dataset = open_dataset(davis, "val", year=2016, resolution="1080p")
    assert names(dataset) == ["swan"]
    assert dataset.sequences[0].frames[0].parent.parent.name == "1080p"


@pytest.mark.parametrize("split", [None, "all"])
def test_davis_without_split_takes_every_folder(davis, split):
    assert names(open_dataset(davis, split)) == ["bear", "camel", "swan"]


def test_split_found_in_one_year_only(davis):
    assert names(open_dataset(davis, "train")) == ["bear"]


def test_davis_2016s_original_lists_of_path_pairs(davis):
    line = "/JPEGImages/480p/{0}/0000{1}.jpg /Annotations/480p/{0}/0000{1}.png"
    lines = [line.format(name, index) for name in ("swan", "bear") for index in range(3)]
    write_list(davis / "ImageSets" / "480p" / "both.txt", *lines)
    assert names(open_dataset(davis, "both")) == ["swan", "bear"]


def test_youtube_vos_split_is_a_subfolder(youtube):
    assert names(open_dataset(youtube, "valid")) == ["0b", "0c"]
    assert names(open_dataset(youtube, "train")) == ["0a"]
    assert names(open_dataset(youtube / "valid")) == ["0b", "0c"]


def test_youtube_vos_with_annotations_elsewhere(youtube, tmp_path):
    touch(tmp_path / "other" / "valid" / "Annotations" / "0b" / "00003.png")
    dataset = open_dataset(youtube, "valid", annotation_root=tmp_path / "other")
    assert dataset.sequences[0].first_annotated == "00003"
    assert dataset.sequences[1].annotations == {}


def test_youtube_vos_for_scoring_needs_frames_or_masks(youtube, tmp_path):
    (youtube / "valid" / "Annotations").rename(tmp_path / "Annotations")
    dataset = open_dataset(youtube, "valid", annotation_root=tmp_path, need_frames=False)
    assert [sequence.first_annotated for sequence in dataset] == ["00000", "00000"]
    (youtube / "train" / "JPEGImages").rename(tmp_path / "JPEGImages")
    assert open_dataset(youtube, "train", need_frames=False).sequences[0].frames == []


def test_plain_folders(tmp_path):
    fill(tmp_path, "b")
    fill(tmp_path, "a")
    assert names(open_dataset(tmp_path)) == ["a", "b"]
    assert names(open_dataset(tmp_path, layout="plain")) == ["a", "b"]


def test_frames_come_in_natural_order_and_hidden_files_are_not_frames(tmp_path):
    folder = tmp_path / "JPEGImages" / "a"
    touch(folder / "10.jpg", folder / "9.JPG", folder / "._9.jpg", folder / "Thumbs.db")
    touch(tmp_path / "Annotations" / "a" / "9.png")
    assert open_dataset(tmp_path).sequences[0].frame_names == ["9", "10"]


def test_other_annotation_folder_and_root(davis, tmp_path):
    touch(tmp_path / "masks" / "Annotations_sparse" / "480p" / "swan" / "00001.png")
    dataset = open_dataset(davis, "val", annotations="Annotations_sparse", annotation_root=tmp_path / "masks")
    swan, camel = dataset.sequences
    assert swan.first_annotated == "00001"
    assert camel.annotations == {}
    with pytest.raises(DatasetError, match="Sequence 'camel' has no mask"):
        _ = camel.first_annotated


def test_masks_alone_are_enough_where_frames_are_not_needed(tmp_path):
    touch(tmp_path / "Annotations" / "480p" / "bear" / "00000.png")
    sequence = open_dataset(tmp_path, need_frames=False).sequences[0]
    assert sequence.frames == []
    assert sequence.first_annotated == "00000"
    with pytest.raises(DatasetError, match="expected JPEGImages in it"):
        open_dataset(tmp_path)


def test_select_keeps_the_data_sets_order(davis):
    assert names(open_dataset(davis, sequences=["swan", "bear"])) == ["bear", "swan"]
    assert len(open_dataset(davis).select(["camel"])) == 1


def test_unknown_sequence_names_the_nearest(davis):
    with pytest.raises(DatasetError, match=r"no sequence 'swam' in DAVIS/val\. Did you mean swan\?"):
        open_dataset(davis, "val", sequences=["swam"])
    with pytest.raises(DatasetError, match=r"no sequence 'zzz' in DAVIS\. It has bear, camel, swan"):
        open_dataset(davis, sequences=["zzz"])
    with pytest.raises(DatasetError, match="No sequence was requested"):
        open_dataset(davis, sequences=[])


def test_unknown_split_lists_what_there_is(davis, youtube, tmp_path):
    with pytest.raises(DatasetError, match=r"no split 'test'.* it has 2016/train, 2016/val, 2017/val"):
        open_dataset(davis, "test")
    with pytest.raises(DatasetError, match="no split 'train' of 2017"):
        open_dataset(davis, "train", year=2017)
    with pytest.raises(DatasetError, match=r"no split 'val' in .*Did you mean valid\?"):
        open_dataset(youtube, "val")
    with pytest.raises(DatasetError, match=r"has the splits train, valid\. Name one"):
        open_dataset(youtube)
    fill(tmp_path / "plain", "a")
    with pytest.raises(DatasetError, match=r"no ImageSets lists.*Use split 'all'"):
        open_dataset(tmp_path / "plain", "val")


def test_wrong_arguments(davis):
    with pytest.raises(DatasetError, match=r"layout 'coco' is unknown\. Use one of auto, davis"):
        open_dataset(davis, layout="coco")
    with pytest.raises(DatasetError, match=r"DAVIS year 2018 is unknown; expected 2016 or 2017"):
        open_dataset(davis, "val", year=2018)
    with pytest.raises(DatasetError, match=r"no resolution '720p'.* It has 1080p, 480p"):
        open_dataset(davis, resolution="720p")
    with pytest.raises(DatasetError, match="Annotations_sparse does not exist"):
        open_dataset(davis, annotations="Annotations_sparse")
    with pytest.raises(DatasetError, match=r"does not exist\. Check the path"):
        open_dataset(davis / "nowhere")


def test_several_resolutions_without_480p_are_ambiguous(tmp_path):
    fill(tmp_path, "a", "1080p")
    fill(tmp_path, "a", "720p")
    with pytest.raises(DatasetError, match=r"has the resolutions 1080p, 720p\. Name one"):
        open_dataset(tmp_path)


def test_incomplete_data_sets(davis, tmp_path):
    write_list(davis / "ImageSets" / "2017" / "bad.txt", "lost")
    with pytest.raises(DatasetError, match="Sequence 'lost' has no frames"):
        open_dataset(davis, "bad")
    touch(davis / "Annotations" / "480p" / "swan" / "00009.png")
    with pytest.raises(DatasetError, match=r"mask for frame '00009'.*its frames are '00000' to '00003'"):
        open_dataset(davis, "val")
    touch(davis / "JPEGImages" / "480p" / "bear" / "00001.png")
    with pytest.raises(DatasetError, match=r"are both frame '00001'"):
        open_dataset(davis, "train")
    with pytest.raises(DatasetError, match=r"is not a data set: expected JPEGImages .* found 2016/, 2017/"):
        open_dataset(davis / "ImageSets")
    (tmp_path / "empty" / "JPEGImages").mkdir(parents=True)
    (tmp_path / "empty" / "Annotations").mkdir()
    with pytest.raises(DatasetError, match="holds no sequence"):
        open_dataset(tmp_path / "empty")


@pytest.mark.skipif(not (DATA / "DAVIS-2016").is_dir(), reason="needs shared/data/DAVIS-2016")
def test_real_davis_2016():
    dataset = open_dataset(DATA / "DAVIS-2016", "val")
    assert len(dataset) == 20
    assert sum(len(sequence.frames) for sequence in dataset) == 1376
    assert all(sequence.frame_names == list(sequence.annotations) for sequence in dataset)


@pytest.mark.skipif(not (DATA / "DAVIS-2017").is_dir(), reason="needs shared/data/DAVIS-2017")
def test_real_object_ids_beside_the_frames_of_2016():
    sparse = {"annotations": "Annotations_sparse", "annotation_root": DATA / "DAVIS-2017"}
    dataset = open_dataset(DATA / "DAVIS-2016", "train", **sparse)
    assert len(dataset) == 30
    bear = dataset.select(["bear"]).sequences[0]
    assert bear.first_annotated == "00003"
    with Image.open(bear.annotations["00003"]) as mask:
        assert set(np.unique(np.asarray(mask))) == {0, 1}
    trees = open_dataset(DATA / "DAVIS-2016", "val", annotation_root=DATA / "DAVIS-2017", sequences=["bmx-trees"])
    assert len(trees.sequences[0].annotations) == 80

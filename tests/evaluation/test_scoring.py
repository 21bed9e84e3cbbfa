"""The protocol: which frames and objects are scored, and what is refused by name."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.datasets.layouts import open_dataset
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.evaluation.mask_pairs import read_ids
from cyclevos.evaluation.measures import boundary_f_measure, region_similarity, statistics
from cyclevos.evaluation.scoring import evaluate

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def score(folders, **options):
    truth, results = folders
    return evaluate(results, open_dataset(truth, need_frames=False, **options), workers=1)


def frame(folder: Path, sequence: str, index: int) -> Path:
    return folder / sequence / f"{index:05d}.png"


def test_perfect_results(folders):
    evaluation = score(folders)
    assert list(evaluation.sequences) == ["one", "two"]
    assert list(evaluation.sequences["two"].objects) == [2, 7]
    assert evaluation.overall.J == evaluation.overall.F == (1.0, 1.0, 0.0)
    assert evaluation.overall.j_and_f == 1.0


def test_first_and_last_frame_are_left_out(folders):
    _, results = folders
    for index in (0, 5):
        frame(results, "one", index).unlink()
    evaluation = score(folders)
    assert evaluation.overall.J.mean == 1.0
    assert evaluation.sequences["one"].objects[1].frame_names == ("00001", "00002", "00003", "00004")


def test_values_of_every_frame_and_their_statistics(folders, write_mask, draw_objects):
    _, results = folders
    for index in range(6):
        write_mask(frame(results, "two", index), draw_objects([2, 7], 2 * index))
    found = score(folders).sequences["two"].objects[7]
    pairs = [(draw_objects([2, 7], 2 * index) == 7, draw_objects([2, 7], index) == 7) for index in range(1, 5)]
    assert found.J_values == tuple(region_similarity(*pair) for pair in pairs)
    assert found.F_values == tuple(boundary_f_measure(*pair) for pair in pairs)
    assert statistics(found.J_values) == found.J
    assert found.J.decay > 0


def test_overall_is_the_mean_over_objects_not_over_sequences(folders, write_mask, draw_objects):
    _, results = folders
    for index in range(6):
        write_mask(frame(results, "one", index), draw_objects([]))
    evaluation = score(folders)
    assert evaluation.sequences["one"].J.mean == 0.0
    assert evaluation.sequences["two"].J.mean == 1.0
    assert evaluation.overall.J.mean == pytest.approx(2 / 3)
    assert evaluation.overall.j_and_f == pytest.approx(2 / 3)


def test_swapped_objects_score_nothing(folders, write_mask, draw_objects):
    _, results = folders
    for index in range(6):
        write_mask(frame(results, "two", index), draw_objects([7, 2], index))
    assert score(folders).sequences["two"].J.mean == 0.0


def test_sparse_ground_truth(folders):
    truth, results = folders
    for index in (0, 3):
        frame(truth / "Annotations", "one", index).unlink()
    for index in (0, 3, 5):
        frame(results, "one", index).unlink()
    assert score(folders).sequences["one"].objects[1].frame_names == ("00002", "00004")


def test_void_pixels_are_not_scored(folders, write_mask, draw_objects):
    truth, results = folders
    for index in range(6):
        mask = draw_objects([1], index)
        mask[:, 30:] = 255
        write_mask(frame(truth / "Annotations", "one", index), mask)
        mask[:, 30:] = 1
        write_mask(frame(results, "one", index), mask)
    assert score(folders).sequences["one"].j_and_f == 1.0


@pytest.mark.parametrize("foreground_of_truth", [1, 255])
@pytest.mark.parametrize("foreground_of_results", [1, 255])
def test_single_object_as_0_1_or_0_255(folders, foreground_of_truth, foreground_of_results, write_mask, draw_objects):
    truth, results = folders
    for index in range(6):
        write_mask(frame(truth / "Annotations", "one", index), draw_objects([foreground_of_truth], index), "L")
        write_mask(frame(results, "one", index), draw_objects([foreground_of_results], index + 1), "L")
    sequence = score(folders).sequences["one"]
    assert list(sequence.objects) == [1]
    assert sequence.objects[1].J_values == pytest.approx([11 / 13] * 4)


def test_one_bit_results(folders, write_mask, draw_objects):
    _, results = folders
    for index in range(6):
        write_mask(frame(results, "one", index), draw_objects([255], index), "1")
    assert score(folders).sequences["one"].j_and_f == 1.0


def test_an_object_that_leaves_must_not_be_predicted(folders, write_mask, draw_objects):
    truth, results = folders
    for index in (3, 4):
        write_mask(frame(truth / "Annotations", "one", index), draw_objects([]))
    write_mask(frame(results, "one", 4), draw_objects([]))
    assert score(folders).sequences["one"].objects[1].J_values == (1.0, 1.0, 0.0, 1.0)


def test_an_object_that_comes_later_may_be_predicted_but_is_not_scored(folders, write_mask, draw_objects):
    truth, results = folders
    write_mask(frame(truth / "Annotations", "one", 5), draw_objects([1, 4], 5))
    write_mask(frame(results, "one", 3), draw_objects([1, 4], 3))
    sequence = score(folders).sequences["one"]
    assert list(sequence.objects) == [1]
    assert sequence.j_and_f == 1.0


@pytest.mark.parametrize(("ids", "named"), [([2, 9], "9"), ([2, 255], "255"), ([1, 2, 3], "1, 3")])
def test_unknown_ids_are_refused(folders, ids, named, write_mask, draw_objects):
    _, results = folders
    write_mask(frame(results, "two", 2), draw_objects(ids))
    with pytest.raises(DatasetError, match=rf"00002.png holds the ids {named}, .* expected 0 and 2, 7"):
        score(folders)


def test_1_and_255_in_one_result_is_refused(folders, write_mask, draw_objects):
    _, results = folders
    write_mask(frame(results, "one", 2), draw_objects([1, 255]))
    with pytest.raises(DatasetError, match="holds the ids 255"):
        score(folders)


def test_missing_results_are_refused_before_any_work(folders):
    truth, results = folders
    for index in (2, 3):
        frame(results, "two", index).unlink()
    with pytest.raises(DatasetError, match=r"'two' lacks the results of 2 frames, the first is .*00002.png"):
        score(folders)
    dataset = open_dataset(truth, need_frames=False)
    (results / "one").rename(results / "two.bak")
    with pytest.raises(DatasetError, match="lacks the folders of 1 of 2 sequences: one; expected <results>"):
        evaluate(results, dataset)
    with pytest.raises(DatasetError, match=r"results folder .*nowhere does not exist"):
        evaluate(results / "nowhere", dataset)


def test_wrong_size_is_refused(folders, write_mask, draw_objects):
    _, results = folders
    write_mask(frame(results, "one", 2), draw_objects([1], shape=(30, 50)))
    with pytest.raises(DatasetError, match=r"00002.png is 50x30 but its ground truth is 60x40"):
        score(folders)


def test_unusable_mask_files_are_refused(folders, write_mask, draw_objects):
    _, results = folders
    path = frame(results, "one", 2)
    write_mask(path, draw_objects([1]), "RGB")
    with pytest.raises(DatasetError, match=r"00002.png is an image of mode RGB; expected an indexed"):
        score(folders)
    whole = frame(results, "one", 3).read_bytes()
    path.write_bytes(whole[: len(whole) - 30])
    with pytest.raises(DatasetError, match=r"00002.png cannot be read"):
        score(folders)
    path.write_text("not an image")
    with pytest.raises(DatasetError, match=r"00002.png cannot be read"):
        read_ids(path)


def test_unusable_ground_truth_is_refused(folders, write_mask, draw_objects):
    truth, _ = folders
    annotations = truth / "Annotations"
    write_mask(frame(annotations, "two", 0), draw_objects([]))
    with pytest.raises(DatasetError, match=r"first mask of sequence 'two' .* shows no object"):
        score(folders)
    write_mask(frame(annotations, "two", 0), draw_objects([255]))
    with pytest.raises(DatasetError, match=r"first mask of sequence 'two' .* shows no object"):
        score(folders)
    for index in range(4):
        frame(annotations, "two", index).unlink()
    with pytest.raises(DatasetError, match="'two' has ground truth for 2 frames; expected 3 or more"):
        score(folders)
    assert score(folders, sequences=["one"]).overall.J.mean == 1.0


def test_any_number_of_workers_gives_the_same(folders, write_mask, draw_objects):
    truth, results = folders
    for index in range(6):
        write_mask(frame(results, "two", index), draw_objects([2, 7], 2 * index))
    dataset = open_dataset(truth, need_frames=False)
    seen: list[str] = []
    assert evaluate(results, dataset, workers=2, progress=seen.append) == evaluate(results, dataset, workers=1)
    assert seen == ["one", "two"]
    with pytest.raises(ConfigError, match="1 or more workers, got 0"):
        evaluate(results, dataset, workers=0)


def test_an_error_in_a_worker_reaches_the_caller(folders, write_mask, draw_objects):
    truth, results = folders
    for sequence in ("one", "two"):
        write_mask(frame(results, sequence, 2), draw_objects([9]))
    with pytest.raises(DatasetError, match="ground truth of 'one' does not have"):
        evaluate(results, open_dataset(truth, need_frames=False), workers=2)


def test_read_ids_keeps_palette_numbers(tmp_path, write_mask):
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "ids.png", ids)
    assert np.array_equal(read_ids(tmp_path / "ids.png"), ids)


def test_evaluation_does_not_load_torch():
    modules = "cyclevos.cli.evaluate, cyclevos.evaluation.scoring, cyclevos.evaluation.submission"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not (DATA / "DAVIS-2017").is_dir(), reason="needs shared/data/DAVIS-2017")
def test_real_object_ids_against_each_other(tmp_path):
    dataset = open_dataset(DATA / "DAVIS-2016", "val", annotation_root=DATA / "DAVIS-2017", sequences=["bmx-trees"])
    (tmp_path / "bmx-trees").mkdir()
    for name, path in dataset.sequences[0].annotations.items():
        with Image.open(path) as mask:
            result = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if int(name) >= 40 else mask
            result.save(tmp_path / "bmx-trees" / path.name)
    objects = evaluate(tmp_path, dataset, workers=1).sequences["bmx-trees"].objects
    assert list(objects) == [1, 2]
    for scores in objects.values():
        assert scores.J_values[:39] == scores.F_values[:39] == (1.0,) * 39
        assert max(scores.J_values[39:]) < 0.5
        assert scores.J.recall == 0.5
        assert scores.J.decay > 0.5


def test_255_is_ignored_in_all_frames_of_a_sequence_with_other_ids(folders, write_mask, draw_objects):
    truth, results = folders
    for index in (2, 3):  # 255 alone, then beside the object
        write_mask(frame(truth / "Annotations", "one", index), draw_objects([255] if index == 2 else [1, 255]))
        write_mask(frame(results, "one", index), draw_objects([1]))
    sequence = score(folders).sequences["one"]
    assert list(sequence.objects) == [1]
    # In frame 2 the result lies where nothing is scored; in frame 3 it is right.
    assert sequence.objects[1].J_values == (1.0, 1.0, 1.0, 1.0)


def test_255_is_the_object_where_the_first_mask_is_empty(folders, write_mask, draw_objects):
    truth, results = folders
    for index in range(6):
        ids = [] if index == 0 else [255]
        write_mask(frame(truth / "Annotations", "one", index), draw_objects(ids))
        write_mask(frame(results, "one", index), draw_objects(ids))
    dataset = open_dataset(truth, need_frames=False, sequences=["one"])
    objects = evaluate(results, dataset, protocol="per-appearance", workers=1).sequences["one"].objects
    assert list(objects) == [1]
    assert objects[1].J_values == (1.0,) * 4

"""Curves of a prompter that can be worked out by hand; what it is given, and what is scored."""

from __future__ import annotations

import numpy as np
import pytest
from cell_prompter import CELL, CellPrompter, bar, save, save_sequence

from cyclevos.datasets.layouts import open_dataset
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.evaluation.prompt_scores import PromptedObject
from cyclevos.evaluation.prompting import PromptProtocol, chosen_frames, evaluate_prompts


@pytest.fixture
def prompter():
    return CellPrompter()


@pytest.fixture
def score(tmp_path, prompter):
    """Evaluate what `save_sequence` has written below tmp_path."""

    def run(**protocol):
        return evaluate_prompts(prompter, open_dataset(tmp_path), PromptProtocol(**protocol))

    return run


def test_each_click_adds_a_third(tmp_path, score, prompter):
    save_sequence(tmp_path, "a", [bar(3), bar(1)])
    evaluation = score()
    [each] = evaluation.objects
    assert (each.sequence, each.frame, each.object_id, each.pixels) == ("a", "00000", 1, 300)
    assert each.curve == pytest.approx((1 / 3, 2 / 3, 1))
    assert each.start is None
    assert each.boxes[0] == 1
    assert 0.5 < each.boxes[0.2] < each.boxes[0.1] < 1
    overall = evaluation.overall
    assert overall.after == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 1, 5: 1, 10: 1})
    assert overall.clicks_to == {0.85: 3, 0.9: 3}
    assert overall.missed == {0.85: 0, 0.9: 0}
    assert prompter.calls[-1] == ([(4.5, 4.5), (14.5, 4.5), (24.5, 4.5)], [1, 1, 1], None, None)


def test_a_surplus_is_clicked_away(tmp_path, score, prompter):
    """Seven rows of a cell are the object: a click takes too much, the next one all of it, for ever."""
    ids = bar(1)
    ids[7:] = 0
    save_sequence(tmp_path, "a", [ids])
    evaluation = score(most_clicks=4)
    assert evaluation.objects[0].curve == (0.7, 0, 0.7, 0)
    assert prompter.calls[-1][1] == [1, 0, 1, 0]
    assert evaluation.overall.clicks_to == {0.85: 4, 0.9: 4}
    assert evaluation.overall.missed == {0.85: 1, 0.9: 1}
    assert evaluation.overall.after == {1: 0.7, 2: 0, 3: 0.7}


def test_a_lost_object_takes_all_twenty_clicks(tmp_path, score):
    ids = bar(1)
    ids[7:] = 0
    save_sequence(tmp_path, "a", [ids])
    evaluation = score()
    assert len(evaluation.objects[0].curve) == 20
    assert evaluation.overall.clicks_to[0.85] == 20


def test_clicking_ends_when_no_figure_would_change(tmp_path, score):
    """Of 24 cells, 22 give J 0.917; of 12, ten give 0.833, so that clicking goes on to the eleventh."""
    for count, made in ((24, 20), (12, 11)):
        ids = np.zeros((40, 120), np.uint8)
        ids[: CELL * (count // 12), :] = 1
        save_sequence(tmp_path, f"of{count}", [ids])
        curve = {each.sequence: each.curve for each in score().objects}[f"of{count}"]
        assert len(curve) == made
        assert curve == pytest.approx([n / count for n in range(1, made + 1)])


def test_a_fresh_answer_gets_clicks_alone_and_a_repair_the_mask_so_far(tmp_path, score, prompter):
    save_sequence(tmp_path, "a", [bar(3)])
    fresh = score().objects[0].curve
    assert [mask for points, _, _, mask in prompter.calls if points] == [None, None, None]
    prompter.calls.clear()
    evaluation = score(repair=True)
    assert evaluation.objects[0].curve == fresh
    assert [mask for points, _, _, mask in prompter.calls if points] == pytest.approx([None, 1 / 24, 2 / 24])
    assert evaluation.repair


def test_clicks_with_a_box_begin_from_its_mask(tmp_path, score, prompter):
    """The object is two corners of its box, so the box gives J 0.5, and two clicks take the other half away."""
    ids = np.zeros((40, 60), np.uint8)
    ids[:10, :10] = ids[10:20, 10:20] = 1
    save_sequence(tmp_path, "a", [ids])
    evaluation = score(begin_with_box=True)
    [each] = evaluation.objects
    assert each.start == 0.5
    assert each.curve == pytest.approx((2 / 3, 1))
    assert prompter.calls[-1] == ([(14.5, 4.5), (4.5, 14.5)], [0, 0], (0, 0, 20, 20), None)
    assert evaluation.begun_from == "box"
    assert evaluation.overall.start == 0.5


@pytest.mark.parametrize("repair", [False, True])
def test_clicks_repair_masks(tmp_path, score, prompter, repair):
    """The mask of somebody has a third of the object, and twice its own size beside it."""
    save_sequence(tmp_path, "a", [bar(3)])
    given = bar(1)
    given[20:30, :10] = 1
    save(tmp_path / "results" / "a" / "00000.png", given)
    evaluation = score(masks=tmp_path / "results", repair=repair)
    [each] = evaluation.objects
    assert each.start == pytest.approx(1 / 4)
    assert each.curve == pytest.approx((2 / 4, 3 / 4, 1))
    assert each.boxes == {}
    shares = [2 / 24, 3 / 24, 4 / 24] if repair else [2 / 24] * 3
    assert [mask for *_, mask in prompter.calls] == pytest.approx(shares)
    assert evaluation.overall.boxes == {}
    assert evaluation.begun_from == "masks"


def test_masks_that_need_no_click(tmp_path, score, prompter):
    save_sequence(tmp_path, "a", [bar(3)])
    save(tmp_path / "results" / "a" / "00000.png", bar(3))
    evaluation = score(masks=tmp_path / "results")
    assert not prompter.calls
    assert evaluation.overall.clicks_to == {0.85: 0, 0.9: 0}
    assert evaluation.overall.after[10] == 1


def test_a_mask_to_repair_that_is_missing_or_of_another_size(tmp_path, score):
    save_sequence(tmp_path, "a", [bar(3)])
    with pytest.raises(DatasetError, match=r"00000\.png"):
        score(masks=tmp_path / "results")
    save(tmp_path / "results" / "a" / "00000.png", bar(3, size=(20, 30)))
    with pytest.raises(DatasetError, match="30x20"):
        score(masks=tmp_path / "results")


def test_ignored_pixels_count_for_nothing(tmp_path, score, prompter):
    """The whole surplus of the box, and half of the object's second cell, are void."""
    ids = bar(2)
    ids[5:10, 10:20] = 255
    save_sequence(tmp_path, "a", [ids, bar(1, 7)])
    [each] = score().objects
    assert each.pixels == 150
    assert each.curve == pytest.approx((100 / 150, 1))
    assert each.boxes[0] == 1


def test_objects_are_prompted_one_by_one_and_small_ones_left_out(tmp_path, score):
    ids = bar(2, 3) + bar(1, 5, row=2)
    ids[35:42, 50:59] = 9  # 7 x 9 would be 63 pixels; the picture's edge leaves 45
    save_sequence(tmp_path, "a", [ids])
    evaluation = score()
    assert [(each.object_id, each.curve) for each in evaluation.objects] == [(3, (0.5, 1)), (5, (1,))]
    assert evaluation.left_out == 1
    assert evaluation.overall.count == 2
    assert evaluation.overall.after[1] == 0.75


def test_nothing_to_score_is_an_error(tmp_path, score):
    tiny = np.zeros((40, 60), np.uint8)
    tiny[:7, :9] = 1
    save_sequence(tmp_path, "a", [tiny])
    with pytest.raises(DatasetError, match="no object of 64 or more pixels"):
        score()


def test_a_mask_of_another_size_than_its_frame_is_an_error(tmp_path, score):
    save_sequence(tmp_path, "a", [bar(3)])
    save(tmp_path / "Annotations" / "a" / "00000.png", bar(2, size=(20, 30)))
    with pytest.raises(DatasetError, match=r"30x20, its frame .*00000\.png is 60x40"):
        score()


def test_the_choice_of_frames(tmp_path, score):
    save_sequence(tmp_path, "a", [None, bar(1), bar(2), None, bar(3), bar(2), bar(1)])
    sequence = open_dataset(tmp_path).sequences[0]
    assert chosen_frames(sequence, 1) == ["00001"]
    assert chosen_frames(sequence, 2) == ["00001", "00004"]
    assert chosen_frames(sequence, None) == chosen_frames(sequence, 9) == ["00001", "00002", "00004", "00005", "00006"]
    evaluation = score(frames=2)
    assert [each.frame for each in evaluation.objects] == ["00001", "00004"]
    assert evaluation.frames == "2"
    assert score(frames=None).frames == "all"
    assert score().frames == "first"


def test_a_sequence_without_masks_is_named(tmp_path, score):
    save_sequence(tmp_path, "a", [bar(1)])
    (tmp_path / "Annotations" / "a" / "00000.png").unlink()
    with pytest.raises(DatasetError, match="'a' has no mask"):
        score()


def test_progress_counts_frames(tmp_path, prompter):
    save_sequence(tmp_path, "a", [bar(1), bar(2)])
    save_sequence(tmp_path, "b", [bar(1)])
    told = []
    evaluate_prompts(prompter, open_dataset(tmp_path), PromptProtocol(frames=None), lambda *each: told.append(each))
    assert told == [(0, "a"), (1, "a"), (2, "b"), (3, "")]


@pytest.mark.parametrize("wrong", [{"most_clicks": 0}, {"frames": 0}, {"begin_with_box": True, "masks": "x"}])
def test_what_no_protocol_can_be(wrong):
    with pytest.raises(ConfigError):
        PromptProtocol(**wrong)


def test_counts_of_clicks_by_hand():
    each = PromptedObject("a", "00000", 1, 100, (0.5, 0.86, 0.8, 0.95), start=0.2)
    assert [each.after(n) for n in (1, 2, 3, 5)] == [0.5, 0.86, 0.8, 0.95]
    assert (each.clicks_to(0.85), each.clicks_to(0.9), each.clicks_to(0.96)) == (2, 4, 20)
    assert (each.clicks_to(0.2), each.misses(0.95), each.misses(0.96)) == (0, False, True)

"""Prompts as texts: what is read, what is refused and in which words, and that nothing else ever happens."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclevos.errors import PromptError
from cyclevos.prompts.prompts import MOST_CLICKS, Box, Click, Prompts
from cyclevos.prompts.syntax import read_prompts, write_prompts


@pytest.mark.parametrize(
    ("text", "frame", "object_id", "click"),
    [
        ("412,230", 0, 1, Click(412, 230)),
        ("30:412,230", 30, 1, Click(412, 230)),
        ("412,230:2", 0, 2, Click(412, 230)),
        ("30:412.5,.25:255", 30, 255, Click(412.5, 0.25)),
        (" 30 : 412 , 230 : 2 ", 30, 2, Click(412, 230)),
        ("-1,+2", 0, 1, Click(-1, 2)),  # outside of every picture, which is said when its size is known
    ],
)
def test_a_point(text, frame, object_id, click):
    assert read_prompts([text]) == {frame: {object_id: Prompts((click,))}}
    assert read_prompts([], [text]) == {frame: {object_id: Prompts((click._replace(positive=False),))}}


def test_several_objects_and_frames():
    read = read_prompts(["1,2", "5:3,4:2", "6,7"], ["8,9", "5:1,1:2"], ["0,0,10,20", "5:1,2,3,4:9"])
    assert read == {
        0: {1: Prompts((Click(1, 2), Click(6, 7), Click(8, 9, False)), Box(0, 0, 10, 20))},
        5: {2: Prompts((Click(3, 4), Click(1, 1, False))), 9: Prompts((), Box(1, 2, 3, 4))},
    }
    assert list(read) == [0, 5]


def test_texts_without_a_frame_belong_to_the_frame_asked_for():
    assert read_prompts(["1,2", "3:1,2"], frame=7).keys() == {3, 7}


@pytest.mark.parametrize(
    "text",
    [*["", "412", "412;230", "412,230,5", "x,y", "nan,1", "1e3,2", "-1:2,3", "1.5:2,3", "2,3:0", "2,3:256", "2,3:car"],
     *["1:2:3", "1:2,3:4:5", "٣,٤", "1" * 5000 + ",2", "2,3:-1", ":2,3", "2,3:"]],
)  # fmt: skip
def test_what_is_no_point_is_shown_with_the_form_and_an_example(text):
    with pytest.raises(PromptError) as refused:
        read_prompts([], [text])
    assert f"--not-point '{text[:60]}" in refused.value.problem
    assert "[FRAME:]X,Y[:ID]" in refused.value.problem
    assert "--not-point 412,230" in refused.value.remedy
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("text", ["1,2", "1,2,3", "1,2,3,4,5", "1,2,3,x"])
def test_what_is_no_box_is_shown_with_the_form_and_an_example(text):
    with pytest.raises(PromptError, match=re.escape("expected [FRAME:]X0,Y0,X1,Y1[:ID]")) as refused:
        read_prompts(boxes=[text])
    (example,) = re.findall(r"--box (\d\S+) for object 1", refused.value.remedy)
    assert read_prompts(boxes=[example])


@pytest.mark.parametrize("text", ["30,30,10,40", "30,40,40,30", "5,5,5,9"])
def test_a_box_inside_out_or_empty_is_refused(text):
    with pytest.raises(PromptError, match="expected left < right and top < bottom"):
        read_prompts(boxes=[text])


def test_two_boxes_of_one_object_are_refused_and_of_two_are_not():
    with pytest.raises(PromptError, match="two boxes for object 1 in frame 0"):
        read_prompts(boxes=["1,2,3,4", "1,2,3,4"])
    assert read_prompts(boxes=["1,2,3,4", "1,2,3,4:2"])[0].keys() == {1, 2}


def test_a_pixel_on_and_beside_one_object_is_refused_and_of_two_objects_is_not():
    with pytest.raises(PromptError, match="both name the pixel 3,4 of object 2 in frame 1"):
        read_prompts(["1:3,4:2"], ["1:3.9,4.2:2"])
    assert read_prompts(["3,4:2"], ["3,4:1"])[0].keys() == {1, 2}


def test_thousands_of_points_are_read_and_more_are_refused():
    texts = [f"{i},{i % 7}" for i in range(MOST_CLICKS)]
    assert len(read_prompts(texts)[0][1].clicks) == MOST_CLICKS
    with pytest.raises(PromptError, match="10,001 points"):
        read_prompts([*texts, "1,2"])


numbers = st.floats(-999_999_999, 999_999_999, allow_nan=False)
clicks = st.lists(st.tuples(numbers, numbers), max_size=4)
boxes = st.none() | st.tuples(numbers, numbers, st.floats(1, 1e6), st.floats(1, 1e6)).map(
    lambda box: Box(box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@st.composite
def prompts(draw):
    on = [Click(x, y) for x, y in draw(clicks)]
    pixels = {click.pixel for click in on}
    beside = [Click(x, y, False) for x, y in draw(clicks) if Click(x, y).pixel not in pixels]
    box = draw(boxes)
    if box is not None and max(map(abs, box)) > 999_999_999:
        box = None
    return Prompts((*on, *beside), box)


@given(
    st.dictionaries(st.integers(0, 10**9 - 1), st.dictionaries(st.integers(1, 255), prompts(), max_size=3), max_size=3)
)
def test_what_is_written_is_read_as_it_was(video):
    video = {index: {i: each for i, each in objects.items() if each} for index, objects in video.items()}
    video = {index: objects for index, objects in video.items() if objects}
    texts = [text.partition("=") for text in write_prompts(video)]
    read = read_prompts(
        *([value for name, _, value in texts if name == o] for o in ("--point", "--not-point", "--box"))
    )
    assert read == video


near = st.text(alphabet="0123456789,:.-+ eExnaif٣\n", max_size=24)


@settings(max_examples=60)
@given(st.lists(st.text(max_size=12) | near, max_size=3), st.lists(near, max_size=3), st.lists(near, max_size=3))
def test_any_text_is_read_or_refused_in_words(points, not_points, box):
    try:
        read = read_prompts(points, not_points, box)
    except PromptError:
        return
    assert bool(read) == bool(points or not_points or box)
    assert all(index >= 0 and 1 <= i <= 255 and each for index, of in read.items() for i, each in of.items())

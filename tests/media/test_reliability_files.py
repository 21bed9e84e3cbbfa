"""The reliability file: a line per frame and object, in order, whatever interrupts it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cyclevos.errors import OutputError
from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import Frame
from cyclevos.media.reliability_files import (
    ReliabilityRow,
    ReliabilityWriter,
    prediction_name,
    read_reliability,
    read_review_rows,
    rows_checksum,
    write_reliability,
    write_review,
)
from cyclevos.media.timeline import write_timeline


def write(writer, index, scores, *, calibrated=True):
    image = np.zeros((4, 5, 3), np.uint8)
    frame = Frame(index, f"f{index}", image)
    writer.write(FrameResult(frame, image[..., 0], reliability=scores, calibrated=calibrated))


def test_lines_in_the_frames_order_and_none_for_given_masks(tmp_path):
    path = tmp_path / "reliability.csv"
    with ReliabilityWriter(path, "clip, one") as writer:
        write(writer, 10, {5: 0.25, 2: 1.0})
        write(writer, 0, {})
        write(writer, 9, {2: 0.5}, calibrated=False)
    expected = 'sequence,frame,object_id,reliability,calibration\n"clip, one",f9,2,0.5000,uncalibrated\n'
    expected += '"clip, one",f10,2,1.0000,calibrated\n"clip, one",f10,5,0.2500,calibrated\n'
    assert path.read_text() == expected
    assert read_reliability(path)[2] == ReliabilityRow("clip, one", "f10", 5, 0.25)
    assert [row.calibrated for row in read_reliability(path)] == [False, True, True]


def test_a_file_of_an_earlier_version_is_read_and_goes_on(tmp_path):
    path = tmp_path / "reliability.csv"
    path.write_text("sequence,frame,object_id,reliability\nclip,f1,1,0.5000\n")
    assert read_reliability(path) == [ReliabilityRow("clip", "f1", 1, 0.5)]
    with ReliabilityWriter(path, "clip", resume=True) as again:
        write(again, 2, {1: 0.25}, calibrated=False)
    assert [(row.frame, row.calibrated) for row in read_reliability(path)] == [("f1", True), ("f2", False)]
    listed = {"count": 1, "review": [], "frames": [{"sequence": "a", "frame": "b", "object_id": 1, "reliability": 0.5}]}
    (tmp_path / "reliability.json").write_text(json.dumps(listed))
    assert read_review_rows(tmp_path / "reliability.json") == (1, [ReliabilityRow("a", "b", 1, 0.5)])


def test_one_uncalibrated_number_names_them_all(tmp_path):
    rows = [ReliabilityRow("clip", "f1", 1, 0.5), ReliabilityRow("clip", "f2", 1, 0.5, calibrated=False)]
    assert prediction_name(rows[:1]) == "predicted J"
    assert prediction_name(rows) == "predicted J, uncalibrated"
    write_reliability(tmp_path / "reliability.csv", rows)
    assert read_reliability(tmp_path / "reliability.csv") == rows
    assert [entry["calibrated"] for entry in write_review(tmp_path / "reliability.json", rows, 2)] == [True, False]
    assert read_review_rows(tmp_path / "reliability.json") == (2, rows)


@pytest.mark.parametrize("end", [",sure", "", ",calibrated,more"])
def test_a_row_that_does_not_say_whether_it_is_calibrated_is_refused(tmp_path, end):
    path = tmp_path / "reliability.csv"
    path.write_text(f"sequence,frame,object_id,reliability,calibration\nclip,f1,1,0.5{end}\n")
    with pytest.raises(OutputError, match="line 2: expected sequence,frame,object_id,reliability,calibration"):
        read_reliability(path)


@pytest.mark.parametrize("cut", [0, 3, 9])
def test_an_interrupted_file_goes_on(tmp_path, cut):
    path = tmp_path / "reliability.csv"
    writer = ReliabilityWriter(path, "clip")
    for index in (1, 2, 3):
        write(writer, index, {1: index / 10})
    writer.abort()
    path.write_text(path.read_text()[: len(path.read_text()) - cut])
    with ReliabilityWriter(path, "clip", resume=True) as again:
        write(again, 3, {1: 0.3})
        write(again, 4, {1: 0.4})
    assert [(row.frame, row.reliability) for row in read_reliability(path)] == [
        ("f1", 0.1),
        ("f2", 0.2),
        ("f3", 0.3),
        ("f4", 0.4),
    ]


def test_cut_at_any_byte_a_file_keeps_its_whole_lines_and_goes_on(tmp_path):
    path = tmp_path / "reliability.csv"
    writer = ReliabilityWriter(path, "clip")
    for index in (1, 2):
        write(writer, index, {1: 0.8125, 2: 0.25})
    writer.abort()
    content, rows = path.read_bytes(), read_reliability(path)
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        whole = rows[: max(0, content[:size].count(b"\n") - 1)]
        assert read_reliability(path, broken_end=True) == whole
        with ReliabilityWriter(path, "clip", resume=True) as again:
            write(again, 3, {1: 0.5})
        assert read_reliability(path) == [*whole, ReliabilityRow("clip", "f3", 1, 0.5)]


@given(st.text(max_size=60))
def test_any_other_file_is_refused_in_words(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "reliability.csv"
    path.write_text("sequence,frame,object_id,reliability\na,b,1,0.5\nx," + text + "\na,b,1,0.5\n", encoding="utf-8")
    try:
        rows = read_reliability(path)
    except OutputError as error:
        rows, message = [], str(error)
    else:
        message = str(path)
    assert str(path) in message
    assert all(isinstance(row, ReliabilityRow) for row in rows)


def test_the_review_lists_the_worst_object_of_frames_apart(tmp_path):
    rows = [ReliabilityRow("clip", f"{t:05d}", i, 0.9 - 0.1 * i) for t in range(20) for i in (1, 2)]
    rows[10] = rows[10]._replace(reliability=0.1)
    rows[12] = rows[12]._replace(reliability=0.2)
    review = write_review(tmp_path / "reliability.json", rows, 3)
    assert review[0] == {
        "sequence": "clip",
        "frame": "00005",
        "object_id": 1,
        "reliability": 0.1,
        "calibrated": True,
    }
    numbers = [int(entry["frame"]) for entry in review]
    assert min(abs(a - b) for a in numbers for b in numbers if a != b) > 2
    stored = json.loads((tmp_path / "reliability.json").read_text())
    assert stored["review"] == review
    assert (stored["count"], len(stored["frames"])) == (3, 40)


def test_a_timeline_has_a_line_per_object_and_a_picture_per_frame(tmp_path):
    names = [f"{t:05d}" for t in range(6)]
    rows = [ReliabilityRow("clip", name, i, 0.5) for name in names[1:] for i in (1, 3)]
    red = np.zeros((9, 16, 3), np.uint8)
    red[..., 0] = 250
    review = [{"sequence": "clip", "frame": "00003", "object_id": 3, "reliability": 0.5}]
    write_timeline(tmp_path / "with.png", names, rows, review, {"00003": red})
    write_timeline(tmp_path / "without.png", names, [], [], {})
    picture = np.array(Image.open(tmp_path / "with.png").convert("RGB"))
    assert (picture == [250, 0, 0]).all(axis=-1).mean() > 0.005
    assert picture.shape[0] > np.array(Image.open(tmp_path / "without.png")).shape[0]


@pytest.mark.parametrize("name", [r"$\\bad{$", "n" * 300, "_hidden", "\U0001f600", ""])
def test_any_name_is_shown_as_it_is_or_shortened(tmp_path, name):
    frames = [f"{name}{t}" for t in range(3)]
    rows = [ReliabilityRow("clip", frame, 1, 0.5) for frame in frames]
    review = [{"sequence": "clip", "frame": frames[1], "object_id": 1, "reliability": 0.5}]
    picture = np.zeros((9, 16, 3), np.uint8)
    for file, names in (("named.png", {1: name}), ("plain.png", {1: "x"})):
        write_timeline(tmp_path / file, frames, rows, review, {frames[1]: picture}, Appearance(names=names))
    named, plain = (np.array(Image.open(tmp_path / file)) for file in ("named.png", "plain.png"))
    assert named.shape == plain.shape
    legend = np.s_[250:400, 90:500]
    assert not name or (named[legend] != plain[legend]).any(), "the legend names the object"


def test_names_of_objects_have_a_column_where_there_are_any(tmp_path):
    path = tmp_path / "reliability.csv"
    names = Appearance(names={2: "red,\ncar", 5: "object 5"})  # the second is no name
    first = ReliabilityWriter(path, "clip", appearance=names)
    write(first, 1, {2: 0.5, 5: 0.25})
    first.abort()
    with ReliabilityWriter(path, "clip", resume=True, appearance=names) as again:
        write(again, 2, {2: 0.75})
    assert path.read_text() == (
        "sequence,frame,object_id,reliability,calibration,name\n"
        'clip,f1,2,0.5000,calibrated,"red, car"\nclip,f1,5,0.2500,calibrated,\n'
        'clip,f2,2,0.7500,calibrated,"red, car"\n'
    )
    rows = read_reliability(path)
    assert [row.name for row in rows] == ["red, car", "", "red, car"]
    write_review(tmp_path / "reliability.json", rows, 1)
    written = json.loads((tmp_path / "reliability.json").read_text())
    assert [row.get("name") for row in written["frames"]] == ["red, car", None, "red, car"]
    assert read_review_rows(tmp_path / "reliability.json") == (1, rows)


def test_a_table_without_names_goes_on_with_names(tmp_path):
    path = tmp_path / "reliability.csv"
    write_reliability(path, [ReliabilityRow("clip", "f1", 1, 0.5)])
    before = rows_checksum(path, ["f1"])
    with ReliabilityWriter(path, "clip", resume=True, appearance=Appearance(names={1: "dog"})) as again:
        write(again, 2, {1: 0.25})
    assert [(row.frame, row.name) for row in read_reliability(path)] == [("f1", ""), ("f2", "dog")]
    assert rows_checksum(path, ["f1"]) == before

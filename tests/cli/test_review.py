"""What `cyclevos segment` says of its masks' reliability."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_inputs import save_mask
from PIL import Image

from cyclevos.media.reliability_files import ReliabilityRow, read_reliability


def test_a_row_for_every_frame_and_object_but_given_ones(segment, tmp_path, ids):
    save_mask(tmp_path / "masks" / "shot_000.png", ids)
    save_mask(tmp_path / "masks" / "shot_003.png", ids)
    assert segment(masks=tmp_path / "masks").code == 0
    rows = read_reliability(tmp_path / "out" / "reliability.csv")
    frames = [f"shot_{i:03d}" for i in (1, 2, 4, 5)]
    assert [row[:3] for row in rows] == [("clip", frame, i) for frame in frames for i in (2, 7)]
    assert all(0 <= row.reliability <= 1 for row in rows)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_other_directions_have_one_too(segment, tmp_path, ids, direction):
    save_mask(tmp_path / "masks" / "shot_005.png", ids)
    assert segment("--direction", direction, masks=tmp_path / "masks").code == 0
    rows = read_reliability(tmp_path / "out" / "reliability.csv")
    assert [row.frame for row in rows] == [f"shot_{i:03d}" for i in range(5) for _ in range(2)]


@pytest.mark.usefixtures("drawn_timelines")
def test_the_frames_to_look_at_and_their_picture(segment, tmp_path):
    assert segment("--review", "2").code == 0
    out = tmp_path / "out"
    record = json.loads((out / "reliability.json").read_text())
    rows = read_reliability(out / "reliability.csv")
    assert [ReliabilityRow(**row) for row in record["frames"]] == rows
    worst = min(rows, key=lambda row: row.reliability)
    assert len(record["review"]) == 2
    assert (record["review"][0]["frame"], record["review"][0]["object_id"]) == (worst.frame, worst.object_id)
    with Image.open(out / "review" / "timeline.png") as picture:
        assert np.ptp(np.asarray(picture.convert("L"))) > 100
    masks = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}

    assert segment("--review", "4").code == 0  # the same run: only the list is made anew
    assert len(json.loads((out / "reliability.json").read_text())["review"]) == 4
    assert masks == {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}


def test_a_broken_table_is_named_and_made_again(segment, tmp_path, caplog):
    assert segment().code == 0
    table = tmp_path / "out" / "reliability.csv"
    whole = table.read_bytes()
    table.write_text("frame;object\n")
    assert segment("--review", "3").code == 0
    assert "reliability.csv does not begin with the columns" in caplog.text
    assert table.read_bytes() == whole

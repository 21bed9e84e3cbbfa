"""The evaluation of a prompter in files and on the terminal: every figure where it belongs."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cyclevos.evaluation.prompt_reports import csv_header, notes, table, to_json, write_csv, write_json
from cyclevos.evaluation.prompt_scores import PromptedObject, PromptEvaluation

BOXES = {0.0: 0.8, 0.1: 0.7, 0.2: 0.6}
EVALUATION = PromptEvaluation(
    dataset="farm/val",
    prompter="default",
    begun_from="clicks",
    repair=False,
    most_clicks=20,
    frames="first",
    objects=(
        PromptedObject("cow", "00000", 1, 900, (0.5, 0.86, 0.95), boxes=BOXES),
        PromptedObject("cow", "00000", 2, 90, (0.3,) * 20, boxes={0.0: 0.6, 0.1: 0.5, 0.2: 0.4}),
        PromptedObject("dog [red]", "00004", 7, 64, (0.91,) * 10, boxes=BOXES),
    ),
    left_out=2,
)
FROM_MASKS = replace(
    EVALUATION,
    begun_from="masks",
    repair=True,
    most_clicks=3,
    objects=(PromptedObject("cow", "00000", 1, 900, (0.5, 0.86, 0.95), start=0.4),),
    left_out=0,
)


def shown(evaluation: PromptEvaluation, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(table(evaluation))
    return out.getvalue()


def cells(text: str, row: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(row)).split(row)[1].split()


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_the_table_has_means_in_percent():
    text = shown(EVALUATION)
    heading = next(line.split() for line in text.splitlines() if "sequence" in line)
    assert heading == ["sequence", "n", "box", "±10%", "±20%", "J@1", "J@2", "J@3", "J@5", "J@10", "NoC@85", "NoC@90"]
    assert " ".join(cells(text, "cow")) == "2 70.0 60.0 50.0 40.0 58.0 62.5 62.5 62.5 11.00 11.50"
    assert " ".join(cells(text, "dog [red]")) == "1 80.0 70.0 60.0 91.0 91.0 91.0 91.0 91.0 1.00 1.00"
    assert " ".join(cells(text, "overall")) == "3 73.3 63.3 53.3 57.0 69.0 72.0 72.0 72.0 7.67 8.00"


def test_the_table_fits_a_terminal_of_eighty_characters():
    long = replace(EVALUATION.objects[0], sequence="motocross-bumps")
    text = shown(replace(EVALUATION, objects=(long,) * 120))
    assert "…" not in text
    assert "motocross-bumps" in text


def test_without_boxes_the_table_begins_with_the_masks():
    text = shown(FROM_MASKS)
    heading = next(line.split() for line in text.splitlines() if "sequence" in line)
    assert heading == ["sequence", "n", "J@0", "J@1", "J@2", "J@3", "NoC@85", "NoC@90"]
    assert " ".join(cells(text, "cow")) == "1 40.0 50.0 86.0 95.0 2.00 3.00"


def test_the_notes_say_what_was_done():
    text = notes(EVALUATION)
    assert "begin from nothing; each answer is a fresh one" in text
    assert "at most 20" in text
    assert "never reach it, of 3: 85 %: 1; 90 %: 1." in text
    assert "2 objects of fewer than 64 pixels" in text
    assert "Clicks repair the given masks; the probabilities of the click before are repaired" in notes(FROM_MASKS)
    assert "Left out" not in notes(FROM_MASKS)


def test_json_keeps_curves_and_means(tmp_path):
    write_json(EVALUATION, tmp_path / "new" / "prompts.json")
    found = json.loads((tmp_path / "new" / "prompts.json").read_text())
    assert found == to_json(EVALUATION)
    assert {k: found[k] for k in ("dataset", "prompter", "from", "repair", "clicks", "frames", "left_out")} == {
        "dataset": "farm/val",
        "prompter": "default",
        "from": "clicks",
        "repair": False,
        "clicks": 20,
        "frames": "first",
        "left_out": 2,
    }
    assert found["overall"]["missed"] == {"0.85": 1, "0.9": 1}
    assert found["overall"]["clicks_to"]["0.85"] == pytest.approx(23 / 3)
    cow = found["sequences"]["cow"]
    assert cow["after"] == pytest.approx({"1": 0.4, "2": 0.58, "3": 0.625, "5": 0.625, "10": 0.625})
    assert cow["objects"][0] == {
        "frame": "00000",
        "object_id": 1,
        "pixels": 900,
        "box": {"0": 0.8, "0.1": 0.7, "0.2": 0.6},
        "start": None,
        "curve": [0.5, 0.86, 0.95],
        "clicks_to": {"0.85": 2, "0.9": 3},
    }


def test_csv_has_a_row_per_object(tmp_path):
    write_csv(EVALUATION, tmp_path / "prompts.csv")
    rows = read_rows(tmp_path / "prompts.csv")
    assert [row["object_id"] for row in rows] == ["1", "2", "7"]
    assert rows[0] == {
        **{"sequence": "cow", "frame": "00000", "object_id": "1", "pixels": "900"},
        **{"J_box_0": "0.8", "J_box_10": "0.7", "J_box_20": "0.6", "J_start": ""},
        **{"J_1": "0.5", "J_2": "0.86", "J_3": "0.95", "J_5": "0.95", "J_10": "0.95", "NoC_85": "2", "NoC_90": "3"},
    }
    write_csv(FROM_MASKS, tmp_path / "masks.csv")
    [row] = read_rows(tmp_path / "masks.csv")
    assert list(row) == csv_header(FROM_MASKS)
    assert (row["J_box_0"], row["J_start"], row["J_3"]) == ("", "0.4", "0.95")
    assert "J_5" not in row

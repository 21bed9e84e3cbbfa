"""`cyclevos evaluate-prompts` as its user calls it: with a prompter worked out by hand, and with the packaged one."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cell_prompter import CellPrompter, bar, save, save_sequence

from cyclevos.prompts import loading


@pytest.fixture
def cells(monkeypatch) -> CellPrompter:
    """The prompter that is loaded whatever is asked for."""
    prompter = CellPrompter()
    monkeypatch.setattr(loading, "load_prompter", lambda name, *, device, dtype: prompter)
    return prompter


@pytest.fixture
def videos(tmp_path) -> Path:
    save_sequence(tmp_path / "data", "ape", [bar(2), bar(4)])
    save_sequence(tmp_path / "data", "bee", [bar(1, 5)])
    return tmp_path / "data"


@pytest.fixture
def stills(tmp_path) -> Path:
    for name, cells in (("ape", 2), ("bee", 1)):
        save(tmp_path / "stills" / "images" / f"{name}.png", np.full((40, 60, 3), 90, np.uint8))
        save(tmp_path / "stills" / "masks" / f"{name}.png", bar(cells))
    return tmp_path / "stills"


def test_table_and_files(call, cells, videos, tmp_path):
    answer = call("evaluate-prompts", videos, "--split", "all", "--output", tmp_path / "out", "--quiet")
    assert answer.code == 0, answer.err
    overall = next(line.split() for line in answer.out.splitlines() if "overall" in line)
    assert overall[:3] == ["overall", "2", "100.0"]
    assert overall[5:] == ["75.0", "100.0", "100.0", "100.0", "100.0", "1.50", "1.50"]
    found = json.loads((tmp_path / "out" / "prompts.json").read_text())
    assert found["overall"]["after"]["1"] == 0.75
    assert list(found["sequences"]) == ["ape", "bee"]
    rows = list(csv.DictReader((tmp_path / "out" / "prompts.csv").read_text().splitlines()))
    assert [(row["sequence"], row["frame"], row["J_1"]) for row in rows] == [
        ("ape", "00000", "0.5"),
        ("bee", "00000", "1.0"),
    ]


@pytest.mark.parametrize(("option", "count"), [("first", 2), ("all", 3), ("2", 3)])
def test_frames(call, cells, videos, option, count):
    answer = call("evaluate-prompts", videos, "--split", "all", "--frames", option, "--quiet")
    assert next(line.split() for line in answer.out.splitlines() if "overall" in line)[1] == str(count), answer.err


def test_of_stills_all_are_taken(call, cells, stills):
    answer = call("evaluate-prompts", stills, "--quiet")
    assert next(line.split() for line in answer.out.splitlines() if "overall" in line)[1] == "2", answer.err
    answer = call("evaluate-prompts", stills.parent, "--sequences", "stills", "--frames", "1", "--quiet")
    assert next(line.split() for line in answer.out.splitlines() if "overall" in line)[1] == "1", answer.err


def test_clicks_from_a_box_and_from_masks(call, cells, videos, tmp_path):
    base = ("evaluate-prompts", videos, "--sequences", "ape", "--split", "all", "--quiet")
    assert "Clicks go with the true box" in call(*base, "--from", "box").out
    save(tmp_path / "masks" / "ape" / "00000.png", bar(1))
    answer = call(*base, "--from", tmp_path / "masks", "--repair", "--clicks", "2")
    assert "Clicks repair the given masks; the probabilities" in answer.out
    row = next(line.split() for line in answer.out.splitlines() if line.strip().startswith("ape"))
    assert row == ["ape", "1", "50.0", "100.0", "100.0", "1.00", "1.00"]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--frames", "some"), 6, "first, all, or a number"),
        (("--frames", "0"), 6, "first, all, or a number"),
        (("--from", "nowhere"), 6, "no folder of that name exists"),
        (("--clicks", "0"), 2, "--clicks"),
        (("--sequences", "aper"), 8, "Did you mean ape?"),
        (("--split", "val"), 8, "Use split 'all'"),
    ],
)
def test_slips(call, cells, videos, options, code, told):
    answer = call("evaluate-prompts", videos, "--split", "all", "--quiet", *options)
    assert answer.code == code
    assert told in answer.err
    assert not cells.calls


def test_a_file_where_the_folder_should_be(call, cells, videos, tmp_path):
    (tmp_path / "out").write_text("mine")
    answer = call("evaluate-prompts", videos, "--split", "all", "--output", tmp_path / "out", "--quiet")
    assert answer.code == 7
    assert not cells.calls


@pytest.mark.slow
def test_the_packaged_prompter_on_real_stills(call, shared_data, tmp_path):
    """Holds for any weights: J are fractions."""
    root = shared_data / "static" / "pennfudan"
    answer = call(
        *("evaluate-prompts", root, "--frames", "1", "--clicks", "2", "--device", "cpu", "--dtype", "float32"),
        *("--output", tmp_path / "out", "--quiet"),
    )
    assert answer.code == 0, answer.err
    objects = json.loads((tmp_path / "out" / "prompts.json").read_text())["sequences"]["pennfudan"]["objects"]
    assert objects
    for each in objects:
        assert all(0 <= j <= 1 for j in [*each["curve"], *each["box"].values()])
        assert 1 <= len(each["curve"]) <= 2

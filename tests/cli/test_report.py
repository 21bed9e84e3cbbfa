"""`cyclevos report` as a user calls it."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def runs(call, davis, weights, tmp_path):
    """Two runs of the tiny network, with and without correction."""
    for name in ("off", "default"):
        options = ("--split", "val", "--size", "none", "--dtype", "float32", "--weights", weights, "--quiet")
        answer = call("segment-dataset", davis, *options, "--output", tmp_path / name, "--correction", name)
        assert answer.code == 0, answer.err
    return [tmp_path / "off", tmp_path / "default"]


def test_runs_of_segment_dataset_are_compared(call, runs, davis, tmp_path):
    options = ("--output", tmp_path / "report", "--workers", "1")
    answer = call("report", *runs, "--dataset", davis, *options)
    assert answer.code == 0, answer.err
    assert answer.out.split() == [str(tmp_path / "report" / name) for name in ("report.html", "report.md")]
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    scores = call("evaluate", runs[0], "--dataset", davis, "--workers", "1", "--quiet").out
    j_and_f = re.match(r"J&F ([0-9.]+)", scores)[1]
    assert re.search(rf"^\| off \| \**{re.escape(j_and_f)}\** \|", text, re.MULTILINE)
    row = re.search(r"^\| off \| uncalibrated \| 6 \|", text, re.MULTILINE)
    assert row, "reliability of two objects and one, two frames each"
    alone = call("report", runs[0], *options, "--sequences", "bee", "--quiet")
    assert alone.code == 0, alone.err
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "# Report on off" in text
    assert "| ape |" not in text


def test_a_folder_without_masks_is_named(call, davis, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = call("report", tmp_path / "empty", "--dataset", davis, "--output", tmp_path / "report")
    assert answer.code == 8
    assert "empty holds no masks; expected <sequence>/<frame>.png" in answer.err

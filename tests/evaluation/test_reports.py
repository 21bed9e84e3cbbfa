"""What is written and printed of an evaluation, and the command that does it."""

import csv
import json

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cyclevos.cli.evaluate import evaluate as evaluate_command
from cyclevos.datasets.layouts import open_dataset
from cyclevos.errors import DatasetError, OutputError
from cyclevos.evaluation import reports
from cyclevos.evaluation.scoring import evaluate


@pytest.fixture
def evaluation(folders, write_mask, draw_objects):
    truth, results = folders
    for index in range(6):
        write_mask(results / "one" / f"{index:05d}.png", draw_objects([]))
    return evaluate(results, open_dataset(truth, need_frames=False), workers=1)


@pytest.fixture
def command():
    app = typer.Typer()
    app.command()(evaluate_command)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


PERFECT = {"mean": 1.0, "recall": 1.0, "decay": 0.0}
NOTHING = {"mean": 0.0, "recall": 0.0, "decay": 0.0}


def test_json_holds_every_level_as_fractions(evaluation):
    result = reports.to_json(evaluation)
    assert list(result) == ["overall", "sequences", "protocol"]
    assert result["overall"]["J"]["mean"] == pytest.approx(2 / 3)
    assert result["overall"]["J&F"] == pytest.approx(2 / 3)
    perfect = {"J": PERFECT, "F": PERFECT, "J&F": 1.0, "islands": 0.0}
    nothing = {"J": NOTHING, "F": NOTHING, "J&F": 0.0, "islands": 0.0}
    assert result["sequences"] == {
        "one": {**nothing, "objects": {"1": nothing}},
        "two": {**perfect, "objects": {"2": perfect, "7": perfect}},
    }


def test_files_are_whole_and_nothing_else_is_left(evaluation, tmp_path):
    folder = tmp_path / "new" / "reports"
    reports.write_json(evaluation, folder / "scores.json")
    reports.write_csv(evaluation, folder / "scores.csv")
    reports.write_csv(evaluation, folder / "scores.csv")
    assert json.loads((folder / "scores.json").read_text()) == reports.to_json(evaluation)
    assert sorted(path.name for path in folder.iterdir()) == ["scores.csv", "scores.json"]
    with (folder / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == reports.CSV_HEADER
    assert [(row["sequence"], row["object_id"], float(row["J&F"])) for row in rows] == [
        ("one", "1", 0.0),
        ("two", "2", 1.0),
        ("two", "7", 1.0),
    ]


def test_a_file_that_cannot_be_written(evaluation, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*taken"):
        reports.write_json(evaluation, tmp_path / "taken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "taken", "truth"]


def test_table_has_a_row_per_object_in_percent(evaluation):
    console = Console(width=80)
    with console.capture() as capture:
        console.print(reports.table(evaluation))
    rows = [line.split() for line in capture.get().splitlines() if "." in line]
    assert [row[:2] for row in rows] == [["one", "1"], ["two", "2"], ["two", "7"], ["overall", "66.7"]]
    assert rows[1][2:] == ["100.0", "100.0", "100.0", "0.0", "100.0", "100.0", "0.0", "0.0"]


def test_command_prints_and_writes(folders, command, tmp_path):
    truth, results = folders
    options = ["--dataset", truth, "--split", "all", "--workers", 1]
    outcome = command(results, *options, "--json", tmp_path / "s.json", "--csv", tmp_path / "s.csv")
    assert outcome.exit_code == 0, outcome.output
    assert "overall" in outcome.output
    assert outcome.output.splitlines()[-1] == "J&F 100.0  J 100.0  F 100.0  islands 0.0  (sequences: 2, objects: 3)"
    assert json.loads((tmp_path / "s.json").read_text())["overall"]["J&F"] == 1.0
    assert (tmp_path / "s.csv").read_text().count("\n") == 4


def test_command_selects_sequences_and_can_be_quiet(folders, command):
    truth, results = folders
    outcome = command(results, "--dataset", truth, "--split", "all", "--sequences", "two", "--quiet")
    assert outcome.output == "J&F 100.0  J 100.0  F 100.0  islands 0.0  (sequences: 1, objects: 2)\n"


def test_command_raises_the_projects_own_errors(folders, command):
    truth, results = folders
    outcome = command(results, "--dataset", truth, "--split", "all", "--sequences", "tow")
    assert isinstance(outcome.exception, DatasetError)
    assert "Did you mean two?" in str(outcome.exception)

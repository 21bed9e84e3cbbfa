"""The report as its reader sees it: figures, gaps, escaping, and that the page needs nothing but itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from PIL import Image
from report_inputs import NASTY, clip, save, squares

from cyclevos.analysis.report.pages import write_report
from cyclevos.datasets.layouts import open_dataset
from cyclevos.errors import ConfigError, DatasetError, OutputError
from cyclevos.evaluation import scoring

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Elements with their attributes, the text of each, and tables by their label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._rows: list[list[str]] | None = None
        self._label = ""
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        self._label = attributes.get("aria-label", self._label) if attributes.get("role") == "region" else self._label
        if tag == "table":
            self._rows = self.tables[self._label] = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"} and self._rows is not None:
            self._rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "table":
            self._rows = None

    def handle_data(self, data):
        self.text += data
        if self._rows and {"td", "th"} & set(self.open):
            self._rows[-1][-1] += data


@pytest.fixture(scope="module")
def report(two_runs, dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "out"
    write_report(two_runs, folder, dataset, workers=1)
    return folder


@pytest.fixture(scope="module")
def page(report) -> Page:
    return Page((report / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def write(tmp_path):
    """Write a report and return its page."""

    def run(*folders, dataset=None, **options):
        write_report(folders, tmp_path / "out", dataset, workers=1, **options)
        return Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))

    return run


def percents(scores):
    return [f"{100 * v:.1f}" for v in (scores.j_and_f, *scores.J, *scores.F, scores.islands)]


def test_the_figures_are_those_of_evaluate(page, two_runs, dataset):
    one, other = (scoring.evaluate(folder, dataset, workers=1) for folder in two_runs)
    header, *rows = page.tables["Overall"]
    assert [row[:9] for row in rows] == [["first", *percents(one.overall)], ["_second", *percents(other.overall)]]
    assert header[8:] == ["Islands", "J&F against the first", "Sequences better / equal / worse"]
    assert rows[0][9:] == ["\u2013", "\u2013"]
    assert rows[1][9:] == [f"{100 * (other.overall.j_and_f - one.overall.j_and_f):+.1f}", "1 / 0 / 1"]
    bars = page.tables["By sequence"][1:]
    expected = [s for name in dataset for s in (one.sequences[name.name], other.sequences[name.name])]
    assert [row[-5:-1] for row in bars] == [
        [f"{100 * v:.1f}" for v in (s.j_and_f, s.J.mean, s.F.mean, s.islands)] for s in expected
    ]
    assert expected[0].J.mean == pytest.approx(15 / 25), "20 pixels wide, 5 off"


def test_speed_memory_and_provenance_come_from_the_manifest(page):
    rows = page.tables["Speed and memory"][1:]
    assert rows[0] == ["first", "2", "0", "12", "4.00", "2.40", "700"], "of a clip's lines the last counts"
    assert set(rows[1][1:]) == {"\u2013"}
    said = " ".join(page.text.split())
    assert "cyclevos segment-dataset 'a b' --output '<out>'" in said
    for text in ("abc123", "size=352, correction.steps=3", "cyclevos 9.8.7, torch 2.4.0", "cpu bfloat16", "ant"):
        assert text in said
    assert "_second: no manifest, so its speed, memory, command, versions and weights are unknown" in said


def test_reliability_is_held_against_j(page):
    header, *rows = page.tables["Reliability"]
    # 15 masks were not given, 12 of them are scored: the last frames have no scores.
    assert [(row[1], row[2], row[6]) for row in rows] == [("calibrated", "15", "12"), ("calibrated", "15", "12")]
    assert "uncalibrated" not in page.text.lower()
    predicted = [0.9 - 0.02 * n for n in range(4)] * 3
    truth = [0.6] * 4 + [1.0] * 8
    error = sum(abs(p - t) for p, t in zip(predicted, truth, strict=True)) / 12
    assert rows[0][header.index("Mean error")] == f"{error:.3f}"


def test_the_page_needs_nothing_but_itself(page, report):
    text = (report / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]", re.sub(r"base64,[^\"]*", "", text))
    assert "prefers-color-scheme: dark" in text
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "i"}
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            if key in {"src", "href", "data", "srcset", "poster"}:
                assert value.startswith("data:image/") or value.removeprefix("#") in ids, (tag, value[:60])
            for reference in re.findall(r"url\(([^)]*)\)", value or ""):
                assert reference.removeprefix("#") in ids
    assert all(attributes.get("alt") for tag, attributes in page.elements if tag == "img")
    assert all(attributes.get("aria-label") for tag, attributes in page.elements if tag == "svg")
    assert all(attributes.get("scope") for tag, attributes in page.elements if tag == "th")


def test_every_sequence_is_shown_over_time(page):
    assert len([tag for tag, _ in page.elements if tag == "details"]) == 2
    assert page.text.count("Predicted J, object 7") == 1
    charts = [a["aria-label"] for tag, a in page.elements if tag == "svg"]
    over_time = [f"{name}: J and predicted J over the frames" for name in ("ape", NASTY)]
    scatters = [f"{name}: predicted against true J" for name in ("first", "_second")]
    assert charts == [*over_time, *scatters], "the larger difference first"


def test_names_are_text_in_both_pages(page, report):
    assert page.tables["By sequence"][3][0] == NASTY
    tokens = MarkdownIt().enable("table").parse((report / "report.md").read_text(encoding="utf-8"))
    inline = [child for token in tokens for child in token.children or []]
    assert {c.content for c in inline if c.type == "html_inline"} == {"<br>"}
    assert not [token for token in tokens if token.type == "html_block"]
    cells = [token.content for token in tokens if token.type == "inline"]
    unescaped = ["".join(c.content for c in token.children or []) for token in tokens if token.type == "inline"]
    assert unescaped.count(NASTY) == 3, cells  # twice in the table, once above its chart


def test_the_markdown_has_the_same_figures_and_its_pictures(page, report):
    tokens = MarkdownIt().enable("table").parse((report / "report.md").read_text(encoding="utf-8"))
    cells = [token.content.replace("*", "").replace("\\", "") for token in tokens if token.type == "inline"]
    assert "|".join(page.tables["Overall"][2]) in "|".join(cells)
    images = [c.attrs["src"] for token in tokens for c in token.children or [] if c.type == "image"]
    assert len(images) == 2 + 2 + 2 * 2 * 3, "two charts, two timelines; worst, different and best of two"
    assert {f"pictures/{path.name}" for path in (report / "pictures").iterdir()} == set(images)
    for name in images:
        with Image.open(report / name) as image:
            image.load()
    assert sorted(path.name for path in report.iterdir()) == ["pictures", "report.html", "report.md"]


def test_an_earlier_reports_pictures_go(two_runs, dataset, tmp_path):
    write_report(two_runs, tmp_path, dataset, pictures=1, workers=1)
    (tmp_path / "pictures" / "mine.png").write_bytes(b"")
    before = {path.name for path in (tmp_path / "pictures").iterdir()}
    write_report(two_runs[:1], tmp_path, dataset, pictures=0, workers=1)
    after = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert after == {name for name in before if not name.startswith("frame-")}


def test_uncalibrated_reliability_is_called_so_everywhere(write, make_run, dataset):
    first = make_run("first", {"ape": 5, NASTY: 0}, reliability=0.9)
    second = make_run("second", {"ape": 0, NASTY: 4}, reliability=0.8, calibrated=False)
    page = write(first, second, dataset=dataset)
    rows = page.tables["Reliability"]
    assert [row[:2] for row in rows[1:]] == [["first", "calibrated"], ["second", "uncalibrated"]]
    text = " ".join(page.text.split())
    assert "Uncalibrated: no predictor was fitted to the network" in text
    assert "Predicted J, partly uncalibrated" in text, "over time, both runs in one panel"
    assert "predicted J, uncalibrated" in text, "against true J, a panel per run"
    assert re.search(r"predicted \d+\.\d \(uncalibrated\)", text), "below the pictures"
    alone = write(second)
    assert alone.tables["By sequence"][0][-1] == "Predicted J, uncalibrated"
    assert "Predicted J, uncalibrated" in alone.text


def test_without_a_data_set_there_is_what_can_be_said(write, two_runs):
    page = write(*two_runs)
    assert "Overall" not in page.tables
    assert page.tables["Reliability"][0] == ["Run", "Calibration", "Masks", "Mean predicted J", "Lowest", "Below 0.5"]
    assert page.tables["Reliability"][1] == ["first", "calibrated", "15", "0.860", "0.820", "0.0%"]
    j = {"ape": 15 / 25, "2": 16 / 24, "7": 16 / 24}
    mean = f"{100 * sum(j.values()) / 3:.1f}"
    assert page.tables["Agreement"][1:] == [["first", "\u2013", mean], ["_second", mean, "\u2013"]]
    assert [row[-1] for row in page.tables["By sequence"][1:]] == ["86.0", "76.0"] * 2
    assert "No data set was given, so nothing is scored" in page.text
    assert not [tag for tag, _ in page.elements if tag == "img"]


def test_masks_alone_are_enough(write, make_run, dataset):
    page = write(make_run("only", {"ape": 0, NASTY: 0}), dataset=dataset)
    assert set(page.tables) == {"Overall", "By sequence"}
    assert page.tables["Overall"][1][:2] == ["only", "100.0"]
    assert "only: no reliability" in page.text
    assert "Report on only" in page.text


def test_results_of_other_programs_are_held_against_each_other(write, make_run):
    page = write(*(make_run(name, {"ape": shift}) for name, shift in (("a", 0), ("b", 4))))
    assert set(page.tables) == {"Agreement", "By sequence"}
    assert page.tables["By sequence"][0] == ["Sequence", "Run", "Agreement with the first"]
    assert [row[-1] for row in page.tables["By sequence"][1:]] == ["\u2013", "66.7"]
    assert set(write(make_run("c", {"ape": 0})).tables) == set(), "nothing is known of it but its masks"


def test_what_is_missing_is_named_and_the_rest_compared(write, make_run, dataset, two_runs):
    short = make_run(
        "short", {"ape": 5}, manifest=[clip("ape"), "nonsense\n", clip(NASTY, status="failed", error="e!")]
    )
    page = write(two_runs[0], short, dataset=dataset)
    rows = page.tables["Overall"][1:]
    assert rows[0][1:9] == rows[1][1:9], "over the sequence that both have"
    assert rows[1][9:] == ["0.0", "0 / 1 / 0"]
    assert "mean over all objects of 1 sequence (1 in all)" in page.text
    assert [row[0] for row in page.tables["By sequence"]] == ["Sequence", "ape", "short", NASTY, "short"]
    assert page.tables["By sequence"][4] == ["short", "", *["\u2013"] * 5]
    for said in (f"no masks for {NASTY}", f"{NASTY} failed: e!", "1 line of its manifest cannot be read"):
        assert f"short: {said}" in page.text


def test_a_broken_mask_costs_its_sequence_alone(write, make_run, dataset):
    run = make_run("run", {"ape": 0, NASTY: 0})
    (run / "ape" / "00002.png").write_bytes(b"no picture")
    save(run / NASTY / "00003.png", squares([9], 3))
    (run / "reliability.csv").write_text("what?\n")
    page = write(run, dataset=dataset)
    assert "run: ape is not scored: " in page.text
    assert "holds the ids 9, which the ground truth" in page.text
    assert "reliability.csv does not begin with the columns" in page.text
    assert "Overall" not in page.tables


def test_a_data_set_without_frames_shows_masks_over_black(write, two_runs, data_root, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "Annotations").symlink_to(data_root / "Annotations")
    page = write(two_runs[0], dataset=open_dataset(tmp_path / "bare", need_frames=False), pictures=1)
    assert "was opened without frames, so masks are shown on black" in page.text
    assert len([tag for tag, _ in page.elements if tag == "img"]) == 2


def test_chosen_sequences_and_processes(write, two_runs, dataset, tmp_path):
    page = write(*two_runs, sequences=["ape"])
    assert [row[0] for row in page.tables["By sequence"][1:]] == ["ape", "_second"]
    in_processes = write_report(two_runs, tmp_path / "out", dataset, pictures=0, workers=2)
    assert in_processes.scores == write_report(two_runs, tmp_path / "out", dataset, pictures=0, workers=1).scores


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda run: [run / "no"], DatasetError, r"The results folder .*no does not exist"),
        (lambda run: [run.parent], DatasetError, "holds no masks; expected <sequence>/<frame>.png"),
        (lambda run: [run, run.parent / "." / run.name], ConfigError, "was given twice; expected one or more"),
        (lambda run: [], ConfigError, "No run was given"),
    ],
)
def test_folders_that_are_no_runs(make_run, tmp_path, change, error, text):
    run = make_run("run", {"ape": 0})
    with pytest.raises(error, match=text):
        write_report(change(run), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_slips_are_named(make_run, dataset, tmp_path):
    run = make_run("run", {"ape": 0})
    with pytest.raises(OutputError, match=r"holds a run's masks.*for the report"):
        write_report([run], tmp_path / "x" / ".." / "run")
    with pytest.raises(DatasetError, match="No run has the sequence 'eel'; the runs have ape"):
        write_report([run], tmp_path / "out", sequences=["ape", "eel"])
    with pytest.raises(DatasetError, match="or any other of set; the runs have ape"):
        write_report([run], tmp_path / "out", dataset.select([NASTY]))
    with pytest.raises(ConfigError, match="1 or more workers, got 0"):
        write_report([run], tmp_path / "out", workers=0)
    (run / "run.json").write_text("{}")
    with pytest.raises(DatasetError, match="holds the masks of one video"):
        write_report([run], tmp_path / "out")


def test_runs_of_one_name_are_told_apart(write, make_run):
    page = write(make_run("a/run", {"ape": 0}), make_run("b/run", {"ape": 1}))
    assert [row[0] for row in page.tables["Agreement"]] == ["Run", "a/run", "b/run"]

"""Charts that belong to the page they are on, whatever the runs are called."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import pytest
from PIL import Image
from report_inputs import NASTY

from cyclevos.analysis.report import charts
from cyclevos.analysis.report.bars import BarChart, sequence_bars
from cyclevos.analysis.report.measures import measure
from cyclevos.analysis.report.runs import read_runs


@pytest.fixture(scope="module")
def measured(two_runs, dataset):
    return measure(read_runs(two_runs), dataset, workers=1)


def test_an_svg_takes_the_pages_colours_and_keeps_to_itself(measured):
    one, other = (
        charts.to_svg(charts.timeline_chart(measured, NASTY, charts.on_page()), "what it shows", prefix)
        for prefix in ("a", "b")
    )
    root = ElementTree.fromstring(one)
    assert root.attrib["aria-label"] == "what it shows"
    assert not [node for node in root.iter() if node.tag in {"style", "metadata", "script"}]
    assert "var(--ink)" in one
    assert "var(--line)" in one
    assert set(re.findall(r"#[0-9a-f]{6}\b", one)) == {charts.run_colour(0), charts.run_colour(1)}
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert set(re.findall(r"url\(#([^)]+)\)", one)) <= ids[0]


def test_there_is_a_line_per_run_and_panel_and_a_gap_where_nothing_is_known(measured):
    figure = charts.timeline_chart(measured, NASTY, charts.PRINTED)
    assert [panel.get_title(loc="left") for panel in figure.axes] == [
        "J, object 2",
        "Predicted J, object 2",
        "J, object 7",
        "Predicted J, object 7",
    ]
    assert [len(panel.lines) for panel in figure.axes] == [2] * 4
    truth, trust = (panel.lines[0].get_ydata() for panel in figure.axes[:2])
    assert truth[1:5].tolist() == [1.0] * 4
    assert truth[[0, 5]].tolist() == pytest.approx([float("nan")] * 2, nan_ok=True), "first and last are not scored"
    assert trust[1:].tolist() == pytest.approx([0.9, 0.88, 0.86, 0.84, 0.82])
    assert charts.timeline_chart(measured, "eel", charts.PRINTED) is None


def test_runs_are_named_whole_or_cut_where_the_chart_stands_alone(measured):
    chart = sequence_bars(measured)
    rows = tuple((f"{'long ' * 20}{n}", bars) for n in range(charts.MOST_BARS) for _, bars in chart.rows)
    figure = charts.bar_chart(BarChart("J&F", chart.header, rows), measured, charts.PRINTED)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [" first", " _second"]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == charts.MOST_BARS
    assert {len(label) for label in labels} == {28}
    with Image.open(io.BytesIO(charts.to_png(figure))) as image:
        assert image.size[0] == 880

"""Writes the report: Markdown with picture files, and one self-contained HTML file."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cyclevos import __version__
from cyclevos.analysis.report import charts, tables
from cyclevos.analysis.report.bars import BarChart, sequence_bars
from cyclevos.analysis.report.measures import Measured, measure
from cyclevos.analysis.report.pictures import Gallery, galleries
from cyclevos.analysis.report.runs import read_runs
from cyclevos.datasets.layouts import Dataset
from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKDOWN = "report.md"
HTML = "report.html"
_PICTURES = "pictures"
_TELLING = 2  # sequences to show for each reason: largest difference between runs, lowest values

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Content:
    """The content that both pages show."""

    measured: Measured
    telling: tuple[str, ...]
    bars: BarChart
    overall: tables.Table | None
    reliability: tables.Table | None
    agreement: tables.Table | None
    speed: tables.Table | None
    notes: tuple[str, ...]
    galleries: tuple[Gallery, ...]
    written: str
    version: str = __version__

    @property
    def title(self) -> str:
        names = [run.name for run in self.measured.runs]
        return f"Report on {names[0]}" if len(names) == 1 else f"Comparison of {len(names)} runs"


def write_report(
    folders: Sequence[Path],
    output: Path,
    dataset: Dataset | None = None,
    *,
    sequences: Sequence[str] | None = None,
    pictures: int = 4,
    workers: int | None = None,
    progress: Progress = lambda note: None,
) -> Measured:
    """Compare runs and write `report.md`, its pictures and `report.html`.

    Args:
        folders: the runs, as written by `cyclevos segment-dataset`; the others are compared with the first.
        output: folder of the report; created if needed; an earlier report is replaced.
        dataset: holds the ground truth; None reports only what needs no ground truth.
        sequences: keep only these; for a data set, choose them when you open it.
        pictures: frames to show for each reason (worst, most different, best); 0 = none.
        workers: processes to use; None takes one per CPU.
        progress: called with the name of each finished step.

    Returns:
        The figures in the report.

    Raises:
        DatasetError: a folder holds no masks, or no run has a requested sequence.
        ConfigError: a folder is given twice, or `workers` is below 1.
        OutputError: the report cannot be written, or `output` is the folder of a run's masks.
    """
    runs = read_runs(folders)
    _check_output(folders, output)
    measured = measure(runs, dataset, sequences, workers=workers, progress=progress)
    progress("pictures")
    bars = sequence_bars(measured)
    content = _Content(
        measured=measured,
        telling=_telling(bars),
        bars=bars,
        overall=tables.overall_table(measured) if measured.has_scores else None,
        reliability=tables.reliability_table(measured),
        agreement=tables.agreement_table(measured),
        speed=tables.speed_table(measured),
        notes=tuple(tables.notes(measured)),
        galleries=tuple(galleries(measured, pictures)),
        written=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )
    _write_markdown(content, output)
    progress("charts")
    _write(output / HTML, _render("report.html.j2", content, **_html_charts(content)).encode("utf-8", "replace"))
    return measured


def _check_output(folders: Sequence[Path], output: Path) -> None:
    """Refuse a folder in which the report's pictures could be mistaken for masks."""
    if output.resolve() in [folder.resolve() for folder in folders]:
        raise OutputError(f"{output} holds a run's masks.", "Choose another output folder for the report.")


def _telling(bars: BarChart) -> tuple[str, ...]:
    """Return the sequences in which the runs differ most, and those with the lowest values."""
    values = {name: [bar.value for bar in row if bar.value is not None] for name, row in bars.rows}
    differing = sorted((n for n in values if len(values[n]) > 1), key=lambda n: min(values[n]) - max(values[n]))
    lowest = sorted(values, key=lambda name: min(values[name]))
    return tuple(dict.fromkeys([*differing[:_TELLING], *lowest[: 2 * _TELLING]]))[: 2 * _TELLING]


def _html_charts(content: _Content) -> dict[str, object]:
    """Draw the charts of the HTML page: calibration, and a timeline of every sequence, most relevant first."""
    measured, theme = content.measured, charts.on_page()
    calibrations = []
    for number, run in enumerate(measured.runs):
        if (figure := charts.calibration_chart(measured, theme, [number])) is not None:
            description = f"{run.name}: predicted against true J"
            calibrations.append(Markup(charts.to_svg(figure, description, f"c{number}")))
    rest = [name for name in measured.sequences if name not in content.telling]
    figures = {name: " / ".join(bar.figures[0] for bar in row) for name, row in content.bars.rows}
    timelines = []
    for number, name in enumerate([*content.telling, *rest]):
        if (figure := charts.timeline_chart(measured, name, theme)) is not None:
            description = f"{name}: J and predicted J over the frames"
            svg = Markup(charts.to_svg(figure, description, f"t{number}"))
            timelines.append((name, svg, f"{content.bars.measure} {figures[name]}" if name in figures else ""))
    return {"calibrations": calibrations, "timelines": timelines}


def _write_markdown(content: _Content, output: Path) -> None:
    """Write all pictures, then the page that shows them; then remove the pictures of an earlier report."""
    written: set[str] = set()

    def save(file: str, data: bytes) -> str:
        _write(output / file, data)
        written.add(file)
        return file

    def save_chart(name: str, figure: Figure | None) -> str | None:
        return None if figure is None else save(f"{_PICTURES}/chart-{name}.png", charts.to_png(figure))

    measured, theme = content.measured, charts.PRINTED
    timelines = [
        (name, save_chart(f"time-{number}", charts.timeline_chart(measured, name, theme)))
        for number, name in enumerate(content.telling, start=1)
    ]
    for g, gallery in enumerate(content.galleries, start=1):
        for f, frame in enumerate(gallery.frames, start=1):
            for picture in frame.pictures:
                save(_frame_file(g, f, picture.run), picture.jpeg)
    everyone = range(len(measured.runs))
    page = _render(
        "report.md.j2",
        content,
        bars=save_chart("sequences", charts.bar_chart(content.bars, measured, theme)),
        calibration=save_chart("reliability", charts.calibration_chart(measured, theme, everyone)),
        timelines=[(name, file) for name, file in timelines if file],
        frame_file=_frame_file,
        most_bars=charts.MOST_BARS,
    )
    _write(output / MARKDOWN, page.encode("utf-8", "replace"))
    for kind in ("chart-*.png", "frame-*-*-*.jpg"):
        for path in (output / _PICTURES).glob(kind):
            if f"{_PICTURES}/{path.name}" not in written:
                path.unlink()


def _frame_file(gallery: int, frame: int, run: int) -> str:
    """Return a picture's file name, from the positions of its gallery, frame and run."""
    return f"{_PICTURES}/frame-{gallery}-{frame}-{run + 1}.jpg"


def _render(template: str, content: _Content, **more: object) -> str:
    environment = Environment(
        loader=PackageLoader("cyclevos.analysis.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"md": _markdown, "percent": tables.percent, "code": _code, "data_uri": _data_uri}
    runs = [(run, charts.run_colour(number)) for number, run in enumerate(content.measured.runs)]
    return environment.get_template(template).render(c=content, runs=runs, **more)


def _markdown(text: object) -> str:
    """Escape the characters that Markdown, or HTML within it, would interpret."""
    return re.sub(r"([\\`*_{}\[\]#|<>~$!]|&(?=#?\w+;))", r"\\\1", _one_line(str(text)))


def _code(text: str) -> str:
    """Format a text as code, between more backticks than it contains."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{_one_line(text)}{space}{fence}"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _write(path: Path, data: bytes) -> None:
    with output_errors(path), replacing(path) as temporary:
        temporary.write_bytes(data)

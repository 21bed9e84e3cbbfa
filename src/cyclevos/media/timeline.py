"""A chart of the reliability of a video's masks over time, with pictures of the review list."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyclevos.files.atomic import output_errors, replacing
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.reliability_files import ReliabilityRow, prediction_name
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import palette_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_THUMBNAILS = 5  # per row
_LETTERS = 20  # of a name
_MARK = "#c0392b"


def write_timeline(
    path: Path,
    frame_names: Sequence[str],
    rows: Sequence[ReliabilityRow],
    review: Sequence[Mapping[str, Any]],
    thumbnails: Mapping[str, UInt8Array],
    appearance: Appearance = PLAIN,
) -> None:
    """Draw one line per object over the frames, and the frames of the review list below.

    Args:
        path: PNG to write.
        frame_names: names of all frames, in order.
        rows: reliability of one video's frames.
        review: the review list, as :func:`~cyclevos.media.reliability_files.write_review` returns it.
        thumbnails: pictures of these frames by frame name, uint8 RGB (H, W, 3).
        appearance: its palette colours the lines, its names label them.

    Raises:
        OutputError: the system refuses to write.
    """
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):  # names of objects and frames may hold dollar signs
        figure = _figure(frame_names, rows, review, thumbnails, appearance)
        with output_errors(path), replacing(path) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph", UserWarning)  # names in scripts that the font lacks are boxes
            figure.savefig(temporary, format="png", dpi=130)


def _figure(
    frame_names: Sequence[str],
    rows: Sequence[ReliabilityRow],
    review: Sequence[Mapping[str, Any]],
    thumbnails: Mapping[str, UInt8Array],
    appearance: Appearance,
) -> Figure:
    """Return the chart with its pictures as a figure of matplotlib."""
    from matplotlib.figure import Figure

    pictures = [entry for entry in review if entry["frame"] in thumbnails]
    picture_rows = -(-len(pictures) // _THUMBNAILS)
    figure = Figure(figsize=(10, 2.6 + 1.5 * picture_rows), layout="constrained")
    grid = figure.add_gridspec(1 + picture_rows, _THUMBNAILS, height_ratios=[2.4, *[1.4] * picture_rows])
    _draw_lines(figure.add_subplot(grid[0, :]), frame_names, rows, review, appearance)
    for position, entry in enumerate(pictures):
        picture = figure.add_subplot(grid[1 + position // _THUMBNAILS, position % _THUMBNAILS])
        picture.imshow(thumbnails[entry["frame"]])
        picture.set_axis_off()
        number = review.index(entry) + 1
        picture.set_title(
            f"{number}: {_short(entry['frame'])}, {_short(appearance.name(entry['object_id']))}: "
            f"{entry['reliability']:.2f}",
            fontsize=7,
        )
    return figure


def _draw_lines(
    panel: Any,
    frame_names: Sequence[str],
    rows: Sequence[ReliabilityRow],
    review: Sequence[Mapping[str, Any]],
    appearance: Appearance,
) -> None:
    """Draw a line per object, and a numbered dot per frame of the review list, on a panel of matplotlib."""
    place = {name: position for position, name in enumerate(frame_names)}
    lines = []
    colours = palette_colours(appearance.palette) / 255
    for i in sorted({row.object_id for row in rows}):
        own = sorted((place[row.frame], row.reliability) for row in rows if row.object_id == i)
        values = np.full(len(frame_names), np.nan)  # annotated frames leave a gap
        values[[p for p, _ in own]] = [value for _, value in own]
        (line,) = panel.plot(values, color=colours[i], linewidth=1.3)
        lines.append((line, _short(appearance.name(i))))
    for number, entry in enumerate(review, start=1):
        spot = (place[entry["frame"]], entry["reliability"])
        panel.plot(*spot, "o", color=_MARK, markersize=4)
        panel.annotate(str(number), spot, (0, 5), textcoords="offset points", fontsize=7, color=_MARK, ha="center")
    panel.set_xlim(-0.5, len(frame_names) - 0.5)
    panel.set_ylim(0, 1.05)
    panel.set_xlabel("frame")
    panel.set_ylabel(f"reliability ({prediction_name(rows)})")
    if rows:
        texts = panel.legend(
            [line for line, _ in lines], ["x"] * len(lines), fontsize=7, loc="lower left", ncols=4
        ).get_texts()
        for text, (_, name) in zip(texts, lines, strict=True):
            text.set_text(name)  # as a label, a name that begins with "_" would be left out


def _short(name: str) -> str:
    """Return a name that leaves room for the chart."""
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 3]}..."

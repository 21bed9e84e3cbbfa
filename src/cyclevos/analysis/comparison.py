"""The figure of masks before and after a change, with an inset where they differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from cyclevos.errors import MaskError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.media.overlay import blend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Shapes: H W pixels.

_INSET = 0.24  # side of the zoomed window, as a share of the frame's shorter side
_ZOOMED = 0.34  # width of the inset, as a share of the panel's
_MARK = "#ffdd33"
_TRUTH = "white"


@dataclass(frozen=True, eq=False)
class ComparedFrame:
    """One row of the figure.

    Attributes:
        label: title of the row.
        image: uint8 RGB (H,W,3).
        before: ids uint8 (H,W).
        after: ids uint8 (H,W).
        truth: ids uint8 (H,W), drawn as outlines; None draws none.
    """

    label: str
    image: NDArray[np.uint8]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    truth: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Check the sizes."""
        size = self.image.shape[:2]
        for name in ("before", "after", "truth"):
            ids = getattr(self, name)
            if ids is not None and ids.shape != size:
                raise MaskError(
                    f"{self.label}: the mask {name} has shape {ids.shape}, but the frame has {size}.",
                    "Give masks in the frame's size.",
                )

    @property
    def changed(self) -> int:
        """Number of pixels in which the masks differ."""
        return int((self.before != self.after).sum())


def comparison_figure(rows: Sequence[ComparedFrame], titles: tuple[str, str] = ("before", "after")) -> Figure:
    """Draw a row per frame: the frame, the mask before, the mask after.

    Args:
        rows: at least one.
        titles: titles of the two columns of masks.

    Returns:
        A matplotlib figure, to be saved by :func:`save_figure`.

    Raises:
        ValueError: `rows` is empty.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if not rows:
        raise ValueError("expected at least one row, got none")
    heights = [row.image.shape[0] / row.image.shape[1] for row in rows]
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, hspace=0, wspace=0)
    figure = Figure(figsize=(10, 10 / 3 * sum(heights) + 0.3), layout=layout)
    panels = figure.subplots(len(rows), 3, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, line in zip(rows, panels, strict=True):
        window = _most_changed(row.before != row.after)
        _show(line[0], row.image, None)
        line[0].set_ylabel(row.label, fontsize=9)
        for panel, ids in zip(line[1:], (row.before, row.after), strict=True):
            _show(panel, blend(row.image, ids), row.truth)
            if window is not None:
                _zoom(panel, blend(row.image, ids), row.truth, window)
    for panel, title in zip(panels[0], ("frame", *titles), strict=True):
        panel.set_title(title, fontsize=10)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or PDF, completely or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with output_errors(path), replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.removeprefix("."), dpi=200)


def _most_changed(changed: NDArray[np.bool_]) -> tuple[int, int, int] | None:
    """Return top, left and side of the square window with the most changed pixels; None if none changed."""
    if not changed.any():
        return None
    height, width = changed.shape
    side = max(1, round(_INSET * min(height, width)))
    density = uniform_filter(changed.astype(np.float32), side, mode="constant")
    row, column = np.unravel_index(int(density.argmax()), density.shape)
    top = min(max(0, int(row) - side // 2), height - side)
    left = min(max(0, int(column) - side // 2), width - side)
    return top, left, side


def _show(panel: Axes, picture: NDArray[np.uint8], truth: NDArray[np.uint8] | None) -> None:
    panel.imshow(picture, interpolation="nearest")
    panel.set_xticks([])
    panel.set_yticks([])
    if truth is not None:
        for i in np.unique(truth[truth > 0]):
            panel.contour(truth == i, levels=[0.5], colors=_TRUTH, linewidths=0.7)


def _zoom(
    panel: Axes, picture: NDArray[np.uint8], truth: NDArray[np.uint8] | None, window: tuple[int, int, int]
) -> None:
    """Outline the window, and show it enlarged in the corner farthest from it."""
    top, left, side = window
    height, width = picture.shape[:2]
    tall = _ZOOMED * width / height
    right, low = left + side / 2 < width / 2, top + side / 2 < height / 2
    place = (1 - _ZOOMED if right else 0.0, 0.0 if low else 1 - tall, _ZOOMED, tall)
    inset: Any = panel.inset_axes(place)
    _show(inset, picture, truth)
    inset.set_xlim(left - 0.5, left + side - 0.5)
    inset.set_ylim(top + side - 0.5, top - 0.5)
    for edge in inset.spines.values():
        edge.set(color=_MARK, linewidth=1.2)
    panel.plot(
        [left, left + side, left + side, left, left], [top, top, top + side, top + side, top], color=_MARK, linewidth=1
    )

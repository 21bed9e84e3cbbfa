"""The figure of two results: where it looks, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cyclevos.analysis.comparison import ComparedFrame, _most_changed, comparison_figure, save_figure
from cyclevos.errors import MaskError


def row(images, **masks):
    empty = np.zeros(images[0].shape[:2], np.uint8)
    return ComparedFrame("clip 00003", images[3], **{"before": empty, "after": empty, **masks})


def test_the_window_is_where_most_has_changed():
    changed = np.zeros((60, 100), bool)
    changed[5:9, 5:9] = True
    changed[40:55, 70:90] = True
    top, left, side = _most_changed(changed)
    assert 40 <= top + side / 2 <= 55
    assert 70 <= left + side / 2 <= 90
    corner = np.zeros((60, 100), bool)
    corner[59, 99] = True
    top, left, side = _most_changed(corner)
    assert (top + side, left + side) == (60, 100)
    assert _most_changed(np.zeros((60, 100), bool)) is None


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_a_figure_has_a_row_per_frame_and_an_inset_where_masks_differ(images, tmp_path, suffix):
    after = np.zeros(images[0].shape[:2], np.uint8)
    after[2:8, 4:12] = 1
    figure = comparison_figure([row(images), row(images, after=after, truth=after)], ("raw", "corrected"))
    panels = figure.axes
    assert len(panels) == 6
    assert [panel.get_title() for panel in panels[:3]] == ["frame", "raw", "corrected"]
    assert [len(panel.child_axes) for panel in panels] == [0, 0, 0, 0, 1, 1]
    path = tmp_path / f"figure{suffix}"
    save_figure(figure, path)
    if suffix == ".png":
        picture = np.array(Image.open(path).convert("RGB")).reshape(-1, 3)
        assert len(np.unique(picture, axis=0)) > 100
    else:
        assert path.read_bytes().startswith(b"%PDF")


def test_masks_of_another_size_are_refused(images):
    with pytest.raises(MaskError, match="clip 00003: the mask truth has shape"):
        row(images, truth=np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="at least one row"):
        comparison_figure([])

"""From a box to a mask: the pixels that look like the inside of the box and unlike its surroundings.

The colours inside and around the box are counted, each pixel gets the more likely side, and a minimum cut through the
pixel grid keeps borders where the picture has edges (after Boykov and Jolly, 2001, and Rother et al., 2004); colours
are recounted from the result a few times. Shapes: H W pixels of the crop around the box, B colour bins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from cyclevos.pictures.arrays import UInt8Array

_SIDE = 120  # pixels of the longer side of the crop while it is cut
_MARGIN = 0.35  # of the box around it, where the background's colours are taken from
_BINS = 16  # a channel
_ROUNDS = 3
_UNIT = 100  # capacities are whole numbers
_SMOOTHNESS = 4.0
_PULL = 0.5  # of the prior that an object fills the middle of its box

Box = tuple[int, int, int, int]


def box_to_mask(image: UInt8Array, box: Box) -> NDArray[np.bool_]:
    """Find the object in a box.

    Args:
        image: uint8 RGB (height,width,3).
        box: left, top, right, bottom in pixels, right and bottom exclusive, within the image.

    Returns:
        bool (bottom - top, right - left), the pixels of the box that belong to the object; never empty.
    """
    left, top, right, bottom = box
    around = round(_MARGIN * max(right - left, bottom - top)) + 2
    x0, y0 = max(0, left - around), max(0, top - around)
    crop = image[y0 : bottom + around, x0 : right + around]
    inside = np.zeros(crop.shape[:2], np.bool_)
    inside[top - y0 : bottom - y0, left - x0 : right - x0] = True
    height, width = crop.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = np.asarray(Image.fromarray(np.ascontiguousarray(crop)).resize(size, Image.Resampling.BOX))
    allowed = np.asarray(Image.fromarray(inside).resize(size, Image.Resampling.NEAREST))
    found = _cut(small, allowed) if allowed.any() else allowed
    soft = Image.fromarray(found.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    mask: NDArray[np.bool_] = (np.asarray(soft) >= 0.5)[top - y0 : bottom - y0, left - x0 : right - x0]
    return mask if mask.any() else _ellipse(mask.shape)


def _cut(image: UInt8Array, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Separate an object from the background in a small image (H,W,3), within the pixels allowed (H,W)."""
    bins = (image.astype(np.int64) * _BINS) >> 8
    colours = (bins[..., 0] * _BINS + bins[..., 1]) * _BINS + bins[..., 2]  # (H,W)
    edges = _neighbours(image)
    rows, columns = np.nonzero(allowed)
    prior = np.full(allowed.shape, -4.0)
    span_y, span_x = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
    away = ((rows - rows.mean()) / span_y) ** 2 + ((columns - columns.mean()) / span_x) ** 2
    prior[rows, columns] = _PULL * (1.0 - 4.0 * away)  # 1 in the middle, 0 on the ellipse that touches the box
    found = allowed & (prior > 0)
    for _ in range(_ROUNDS):
        likely = _likelihood(colours, found) - _likelihood(colours, ~found)
        found = _minimum_cut(likely + prior, allowed, edges)
        found = ndimage.binary_fill_holes(ndimage.binary_opening(found))
        found = _largest(found)
        if not found.any():
            return found
    return found


def _likelihood(colours: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logarithm of how often each pixel's colour occurs among the chosen pixels, (H,W)."""
    counts = np.bincount(colours[chosen], minlength=_BINS**3).reshape(_BINS, _BINS, _BINS).astype(float)
    smooth = ndimage.gaussian_filter(counts, 0.8).ravel() + 0.02
    logs: NDArray[np.float64] = np.log(smooth / smooth.sum())[colours]
    return logs


def _neighbours(image: UInt8Array) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of neighbouring pixels and what it costs to part them: little across an edge of the picture."""
    height, width = image.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    smooth = image.astype(float)
    pairs = []
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]), (np.s_[:-1, :-1], np.s_[1:, 1:])):
        distance = ((smooth[a] - smooth[b]) ** 2).sum(-1)
        beta = 1 / (2 * distance.mean() + 1e-6)
        cost = (_UNIT * (0.2 + _SMOOTHNESS * np.exp(-beta * distance))).astype(np.int64)
        pairs.append((numbers[a].ravel(), numbers[b].ravel(), cost.ravel()))
    return pairs


def _minimum_cut(
    score: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    edges: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]],
) -> NDArray[np.bool_]:
    """Choose pixels of high score that keep together: the side of a minimum cut that hangs on the source."""
    count = score.size
    source, sink = count, count + 1
    terminal = (np.clip(score, -10, 10) * _UNIT).astype(np.int64).ravel()
    terminal[~allowed.ravel()] = -1000 * _UNIT
    pixels = np.arange(count)
    good = terminal > 0
    heads = [np.full(good.sum(), source), pixels[~good], *(h for a, b, _ in edges for h in (a, b))]
    tails = [pixels[good], np.full((~good).sum(), sink), *(t for a, b, _ in edges for t in (b, a))]
    capacity = [terminal[good], -terminal[~good], *(c for _, _, cost in edges for c in (cost, cost))]
    graph = sparse.coo_matrix(
        (np.concatenate(capacity).astype(np.int32), (np.concatenate(heads), np.concatenate(tails))),
        shape=(count + 2, count + 2),
    ).tocsr()
    flow = csgraph.maximum_flow(graph, source, sink).flow
    left = graph - flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = csgraph.breadth_first_order(left, source, return_predecessors=False)
    chosen = np.zeros(count + 2, np.bool_)
    chosen[reached] = True
    result: NDArray[np.bool_] = chosen[:count].reshape(score.shape)
    return result


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest connected part, and parts at least a quarter its size."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    kept: NDArray[np.bool_] = np.isin(labels, 1 + np.flatnonzero(4 * sizes >= sizes.max()))
    return kept


def _ellipse(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the ellipse that touches a box, the best guess where colours carry no information."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    y, x = (rows + 0.5) / shape[0] - 0.5, (columns + 0.5) / shape[1] - 0.5
    mask: NDArray[np.bool_] = x**2 + y**2 <= 0.25
    return mask

"""The guard of an adaptation: what the network knew of an annotated frame, it has to know afterwards.

The annotated frame is remembered with its mask, then segmented as it is, enlarged and reduced. The masks that should
come out are known, at full size. The steps see the video small, so they may fill gaps and wear off thin parts; this
shows there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as moved

from cyclevos.adaptation.drawn_frames import images_at
from cyclevos.adaptation.given_clips import GivenClip
from cyclevos.evaluation.measures import boundary_f_measure, region_similarity
from cyclevos.masks import object_ids
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.propagation.propagator import Propagator

# Shapes: H W pixels of the video.

_MOVES = ((1.0, 0.0), (1.5, 6.0), (0.65, -6.0))  # enlarged this many times, turned by so many degrees
_MOST = 3  # annotated frames that are asked about


class AnnotatedFrame(NamedTuple):
    """A frame whose mask is known.

    Attributes:
        image: uint8 RGB (H,W,3).
        ids: uint8 (H,W).
    """

    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]


def annotated_frames(clips: Sequence[GivenClip]) -> list[AnnotatedFrame]:
    """Return the annotated frames of all clips that are asked about: the first, the last and one between."""
    places = [(clip, index) for clip in clips for index in clip.annotated]
    if len(places) > _MOST:
        places = [places[0], places[len(places) // 2], places[-1]]
    return [AnnotatedFrame(image, clip.masks[i]) for clip, i in places for _, image in images_at(clip.frames, [i])]


def knowledge(network: MemoryNetwork, frames: Sequence[AnnotatedFrame]) -> float:
    """Return how well a network segments annotated frames, and moved copies of them, from themselves.

    Args:
        network: any memory network.
        frames: each is asked about by itself.

    Returns:
        Mean of J and F over objects, copies and frames, in [0, 1]; NaN if no object is left in any.
    """
    scores = []
    for frame in frames:
        propagator = Propagator(network, correction=None)
        propagator.step(0, frame.image, frame.ids)
        start = propagator.snapshot()
        for image, truth in _copies(frame):
            propagator.restore(start)
            found = propagator.step(1, image).ids
            for i in object_ids(truth):
                pair = (found == i, truth == i)
                scores.append((region_similarity(*pair) + boundary_f_measure(*pair)) / 2)
    return float(np.mean(scores)) if scores else math.nan


def _copies(frame: AnnotatedFrame) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield the frame and its mask as they are, and moved around the middle of its objects."""
    rows, columns = np.nonzero(frame.ids)
    centre = [float(columns.mean()), float(rows.mean())]
    image, ids = torch.from_numpy(frame.image.copy()).permute(2, 0, 1), torch.from_numpy(frame.ids.copy())[None]
    for scale, angle in _MOVES:
        if scale == 1:
            yield frame.image, frame.ids
            continue
        how = {"angle": angle, "translate": [0.0, 0.0], "scale": scale, "shear": [0.0, 0.0], "center": centre}
        picture = moved.affine(image, **how, interpolation=InterpolationMode.BILINEAR, fill=127.0)
        mask = moved.affine(ids, **how, interpolation=InterpolationMode.NEAREST, fill=0.0)
        yield picture.permute(1, 2, 0).contiguous().numpy(), mask[0].numpy()

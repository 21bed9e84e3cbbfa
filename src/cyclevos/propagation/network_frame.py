"""A frame as the network's input: resized, on the network's device, and encoded alone or in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import MaskError
from cyclevos.geometry import Size, frame_tensor, resize_frame
from cyclevos.network.protocol import FrameFeatures, MemoryNetwork
from cyclevos.network.transfer import upload
from cyclevos.propagation.autograd_mode import without_gradients

# Shapes: B frames, H W pixels of the source, H' W' of the network.


@dataclass(frozen=True, eq=False)
class NetworkFrame:
    """One frame during a step.

    Attributes:
        index: of the frame, from 0.
        source: (H, W) of the source in pixels.
        pixels: RGB (1,3,H',W') in [0, 1], of the network's dtype and device.
        annotation: uint8 (H,W), the user's ids; None if the frame has no mask or a blank one.
        query: its query features; None until it is encoded.
    """

    index: int
    source: Size
    pixels: Tensor
    annotation: NDArray[np.uint8] | None = None
    query: FrameFeatures | None = None

    @property
    def size(self) -> Size:
        """(H', W') inside the network."""
        return int(self.pixels.shape[-2]), int(self.pixels.shape[-1])


def source_size(index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None) -> Size:
    """Return the size (H, W) of a frame in pixels.

    Raises:
        MaskError: the annotation's size is not the frame's.
    """
    source: Size = (int(image.shape[0]), int(image.shape[1]))
    if annotation is not None and annotation.shape != source:
        raise MaskError(
            f"The mask of frame {index} has shape {annotation.shape}, but the frame has {source} (height, width).",
            "Give the mask in the frame's size.",
        )
    return source


@without_gradients
def fit_frame(
    index: int,
    image: NDArray[np.uint8],
    annotation: NDArray[np.uint8] | None,
    shorter_side: int | None,
    network: MemoryNetwork,
) -> NetworkFrame:
    """Resize a frame for the network and move it to the network's device.

    Args:
        index: of the frame, from 0.
        image: uint8 RGB (H,W,3).
        annotation: the user's ids uint8 (H,W), or None.
        shorter_side: inside the network in pixels; None = the frame's own size.
        network: the result has the device and dtype of its first parameter.

    Raises:
        MaskError: the annotation's size is not the frame's.
    """
    source = source_size(index, image, annotation)
    parameter = next(iter(network.parameters()))
    pixels = resize_frame(upload(frame_tensor(image), parameter.device), network.frame_size(source, shorter_side))
    shown = annotation if annotation is not None and annotation.any() else None
    return NetworkFrame(index, source, pixels[None].to(parameter.dtype), shown)


@without_gradients
def encode_frames(network: MemoryNetwork, frames: Sequence[NetworkFrame]) -> list[NetworkFrame]:
    """Encode frames of equal size in one batch, and return them with their query features."""
    if len(frames) == 1:
        return [replace(frames[0], query=network.encode_query(frames[0].pixels))]
    features = network.encode_query(torch.cat([frame.pixels for frame in frames]))
    return [replace(frame, query=features.select(slice(row, row + 1))) for row, frame in enumerate(frames)]

"""The size inside the network: fixed, or chosen by the smallest of several objects, which need a closer look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.geometry import network_size
from cyclevos.network.traits import NetworkTraits
from cyclevos.propagation.settings import InnerSize, SegmentationSettings

_STEP = 16  # sizes are multiples of this
_SEVERAL = 2  # objects from which on the smallest one decides
_CHOSEN, _NONE = "inner_size", -1  # name in a snapshot; there, the frames' own size

# Shapes: H W pixels of the source.

Annotations = Mapping[int, NDArray[np.uint8]]


class GivenObject(NamedTuple):
    """An object as it is first annotated.

    Attributes:
        object_id: of the object.
        frame: index of the frame in which it is first annotated.
        pixels: number of its pixels there.
        length: square root of its area at the network's own size, in pixels.
    """

    object_id: int
    frame: int
    pixels: int
    length: float


@dataclass(frozen=True)
class ChosenSize:
    """The size that ``auto`` stands for.

    Attributes:
        size: shorter side inside the network in pixels; None = the frames' own.
        own: the network's own size, which large objects keep.
        smallest: the object that decided; None where no object did.
    """

    size: int | None
    own: int | None
    smallest: GivenObject | None = None

    @property
    def is_closer(self) -> bool:
        """Whether the frames are larger inside the network than its own size."""
        return self.size != self.own

    def record(self) -> dict[str, Any]:
        """Return it as JSON values; the length is rounded to a tenth of a pixel."""
        smallest = self.smallest and self.smallest._replace(length=round(self.smallest.length, 1))._asdict()
        return {"asked": "auto", "chosen": self.size, "own": self.own, "smallest_object": smallest}


def size_of_any(asked: InnerSize, traits: NetworkTraits) -> int | None:
    """Return the size that was asked for; ``"auto"`` is the network's own, whatever objects there are."""
    return traits.size if asked == "auto" else asked


def choose_size(traits: NetworkTraits, annotations: Annotations) -> ChosenSize:
    """Choose a size by the smallest of several objects: the network's own, or one at which that object is large enough.

    An object that is alone keeps the network's own size, so that videos of one object have the same masks and take the
    same time as at that size.

    Args:
        traits: the network's own size, and how closely it looks at small objects.
        annotations: ids uint8 (H,W) by frame index. An object counts in the first frame that shows it.

    Example:
        >>> from cyclevos.network.traits import CloserLook
        >>> ids = np.zeros((480, 640), np.uint8)
        >>> ids[:30, :30], ids[100:400, 100:400] = 1, 2
        >>> choose_size(NetworkTraits("stm", 480, closer=CloserLook(length=40, most=1.5)), {0: ids}).size
        640
    """
    own, closer = traits.size, traits.closer
    if own is None or closer is None:
        return ChosenSize(own, own)
    objects = _first_seen(annotations, own)
    if len(objects) < _SEVERAL:
        return ChosenSize(own, own)
    smallest = min(objects, key=lambda each: each.length)
    if smallest.length >= closer.length:
        return ChosenSize(own, own, smallest)
    wanted = math.ceil(own * closer.length / smallest.length / _STEP) * _STEP
    most = math.floor(own * closer.most / _STEP) * _STEP
    return ChosenSize(max(own, min(wanted, most)), own, smallest)


def sized(
    settings: SegmentationSettings, traits: NetworkTraits, annotations: Annotations
) -> tuple[SegmentationSettings, ChosenSize | None]:
    """Return settings with their size chosen, and what was chosen; None where a size was asked for.

    Without any object the size stays ``"auto"``.

    Args:
        settings: the settings.
        traits: see :func:`choose_size`.
        annotations: see :func:`choose_size`.
    """
    if settings.size != "auto":
        return settings, None
    chosen = choose_size(traits, annotations)
    if traits.closer is not None and not any(ids.any() for ids in annotations.values()):
        return settings, chosen
    return replace(settings, size=chosen.size), chosen


class InnerSizeChoice:
    """The size of one propagation, which the first annotated frame decides where ``"auto"`` was asked for.

    The memory has one grid, so the size stays until :meth:`reset`.

    Args:
        asked: the size, or ``"auto"``.
        traits: see :func:`choose_size`.
    """

    def __init__(self, asked: InnerSize, traits: NetworkTraits) -> None:
        self.asked, self._traits = asked, traits
        self.reset()

    def reset(self) -> None:
        """Let the next annotated frame decide."""
        self.size = size_of_any(self.asked, self._traits)
        self._is_decided = self.asked != "auto" or self._traits.closer is None

    def of(self, annotation: NDArray[np.uint8] | None) -> int | None:
        """Return the size for a frame with this annotation (H,W), which decides if no frame has done so yet."""
        if self._is_decided or annotation is None:
            return self.size
        return self.anew(annotation)

    def anew(self, annotation: NDArray[np.uint8]) -> int | None:
        """Return the size that an annotation (H,W) decides on if it is the first one."""
        return self.size if self.asked != "auto" else choose_size(self._traits, {0: annotation}).size

    def decide(self, annotation: NDArray[np.uint8] | None) -> None:
        """Keep the size of a frame with this annotation (H,W) for all frames after it."""
        if not self._is_decided and annotation is not None and annotation.any():
            self.size, self._is_decided = self.of(annotation), True

    def snapshot(self) -> dict[str, Tensor]:
        """Return what was decided, as a tensor."""
        if self.asked != "auto" or not self._is_decided:
            return {}
        return {_CHOSEN: torch.tensor(_NONE if self.size is None else self.size)}

    def restore(self, snapshot: Mapping[str, Tensor]) -> None:
        """Take over what was decided; snapshots of earlier versions have the network's own size."""
        self.reset()
        if self.asked == "auto" and _CHOSEN in snapshot:
            chosen = int(snapshot[_CHOSEN])
            self.size, self._is_decided = None if chosen == _NONE else chosen, True
        elif len(snapshot["propagator"]) > 2:  # objects are known
            self._is_decided = True


def _first_seen(annotations: Annotations, own: int) -> list[GivenObject]:
    """Return each object as it is where it is first annotated."""
    found: dict[int, GivenObject] = {}
    for frame, ids in sorted(annotations.items()):
        height, width = network_size((int(ids.shape[0]), int(ids.shape[1])), own)
        for object_id, pixels in enumerate(np.bincount(ids.ravel(), minlength=256).tolist()):
            if object_id and pixels and object_id not in found:
                length = math.sqrt(pixels * height * width / ids.size)
                found[object_id] = GivenObject(object_id, frame, pixels, length)
    return list(found.values())

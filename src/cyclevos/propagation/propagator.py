"""The propagator that people drive: images and masks of any kind in, objects added and removed while it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import VideoError
from cyclevos.exchange.given.mask_reader import is_whole
from cyclevos.masks import object_ids
from cyclevos.media.frames import Frame
from cyclevos.media.given_images import rgb_image
from cyclevos.naming import index_name
from cyclevos.propagation.annotations import Annotations
from cyclevos.propagation.frame_propagator import FramePropagator
from cyclevos.propagation.prediction import Prediction

# Shapes: H W pixels of the source.


class Propagator(FramePropagator):
    """Segments the frames of a video one by one, as they are given.

    Frames may have any source and any order of indices. A step that raises leaves the propagator as it was and can be
    repeated. For the arguments see :class:`~cyclevos.propagation.frame_propagator.FramePropagator`. With
    ``size="auto"``, the objects of the first annotated frame decide on the size, all that are added to it before the
    next frame; objects that come later are followed at that size.

    For example::

        propagator = cyclevos.Propagator("default", size=240)
        propagator.step(0, first_image, {"car": mask})
        propagator.step(1, second_image).ids
    """

    def step(self, index: int, image: Any, annotation: Any = None) -> Prediction:
        """Segment the next frame.

        Args:
            index: of the frame, from 0.
            image: uint8 RGB (H,W,3), or of any kind that :func:`~cyclevos.media.given_images.rgb_image` takes.
            annotation: the user's ids uint8 (H,W), or a mask of any kind that
                :meth:`~cyclevos.exchange.given.mask_reader.MaskReader.read` takes. Its objects own exactly their
                pixels; objects known before that it does not show are still predicted on its background pixels. A mask
                of 0 and 255 alone shows object 1.

        Returns:
            The frame's segmentation at the source's size.

        Raises:
            MaskError: the annotation is no mask, or its size is not the frame's.
            VideoError: it is not an image, or its size is not that of the earlier frames.
        """
        _check_index(index)
        pixels = rgb_image(image, index)
        ids = None if annotation is None else self._annotations.read(annotation, index, self.objects)
        return self._given(index, pixels, ids)

    def add_mask(self, index: int, image: Any, object_id: int | str, mask: Any) -> Prediction:
        """Segment a frame with the mask of one object, or segment it again with one more.

        The masks that the same frame was given last are kept, but for the pixels that the new mask takes. Objects that
        were not given there are predicted, as in :meth:`step`.

        Args:
            index: of the frame, from 0.
            image: see :meth:`step`.
            object_id: of the object, 1..255, or its name; a new one begins here.
            mask: of this object alone, see :meth:`step`.

        Returns:
            The frame's segmentation with all objects.

        Raises:
            MaskError: it is no mask of one object, has no pixel, or its size is not the frame's.
            VideoError: see :meth:`step`.
        """
        _check_index(index)
        pixels = rgb_image(image, index)
        return self._given(index, pixels, self._annotations.add(index, object_id, mask, self.objects))

    def remove_object(self, object_id: int | str) -> None:
        """End an object: from the next frame on it is not predicted, and nothing that was remembered of it is left.

        What was remembered of the other objects stays exactly as it is. Networks that encode an object beside the
        others (STM's, Cutie) have encoded it beside the removed one in earlier frames, and that stays too.

        Args:
            object_id: or its name.

        Raises:
            MaskError: no such object is known.
        """
        ended = self._annotations.find(object_id, self.objects)
        self.forget(ended)
        self._annotations.forget(ended)

    def reset(self) -> None:
        """Forget every object and every frame, and what was announced; the settings stay."""
        super().reset()
        self._annotations = Annotations()

    def snapshot(self) -> dict[str, Tensor]:
        """Return the whole state as copied tensors; :meth:`restore` continues from it exactly."""
        return {**super().snapshot(), **self._annotations.snapshot()}

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Continue from a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot, or are one of another version.
        """
        super().restore(snapshot)
        self._annotations.restore(snapshot)

    def _given(self, index: int, pixels: NDArray[np.uint8], ids: NDArray[np.uint8] | None) -> Prediction:
        """Segment a frame that a person gives."""
        if ids is not None and self._begins_anew(index, ids):
            begun = self.fresh()
            prediction = begun.advance(index, pixels, ids)
            super().restore(FramePropagator.snapshot(begun))
        else:
            prediction = self.advance(index, pixels, ids)
        if ids is not None:
            self._annotations.hold(index, ids)
        frame = Frame(index, index_name(index), pixels)
        look = self._annotations.appearance
        return replace(prediction, frame=frame, appearance=look, all_ids=tuple(sorted(self.objects)))

    def _begins_anew(self, index: int, ids: NDArray[np.uint8]) -> bool:
        """Whether only this frame is known, and gets an object for which ``size="auto"`` chooses another size."""
        held = {*self._bank.frames, *(each.frame_index for each in self._references.all())}
        return held == {index} and {*self.objects} <= {*object_ids(ids)} and self._size.anew(ids) != self.size


def _check_index(index: object) -> None:
    if not is_whole(index):
        raise VideoError(
            f"The index of the frame is {type(index).__name__}; expected an integer, which counts the frames from 0.",
            "Write propagator.step(index, image, mask).",
        )

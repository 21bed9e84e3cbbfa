"""``cyclevos.segment``: a video is segmented, by a network that is adapted to it first if that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from cyclevos.adaptation.adapting import adapt_to
from cyclevos.adaptation.given_clips import GivenClip
from cyclevos.adaptation.settings import Adaptation, as_adaptation
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.prompts.prompter import Prompter
from cyclevos.propagation.correction import USUAL, Correction, as_correction
from cyclevos.propagation.frame_access import OpenFrames
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.segment import Frames, Masks, segment_given
from cyclevos.propagation.settings import Direction, MemoryBound, MemoryEvery, SegmentationSettings

# Shapes: K objects, H W pixels.


def segment(
    network: MemoryNetwork | str | Path,
    frames: Frames,
    masks: Any = None,
    *,
    prompts: Any = None,
    prompter: Prompter | str | Path = "default",
    size: int | Literal["auto"] | None = "auto",
    memory_every: MemoryEvery = "auto",
    max_memory_frames: MemoryBound = "auto",
    direction: Direction = "forward",
    adaptation: Adaptation | str | None = None,
    correction: Correction | str | None = USUAL,
) -> Iterator[Prediction]:
    """Segment a video from the masks of some of its frames, or from clicks and boxes in them.

    Args:
        network: from :func:`cyclevos.load_network`, or what that function takes, such as ``"default"``.
        frames: a video file, a folder of frames, a pattern of images or an address, as
            :func:`cyclevos.media.open_source.open_source` takes them; a list of image files; or any iterable of images,
            which is consumed one image at a time: arrays, torch tensors and Pillow images, see
            :func:`~cyclevos.media.given_images.rgb_image`. Images of OpenCV go through :func:`cyclevos.bgr_frames`.
        masks: annotations by frame index, or one for frame 0, or the path of a file or folder of masks. A mask holds
            object ids (H,W), 0 = background; or it is a bool mask, a stack (N,H,W), a Pillow image, a path, a COCO
            run-length code or a dict of names to masks, see
            :meth:`cyclevos.exchange.given.mask_reader.MaskReader.read`. An object may first appear in any frame and be
            annotated several times. Masks of 0 and 255 alone show object 1. None = there are prompts.
        prompts: clicks and boxes by frame index, ``{0: {1: {"points": [(x, y)], "labels": [1], "box": None}}}``, or
            those of frame 0 alone; see :func:`~cyclevos.prompts.python_prompts.read_video_prompts`. The mask of an
            object in the same frame is repaired by them.
        prompter: makes masks of prompts: from :func:`cyclevos.load_prompter`, or what that function takes.
        size: shorter side inside the network in pixels; ``"auto"`` = the size at which the weights work best, or a
            larger one for several objects of which one is small, each counted where it is first annotated; None = the
            frames' own size.
        memory_every: every n-th frame stays in memory; ``"auto"`` = as the network likes it.
        max_memory_frames: most frames in memory, including annotated frames and the previous one; ``"auto"`` = as the
            network likes it, None = no bound.
        direction: ``forward`` from each mask to later frames, ``backward`` to earlier ones (the last frame is
            yielded first), or ``both``: every frame from the annotations on either side, weighted by distance.
            ``backward`` and ``both`` need a path or a sequence.
        adaptation: how a copy of the network is adapted to the video first, as :func:`cyclevos.adapt` does: an
            :class:`Adaptation`, or the name of a preset; it needs a path or a sequence. None = not.
        correction: how masks are corrected: a :class:`Correction`, the name of a preset (``prune``, which drops false
            pieces far from an object; ``default``, ``paper``), or None = not at all. With ``reference="all"``, later
            annotated frames are references too, if the frames are a path or a sequence.

    Returns:
        A generator of one prediction per frame, with the frame and the objects' names. In frames that no annotation of
        an object reaches, the object has no pixels.

    Raises:
        VideoError: the frames cannot be read; the predictions yielded before stay valid.
        MaskError: a mask is of no kind that can be read or has another size than the frames, or its frame does not
            exist; or there are neither masks nor prompts.
        PromptError: a prompt is malformed, lies outside its frame, or its frame does not exist.
        ConfigError: an option is out of range.
        WeightsError: the network that is named cannot be loaded.
    """
    settings = SegmentationSettings(size, memory_every, max_memory_frames, direction, as_correction(correction))
    how = None if adaptation is None else as_adaptation(adaptation)

    def adapted(network: MemoryNetwork, frames: OpenFrames, masks: Masks) -> MemoryNetwork:
        if how is None:
            return network
        return adapt_to(network, [GivenClip("the video", frames, masks)], how, direction).network

    return segment_given(network, frames, masks, settings, prompts=prompts, prompter=prompter, prepare=adapted)

"""Adapting a network to a video, or to several: steps of the cyclic loss on their own frames, with their labels."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cyclevos.adaptation.cyclic_loss import Clip, cyclic_loss
from cyclevos.adaptation.drawn_frames import images_at, reachable_frames
from cyclevos.adaptation.draws import Draw, Reach, draw_frames
from cyclevos.adaptation.given_clips import (
    NOT_BACK,
    GivenClip,
    nowhere_to_go,
    opened_clip,
    opened_clips,
    warn_of_left_out,
)
from cyclevos.adaptation.guard import annotated_frames, knowledge
from cyclevos.adaptation.outcome import AdaptationOutcome
from cyclevos.adaptation.settings import Adaptation, as_adaptation
from cyclevos.errors import ConfigError
from cyclevos.masks import object_ids
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.transfer import upload
from cyclevos.network.weights import as_network, ordinary_tensors
from cyclevos.propagation.autograd_mode import require_gradients, without_gradients
from cyclevos.propagation.network_frame import NetworkFrame, fit_frame
from cyclevos.propagation.references import shrink_ids, slot_labels
from cyclevos.propagation.segment import Frames
from cyclevos.propagation.settings import Direction

logger = logging.getLogger(__name__)

# Shapes: H W pixels of the video, H' W' of the network, T frames.

_IN_MEMORY = 20  # steps whose frames are in memory at a time

Progress = Callable[[int, float], object]
"""Called after each step with the number of steps taken, and the step's loss, NaN if it had none."""


class Adapted(NamedTuple):
    """A network after its adaptation.

    Attributes:
        network: the adapted copy, or one as the given network where the adaptation is not kept.
        outcome: what came of the adaptation.
    """

    network: MemoryNetwork
    outcome: AdaptationOutcome


def adapt(
    network: MemoryNetwork | str | Path,
    frames: Frames,
    masks: Any,
    adaptation: Adaptation | str = "default",
    *,
    direction: Direction = "forward",
    progress: Progress | None = None,
) -> MemoryNetwork:
    """Adapt a network to a video: masks are carried away from the annotated frames, which are then reconstructed.

    Nothing but the given masks is needed, because a frame needs no label to come back from. It helps on some videos
    and harms on others; see docs/adapt.md.

    Args:
        network: from :func:`cyclevos.load_network`, or what that function takes; it stays as it is.
        frames: see :func:`cyclevos.segment`; frames that can be read in any order.
        masks: annotations by frame index, see :func:`cyclevos.segment`.
        adaptation: the settings, or the name of a preset.
        direction: in which the masks will be carried.
        progress: told of every step; what it raises ends the adaptation.

    Returns:
        An adapted copy, of the same kind, dtype and device. Where there is nothing to adapt on, or a loss is not a
        finite number, a warning says so and the copy is as the given network.

    Raises:
        VideoError: the frames cannot be read in any order. A single frame that cannot be read is left out.
        MaskError: the masks cannot be read.
        ConfigError: the network was built in ``torch.inference_mode``, or an option is out of range.
        WeightsError: the network that is named cannot be loaded.
    """
    settings = as_adaptation(adaptation)
    clip = opened_clip(frames, masks, direction)
    return adapt_to(as_network(network), [clip], settings, direction, progress).network


def adapt_to_clips(
    network: MemoryNetwork | str | Path,
    clips: Sequence[tuple[Frames, Any]],
    adaptation: Adaptation | str = "default",
    *,
    direction: Direction = "forward",
    progress: Progress | None = None,
) -> MemoryNetwork:
    """Adapt one network to several clips of one kind, such as those of one microscope, with the masks of each.

    The clips take turns: the steps are those of the whole adaptation, not of each clip. Each clip keeps its own frame
    size, and its own objects, whatever their ids. With one clip this is :func:`adapt`.

    Args:
        network: see :func:`adapt`.
        clips: frames and masks of each, as :func:`adapt` takes them. A clip with nothing to adapt on, because no mask
            shows an object or no other frame lies in the direction, is left out, with a warning.
        adaptation: see :func:`adapt`.
        direction: see :func:`adapt`.
        progress: see :func:`adapt`.

    Returns:
        See :func:`adapt`.

    Raises:
        VideoError, ConfigError, WeightsError: see :func:`adapt`.
        MaskError: the masks of a clip cannot be read, or there is nothing to adapt on in any clip.
    """
    settings = as_adaptation(adaptation)
    given = opened_clips(clips, direction)
    return adapt_to(as_network(network), given, settings, direction, progress).network


def adapt_to(
    network: MemoryNetwork,
    clips: Sequence[GivenClip],
    adaptation: Adaptation,
    direction: Direction = "forward",
    progress: Progress | None = None,
) -> Adapted:
    """Adapt a loaded network to opened clips, as :func:`adapt` does for what people give, and say what came of it.

    Args:
        network: stays as it is.
        clips: one or several, which take turns.
        adaptation: the settings.
        direction: see :func:`adapt`.
        progress: see :func:`adapt`.

    Raises:
        VideoError, ConfigError: as :func:`adapt`.
    """
    reach = []
    for clip in clips:
        annotated = clip.annotated
        reach.append(Reach(annotated, reachable_frames(clip.frames, annotated, adaptation.gap)))
    draws = draw_frames(reach, direction, adaptation)
    adapter = Adapter(network, adaptation)
    losses: list[float] = []
    reason = None if draws or not adaptation.steps else nowhere_to_go(direction)
    for number, draw in enumerate(draws):
        if number % _IN_MEMORY == 0:
            adapter.see(clips, draws[number : number + _IN_MEMORY])
        loss = adapter.step(draw)
        losses.append(math.nan if loss is None else loss)
        if loss is not None and not math.isfinite(loss):
            reason = f"the loss of step {number + 1} is not a finite number"
            break
        if progress is not None:
            progress(number + 1, losses[-1])
    if losses and all(map(math.isnan, losses)):
        reason = reason or NOT_BACK
    warn_of_left_out(clips, reach, draws, losses, direction)
    outcome = AdaptationOutcome.of(losses, reason)
    if outcome.kept:
        adapted = adapter.network()
        if losses and adaptation.guard:
            asked = annotated_frames(clips)
            outcome = outcome.judged(knowledge(network, asked), knowledge(adapted, asked))
        if outcome.kept:
            return Adapted(adapted, outcome)
    logger.warning("Not adapted, %s.", outcome.text)
    return Adapted(adapter.unchanged(), outcome)


class Adapter:
    """A copy of a network that is being adapted.

    Args:
        network: stays as it is.
        adaptation: the settings.

    Raises:
        ConfigError: the network was built in ``torch.inference_mode``, or is a decoder alone, which is not to learn.
    """

    def __init__(self, network: MemoryNetwork, adaptation: Adaptation) -> None:
        require_gradients(network)
        self._given, self._settings = network, adaptation
        parameter = next(iter(network.parameters()))
        self._device, self._dtype = parameter.device, parameter.dtype
        with ordinary_tensors():
            self._copy = cast(nn.Module, deepcopy(network)).float().eval()
        for name, learnt in self._copy.named_parameters():
            learnt.requires_grad_(adaptation.decoder or "decoder" not in name)
        learning = [each for each in self._copy.parameters() if each.requires_grad]
        if not learning:
            raise ConfigError(
                "Nothing of the network is left to learn: each of its parameters has 'decoder' in its name.",
                "Let the decoder learn: Adaptation(decoder=True), or in a command --adapt-set decoder=true.",
            )
        self._optimiser = torch.optim.AdamW(learning, lr=adaptation.rate, weight_decay=0.0)
        self._frames: dict[tuple[int, int], NetworkFrame] = {}  # by clip and index
        self._given_labels: dict[tuple[int, int], tuple[Tensor, int]] = {}  # with the number of objects

    @without_gradients
    def see(self, clips: Sequence[GivenClip], draws: Sequence[Draw]) -> None:
        """Read the frames of draws at the size of the steps, with the masks of some; forget earlier ones."""
        self._frames, self._given_labels = {}, {}
        for number, clip in enumerate(clips):
            wanted = {i for draw in draws if draw.clip == number for i in (draw.reference, *draw.later)}
            for index, image in images_at(clip.frames, sorted(wanted)):
                self._see_frame(number, index, image, clip.masks.get(index))

    def _see_frame(self, clip: int, index: int, image: NDArray[np.uint8], mask: NDArray[np.uint8] | None) -> None:
        network, place = cast(MemoryNetwork, self._copy), (clip, index)
        try:
            frame = self._frames[place] = fit_frame(index, image, mask, self._settings.size, network)
        except ConfigError as error:  # the size is another one than that of segmenting
            problem = f"The adaptation's size does not suit the network. {error.problem}"
            raise ConfigError(problem, f"{error.remedy} In a command: --adapt-set size=N.") from error
        if frame.annotation is not None:
            small = shrink_ids(frame.annotation, frame.size)
            objects = object_ids(small.numpy())
            self._given_labels[place] = slot_labels(upload(small, self._device), objects), len(objects)

    def step(self, draw: Draw) -> float | None:
        """Take one step on the frames of a draw.

        Returns:
            The loss before the step; None if nothing can be reconstructed, and so nothing is changed. A loss that is
            not finite changes nothing either.
        """
        places = [(draw.clip, index) for index in (draw.reference, *draw.later)]
        seen = [self._frames[place] for place in places if place in self._frames]
        if len(seen) < 2 or places[0] not in self._given_labels:
            return None
        labels, objects = self._given_labels[places[0]]
        half = self._dtype in (torch.bfloat16, torch.float16)
        with ordinary_tensors(), torch.enable_grad():
            with torch.autocast(self._device.type, torch.bfloat16) if half else nullcontext():
                frames = torch.cat([each.pixels for each in seen]).contiguous(memory_format=torch.channels_last)
                clip = Clip(tuple(each.index for each in seen), frames, labels, objects)
                settings = self._settings
                loss = cyclic_loss(cast(MemoryNetwork, self._copy), clip, settings.least_area, settings.hard_fraction)
            if loss is None:
                return None
            value = float(loss.detach())
            if math.isfinite(value):
                self._optimiser.zero_grad()
                loss.backward()
                self._optimiser.step()
        return value

    def network(self) -> MemoryNetwork:
        """Return the network as it is now, of the given one's dtype, requiring no gradients."""
        return _released(self._copy, self._dtype)

    def unchanged(self) -> MemoryNetwork:
        """Return a copy of the given network."""
        return _released(cast(nn.Module, self._given), self._dtype)


def _released(module: nn.Module, dtype: torch.dtype) -> MemoryNetwork:
    with ordinary_tensors():
        return cast(MemoryNetwork, deepcopy(module).requires_grad_(False).to(dtype).eval())

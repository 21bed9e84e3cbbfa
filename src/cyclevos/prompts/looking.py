"""The prompter of the package: it looks at the part of the picture that is asked for, and again at what it found.

The last look is taken twice, the second time at the mirror image, and the mean counts. Where a box is given, it is then
taken again with the box moved towards what was found, since a drawn box is careless.

Clicks are taken one after the other, as they were made: each one sees the answer that it corrects. So a further click
changes little beside what it is about, and the same prompts always give the same mask.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from cyclevos.errors import WeightsError
from cyclevos.masks import binary_iou
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.asked import Asked, asked
from cyclevos.prompts.boxes import bounds, joined
from cyclevos.prompts.looks import Look
from cyclevos.prompts.maps import prompt_maps
from cyclevos.prompts.network import LookFeatures, PromptNetwork
from cyclevos.prompts.obeying import obeyed
from cyclevos.prompts.prompts import Box, Click, Prompts

# Shapes: H W pixels of the picture, S side of a look in pixels.

MARGIN = 1.4
"""Side of a look by the longer side of what it shows."""
_CLOSER = 0.9  # a closer look by the whole picture, for which it is taken
_LARGEST, _SMALLEST = 1.25, 0.55  # the look that is needed by the look that there is, before another one is taken
_ONE_BY_ONE = 16  # clicks of a longer list, such as a stroke, are taken at once from here on
_LOOKS = 9  # whose features are remembered: a first click takes three, and a preview may lie between two clicks
_ANSWERS = 2 * _ONE_BY_ONE + 2  # remembered: every click of one list, and the previews between them
_SLACK = 0.03  # around what was found, by its longer side, where it corrects a box
_CANDIDATES = (0.5, 0.25)  # sides of looks by the first one, for what else a click may mean
_ALIKE = 0.8  # IoU of candidates that mean the same


class Answer(NamedTuple):
    """What the network said in one look.

    Attributes:
        look: the look.
        logits: float32 (S,S).
    """

    look: Look
    logits: NDArray[np.float32]


class LookingPrompter:
    """Turns prompts into a mask with a :class:`PromptNetwork`; see :class:`cyclevos.prompts.prompter.Prompter`.

    Args:
        network: in evaluation mode.
        name: under which it was loaded.
    """

    def __init__(self, network: PromptNetwork, name: str) -> None:
        self.network, self.name = network, name
        parameter = next(network.parameters())
        self._device, self._dtype = parameter.device, parameter.dtype
        self._features: OrderedDict[tuple[Look, bool], LookFeatures] = OrderedDict()  # of the latest image; if mirrored
        self._answers: OrderedDict[tuple[Prompts, bytes | None], Answer] = OrderedDict()  # of the latest image
        self._latest: UInt8Array | None = None

    def __call__(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> NDArray[np.float32]:
        """Return the probabilities of the object that is pointed at, float32 (H,W); see `Prompter`."""
        return self._mask(asked(image, points, labels, box, mask))

    def candidates(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> list[NDArray[np.float32]]:
        """Return what the prompts may mean, most likely first; see `Prompter`."""
        question = asked(image, points, labels, box, mask)
        found = [self._mask(question)]
        clicks = question.prompts.clicks
        if len(clicks) > 1 or question.prompts.box is not None or question.mask is not None:
            return found
        whole = Look.whole(question.size)
        for look in (whole, *(_around(clicks[0], share * whole.side) for share in _CANDIDATES)):
            logits = self._read(question.image, look, question.prompts, None)
            other = obeyed(look.probabilities(logits, question.size), question.prompts)
            if all(binary_iou(other > 0.5, each > 0.5) < _ALIKE for each in found):
                found.append(other)
        return found

    def _mask(self, question: Asked) -> NDArray[np.float32]:
        """Answer a question with a whole picture of probabilities (H,W)."""
        if self._latest is None or not np.array_equal(self._latest, question.image):
            self._latest = question.image.copy()  # the caller may draw on the image
            self._answers.clear()
            self._features.clear()
        answer = self._answer(question)
        probabilities = answer.look.probabilities(answer.logits, question.size)
        if question.mask is not None:
            probabilities = _changed_at_prompts(question.mask, probabilities, question.prompts)
        return obeyed(probabilities, question.prompts)

    def _answer(self, question: Asked) -> Answer:
        """Take the clicks one after the other; what the latest questions began with is not computed again."""
        mask_key = None if question.mask is None else hashlib.blake2b(question.mask.tobytes()).digest()
        first, *further = _one_by_one(question.prompts)
        answer = self._held_or_next(question._replace(prompts=first), mask_key, None)
        for prompts in further:
            answer = self._held_or_next(question._replace(prompts=prompts), mask_key, answer)
        return answer

    def _held_or_next(self, question: Asked, mask_key: bytes | None, before: Answer | None) -> Answer:
        key = (question.prompts, mask_key)
        answer = self._answers.pop(key, None) or self._next(question, before)
        _remember(self._answers, key, answer, _ANSWERS)
        return answer

    def _next(self, question: Asked, before: Answer | None) -> Answer:
        """Return the answer to all prompts, the last of which corrects the answer before."""
        image, prompts, size = question.image, question.prompts, question.size
        look = self._first_look(question) if before is None else before.look
        earlier = question.mask if before is None else None
        seen = self._seen(look, before, earlier, size)
        logits = self._read(image, look, prompts, seen)
        needed = None if prompts.box is not None else _needed(look, logits, prompts, size)
        if needed is not None and needed != look:
            look, seen = needed, self._seen(needed, before, earlier, size)
            logits = self._read(image, look, prompts, seen)
        if before is None and earlier is None:  # the first answer sees itself once, as later ones see those before
            seen = self._seen(look, Answer(look, logits), None, size)
            logits = self._read(image, look, prompts, seen)
        answer = Answer(look, _mean(logits, self._read(image, look, prompts, seen, mirrored=True)))
        return answer if prompts.box is None or question.mask is not None else self._nearer(question, answer)

    def _nearer(self, question: Asked, answer: Answer) -> Answer:
        """Ask again with a box half way from the one drawn, which may be careless, to what was found."""
        drawn, found = question.prompts.box, bounds(answer.logits > 0)
        if drawn is None or found is None:
            return answer
        wide = answer.look.box_out(found, len(answer.logits)).grown(_SLACK)
        prompts = replace(question.prompts, box=Box(*((a + b) / 2 for a, b in zip(drawn, wide, strict=True))))
        look, seen = answer.look, self._seen(answer.look, answer, None, question.size)
        both = (self._read(question.image, look, prompts, seen, mirrored=mirrored) for mirrored in (False, True))
        return Answer(look, _mean(*both))

    def _first_look(self, question: Asked) -> Look:
        box, clicks = question.prompts.box, question.prompts.clicks
        if question.mask is not None:
            box = joined(bounds(question.mask > 0.5) or box, clicks)
        if box is not None:
            return Look.around(joined(box, clicks) or box, MARGIN)
        whole = Look.whole(question.size)
        coarse = self._read(question.image, whole, question.prompts, None)
        return _needed(whole, coarse, question.prompts, question.size, _CLOSER) or whole

    def _seen(
        self, look: Look, before: Answer | None, mask: NDArray[np.float32] | None, size: tuple[int, int]
    ) -> NDArray[np.float32] | None:
        """Return the earlier mask in a look (S,S): of the answer before, or the mask to repair; None without one."""
        if before is None:
            return None if mask is None else look.crop_mask(mask, self.network.spec.size)
        if before.look == look:
            return (1 / (1 + np.exp(-before.logits))).astype(np.float32)
        return look.crop_mask(before.look.probabilities(before.logits, size), self.network.spec.size)

    def _read(
        self,
        pixels: UInt8Array,
        look: Look,
        prompts: Prompts,
        earlier: NDArray[np.float32] | None,
        *,
        mirrored: bool = False,
    ) -> NDArray[np.float32]:
        """Return the logits (S,S) of one look; `mirrored` shows it to the network left to right."""
        size = self.network.spec.size
        box = None if prompts.box is None else look.box(prompts.box, size)
        maps = prompt_maps(size, look.clicks(prompts.clicks, size), box, earlier)
        if mirrored:
            maps = np.ascontiguousarray(maps[..., ::-1])
        with torch.no_grad():
            features = self._encode(pixels, look, mirrored)
            said = self.network.segment(features, torch.from_numpy(maps)[None].to(self._device, self._dtype))
        logits: NDArray[np.float32] = said[0, 0].float().cpu().numpy()
        if mirrored:
            logits = logits[:, ::-1]
        if not np.isfinite(logits).all():
            raise WeightsError(
                f"The answer of the prompter {self.name} is not finite.", "Use other weights, or --dtype float32."
            )
        return logits

    def _encode(self, pixels: UInt8Array, look: Look, mirrored: bool) -> LookFeatures:
        """Return the features of a look at the latest image; at once for one of the last: clicks often look again."""
        key = look, mirrored
        features = self._features.pop(key, None)
        if features is None:
            crop = look.crop(pixels, self.network.spec.size)
            if mirrored:
                crop = np.ascontiguousarray(crop[:, ::-1])
            images = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255  # (1,3,S,S)
            features = self.network.encode(images.to(self._device, self._dtype))
        _remember(self._features, key, features, _LOOKS)
        return features


def _mean(*logits: NDArray[np.float32]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = np.mean(logits, axis=0, dtype=np.float32)
    return mean


def _one_by_one(prompts: Prompts) -> Iterator[Prompts]:
    """Yield the prompts as they grew: the box with no click, then click by click."""
    clicks = prompts.clicks
    if prompts.box is not None or not clicks:
        yield Prompts((), prompts.box)
    for number in range(1, min(len(clicks), _ONE_BY_ONE) + 1):
        yield Prompts(clicks[:number], prompts.box)
    if len(clicks) > _ONE_BY_ONE:
        yield prompts


def _needed(
    look: Look, logits: NDArray[np.float32], prompts: Prompts, size: tuple[int, int], smallest: float = _SMALLEST
) -> Look | None:
    """Return the look that shows what was found (S,S) under the clicks; None if the look there is will do."""
    parts, _ = ndimage.label(logits > 0)
    last = len(logits) - 1
    positive = [click for click in prompts.clicks if click.positive]
    pixels = [click.pixel for click in look.clicks(positive, len(logits))]
    under = {int(parts[min(max(0, row), last), min(max(0, column), last)]) for row, column in pixels} - {0}
    found = bounds(np.isin(parts, list(under)))
    box = joined(None if found is None else look.box_out(found, len(logits)), positive)
    if box is None or (found is None and look == Look.whole(size)):
        return None
    whole, closer = Look.whole(size), Look.around(box, MARGIN)
    if closer.side >= whole.side:
        closer = whole
    outside = any(not look.shows(click) for click in prompts.clicks)
    if outside or not smallest < closer.side / look.side < _LARGEST:
        return closer
    return None


def _changed_at_prompts(mask: NDArray[np.float32], said: NDArray[np.float32], prompts: Prompts) -> NDArray[np.float32]:
    """Return a mask (H,W) with those of the changes that hang together with a click, or lie in the box."""
    parts, _ = ndimage.label((mask > 0.5) != (said > 0.5), np.ones((3, 3)))
    chosen = {int(parts[click.pixel]) for click in prompts.clicks}
    if prompts.box is not None:
        left, top, right, bottom = (round(edge) for edge in prompts.box)
        chosen |= set(np.unique(parts[top:bottom, left:right]).tolist())
    changed: NDArray[np.float32] = np.where(np.isin(parts, list(chosen - {0})), said, mask)
    return changed


def _around(click: Click, side: float) -> Look:
    return Look.around(Box(click.x - side / 2, click.y - side / 2, click.x + side / 2, click.y + side / 2), 1.0)


def _remember(held: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    held[key] = value
    while len(held) > most:
        held.popitem(last=False)

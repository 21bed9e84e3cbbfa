"""SAM 2, SAM 2.1 and EdgeTAM as prompters: their models for single images, as transformers runs them."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.network.sam2.build import load_image_model
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.asked import Asked, asked
from cyclevos.prompts.obeying import obeyed
from cyclevos.prompts.prompter import Prompter
from cyclevos.prompts.prompts import Click, Prompts

# Shapes: H W pixels of the picture, M masks proposed, h w cells of a mask at a quarter of the model's size.

MOST_READ = 64
"""Clicks of each kind that the model reads; of a stroke with more, evenly spaced ones. All of them are obeyed."""

_CERTAIN = 10.0  # logit of a pixel that is certainly in the mask to repair, as SAM 2 gives masks to its memory


class _Encoded(NamedTuple):
    """The latest image, and what the model made of it."""

    image: UInt8Array
    embeddings: list[Tensor]


class Sam2Prompter:
    """Turns prompts into a mask with SAM 2 or EdgeTAM; see :class:`cyclevos.prompts.prompter.Prompter`.

    One click may mean several things: the model proposes three masks, and they are offered in the order of the IoU that
    it expects of them. More clicks, a box or a mask to repair mean one thing, for which it has a mask of its own.

    Args:
        model: ``Sam2Model`` or ``EdgeTamModel`` of transformers, in evaluation mode.
        name: under which it was loaded.
        dtype: in which images are encoded; prompts and masks are computed in float32 at least, because the position of
            a click needs it.
    """

    def __init__(self, model: Any, name: str, dtype: torch.dtype = torch.float32) -> None:
        transformers = importlib.import_module("transformers")
        side = model.prompt_encoder.input_image_size
        images = transformers.Sam2ImageProcessor(size={"height": side, "width": side})
        self.model, self.name = model, name
        self._processor = transformers.Sam2Processor(images)
        self._encoding_dtype = dtype
        parameter = next(model.parameters())
        self._device, self._dtype = parameter.device, parameter.dtype
        self._latest: _Encoded | None = None

    def __call__(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> NDArray[np.float32]:
        """Return the probabilities of the object that is pointed at, float32 (H,W); see `Prompter`."""
        return self.candidates(image, points, labels, box, mask)[0]

    def candidates(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> list[NDArray[np.float32]]:
        """Return what the prompts may mean, most likely first; see `Prompter`."""
        question = asked(image, points, labels, box, mask)
        several = len(question.prompts.clicks) == 1 and question.prompts.box is None and question.mask is None
        with torch.no_grad():
            said = self.model(
                image_embeddings=self._embeddings(question.image), multimask_output=several, **self._inputs(question)
            )
            (logits,) = self._processor.post_process_masks(said.pred_masks, [question.size], binarize=False)
        order = said.iou_scores[0, 0].argsort(descending=True, stable=True).tolist()
        masks: NDArray[np.float32] = logits[0].sigmoid().float().cpu().numpy()  # (M,H,W)
        return [obeyed(masks[rank], question.prompts) for rank in order]

    def _embeddings(self, image: UInt8Array) -> list[Tensor]:
        """Return the embeddings of an image, which are kept until there is another one."""
        latest = self._latest
        if latest is not None and np.array_equal(latest.image, image):
            return latest.embeddings
        image = image.copy()  # the caller may draw on the image, or have one that cannot be written to
        pictures = self._processor(images=image, input_data_format="channels_last", return_tensors="pt")
        pixels = pictures["pixel_values"]  # (1,3,side,side)
        with torch.autocast(self._device.type, self._encoding_dtype, enabled=self._encoding_dtype != self._dtype):
            embeddings = self.model.get_image_embeddings(pixels.to(self._device, self._dtype))
        embeddings = [each.to(self._dtype) for each in embeddings]
        self._latest = _Encoded(image, embeddings)
        return embeddings

    def _inputs(self, question: Asked) -> dict[str, Tensor]:
        """Return prompts and mask in the pixels of the model."""
        given: dict[str, Any] = {}
        clicks = _read_clicks(question.prompts)
        if clicks:
            given["input_points"] = [[[[click.x, click.y] for click in clicks]]]
            given["input_labels"] = [[[int(click.positive) for click in clicks]]]
        if question.prompts.box is not None:
            given["input_boxes"] = [[list(question.prompts.box)]]
        inputs = dict(self._processor(original_sizes=[question.size], return_tensors="pt", **given))
        del inputs["original_sizes"]
        if question.mask is not None:
            inputs["input_masks"] = _logits(torch.from_numpy(question.mask))[None, None]
        return {
            name: each.to(self._device, self._dtype if each.is_floating_point() else None)
            for name, each in inputs.items()
        }


def load_sam2_prompter(path: Path, name: str, device: torch.device, dtype: torch.dtype) -> Prompter:
    """Load a folder of SAM 2 or EdgeTAM; see :class:`cyclevos.prompts.loading.PrompterLoader`."""
    model = load_image_model(path)
    model.to(device, torch.promote_types(dtype, torch.float32))
    return Sam2Prompter(model, name, dtype)


def _read_clicks(prompts: Prompts) -> list[Click]:
    """Return the clicks that the model reads: a stroke of thousands would cost it the square of their number."""
    kinds: list[Sequence[Click]] = [[c for c in prompts.clicks if c.positive is kind] for kind in (True, False)]
    return [click for clicks in kinds for click in clicks[:: math.ceil(len(clicks) / MOST_READ) or 1]]


def _logits(probabilities: Tensor) -> Tensor:
    """Return the logits of probabilities, within what is certain."""
    return probabilities.logit(eps=1e-7).clamp(-_CERTAIN, _CERTAIN)

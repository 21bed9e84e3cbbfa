"""Cycle-ERF (Eq. 6): the pixels of a frame that the network uses to reconstruct the object in the reference frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from cyclevos.errors import ConfigError, MaskError
from cyclevos.exchange.given.python_masks import check_masks
from cyclevos.masks import object_ids
from cyclevos.media.given_images import rgb_image
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.propagation.autograd_mode import require_gradients
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.descent import Subject, descend
from cyclevos.propagation.inner_size import size_of_any
from cyclevos.propagation.network_frame import fit_frame
from cyclevos.propagation.references import References, shrink_ids

# Shapes: K objects, H W pixels of the source.


def cycle_erf(
    network: MemoryNetwork,
    frame: Any,
    reference: Any,
    mask: Any,
    *,
    steps: int = 50,
    rate: float = 180.0,
    size: int | Literal["auto"] | None = "auto",
    before_step: Callable[[int], object] | None = None,
) -> NDArray[np.float32]:
    r"""Compute the effective receptive field of the cycle (Eq. 6).

    .. math:: Y^0 = 0, \quad Y^{l+1} = Y^l - \alpha \frac{\partial L}{\partial Y^l}, \quad R = \mathrm{ReLU}(Y^M)

    Args:
        network: any memory network, frozen.
        frame: the frame to analyse, RGB (H,W,3), or of any kind that :func:`cyclevos.segment` takes.
        reference: the annotated frame, of the same size.
        mask: its object ids (H,W), 0 = background, or of any kind that :func:`cyclevos.segment` takes.
        steps: M, the number of gradient steps.
        rate: alpha, for the loss as a mean over pixels.
        size: shorter side inside the network; ``"auto"`` = the size at which the weights work best, None = the frames'
            own size.
        before_step: called with the number of each step before it is taken; an exception that it raises ends the
            descent.

    Returns:
        float32 (K,H,W), one non-negative map for each object of the mask, ids in ascending order.

    Raises:
        MaskError: the mask shows no object, differs in size from the frames, or is no mask.
        VideoError: a frame is no image.
        ConfigError: ``steps`` is below 1, the rate is not positive, or the network has no gradients.
    """
    frame, reference = rgb_image(frame, 1), rgb_image(reference)
    (ids,) = check_masks({0: mask}).values()
    if ids.shape != reference.shape[:2] or frame.shape != reference.shape:
        raise MaskError(
            f"Expected two frames (H,W,3) and a mask (H,W) of one size, got {frame.shape}, {reference.shape} and "
            f"{ids.shape}.",
            "Give frames and mask in one size.",
        )
    objects = object_ids(ids)
    how = Correction(steps=steps, rate=rate)
    if not steps:
        raise ConfigError("Cycle-ERF starts from an empty mask, so steps must be at least 1.", "Give 1 step or more.")
    require_gradients(network)
    shorter_side = size_of_any(size, network.traits)
    with torch.inference_mode(False):  # within it, nothing can be differentiated
        first, second = (fit_frame(i, image, None, shorter_side, network) for i, image in enumerate((reference, frame)))
        references = References(network)
        references.add(0, first.pixels, shrink_ids(ids, first.size))
        (annotated,) = references.reached()
        with torch.no_grad():
            subject = Subject(1, network.prepare_memory(second.pixels))
        empty = torch.zeros(len(objects) + 1, *first.size, dtype=torch.float32, device=first.pixels.device)
        asked = [(annotated, annotated.shows(objects))]
        field = descend(network, subject, empty, asked, objects, how, before_step).probabilities[1:].relu()
        grown = F.interpolate(field[None], size=ids.shape, mode="bilinear", align_corners=False)[0]
    return np.asarray(grown.cpu().numpy(), dtype=np.float32)

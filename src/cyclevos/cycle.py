"""The cycle: reconstruct the reference frame's mask from another frame and its mask.

The cyclic training term, gradient correction, reliability and cycle-ERF all use these functions.
"""

from __future__ import annotations

from torch import Tensor

from cyclevos.losses import MaskLoss, counted_labels, mask_loss, soft_iou
from cyclevos.network.protocol import FrameFeatures, FrameMemory, MemoryNetwork

# Shapes: B clips, K object slots, O objects present over all clips, H W pixels.


def reconstruct_reference(
    network: MemoryNetwork, memory: FrameMemory, reference: FrameFeatures, present: Tensor, apart: int = 0
) -> Tensor:
    """Segment the reference frame with one other frame as the only memory frame (the inner part of Eq. 5).

    Args:
        network: any memory network.
        memory: of (X_t, Y_t), for the O objects present.
        reference: query features of the reference frame X_1; they do not depend on Y_t, so compute them once per
            reference frame.
        present: bool (B,K), the objects present; best on the host, where reading it does not wait for a device.
        apart: distance between the two frames, in frames, for networks that know time.

    Returns:
        Logits (B,K+1,H,W) of the reconstructed reference mask.
    """
    return network.segment(reference, memory.alone(apart), present).logits


def reconstruction_iou(logits: Tensor, labels: Tensor, present: Tensor) -> Tensor:
    """Return the soft IoU of the reconstructed reference mask with the annotation.

    Args:
        logits: (B,K+1,H,W) from :func:`reconstruct_reference`.
        labels: int64 (B,H,W), the annotation in slots 0..K, ``IGNORE`` left out.
        present: bool (B,K), the objects to score.

    Returns:
        Soft IoU of each slot (B,K) in [0, 1]; valid only for the objects in `present`.
    """
    return soft_iou(logits.softmax(dim=1)[:, 1:], counted_labels(labels, present))


def cycle_loss(
    network: MemoryNetwork,
    memory: FrameMemory,
    reference: FrameFeatures,
    labels: Tensor,
    present: Tensor,
    hard_fraction: float = 0.4,
    frames: Tensor | None = None,
) -> MaskLoss:
    """Compute the mask loss of the reconstructed reference mask.

    Args:
        network: any memory network.
        memory: of (X_t, Y_t).
        reference: query features of the reference frame.
        labels: int64 (B,H,W), the annotation in slots 0..K, ``IGNORE`` left out.
        present: bool (B,K), the objects to reconstruct.
        hard_fraction: see :func:`cyclevos.losses.mask_loss`.
        frames: see there.
    """
    logits = reconstruct_reference(network, memory, reference, present)
    return mask_loss(logits, labels, present, hard_fraction, frames)

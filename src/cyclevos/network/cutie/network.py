"""Cutie as a memory network: it calls the library's parts in the order that the loop and the cycle need them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.geometry import pad_to_multiple, without_padding
from cyclevos.masks import soft_aggregation
from cyclevos.network.cutie.features import (
    Bucket,
    CutieFeatures,
    CutieFrame,
    CutieInput,
    CutieReading,
)
from cyclevos.network.cutie.library import exact_tensors, join_precisions, keep_exact, silence
from cyclevos.network.cutie.memory import CutieMemory
from cyclevos.network.object_chunks import ObjectChunks
from cyclevos.network.protocol import MemoryNetwork, Segmentation, State
from cyclevos.network.traits import MemoryPolicy, NetworkTraits

# Shapes: B frames, K object slots, O objects present, Ck Cv key and value channels, C channels, Q object queries,
# H W pixels, H' W' after padding, h w = H'/16 W'/16 cells, N memory cells. Frames with masks come one at a time (B=1).

TRAITS = NetworkTraits("cutie", 480, MemoryPolicy(every=5, max_frames=5, previous=False, since_last=True))

STRIDE = 16  # pixels of a cell; frames are padded to multiples of it

_BEST_CELLS = 30  # memory cells that a query cell reads

_SENSORY, _LAST, _BORDER = "sensory", "last_mask", "border"  # the state


class CutieNetwork(nn.Module, MemoryNetwork):
    """Cutie (Cheng et al., CVPR 2024), frozen: only masks get gradients.

    The state that it carries from frame to frame holds each object's sensory memory (K,C,h,w) and last mask (K,h,w).
    In the answer for a frame whose sides are no multiples of 16 it also holds the predicted masks of the padded frame
    (K,H',W'): what they say about the padding is remembered with them.

    Args:
        cutie: the library's network, from :func:`~cyclevos.network.cutie.library.untrained_cutie`.

    Attributes:
        chunks: how many objects are encoded and decoded at a time, at the finer strides where that needs much memory.
            What compares objects, at stride 16, always sees those of one bucket together, as in the library.
    """

    def __init__(self, cutie: Any) -> None:
        super().__init__()
        self.cutie: Any = cutie
        self.chunks = ObjectChunks()
        join_precisions(cutie)
        self.eval().requires_grad_(False)

    @property
    def traits(self) -> NetworkTraits:
        """Default size and memory policy."""
        return TRAITS

    def encode_query(self, frames: Tensor) -> CutieFeatures:
        """Encode RGB frames (B,3,H,W) in [0, 1]."""
        silence()
        size = int(frames.shape[-2]), int(frames.shape[-1])
        padded = pad_to_multiple(frames, STRIDE)  # with black, and normalised only then
        (f16, f8, f4), pixels = self.cutie.encode_image(padded)
        matching = self.cutie.transform_key(f16)
        key, shrinkage, selection = (each.to(_wide(each)) for each in matching)
        return CutieFeatures(f16, f8, f4, pixels, key, shrinkage, selection, size)

    def prepare_memory(self, frames: Tensor, query: CutieFeatures | None = None) -> CutieInput:
        """Return what is the same for all masks of frames (B,3,H,W)."""
        query = self.encode_query(frames) if query is None else query
        images = (pad_to_multiple(frames, STRIDE) - self.cutie.pixel_mean) / self.cutie.pixel_std
        return CutieInput(images, query.pixels, query.key, query.shrinkage, query.size)

    def encode_memory(
        self,
        prepared: CutieInput,
        probabilities: Tensor,
        present: Tensor,
        said: Segmentation | None = None,
        own: Tensor | None = None,
    ) -> CutieFrame:
        """Encode a frame with its soft masks (1,K+1,H,W), once per object present, bool (1,K) on the host."""
        silence()
        masks = _padded(probabilities, prepared.size, said)
        masks = masks if bool(present.all()) else masks[:, present[0]]  # (1,O,H',W')
        others = (masks.sum(dim=1, keepdim=True) - masks).clamp(0, 1)

        def encode(rows: slice) -> tuple[Tensor]:
            # Without the deep update, which follows in `carry`, the sensory memory is not looked at.
            value, _ = self.cutie.mask_encoder(
                prepared.images, prepared.pixels, None, masks[:, rows], others[:, rows], deep_update=False
            )
            return (value[0],)

        (value,) = self.chunks.run(encode, masks.shape[1], math.prod(masks.shape[-2:]), masks.device)
        summary, _ = self.cutie.object_summarizer(masks, value[None])
        return CutieFrame(prepared.key, prepared.shrinkage, value, summary[0])

    def segment(
        self, query: CutieFeatures, memory: CutieReading, present: Tensor, state: State | None = None
    ) -> Segmentation:
        """Segment a frame from memory; objects present, bool (1,K) on the host. Without a state, none is returned."""
        silence()
        objects, (h, w) = len(memory.summary), query.key.shape[-2:]
        if state is None:
            sensory, last = self._blank_sensory(query.key, objects, h, w), query.key.new_zeros(objects, h, w)
        else:
            sensory, last = state[_SENSORY], state[_LAST]
        similarity = _similarity(query, memory)
        read = [self._read(query, memory, similarity, each, sensory, last) for each in memory.buckets]
        readout = torch.cat(read, dim=1)  # (1,O,C,h,w)
        updates = memory.updates and state is not None

        def decode(rows: slice) -> tuple[Tensor, Tensor]:
            features, part = (query.f16, query.f8, query.f4), readout[:, rows]
            updated, logits = self.cutie.mask_decoder(features, part, sensory[None, rows], update_sensory=updates)
            return updated[0], logits[0]

        height, width = 16 * h, 16 * w
        sensory, difference = self.chunks.run(decode, objects, height * width, readout.device)  # (O,H'/4,W'/4)
        logits = soft_aggregation(difference.sigmoid())[None]
        logits = F.interpolate(logits, size=(height, width), mode="bilinear")  # (1,O+1,H',W')
        carried = None
        if state is not None:
            carried = {_SENSORY: sensory}
            if query.size != (height, width):
                carried[_BORDER] = logits[0].softmax(dim=0)[1:]
        return Segmentation(_in_slots(without_padding(logits, query.size), present), carried)

    def new_memory(self, policy: MemoryPolicy) -> CutieMemory:
        """Return an empty memory for a video that is segmented with this policy."""
        return CutieMemory(policy)

    def settle(self, probabilities: Tensor) -> Tensor:
        """Aggregate the predicted and the given masks (K+1,H,W) of an annotated frame again, as the library does."""
        return _settled(probabilities[1:])

    def carry(self, said: Segmentation | None, probabilities: Tensor, memory: CutieFrame | None) -> State | None:
        """Return the state for the next frame.

        Args:
            said: the answer for this frame; None if no object was known before it.
            probabilities: the masks that are shown for it (1,K+1,H,W).
            memory: of all K objects, if this is a memory frame: the sensory memory gets its deep update.
        """
        silence()
        size = int(probabilities.shape[-2]), int(probabilities.shape[-1])
        masks = _padded(probabilities, size, said)[0]  # (K,H',W')
        h, w = masks.shape[-2] // 16, masks.shape[-1] // 16
        sensory = self._blank_sensory(masks, len(masks), h, w)
        if said is not None and said.state is not None:
            before = said.state[_SENSORY]
            sensory = torch.cat([before, sensory[len(before) :]])  # new objects start from zero
        if memory is not None:
            sensory = self.cutie.mask_encoder.sensory_update(memory.value[None], sensory[None])[0]
        return {_SENSORY: sensory, _LAST: F.adaptive_avg_pool2d(masks, (h, w))}

    def _read(
        self,
        query: CutieFeatures,
        memory: CutieReading,
        similarity: Tensor,
        bucket: Bucket,
        sensory: Tensor,
        last: Tensor,
    ) -> Tensor:
        """Return what the objects of a bucket read for each cell of the query, (1,O,C,h,w)."""
        h, w = query.key.shape[-2:]
        if bucket.places is not None:
            frames = similarity.split(h * w, dim=1)
            similarity = torch.cat([frames[place] for place in bucket.places], dim=1)
        best, cells = similarity.topk(min(_BEST_CELLS, similarity.shape[1]), dim=1)
        affinity = torch.zeros_like(similarity).scatter(1, cells, best.softmax(dim=1))  # (1,N,h*w)
        value = bucket.value.to(affinity.dtype)  # (O,Cv,N)
        read = (value.flatten(0, 1) @ affinity[0]).view(1, *value.shape[:2], h, w)
        of = bucket.objects
        fused = self.cutie.pixel_fusion(query.pixels, read, sensory[None, of], last[None, of])
        readout: Tensor = self.cutie.readout_query(fused, memory.summary[None, of, None])[0]
        return readout

    def _blank_sensory(self, like: Tensor, objects: int, h: int, w: int) -> Tensor:
        return like.new_zeros(objects, self.cutie.sensory_dim, h, w)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> CutieNetwork:
        """Move or convert the network; in half precision some tensors stay in float32."""
        before = [tensor.detach() for _, _, tensor in exact_tensors(self.cutie)]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        keep_exact(self.cutie, before)
        return self


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


@torch.no_grad()
def _similarity(query: CutieFeatures, memory: CutieReading) -> Tensor:
    """Return how similar each memory cell is to each cell of the query, (1,N,h*w).

    It does not depend on masks, so it needs no gradient.
    """
    from cutie.model.utils.memory_utils import get_similarity

    similarity: Tensor = get_similarity(memory.key, memory.shrinkage, query.key.flatten(2), query.selection.flatten(2))
    return similarity


def _settled(foreground: Tensor) -> Tensor:
    """Let masks (K,H,W) compete: probabilities (K+1,H,W) that sum to 1."""
    return soft_aggregation(foreground).softmax(dim=0)


def _padded(probabilities: Tensor, size: tuple[int, int], said: Segmentation | None) -> Tensor:
    """Return the masks of a padded frame (1,K,H',W'): the given ones (1,K+1,H,W) and what was said about the padding.

    New objects are not in the padding. They mean that the frame is annotated, so the others compete again there too,
    see :meth:`CutieNetwork.settle`.
    """
    foreground = probabilities[:, 1:]
    padded = pad_to_multiple(foreground, STRIDE)
    if said is None or said.state is None or _BORDER not in said.state:
        return padded
    border = said.state[_BORDER]
    new = foreground.shape[1] - len(border)
    if new:
        border = _settled(torch.cat([border, border.new_zeros(new, *border.shape[1:])]))[1:]
    framed = border[None].clone()
    without_padding(framed, size).copy_(foreground)
    return framed


def _in_slots(logits: Tensor, present: Tensor) -> Tensor:
    """Spread the logits (1,O+1,H,W) of the objects present over all slots, (1,K+1,H,W)."""
    if bool(present.all()):
        return logits
    nothing = soft_aggregation(logits.new_zeros(1, 1, 1))[1]  # the logit of a mask of zeros
    spread = nothing.expand(1, present.shape[1] + 1, *logits.shape[-2:]).clone()
    slots = torch.cat([torch.tensor([0]), 1 + present[0].nonzero()[:, 0]]).to(logits.device)
    return spread.index_copy(1, slots, logits)

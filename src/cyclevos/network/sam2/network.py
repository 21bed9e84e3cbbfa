"""SAM 2, SAM 2.1 and EdgeTAM as memory networks, built from the modules of transformers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.errors import ConfigError
from cyclevos.geometry import Size
from cyclevos.network.object_chunks import ObjectChunks
from cyclevos.network.protocol import MemoryNetwork, Segmentation, State
from cyclevos.network.sam2.memory import (
    ReadGroup,
    ReadLimits,
    Sam2Features,
    Sam2FrameMemory,
    Sam2Memory,
    Sam2Read,
    of_owners,
)
from cyclevos.network.sam2.modules import decode_masks, decoder_positions, memory_attention_at, read_memory
from cyclevos.network.sam2.variants import VARIANTS
from cyclevos.network.traits import MemoryPolicy, NetworkTraits

# Shapes: B frames, K object slots, O objects present over all frames (the True cells of a (B,K) table, in row order),
# n objects of a chunk, H W pixels, h w cells at stride 16, F memory frames, P object pointers, N tokens of a frame,
# C channels of the image features and of a pointer, Cm of a token.

FAMILY = "sam2"
POLICY = MemoryPolicy(every=1, max_frames=16)
"""Every frame: six of them give tokens, fifteen give object pointers, and the first one is kept."""

_ABSENT = -1024.0  # logit of all pixels of an absent object
_VISIBLE = 0.5  # a mask without a more probable pixel is one of an absent object
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Sam2Network(nn.Module, MemoryNetwork):
    """SAM 2 (Ravi et al., ICLR 2025) or EdgeTAM (Zhou et al., CVPR 2025), without the prompts.

    Each object is segmented on its own: a pixel's logit is that of the object against everything else, and the
    background's is 0.

    Args:
        model: ``Sam2VideoModel`` or ``EdgeTamVideoModel`` of transformers.

    Attributes:
        chunks: how many objects are processed at a time; ``chunks.at_once = 4`` limits the memory used.
    """

    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.chunks = ObjectChunks()
        config = self.model.config
        self.variant = VARIANTS[config.model_type]
        self._traits = NetworkTraits(FAMILY, one_side(config.image_size), POLICY)
        self._multiple = self.variant.size_multiple(config)
        self._attentions: dict[tuple[int, torch.device], Any] = {}  # by cells per side
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    @property
    def traits(self) -> NetworkTraits:
        """Default size and memory policy."""
        return self._traits

    def frame_size(self, source: Size, shorter_side: int | None) -> Size:
        """Return a square: frames are resized without keeping their aspect ratio.

        Args:
            source: (H, W) of the frames in pixels.
            shorter_side: of the square in pixels; None = the size of the training.

        Raises:
            ConfigError: the network cannot work at that size.
        """
        trained = one_side(self.model.config.image_size)
        side = trained if shorter_side is None else shorter_side
        if side < self._multiple or side % self._multiple:
            below = side // self._multiple * self._multiple
            choices = [str(n) for n in (below, below + self._multiple) if n >= self._multiple]
            raise ConfigError(
                f"This network works at sizes that are multiples of {self._multiple} pixels, got {side}.",
                f"Give {' or '.join(choices)}; it was trained at {trained}.",
            )
        return side, side

    def encode_query(self, frames: Tensor) -> Sam2Features:
        """Encode frames.

        Args:
            frames: RGB (B,3,H,W) in [0, 1], of a size from :meth:`frame_size`.
        """
        height, width = (int(n) for n in frames.shape[-2:])
        if height != width or height % self._multiple:
            raise ValueError(f"expected squares with a side from frame_size, got {height}x{width}")
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        encoded = self.model.vision_encoder((frames.to(mean.dtype) - mean) / std, return_dict=True)
        stride4, stride8, cells = encoded.fpn_hidden_states
        decoder = self.model.mask_decoder
        # A copy, because transformers keeps and shares what it returns.
        positions = encoded.fpn_position_encoding[-1][:1].clone()
        maps = decoder.conv_s0(stride4), decoder.conv_s1(stride8), cells
        return Sam2Features((height, width), *maps, positions, decoder_positions(self.model, cells))

    def prepare_memory(self, frames: Tensor, query: Sam2Features | None = None) -> Sam2Features:
        """Return the features of frames, which is what :meth:`encode_memory` needs.

        Args:
            frames: RGB (B,3,H,W) in [0, 1].
            query: their features, if they are encoded already.
        """
        return self.encode_query(frames) if query is None else query

    def encode_memory(
        self,
        prepared: Sam2Features,
        probabilities: Tensor,
        present: Tensor,
        said: Segmentation | None = None,
        own: Tensor | None = None,
    ) -> Sam2FrameMemory:
        """Encode frames with their soft masks, once per present object.

        An object whose mask has no pixel above 0.5 counts as absent, unless the masks require a gradient.

        Args:
            prepared: features of the frames.
            probabilities: soft masks (B,K+1,H,W), channel 0 the background.
            present: bool (B,K) on the host.
            said: the network's own answer for this frame, if there is one.
            own: bool (B,K) on the host, the objects that are remembered by the answer's logits, pointers and scores.
        """
        owner, slot = present.nonzero().unbind(1)  # (O,)
        masks = _present(probabilities[:, 1:], present).unsqueeze(1)  # (O,1,H,W)
        if torch.is_grad_enabled() and probabilities.requires_grad:
            visible = masks.new_ones(len(owner), 1, dtype=torch.bool)
        else:
            visible = (masks > _VISIBLE).flatten(1).any(dim=1, keepdim=True)  # (O,1)
        mine = torch.zeros_like(owner, dtype=torch.bool) if own is None else own[owner, slot]
        if said is None or said.state is None or not bool(mine.any()):
            return self._remember(prepared, masks, self._mask_pointers(prepared, masks, visible, owner), visible, owner)

        where = owner[mine], slot[mine]
        masks, visible = masks.clone(), visible.clone()
        masks[mine, 0] = said.logits[where[0], where[1] + 1].sigmoid().to(masks.dtype)
        visible[mine] = said.state["scores"][where] > 0
        answered = said.state["pointers"]
        pointers = answered.new_empty(len(owner), answered.shape[-1])
        pointers[mine] = answered[where]
        if not bool(mine.all()):
            pointers[~mine] = self._mask_pointers(prepared, masks[~mine], visible[~mine], owner[~mine])
        return self._remember(prepared, masks, pointers, visible, owner)

    def segment(
        self, query: Sam2Features, memory: Sam2Read, present: Tensor, state: State | None = None
    ) -> Segmentation:
        """Segment frames from memory.

        Args:
            query: features of B frames.
            memory: of the O objects present.
            present: bool (B,K) on the host.
            state: not used; this family carries none.

        Returns:
            The logits, and in the state pointers (B,K,C) and object scores (B,K,1), for :meth:`encode_memory`.
        """
        owner = present.nonzero()[:, 0]
        order = [number for group in memory.groups for number in group.objects]
        if not order:
            background = torch.zeros(*present.shape, *query.size, device=query.cells.device, dtype=_exact(query.cells))
            return Segmentation(F.pad(background + _ABSENT, (0, 0, 0, 0, 1, 0)))
        answers = [self._segment_group(query, memory, group, owner) for group in memory.groups]
        low, pointers, scores = (_sorted_by(order, torch.cat(parts)) for parts in zip(*answers, strict=True))
        masks = F.interpolate(low[:, None].to(_exact(low)), query.size, mode="bilinear")[:, 0]  # (O,H,W)
        foreground = _slots(masks, present, _ABSENT)  # (B,K,H,W)
        logits = torch.cat([torch.zeros_like(foreground[:, :1]), foreground], dim=1)
        return Segmentation(logits, {"pointers": _slots(pointers, present), "scores": _slots(scores, present)})

    def new_memory(self, policy: MemoryPolicy) -> Sam2Memory:
        """Return an empty memory; which frames it holds is the policy's, which of them are read is the network's."""
        config = self.model.config
        given = None if config.max_cond_frame_num < 0 else config.max_cond_frame_num
        limits = ReadLimits(config.num_maskmem - 1, given, config.max_object_pointers_in_encoder - 1)
        return Sam2Memory(limits, compact=self.variant.compact)

    def _remember(
        self, prepared: Sam2Features, masks: Tensor, pointers: Tensor, visible: Tensor, owner: Tensor
    ) -> Sam2FrameMemory:
        """Encode masks (O,1,H,W) into tokens."""
        model, config = self.model, self.model.config
        cells = of_owners(prepared.cells, owner)
        logits = masks * config.sigmoid_scale_for_mem_enc + config.sigmoid_bias_for_mem_enc

        def encode(rows: slice) -> tuple[Tensor, ...]:
            maps, positions = model.memory_encoder(cells[rows], logits[rows].to(cells.dtype))
            if model.occlusion_spatial_embedding_parameter is not None:
                hidden = 1 - visible[rows].to(maps.dtype)  # (n,1)
                maps = maps + (hidden * model.occlusion_spatial_embedding_parameter)[..., None, None]
            tokens, token_positions = self.variant.tokens(model, maps, positions)
            return tokens, token_positions[:1]

        tokens, positions = self.chunks.run(encode, len(owner), math.prod(prepared.size), masks.device)
        return Sam2FrameMemory(tokens, positions[0].clone(), pointers)

    def _mask_pointers(self, prepared: Sam2Features, masks: Tensor, visible: Tensor, owner: Tensor) -> Tensor:
        """Return the pointers (O,C) of objects with masks (O,1,H,W), by giving the masks to the mask decoder."""
        model, dtype = self.model, prepared.cells.dtype

        def summarise(rows: slice) -> tuple[Tensor]:
            prompts = model.prompt_encoder.mask_embed(model.mask_downsample(masks[rows].to(dtype)))
            features = prepared.of_objects(owner[rows])
            answer = decode_masks(model, features, features.cells, prompts, several=True)
            return (model.object_pointer_proj(answer.tokens),)

        (pointers,) = self.chunks.run(summarise, len(owner), math.prod(prepared.size), masks.device)
        return self._absent_pointers(pointers, visible)

    def _absent_pointers(self, pointers: Tensor, visible: Tensor) -> Tensor:
        absent: Tensor = self.model.no_object_pointer
        return torch.where(visible, pointers, absent.to(pointers.dtype))

    def _segment_group(
        self, query: Sam2Features, memory: Sam2Read, group: ReadGroup, owner: Tensor
    ) -> tuple[Tensor, ...]:
        """Return masks (n,4h,4w), pointers (n,C) and scores (n,1) of objects that read the same frames."""
        owner = owner[list(group.objects)]
        no_prompt = self.model.prompt_encoder.no_mask_embed.weight[..., None, None]  # (1,C,1,1)
        config = self.model.config
        several = (
            config.multimask_output_in_sam
            and config.multimask_output_for_tracking
            and config.multimask_min_pt_num <= 0 <= config.multimask_max_pt_num
        )

        attention = self._attention(query.cells.shape[-1], query.cells.device)

        def answer(rows: slice) -> tuple[Tensor, ...]:
            features = query.of_objects(owner[rows])
            read = read_memory(self.model, self.variant, attention, features, group.select(rows), memory.positions)
            low, tokens, scores = decode_masks(self.model, features, read, no_prompt, several=several)
            pointers = self._absent_pointers(self.model.object_pointer_proj(tokens), scores > 0)
            if memory.gated:
                low = low.masked_fill(scores[..., None] <= 0, _ABSENT)
            return low, pointers, scores

        return self.chunks.run(answer, len(owner), math.prod(query.size), query.cells.device)

    def _attention(self, cells: int, device: torch.device) -> Any:
        key = cells, device
        if key not in self._attentions:
            self._attentions[key] = memory_attention_at(self.model, cells, device)
        return self._attentions[key]


def one_side(image_size: int | list[int]) -> int:
    """Return the side of a configuration's image size, which some files state twice."""
    return image_size if isinstance(image_size, int) else image_size[0]


def _exact(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


def _present(maps: Tensor, present: Tensor) -> Tensor:
    """Gather the present objects: (B,K,...) to (O,...)."""
    return maps.flatten(0, 1) if bool(present.all()) else maps[present]


def _slots(objects: Tensor, present: Tensor, absent: float = 0.0) -> Tensor:
    """Undo :func:`_present`: (O,...) to (B,K,...)."""
    if len(objects) == present.numel():
        return objects.reshape(*present.shape, *objects.shape[1:])
    table = objects.new_full((*present.shape, *objects.shape[1:]), absent)
    table[present] = objects
    return table


def _sorted_by(order: list[int], rows: Tensor) -> Tensor:
    """Put rows into the order of their numbers."""
    if order == sorted(order):
        return rows
    return rows[torch.tensor(order, device=rows.device).argsort()]

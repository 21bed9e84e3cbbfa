"""How the modules of transformers are called: the memory attention, the mask decoder and their position encodings."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cyclevos.network.sam2.memory import ReadGroup, Sam2Features
from cyclevos.network.sam2.variants import Variant

# Shapes: n objects, F memory frames, P object pointers, h w cells at stride 16, N tokens of a frame, C channels of the
# image features and of a pointer, Cm of a token.

_TEMPERATURE = 10000.0  # of the sine encoding of time


class MaskAnswer(NamedTuple):
    """What the mask decoder says of n objects.

    Attributes:
        masks: logits (n,4h,4w).
        tokens: (n,C), of which the object pointers are made.
        scores: (n,1), above 0 if the object is in the frame.
    """

    masks: Tensor
    tokens: Tensor
    scores: Tensor


def memory_attention_at(model: Any, cells: int, device: torch.device) -> Any:
    """Return a model's memory attention for features of cells x cells, sharing its layers.

    A model holds its rotary position encoding for one size only, and converting it to bfloat16 makes that encoding
    coarse; this one is float32. It is cheap to make, and not a part of the model.
    """
    own = model.memory_attention
    config = copy.deepcopy(model.config)
    config.memory_attention_rope_feat_sizes = [cells, cells]
    config.memory_attention_num_layers = 0
    attention = type(own)(config).to(device=device, dtype=torch.float32)
    attention.layers, attention.layer_norm = own.layers, own.layer_norm
    return attention


def read_memory(
    model: Any, variant: Variant, attention: Any, features: Sam2Features, group: ReadGroup, positions: Tensor
) -> Tensor:
    """Let the features of n objects' frames attend to what is remembered of the objects.

    Args:
        model: the transformers model.
        variant: its architecture.
        attention: from :func:`memory_attention_at`.
        features: of the frames, one for each object.
        group: what is remembered of these objects.
        positions: (N,Cm), of a frame's tokens.

    Returns:
        Features (n,C,h,w).
    """
    cells = features.cells
    n, channels, height, width = cells.shape
    over_time = model.memory_temporal_positional_encoding[:, 0, 0]  # (7,Cm); the last is of the user's masks
    token_positions = positions + over_time[[rank - 1 for rank in group.ranks], None]  # (F,N,Cm)
    # A pointer has more channels than a token, and becomes several tokens.
    pointers = group.pointers.reshape(n, -1, positions.shape[-1])  # (n,P*splits,Cm)
    splits = pointers.shape[1] // len(group.apart)
    pointer_positions = _pointer_positions(model, group.apart, cells).repeat_interleave(splits, dim=0)
    memory = torch.cat([group.tokens.flatten(1, 2).to(cells.dtype), pointers.to(cells.dtype)], dim=1)
    memory_positions = torch.cat([token_positions.flatten(0, 1), pointer_positions])
    read = variant.attend(
        attention,
        (cells.flatten(2).permute(2, 0, 1), features.positions.flatten(2).permute(2, 0, 1)),
        (memory.transpose(0, 1), memory_positions[:, None].expand(-1, n, -1)),
        pointers.shape[1],
        len(group.ranks),
    )
    return read.reshape(n, height * width, channels).transpose(1, 2).reshape(n, channels, height, width)


def decode_masks(model: Any, features: Sam2Features, cells: Tensor, prompts: Tensor, *, several: bool) -> MaskAnswer:
    """Run the mask decoder for n objects.

    Args:
        model: the transformers model.
        features: of the frames, one for each object.
        cells: (n,C,h,w), their features at stride 16, with or without what is remembered.
        prompts: (n,C,h,w), or (1,C,1,1) for all alike.
        several: let it propose several masks and take the one that it expects to be best.
    """
    n = len(cells)
    no_point = model.prompt_encoder.not_a_point_embed.weight.expand(n, 1, 2, -1)
    masks, qualities, tokens, scores = model.mask_decoder(
        image_embeddings=cells,
        image_positional_embeddings=features.decoder_positions.expand(n, -1, -1, -1),
        sparse_prompt_embeddings=no_point,
        dense_prompt_embeddings=prompts,
        multimask_output=several,
        high_resolution_features=[features.stride4, features.stride8],
    )
    rows, best = torch.arange(n, device=cells.device), qualities[:, 0].argmax(dim=1)
    return MaskAnswer(masks[rows, 0, best], tokens[rows, 0, best], scores[:, 0])


def decoder_positions(model: Any, cells: Tensor) -> Tensor:
    """Encode the centres of cells (B,C,h,w) for the mask decoder: (1,C,h,w)."""
    height, width = cells.shape[-2:]
    exact = torch.promote_types(cells.dtype, torch.float32)
    y, x = ((torch.arange(n, device=cells.device, dtype=exact) + 0.5) / n for n in (height, width))
    centres = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
    positions: Tensor = model.shared_image_embedding(centres)  # (h,w,C)
    return positions.permute(2, 0, 1)[None].to(cells.dtype)


def _pointer_positions(model: Any, apart: tuple[int, ...], like: Tensor) -> Tensor:
    """Encode the distances of P pointers in time by sines and cosines: (P,Cm)."""
    if not model.config.enable_temporal_pos_encoding_for_object_pointers:
        return like.new_zeros(len(apart), model.mem_dim)
    exact = torch.promote_types(like.dtype, torch.float32)
    longest = max(1, model.config.max_object_pointers_in_encoder - 1)
    time = torch.tensor(apart, dtype=exact, device=like.device)[:, None] / longest
    half = model.hidden_dim // 2
    pairs = torch.arange(half, device=like.device, dtype=exact) // 2
    angle = time / _TEMPERATURE ** (2 * pairs / half)
    waves = torch.cat([angle.sin(), angle.cos()], dim=1).to(like.dtype)
    encoding: Tensor = model.temporal_positional_encoding_projection_layer(waves)
    return encoding

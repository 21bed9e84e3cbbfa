"""What differs between SAM 2 and EdgeTAM: how memory is compressed and attended to, and which sizes work."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

# Shapes: O objects, F memory frames, h w cells at stride 16, N memory tokens of a frame, L memory tokens altogether,
# C channels of the image features, Cm of the memory.

_STRIDE = 16  # pixels of a cell
_DEEPEST_STRIDE = 32  # of the features that the image encoder merges with those of the cells


class Variant(ABC):
    """One of the architectures.

    Attributes:
        model_type: as ``config.json`` names it.
        classes: names in transformers of its configuration, of its model, and of its model for single images.
        compact: memory is stored in bfloat16, which is how SAM 2 was trained to read it.
    """

    model_type: str
    classes: tuple[str, str, str]
    compact: bool

    @abstractmethod
    def size_multiple(self, config: Any) -> int:
        """Return the number of pixels of which a frame's side has to be a multiple."""

    @abstractmethod
    def tokens(self, model: Any, features: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Turn a frame's memory maps into tokens.

        Args:
            model: the transformers model.
            features: (O,Cm,h,w), from its memory encoder.
            positions: (O,Cm,h,w), their position encoding.

        Returns:
            Tokens (O,N,Cm) and their positions (O,N,Cm).
        """

    @abstractmethod
    def attend(
        self, attention: Any, query: tuple[Tensor, Tensor], memory: tuple[Tensor, Tensor], pointers: int, frames: int
    ) -> Tensor:
        """Call the memory attention.

        Args:
            attention: from :func:`cyclevos.network.sam2.modules.memory_attention_at`.
            query: features (h*w,O,C) and their positions.
            memory: tokens (L,O,Cm) and their positions, frame by frame, then the object pointers.
            pointers: how many of the L tokens are of object pointers.
            frames: F.

        Returns:
            Features (...,h*w,C), O of them in order.
        """


class Sam2(Variant):
    """SAM 2 and SAM 2.1: each cell of a memory frame is a token."""

    model_type = "sam2_video"
    classes = ("Sam2VideoConfig", "Sam2VideoModel", "Sam2Model")
    compact = True

    def size_multiple(self, config: Any) -> int:
        """Return the least common multiple of the deepest stride and of Hiera's first windows."""
        backbone = config.vision_config.backbone_config
        return math.lcm(_DEEPEST_STRIDE, backbone.patch_stride[0] * backbone.window_size_per_stage[0])

    def tokens(self, model: Any, features: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Flatten the maps."""
        return features.flatten(2).transpose(1, 2), positions.flatten(2).transpose(1, 2)

    def attend(
        self, attention: Any, query: tuple[Tensor, Tensor], memory: tuple[Tensor, Tensor], pointers: int, frames: int
    ) -> Tensor:
        """Call the memory attention, which rotates the keys of all tokens but the pointers'."""
        # By position: transformers misspells one of the names.
        attended: Tensor = attention(query[0], memory[0], query[1], memory[1], pointers)
        return attended


class EdgeTam(Variant):
    """EdgeTAM: a perceiver compresses a memory frame into two sets of tokens, without and with a place in the image."""

    model_type = "edgetam_video"
    classes = ("EdgeTamVideoConfig", "EdgeTamVideoModel", "EdgeTamModel")
    compact = False

    def size_multiple(self, config: Any) -> int:
        """Return the smallest side at which every placed token of the perceiver gets a window of equal size."""
        windows = math.isqrt(config.perceiver_resampler_num_latents_2d)  # per side
        return math.lcm(_DEEPEST_STRIDE, _STRIDE * max(1, windows))

    def tokens(self, model: Any, features: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Compress the maps, one object after the other: the perceiver of transformers takes no more."""
        compressed = [
            model.spatial_perceiver(*maps) for maps in zip(features.split(1), positions.split(1), strict=True)
        ]
        tokens, token_positions = zip(*compressed, strict=True)
        return torch.cat(tokens), torch.cat(token_positions)

    def attend(
        self, attention: Any, query: tuple[Tensor, Tensor], memory: tuple[Tensor, Tensor], pointers: int, frames: int
    ) -> Tensor:
        """Call the memory attention, which rotates the keys of each frame's placed tokens."""
        attended: Tensor = attention(query[0], memory[0], query[1], memory[1], pointers, frames)
        return attended


VARIANTS: dict[str, Variant] = {variant.model_type: variant for variant in (Sam2(), EdgeTam())}
"""By the ``model_type`` of their configuration."""

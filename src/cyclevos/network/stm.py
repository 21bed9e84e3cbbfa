"""The space-time memory network: two encoders, memory read, decoder."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.masks import soft_aggregation
from cyclevos.network.decoder import Decoder
from cyclevos.network.memory_read import memory_read
from cyclevos.network.object_chunks import ObjectChunks
from cyclevos.network.spec import NetworkSpec
from cyclevos.network.trunks import Trunk

# Shapes: B frames, K object slots, O objects present over all frames (the True cells of a (B,K) table,
# in row order), Ck Cv key and value channels, H W pixels, h w cells at stride 16, N memory cells.

_SHARPNESS = 24.0  # of a fresh cosine read: ImageNet features then vote with about ten cells per frame
_SHORTCUT_CELLS = 4  # a side: the mask shortcut sees a cell's mask at stride 4


class QueryFeatures(NamedTuple):
    """What a frame asks with, and what decoding it needs.

    Attributes:
        key: (B,Ck,h,w).
        prepared: the decoder's object-independent maps at strides 16, 8, 4.
        size: (H, W) of the frame before padding.
    """

    key: Tensor
    prepared: tuple[Tensor, Tensor, Tensor]
    size: tuple[int, int]

    def select(self, rows: slice | Tensor) -> QueryFeatures:
        """Return the features of some of the frames."""
        if isinstance(rows, Tensor) and torch.equal(rows, torch.arange(len(self.key), device=rows.device)):
            return self  # one object per frame: nothing to gather
        a, b, c = self.prepared
        if isinstance(rows, Tensor) and len(self.key) == 1:  # all of the one frame: a view will do
            n = len(rows)
            maps = a.expand(n, -1, -1, -1), b.expand(n, -1, -1, -1), c.expand(n, -1, -1, -1)
            return QueryFeatures(self.key.expand(n, -1, -1, -1), maps, self.size)
        return QueryFeatures(self.key[rows], (a[rows], b[rows], c[rows]), self.size)


class MemoryFeatures(NamedTuple):
    """What is remembered of each object in one frame.

    Attributes:
        key: (O,Ck,h,w).
        value: (O,Cv,h,w).
    """

    key: Tensor
    value: Tensor

    def select(self, rows: Tensor) -> MemoryFeatures:
        """Return the features of some of the objects."""
        return MemoryFeatures(self.key[rows], self.value[rows])


class SpaceTimeMemoryNetwork(nn.Module):
    """STM (Oh et al., ICCV 2019) over any timm trunk.

    Args:
        spec: what the network is made of.

    Attributes:
        chunks: how many objects it takes at a time; ``chunks.at_once = 4`` bounds its memory.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.chunks = ObjectChunks()
        self.query_encoder = Trunk(spec.trunk)
        self.memory_encoder = Trunk(spec.trunk, in_chans=5)
        skip4, skip8, deepest = self.query_encoder.channels
        self.query_key = nn.Conv2d(deepest, spec.key_dim, 3, padding=1)
        self.query_value = nn.Conv2d(deepest, spec.value_dim, 3, padding=1)
        self.memory_key = nn.Conv2d(deepest, spec.key_dim, 3, padding=1)
        self.memory_value = nn.Conv2d(deepest, spec.value_dim, 3, padding=1)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(_SHARPNESS))) if spec.similarity == "cosine" else None
        if self.log_sharpness is not None:
            _start_as_correspondence(self.query_key, self.memory_key)
        self.mask_value: nn.Conv2d | None = None
        if spec.mask_shortcut:
            self.mask_value = nn.Conv2d(2 * _SHORTCUT_CELLS**2, spec.value_dim, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(self.mask_value.weight)
        self.decoder = Decoder(spec.value_dim, (skip4, skip8), spec.decoder_dim)
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)

    def encode_query(self, frames: Tensor) -> QueryFeatures:
        """Encode frames that are to be segmented.

        Args:
            frames: RGB (B,3,H,W) in [0, 1].
        """
        images = self._normalise(_pad(frames, self.spec.pad_multiple))
        f4, f8, f16 = self.query_encoder(images)
        prepared = self.decoder.prepare(self.query_value(f16), f8, f4)
        return QueryFeatures(self._key(self.query_key(f16)), prepared, _size(frames))

    def prepare_memory(self, frames: Tensor) -> Tensor:
        """Encode what remembering a frame does not owe to its masks.

        Args:
            frames: RGB (B,3,H,W) in [0, 1].

        Returns:
            The ``prepared`` of :meth:`encode_memory`, (B,C,h,w).
        """
        return self.memory_encoder.prepare(self._normalise(_pad(frames, self.spec.pad_multiple)))

    def encode_memory(self, prepared: Tensor, probabilities: Tensor, present: Tensor) -> MemoryFeatures:
        """Encode frames with their masks, once per object.

        Args:
            prepared: what :meth:`prepare_memory` made of the frames, (B,C,h,w).
            probabilities: soft masks (B,K+1,H,W), channel 0 the background.
            present: bool (B,K), which slots hold an object to remember.
        """
        owner = present.nonzero()[:, 0]  # (O,)
        foreground = probabilities[:, 1:]
        if len(owner) == present.numel():
            own = foreground.flatten(0, 1)[:, None]  # (O,1,H,W)
        else:
            foreground = foreground * present[..., None, None]
            own = foreground[present][:, None]
        if self.spec.second_mask == "others":
            second = (foreground.sum(dim=1)[owner][:, None] - own).clamp(0, 1)
        else:
            second = 1 - own
        masks = _pad(torch.cat([own, second], dim=1), self.spec.pad_multiple).to(prepared.dtype)
        images = prepared.expand(len(owner), -1, -1, -1) if len(prepared) == 1 else prepared[owner]

        def encode(rows: slice) -> tuple[Tensor, Tensor]:
            f16 = self.memory_encoder.with_masks(images[rows], masks[rows])
            value = self.memory_value(f16)
            if self.mask_value is not None:
                h, w = _size(value)
                fine = F.adaptive_avg_pool2d(masks[rows], (_SHORTCUT_CELLS * h, _SHORTCUT_CELLS * w))
                value = value + self.mask_value(F.pixel_unshuffle(fine, _SHORTCUT_CELLS))
            return self._key(self.memory_key(f16)), value

        return MemoryFeatures(*self.chunks.run(encode, len(owner), math.prod(_size(masks)), masks.device))

    def segment(
        self,
        query: QueryFeatures,
        memory_key: Tensor,
        memory_value: Tensor,
        present: Tensor,
        known: Tensor | None = None,
    ) -> Tensor:
        """Segment frames from their memories.

        Args:
            query: features of B frames.
            memory_key: (O,Ck,N) over all memory cells of each object.
            memory_value: (O,Cv,N).
            present: bool (B,K), which slots the O objects fill.
            known: bool (O,N), the cells each object may read; None = all.

        Returns:
            Logits (B,K+1,H,W), float32; empty slots get a logit of about -16.
        """
        owner = present.nonzero()[:, 0]
        height, width = (_padded_length(n, self.spec.pad_multiple) for n in query.size)

        def decode(rows: slice) -> tuple[Tensor]:
            asked = query.select(owner[rows])
            seen = None if known is None else known[rows]
            read = memory_read(memory_key[rows], memory_value[rows], asked.key.flatten(2), seen)
            return (self.decoder(read.unflatten(2, asked.key.shape[-2:]), asked.prepared, (height, width)),)

        (difference,) = self.chunks.run(decode, len(owner), height * width, memory_key.device)  # (O,H,W)
        difference = _crop(difference, query.size)
        foreground = difference.sigmoid()
        if len(owner) == present.numel():
            return soft_aggregation(foreground.unflatten(0, present.shape))
        nobody = difference.new_zeros(*present.shape, *query.size)
        return soft_aggregation(nobody.masked_scatter(present[..., None, None], foreground))

    def _key(self, key: Tensor) -> Tensor:
        """Scale a cosine network's keys (B,Ck,h,w) to where the memory read gives sharpness times cosine."""
        if self.log_sharpness is None:
            return key
        exact = torch.promote_types(key.dtype, torch.float32)
        length = (0.5 * self.log_sharpness.to(exact)).exp() * self.spec.key_dim**0.25
        scaled: Tensor = F.normalize(key.to(exact), dim=1) * length
        return scaled.to(key.dtype)

    def _normalise(self, frames: Tensor) -> Tensor:
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (frames.to(mean.dtype) - mean) / std


def _start_as_correspondence(query_key: nn.Conv2d, memory_key: nn.Conv2d) -> None:
    """Let fresh keys compare blurred trunk features: equal on both sides, angles kept as far as Ck allows."""
    blur = torch.tensor([0.25, 0.5, 0.25])
    directions = nn.init.orthogonal_(torch.empty(query_key.out_channels, query_key.in_channels))
    with torch.no_grad():
        query_key.weight.copy_(directions[:, :, None, None] * blur[:, None] * blur)
        cast(Tensor, query_key.bias).zero_()
    memory_key.load_state_dict(query_key.state_dict())


def _size(images: Tensor) -> tuple[int, int]:
    return int(images.shape[-2]), int(images.shape[-1])


def _padded_length(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _pad(images: Tensor, multiple: int) -> Tensor:
    """Zero-pad symmetrically; the odd pixel goes to the bottom and right."""
    height, width = _size(images)
    extra_h = _padded_length(height, multiple) - height
    extra_w = _padded_length(width, multiple) - width
    if not extra_h and not extra_w:
        return images
    top, left = extra_h // 2, extra_w // 2
    return F.pad(images, (left, extra_w - left, top, extra_h - top))


def _crop(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo :func:`_pad` on (O,H,W)."""
    top, left = (maps.shape[-2] - size[0]) // 2, (maps.shape[-1] - size[1]) // 2
    return maps[:, top : top + size[0], left : left + size[1]]

"""The network for prompts: a look at the picture and maps of what was pointed at in, the logits of one object out.

The trunk sees the picture alone, so its features serve every prompt. The prompts join at strides 2 and 4, as disks and
filled maps beside an earlier mask (RITM, Sofiiuk et al., 2021), and all that depends on them is small.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.network.stm.trunks import Trunk
from cyclevos.prompts.spec import PromptSpec

# Shapes: B looks, S side of a look in pixels, C channels.

MAPS = 5
"""Prompt maps: disks on the object, disks beside it, the filled box, the earlier mask, and whether there is a box."""
_FINE = 16  # channels at stride 2, where every channel is dear
_COLOURS = 3
_CELL = 4  # pixels of a cell at stride 2
_HEADS = 4


class LookFeatures(NamedTuple):
    """Features of looks before anything is pointed at.

    Attributes:
        pixels: (B,12,S/2,S/2), the look's own pixels, 2x2 of them in each cell.
        maps: at strides 4, 8 and 16.
    """

    pixels: Tensor
    maps: tuple[Tensor, Tensor, Tensor]

    def select(self, rows: Tensor) -> LookFeatures:
        """Return the features of some of the looks."""
        a, b, c = (each[rows] for each in self.maps)
        return LookFeatures(self.pixels[rows], (a, b, c))


class PromptNetwork(nn.Module):
    """A trunk over the picture, and a decoder that joins its features with the prompts.

    Args:
        spec: the architecture.
    """

    def __init__(self, spec: PromptSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = Trunk(spec.trunk, context=spec.context)
        w4, w8, w16 = spec.widths
        self.scales = nn.ModuleList(nn.GroupNorm(1, channels) for channels in self.trunk.channels)
        self.lateral = nn.ModuleList(
            nn.Conv2d(channels, width, 1) for channels, width in zip(self.trunk.channels, spec.widths, strict=True)
        )
        self.enter2 = nn.Conv2d(_CELL * (_COLOURS + MAPS), _FINE, 3, padding=1)
        self.down4 = nn.Conv2d(_FINE, w4, 3, stride=2, padding=1)
        self.down8 = nn.Conv2d(w4, w8, 2, stride=2)
        self.down16 = nn.Conv2d(w8, w16, 2, stride=2)
        self.enter4, self.enter8 = Block(w4), Block(w8)
        self.deep = nn.ModuleList(AttentionBlock(w16) for _ in range(spec.blocks))
        self.position = nn.Parameter(torch.zeros(1, w16, spec.size // 16, spec.size // 16))
        self.up8, self.up4 = nn.Conv2d(w16, w8, 1), nn.Conv2d(w8, w4, 1)
        self.leave8 = Block(w8)
        self.leave4 = nn.Sequential(Block(w4), Block(w4))
        self.coarse = nn.Conv2d(w4, 1, 1)
        self.up2 = nn.Conv2d(w4, _FINE, 1)
        self.fine = nn.Conv2d(_FINE, _CELL, 3, padding=1)
        nn.init.trunc_normal_(self.position, std=0.02)
        nn.init.zeros_(self.fine.weight)
        nn.init.zeros_(cast(Tensor, self.fine.bias))
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)

    def encode(self, images: Tensor) -> LookFeatures:
        """Compute the features of looks.

        Args:
            images: (B,3,S,S) RGB in 0..1.
        """
        mean, std = cast(Tensor, self.mean), cast(Tensor, self.std)
        normal = (images - mean) / std
        return LookFeatures(F.pixel_unshuffle(normal, 2), self.trunk(normal))

    def segment(self, features: LookFeatures, maps: Tensor) -> Tensor:
        """Return the logits of the object pointed at.

        Args:
            features: of the looks.
            maps: (B,5,S,S) in 0..1, see `MAPS`.

        Returns:
            (B,1,S,S).
        """
        f4, f8, f16 = (
            lateral(scale(each)) for each, scale, lateral in zip(features.maps, self.scales, self.lateral, strict=True)
        )
        x2 = self.enter2(torch.cat([features.pixels, F.pixel_unshuffle(maps, 2)], dim=1))  # (B,16,S/2,S/2)
        x4 = self.enter4(f4 + self.down4(F.gelu(x2)))
        x8 = self.enter8(f8 + self.down8(x4))
        x16 = f16 + self.down16(x8) + self._positions(f16)
        for block in self.deep:
            x16 = block(x16)
        x8 = self.leave8(x8 + _doubled(self.up8(x16)))
        x4 = self.leave4(x4 + _doubled(self.up4(x8)))
        coarse = F.interpolate(self.coarse(x4), scale_factor=4.0, mode="bilinear", align_corners=False)
        detail: Tensor = self.fine(F.gelu(x2 + _doubled(self.up2(x4))))  # (B,4,S/2,S/2)
        return coarse + F.pixel_shuffle(detail, 2)

    def _positions(self, like: Tensor) -> Tensor:
        """Return the learned positions for a look of any size."""
        if like.shape[-2:] == self.position.shape[-2:]:
            return self.position
        return F.interpolate(self.position, size=like.shape[-2:], mode="bilinear", align_corners=False)

    def at_size(self, size: int) -> PromptNetwork:
        """Return a network with copies of these weights for looks of another size; its positions are interpolated.

        Args:
            size: S, a multiple of 16.
        """
        other = PromptNetwork(self.spec.model_copy(update={"size": size}))
        state = self.state_dict()
        other.load_state_dict({**state, "position": self._positions(other.position)})
        return other

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        """Return logits (B,1,S,S) of looks (B,3,S,S) in 0..1 with prompt maps (B,5,S,S)."""
        return self.segment(self.encode(images), maps)


class Block(nn.Module):
    """A residual block: a 7x7 convolution per channel, then channels mixed (ConvNeXt, Liu et al., 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.widen, self.narrow = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(3 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape, (B,C,H,W)."""
        mixed: Tensor = self.narrow(F.gelu(self.widen(self.norm(self.spatial(x)))))
        return x + mixed


class AttentionBlock(nn.Module):
    """Self-attention over all cells of a look, then a :class:`Block`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.project = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.block = Block(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape, (B,C,h,w)."""
        b, c, h, w = x.shape
        q, k, v = (
            each.reshape(b, _HEADS, c // _HEADS, h * w).transpose(2, 3)  # (B,heads,hw,C/heads)
            for each in self.project(self.norm(x)).chunk(3, dim=1)
        )
        read = F.scaled_dot_product_attention(q, k, v)
        read = read.transpose(2, 3).reshape(b, c, h, w)
        mixed: Tensor = self.block(x + self.out(read))
        return mixed


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

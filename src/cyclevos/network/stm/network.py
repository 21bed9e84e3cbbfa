"""The space-time memory network: two encoders, memory read, decoder."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.geometry import pad_to_multiple, padded_length, without_padding
from cyclevos.masks import soft_aggregation
from cyclevos.network.object_chunks import ObjectChunks
from cyclevos.network.protocol import MemoryNetwork, Segmentation, State
from cyclevos.network.stm.decoder import Decoder
from cyclevos.network.stm.features import MemoryCells, MemoryFeatures, MemoryInput, QueryFeatures
from cyclevos.network.stm.memory import CellMemory
from cyclevos.network.stm.memory_read import ReadKernel, memory_read
from cyclevos.network.stm.spec import NetworkSpec
from cyclevos.network.stm.trunks import LateTrunk, Trunk
from cyclevos.network.traits import MemoryPolicy, NetworkTraits

# Shapes: B frames, K object slots, O objects present over all frames (the True cells of a (B,K) table,
# in row order), Ck Cv key and value channels, H W pixels, h w cells at stride 16, N memory cells.

_SHARPNESS = 24.0  # of an untrained cosine read: with ImageNet features, about ten cells per frame get most votes
_SHORTCUT_CELLS = 4  # per side: the mask shortcut gets a cell's mask at stride 4
_JOINING_CELLS = 2  # per side: masks that are added to features at stride 4 are taken at stride 2


class SpaceTimeMemoryNetwork(nn.Module, MemoryNetwork):
    """STM (Oh et al., ICCV 2019) over any timm trunk.

    Args:
        spec: the specification of the network.

    Attributes:
        chunks: how many objects are encoded and decoded at a time; ``chunks.at_once = 4`` limits the memory used.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.chunks = ObjectChunks()
        self.query_encoder = Trunk(spec.trunk, context=spec.context)
        self.memory_encoder = LateTrunk(spec.trunk) if spec.shared_encoder else Trunk(spec.trunk, in_chans=5)
        skip4, skip8, deepest = self.query_encoder.channels
        self.query_key = nn.Conv2d(deepest, spec.key_dim, 3, padding=1)
        self.query_value = nn.Conv2d(deepest, spec.value_dim, 3, padding=1)
        self.memory_key = None if spec.shared_encoder else nn.Conv2d(deepest, spec.key_dim, 3, padding=1)
        self.memory_value = nn.Conv2d(deepest, spec.value_dim, 3, padding=1)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(_SHARPNESS))) if spec.similarity == "cosine" else None
        if self.log_sharpness is not None:
            _start_as_correspondence(self.query_key, self.memory_key)
        self.join_masks: nn.Conv2d | None = None
        if spec.shared_encoder:
            self.join_masks = nn.Conv2d(2 * _JOINING_CELLS**2, skip4, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(self.join_masks.weight)
        self.mask_value: nn.Conv2d | None = None
        if spec.mask_shortcut:
            self.mask_value = nn.Conv2d(2 * _SHORTCUT_CELLS**2, spec.value_dim, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(self.mask_value.weight)
        self.decoder = Decoder(spec.value_dim, (skip4, skip8), spec.decoder_dim)
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)

    @property
    def traits(self) -> NetworkTraits:
        """Default size and memory policy."""
        return self.spec.traits

    def new_memory(self, policy: MemoryPolicy) -> CellMemory:
        """Return an empty memory."""
        return CellMemory(policy.max_frames, shared_key=self.spec.shared_encoder)

    def encode_query(self, frames: Tensor) -> QueryFeatures:
        """Encode frames that are to be segmented.

        Args:
            frames: RGB (B,3,H,W) in [0, 1].

        Returns:
            Their features, of the network's dtype.
        """
        images = self._normalise(pad_to_multiple(frames, self.spec.pad_multiple))
        f4, f8, f16 = self.query_encoder(images)
        prepared = self.decoder.prepare(self.query_value(f16), f8, f4)
        shallow = f4 if self.spec.shared_encoder else None
        return QueryFeatures(self._key(self.query_key(f16)), prepared, _size(frames), shallow)

    def prepare_memory(self, frames: Tensor, query: QueryFeatures | None = None) -> MemoryInput:
        """Encode the mask-independent memory features of frames.

        Args:
            frames: RGB (B,3,H,W) in [0, 1].
            query: their query features, if available; a network that shares its encoder needs nothing else.

        Returns:
            The ``prepared`` of :meth:`encode_memory`.
        """
        if self.spec.shared_encoder:
            query = self.encode_query(frames) if query is None else query
            return MemoryInput(cast(Tensor, query.shallow), query.key)
        return MemoryInput(
            self.memory_encoder.prepare(self._normalise(pad_to_multiple(frames, self.spec.pad_multiple)))
        )

    def encode_memory(
        self,
        prepared: MemoryInput,
        probabilities: Tensor,
        present: Tensor,
        said: Segmentation | None = None,
        own: Tensor | None = None,
    ) -> MemoryFeatures:
        """Encode frames with their masks, once per object.

        Args:
            prepared: mask-independent features of the frames, from :meth:`prepare_memory`.
            probabilities: soft masks (B,K+1,H,W), channel 0 the background.
            present: bool (B,K), which slots hold an object to remember; best on the host, where reading it waits
                for no device.
            said: not used.
            own: not used.
        """
        owner = present.nonzero()[:, 0]  # (O,)
        foreground = probabilities[:, 1:]
        if len(owner) == present.numel():
            own = foreground.flatten(0, 1)[:, None]  # (O,1,H,W)
        else:
            foreground = foreground * present[..., None, None].to(foreground.device, non_blocking=True)
            own = foreground[present][:, None]
        if self.spec.second_mask == "others":
            second = (_of_owners(foreground.sum(dim=1, keepdim=True), owner) - own).clamp(0, 1)
        else:
            second = (1 - own).clamp(0, 1)  # outside of [0, 1] only during corrections, as in the release
        masks = pad_to_multiple(torch.cat([own, second], dim=1), self.spec.pad_multiple).to(prepared.images.dtype)
        images = _of_owners(prepared.images, owner)

        def encode(rows: slice) -> tuple[Tensor, ...]:
            if self.join_masks is None:
                f16 = self.memory_encoder.with_masks(images[rows], masks[rows])
            else:
                joined = images[rows] + self.join_masks(_in_cells(masks[rows], _size(images), _JOINING_CELLS))
                f16 = cast(LateTrunk, self.memory_encoder).late(joined)
            value = self.memory_value(f16)
            if self.mask_value is not None:
                value = value + self.mask_value(_in_cells(masks[rows], _size(value), _SHORTCUT_CELLS))
            return (value,) if self.memory_key is None else (value, self._key(self.memory_key(f16)))

        value, *own_key = self.chunks.run(encode, len(owner), math.prod(_size(masks)), masks.device)
        key = own_key[0] if own_key else _of_owners(cast(Tensor, prepared.key), owner)
        return MemoryFeatures(key, value)

    def segment(
        self,
        query: QueryFeatures,
        memory: MemoryCells,
        present: Tensor,
        state: State | None = None,
    ) -> Segmentation:
        """Segment frames from their memories.

        Args:
            query: features of B frames.
            memory: all memory cells of each object.
            present: bool (B,K), which slots the O objects fill; best on the host, see :meth:`encode_memory`.
            state: not used.

        Returns:
            Logits (B,K+1,H,W), float32; empty slots get a logit of about -16.
        """
        memory_key, memory_value, known = memory
        owner = present.nonzero()[:, 0]
        height, width = (padded_length(n, self.spec.pad_multiple) for n in query.size)
        sigma = self.spec.read_sigma
        kernel = None if sigma is None else ReadKernel(sigma, _size(query.key))
        read_at_once = None
        shared_keys = memory_key.stride(0) == 0
        if shared_keys and (known is None or not memory_key.is_cuda):  # less work for all objects than for each
            read_at_once = memory_read(memory_key, memory_value, query.select(owner).key.flatten(2), known, kernel)

        def decode(rows: slice) -> tuple[Tensor]:
            asked = query.select(owner[rows])
            if read_at_once is None:
                seen = None if known is None else known[rows]
                read = memory_read(memory_key[rows], memory_value[rows], asked.key.flatten(2), seen, kernel)
            else:
                read = read_at_once[rows]
            return (self.decoder(read.unflatten(2, asked.key.shape[-2:]), asked.prepared, (height, width)),)

        (difference,) = self.chunks.run(decode, len(owner), height * width, memory_key.device)  # (O,H,W)
        difference = without_padding(difference, query.size)
        foreground = difference.sigmoid()
        if len(owner) == present.numel():
            return Segmentation(soft_aggregation(foreground.unflatten(0, present.shape)))
        absent = difference.new_zeros(*present.shape, *query.size)
        slots = present[..., None, None].to(foreground.device, non_blocking=True)
        return Segmentation(soft_aggregation(absent.masked_scatter(slots, foreground)))

    def _key(self, key: Tensor) -> Tensor:
        """Scale a cosine network's keys (B,Ck,h,w) so that the memory read computes sharpness times cosine."""
        if self.log_sharpness is None:
            return key
        exact = torch.promote_types(key.dtype, torch.float32)
        length = (0.5 * self.log_sharpness.to(exact)).exp() * self.spec.key_dim**0.25
        scaled: Tensor = F.normalize(key.to(exact), dim=1) * length
        return scaled.to(key.dtype)

    def _normalise(self, frames: Tensor) -> Tensor:
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (frames.to(mean.dtype) - mean) / std


def _start_as_correspondence(query_key: nn.Conv2d, memory_key: nn.Conv2d | None) -> None:
    """Initialise keys to compare blurred trunk features: the same on both sides, keeping angles as far as Ck allows."""
    blur = torch.tensor([0.25, 0.5, 0.25])
    directions = nn.init.orthogonal_(torch.empty(query_key.out_channels, query_key.in_channels))
    with torch.no_grad():
        query_key.weight.copy_(directions[:, :, None, None] * blur[:, None] * blur)
        cast(Tensor, query_key.bias).zero_()
    if memory_key is not None:
        memory_key.load_state_dict(query_key.state_dict())


def _of_owners(maps: Tensor, owner: Tensor) -> Tensor:
    """Gather each object's frame: (B,C,h,w) to (O,C,h,w), a view if there is one frame."""
    return maps.expand(len(owner), -1, -1, -1) if len(maps) == 1 else maps[owner]


def _in_cells(masks: Tensor, cells: tuple[int, int], side: int) -> Tensor:
    """Give each cell the mean of side x side parts of its masks: (O,C,H,W) to (O,C*side*side,h,w)."""
    h, w = side * cells[0], side * cells[1]
    while masks.shape[-2] % (2 * h) == 0 and masks.shape[-1] % (2 * w) == 0:
        masks = F.interpolate(masks, scale_factor=0.5, mode="bilinear")  # the mean of 2 x 2, faster than pooling
    if _size(masks) != (h, w):
        masks = F.adaptive_avg_pool2d(masks, (h, w))
    return F.pixel_unshuffle(masks, side)


def _size(images: Tensor) -> tuple[int, int]:
    return int(images.shape[-2]), int(images.shape[-1])

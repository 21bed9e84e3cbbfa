"""The specification of a network, which is stored with its weights."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cyclevos.network.traits import CloserLook, NetworkTraits

SecondMaskChannel = Literal["others", "background"]
Similarity = Literal["dot", "cosine"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_CLOSER = CloserLook(length=96, most=1.5)  # measured with the weights of ``default``, in docs/results/size.md


class NetworkSpec(BaseModel):
    """Architecture and run-time settings of a space-time memory network.

    The specification is stored in the weights file, so the file alone determines how it has to be run.

    Attributes:
        trunk: name of a timm model that offers features at strides 4, 8 and 16.
        key_dim: channels of the memory and query keys.
        value_dim: channels of the memory and query values.
        decoder_dim: channels inside the decoder.
        similarity: how keys are compared in the memory read: ``dot``, the product over the square root of
            ``key_dim`` (STM), or ``cosine``, the cosine times a learned sharpness.
        read_sigma: a memory cell's vote counts around the query cell that it matches best, weighted by a Gaussian of
            this standard deviation in cells (KMN); None = everywhere (STM). It may be changed after training.
        mask_shortcut: the memory value depends on the masks directly, not only through the trunk.
        shared_encoder: a frame is encoded once for all its objects: the memory key is the frame's query key, and the
            memory encoder starts from the query encoder's features at stride 4, where the masks are added. Otherwise,
            as in STM, the memory encoder starts from the pixels of frame and masks, with one key per object.
        context: the query encoder continues to stride 32, and those features are added to the ones at stride 16.
        second_mask: meaning of the memory encoder's second mask channel: ``others``, the sum of the other objects'
            masks (STM), or ``background``, one minus the object's own mask (the release of the cycle's authors).
        pad_multiple: frames are zero-padded symmetrically to a multiple of this; 1 means never.
        mean: RGB mean subtracted from frames in [0, 1].
        std: RGB standard deviation that frames are divided by.
        size: shorter side, in pixels, at which the weights work best; None = the frames' own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trunk: str = "tf_efficientnet_lite0"
    key_dim: int = Field(64, ge=1)
    value_dim: int = Field(256, ge=1)
    decoder_dim: int = Field(96, ge=1)
    similarity: Similarity = "dot"
    read_sigma: float | None = Field(None, gt=0)
    mask_shortcut: bool = False
    shared_encoder: bool = False
    context: bool = False
    second_mask: SecondMaskChannel = "others"
    pad_multiple: int = Field(16, ge=1)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    size: int | None = Field(None, ge=16)

    @property
    def traits(self) -> NetworkTraits:
        """What is known of the network before it is loaded; networks like ``default`` look closer at small objects."""
        return NetworkTraits("stm", self.size, closer=_CLOSER if self.shared_encoder else None)


_RESNET = {"key_dim": 128, "value_dim": 512, "decoder_dim": 256}

SPECS: dict[str, NetworkSpec] = {
    "default": NetworkSpec(
        similarity="cosine",
        read_sigma=7.0,
        mask_shortcut=True,
        shared_encoder=True,
        context=True,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    ),
    "stm-resnet50": NetworkSpec(trunk="resnet50", **_RESNET),
    "stm-cycle-resnet50": NetworkSpec(trunk="resnet50", second_mask="background", pad_multiple=1, size=240, **_RESNET),
    "stm-cycle-resnet18": NetworkSpec(trunk="resnet18", second_mask="background", pad_multiple=1, size=240, **_RESNET),
}
"""Specifications of the named networks."""

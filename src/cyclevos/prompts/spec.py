"""The specification of a prompt network, which is stored with its weights."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PromptSpec(BaseModel):
    """Architecture of a prompt network.

    Attributes:
        trunk: name of a timm model that offers features at strides 4, 8 and 16.
        context: the trunk goes on to stride 32, and those features are added to the ones at stride 16.
        size: side in pixels of the square look at the picture; a multiple of 16.
        widths: channels of the decoder at strides 4, 8 and 16.
        blocks: attention blocks at stride 16.
        mean: RGB mean subtracted from pixels in [0, 1].
        std: RGB standard deviation that they are divided by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trunk: str = "tf_efficientnet_lite0"
    context: bool = True
    size: int = Field(256, ge=64, multiple_of=16)
    widths: tuple[int, int, int] = (48, 80, 160)
    blocks: int = Field(3, ge=0)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

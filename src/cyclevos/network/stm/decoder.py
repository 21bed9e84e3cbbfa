"""The mask decoder: from the values read from memory to two logits per pixel, refined by the query's skips."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.network.stm.fused import Activation, convolve

# Shapes: B frames, O objects over all frames, C channels, H W pixels, h w cells at stride 16.


class ResidualBlock(nn.Module):
    """Pre-activation residual block without normalisation: x + conv(relu(conv(relu(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, activation: Activation | None = None) -> Tensor:
        """Map (B,C,H,W) to the same shape; apply the activation last, if any."""
        # Not in place: x is added below.
        inner = convolve(F.relu(x), self.conv1.weight, self.conv1.bias, padding=(1, 1), activation="relu")
        return convolve(inner, self.conv2.weight, self.conv2.bias, padding=(1, 1), plus=x, activation=activation)


class Refinement(nn.Module):
    """Adds a deeper map, doubled in size, to a shallower skip."""

    def __init__(self, skip_channels: int, channels: int) -> None:
        super().__init__()
        self.skip_convolution = nn.Conv2d(skip_channels, channels, 3, padding=1)
        self.skip_block = ResidualBlock(channels)
        self.merge_block = ResidualBlock(channels)

    def prepare(self, skip: Tensor) -> Tensor:
        """Compute the part that does not depend on any object: (B,Cs,H,W) to (B,C,H,W)."""
        prepared: Tensor = self.skip_block(self.skip_convolution(skip))
        return prepared

    def forward(self, prepared: Tensor, deeper: Tensor, activation: Activation | None = None) -> Tensor:
        """Merge a prepared skip (O,C,H,W) with a deeper map (O,C,h,w); apply the activation last, if any."""
        # Upsampling to the skip's size is a factor of two wherever the sizes are even.
        up = F.interpolate(deeper, size=prepared.shape[-2:], mode="bilinear", align_corners=False)
        merged: Tensor = self.merge_block(prepared + up, activation)
        return merged


class Decoder(nn.Module):
    """Decodes the read value and the query's own value into foreground logits.

    Args:
        value_dim: channels of the read value and of the query value, each.
        skip_channels: channels of the skips at strides 4 and 8.
        channels: channels inside the decoder.
    """

    def __init__(self, value_dim: int, skip_channels: tuple[int, int], channels: int) -> None:
        super().__init__()
        self.input_convolution = nn.Conv2d(2 * value_dim, channels, 3, padding=1)
        self.input_block = ResidualBlock(channels)
        self.refine8 = Refinement(skip_channels[1], channels)
        self.refine4 = Refinement(skip_channels[0], channels)
        self.prediction = nn.Conv2d(channels, 2, 3, padding=1)

    def prepare(self, query_value: Tensor, skip8: Tensor, skip4: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the parts of a frame that all its objects share.

        The input convolution is linear, so its half for the query value is computed here too.

        Args:
            query_value: (B,Cv,h,w).
            skip8: features at stride 8.
            skip4: features at stride 4.

        Returns:
            The shared parts at strides 16, 8 and 4, each with the decoder's channels.
        """
        half = query_value.shape[1]
        weight = self.input_convolution.weight[:, half:]
        shared = F.conv2d(query_value, weight, self.input_convolution.bias, padding=1)
        return shared, self.refine8.prepare(skip8), self.refine4.prepare(skip4)

    def forward(self, read_value: Tensor, prepared: tuple[Tensor, Tensor, Tensor], size: tuple[int, int]) -> Tensor:
        """Decode each object.

        Args:
            read_value: (O,Cv,h,w).
            prepared: what :meth:`prepare` returned, gathered per object (first dimension O).
            size: (H, W) of the network's input.

        Returns:
            Foreground minus background logit, (O,H,W), float32 or wider.
        """
        half = read_value.shape[1]
        x = prepared[0] + F.conv2d(read_value, self.input_convolution.weight[:, :half], padding=1)
        x = self.input_block(x)
        x = self.refine8(prepared[1], x)
        x = self.refine4(prepared[2], x, "relu")
        logits = self.prediction(x)  # (O,2,H/4,W/4)
        # A softmax over two channels is the sigmoid of their difference: upsample one map, not two.
        difference = logits[:, 1:] - logits[:, :1]
        if difference.dtype != torch.float64:  # kept in float64 for gradient checks
            difference = difference.float()
        return F.interpolate(difference, size=size, mode="bilinear", align_corners=False)[:, 0]

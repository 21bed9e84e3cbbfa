"""Convolutions fused with the operations that follow them, where oneDNN supports it."""

from __future__ import annotations

import platform
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Shapes: B images, C channels, H W pixels.

Activation = Literal["relu", "relu6"]

_ONEDNN = {None: ("none", []), "relu": ("relu", []), "relu6": ("hardtanh", [0.0, 6.0])}


def activation_name(module: nn.Module) -> Activation | None:
    """Return the name of an activation that :func:`convolve` can apply; None for any other module."""
    return "relu" if type(module) is nn.ReLU else "relu6" if type(module) is nn.ReLU6 else None


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...] = (1, 1),
    padding: tuple[int, ...] = (0, 0),
    dilation: tuple[int, ...] = (1, 1),
    groups: int = 1,
    *,
    activation: Activation | None = None,
    plus: Tensor | None = None,
) -> Tensor:
    """Convolve, add and activate.

    Args:
        x: (B,C,H,W).
        weight: as for ``torch.nn.functional.conv2d``, like the next five.
        bias: added; None adds none.
        stride: down and across.
        padding: in pixels, with zeros.
        dilation: down and across.
        groups: of channels.
        activation: applied last.
        plus: a map of the result's shape, added before the activation; None adds none.
    """
    if _fusible(x, weight, plus):
        name, scalars = _ONEDNN[activation]
        geometry = list(padding), list(stride), list(dilation), groups
        onednn = torch.ops.mkldnn._convolution_pointwise
        if plus is None:
            y: Tensor = onednn(x, weight, bias, *geometry, name, scalars, "")
            return y
        # In bfloat16, oneDNN refuses to activate in the same call for some shapes.
        return activate(onednn(x, plus, weight, bias, *geometry, "add", None, None, [], None), activation)
    y = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    return activate(y if plus is None else y + plus, activation)


def activate(fresh: Tensor, activation: Activation | None) -> Tensor:
    """Activate a new tensor in place; nothing else may refer to it."""
    if activation is None:
        return fresh
    return F.relu(fresh, inplace=True) if activation == "relu" else F.relu6(fresh, inplace=True)


def _fusible(x: Tensor, weight: Tensor, plus: Tensor | None) -> bool:
    """Return whether oneDNN's own convolution can be used: on a CPU, without gradients or autocast."""
    if x.device.type != "cpu" or x.dtype != weight.dtype or x.dtype not in _onednn_dtypes() or not x.numel():
        return False
    if torch.is_autocast_enabled("cpu") or (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)):
        return False
    # An added map with another layout or dtype would be copied or refused.
    return plus is None or (plus.dtype == x.dtype and plus.shape == x.shape and plus.stride() == x.stride())


@cache
def _onednn_dtypes() -> tuple[torch.dtype, ...]:
    onednn = torch.ops.mkldnn  # the operators that torch.compile uses for fused convolutions
    known = hasattr(onednn, "_convolution_pointwise") and hasattr(onednn, "_is_mkldnn_bf16_supported")
    if not known or not torch.backends.mkldnn.is_available() or platform.machine() not in ("x86_64", "AMD64"):
        return ()
    return (torch.float32, torch.bfloat16) if onednn._is_mkldnn_bf16_supported() else (torch.float32,)

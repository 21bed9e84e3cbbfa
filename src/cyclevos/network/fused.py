"""Convolutions together with what follows them, in one pass over memory where oneDNN can do that."""

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
    """Name a module that :func:`convolve` can do as well; None for any other."""
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
    """Convolve, add, activate.

    Args:
        x: (B,C,H,W).
        weight: as for ``torch.nn.functional.conv2d``, like the next five.
        bias: added, if there is one.
        stride: down and across.
        padding: in pixels, with zeros.
        dilation: down and across.
        groups: of channels.
        activation: applied last.
        plus: of the result's shape, added before the activation.
    """
    if _fusible(x, weight, plus):
        name, scalars = _ONEDNN[activation]
        geometry = list(padding), list(stride), list(dilation), groups
        onednn = torch.ops.mkldnn._convolution_pointwise
        if plus is None:
            y: Tensor = onednn(x, weight, bias, *geometry, name, scalars, "")
            return y
        # Activating in the same call is refused for some shapes in bfloat16.
        return activate(onednn(x, plus, weight, bias, *geometry, "add", None, None, [], None), activation)
    y = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    return activate(y if plus is None else y + plus, activation)


def activate(fresh: Tensor, activation: Activation | None) -> Tensor:
    """Activate, in place, what nobody else holds."""
    if activation is None:
        return fresh
    return F.relu(fresh, inplace=True) if activation == "relu" else F.relu6(fresh, inplace=True)


def _fusible(x: Tensor, weight: Tensor, plus: Tensor | None) -> bool:
    """Whether oneDNN's own convolution serves: on a CPU, where nothing is differentiated or cast."""
    if x.device.type != "cpu" or x.dtype != weight.dtype or x.dtype not in _onednn_dtypes() or not x.numel():
        return False
    if torch.is_autocast_enabled("cpu") or (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)):
        return False
    # An added map of another layout or type would be copied, or refused.
    return plus is None or (plus.dtype == x.dtype and plus.shape == x.shape and plus.stride() == x.stride())


@cache
def _onednn_dtypes() -> tuple[torch.dtype, ...]:
    onednn = torch.ops.mkldnn  # what torch.compile fuses convolutions with, too
    known = hasattr(onednn, "_convolution_pointwise") and hasattr(onednn, "_is_mkldnn_bf16_supported")
    if not known or not torch.backends.mkldnn.is_available() or platform.machine() not in ("x86_64", "AMD64"):
        return ()
    return (torch.float32, torch.bfloat16) if onednn._is_mkldnn_bf16_supported() else (torch.float32,)

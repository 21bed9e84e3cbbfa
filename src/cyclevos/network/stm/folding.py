"""Batch norm folded into the weights of the convolution before it: same function, fewer passes over memory."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import get_same_padding, pad_same
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from cyclevos.network.stm.fused import Activation, activate, activation_name, convolve

# Shapes: B images, C channels, H W pixels.


def fold_batch_norm(model: nn.Module, in_chans: int) -> FoldedConvolution | None:
    """Fold each batch norm of a trunk, whose statistics are frozen, into the convolution before it.

    One forward pass finds out which norm follows which convolution. Parameters and buffers keep their names, values
    and gradients. With gradients, every pass folds again, which costs little as weights are small compared with
    feature maps, so training works as before.

    Args:
        model: its batch norms are in evaluation mode.
        in_chans: input channels.

    Returns:
        The convolution that the model's input goes into, if it was folded.
    """
    probe = torch.zeros(1, in_chans, 64, 64, device=next(model.parameters()).device)
    first: list[nn.Module] = []
    made_by: dict[int, nn.Conv2d] = {}
    followed: dict[nn.Conv2d, _BatchNorm] = {}
    kept: list[Tensor] = []  # kept alive, so that no other tensor gets the same id

    def after_convolution(module: nn.Conv2d, args: tuple[Tensor, ...], output: Tensor) -> None:
        if args[0] is probe:
            first.append(module)
        made_by[id(output)] = module
        kept.append(output)

    def before_norm(module: _BatchNorm, args: tuple[Tensor, ...]) -> None:
        if id(args[0]) in made_by:
            followed[made_by[id(args[0])]] = module

    hooks = [m.register_forward_hook(after_convolution) for m in model.modules() if isinstance(m, nn.Conv2d)]
    hooks += [m.register_forward_pre_hook(before_norm) for m in model.modules() if isinstance(m, _BatchNorm)]
    training = model.training
    with torch.no_grad():
        model.eval()(probe)
    model.train(training)
    for hook in hooks:
        hook.remove()
    stem: FoldedConvolution | None = None
    for convolution, norm in followed.items():
        foldable = norm.affine and norm.track_running_stats and isinstance(convolution.padding, tuple)
        if convolution.bias is None and foldable and type(convolution) in (nn.Conv2d, Conv2dSame):
            folded = FoldedNorm(norm)
            _replace(model, norm, folded)
            both = FoldedConvolution(convolution, folded)
            _replace(model, convolution, both)
            if first == [convolution]:
                stem = both
    return stem


class FoldedNorm(nn.Module):
    """Holds a folded batch norm's tensors and activation under their names; computes nothing itself.

    Args:
        norm: the batch norm that this replaces; its tensors are taken over.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        self.weight, self.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        self.act = getattr(norm, "act", nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """Return (B,C,H,W) unchanged: it is normalised and activated already."""
        return x


class FoldedConvolution(nn.Module):
    """A convolution without bias, the batch norm after it and its activation, as one convolution.

    Args:
        convolution: its weight is taken over under the same name.
        norm: the norm that follows; it keeps its tensors.
    """

    def __init__(self, convolution: nn.Conv2d, norm: FoldedNorm) -> None:
        super().__init__()
        self.weight = convolution.weight
        self.stride, self.dilation, self.groups = convolution.stride, convolution.dilation, convolution.groups
        self.same = isinstance(convolution, Conv2dSame)  # TensorFlow's padding depends on the input's size
        self.padding = (0, 0) if self.same else convolution.padding
        self._norm = (norm,)  # in a tuple, so that its tensors are not registered here a second time
        self._kept: tuple[list[object], tuple[Tensor, Tensor]] | None = None  # state of the tensors, folded weights

    def forward(self, x: Tensor | SplitInput) -> Tensor:
        """Convolve, normalise and activate (B,C,H,W)."""
        weight, bias = self._folded()
        act = self._norm[0].act
        if isinstance(x, SplitInput):
            rest = self._convolve(x.others, weight[:, -x.others.shape[1] :], bias)
            activated: Tensor = act(x.convolved + rest)
            return activated
        name = activation_name(act)
        activated = self._convolve(x, weight, bias, name)
        return activated if name is not None else act(activated)

    def convolve_first(self, x: Tensor) -> Tensor:
        """Convolve the first channels alone: the ``convolved`` of a :class:`SplitInput`."""
        weight, _ = self._folded()
        return self._convolve(x, weight[:, : x.shape[1]], None)

    def _folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias, kept from the last pass unless a tensor has changed or requires a gradient.

        Torch does not count a write through ``.data`` as a change: write under ``torch.no_grad()`` instead.
        """
        norm = self._norm[0]
        tensors = (self.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
        if any(t.requires_grad and torch.is_grad_enabled() for t in tensors):
            self._kept = None  # an optimiser steps next, and fused ones leave no trace in the tensors' versions
            return self._fold()
        if torch.is_inference_mode_enabled() or any(t.is_inference() for t in tensors):
            return self._fold()  # tensors created there cannot be used for gradients later
        state: list[object] = [(t.data_ptr(), t._version, t.dtype, t.device) for t in tensors]
        if self._kept is None or self._kept[0] != state:
            self._kept = state, self._fold()
        return self._kept[1]

    def _fold(self) -> tuple[Tensor, Tensor]:
        norm, dtype = self._norm[0], self.weight.dtype
        exact = torch.promote_types(dtype, torch.float32)  # half precision would be rounded twice
        scale = norm.weight.to(exact) * (norm.running_var.to(exact) + norm.eps).rsqrt()
        bias = norm.bias.to(exact) - norm.running_mean.to(exact) * scale
        weight = self.weight.to(exact) * scale[:, None, None, None]
        return weight.to(dtype), bias.to(dtype)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation | None = None) -> Tensor:
        padding = cast(tuple[int, ...], self.padding)
        if self.same:
            x, weight, padding = self._pad(x, weight)
        if self.groups > 1 and x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.requires_grad:
            y: Tensor = _DepthwiseOnCpu.apply(x, weight, bias, self.stride, padding, self.dilation, self.groups)
            return activate(y, activation)
        return convolve(x, weight, bias, self.stride, padding, self.dilation, self.groups, activation=activation)

    def _pad(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        """Pad as TensorFlow does, possibly by one more pixel at the bottom and right: (input, weight, padding).

        A kernel with zeros before its first row and column does the same without a copy of the map. That pays off if
        each pixel takes few products and no gradient is needed.
        """
        kernel = weight.shape[-2:]
        if torch.is_grad_enabled() or self.groups == 1 or self.dilation != (1, 1):
            return pad_same(x, list(kernel), list(self.stride), list(self.dilation)), weight, (0, 0)
        below, right = (
            get_same_padding(length, k, stride, 1)
            for length, k, stride in zip(x.shape[-2:], kernel, self.stride, strict=True)
        )
        weight = F.pad(weight, (right % 2, 0, below % 2, 0))
        return x, weight, (below - below // 2, right - right // 2)


class _DepthwiseOnCpu(torch.autograd.Function):
    """A grouped bfloat16 convolution with a backward pass in float32, up to 90 times faster for strided ones."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bias = None if bias is None else [len(bias)]
        ctx.geometry = list(stride), list(padding), list(dilation), False, [0, 0], groups
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        exact = torch.ops.aten.convolution_backward(
            gradients[0].float(), x.float(), weight.float(), ctx.bias, *ctx.geometry, ctx.needs_input_grad[:3]
        )
        halves = (None if gradient is None else gradient.to(x.dtype) for gradient in exact)
        return (*halves, None, None, None, None)


class SplitInput(NamedTuple):
    """Input of a first convolution, some channels of which have been convolved already.

    Attributes:
        convolved: the result of :meth:`FoldedConvolution.convolve_first` for the first channels, (B,C,h,w).
        others: the remaining channels, (B,c,H,W).
    """

    convolved: Tensor
    others: Tensor


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for name, module in model.named_modules():
        if module is old:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, new)
            return

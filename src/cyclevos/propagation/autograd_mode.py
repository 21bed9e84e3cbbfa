"""The autograd mode that the loop works in, whatever mode its caller is in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

from cyclevos.errors import ConfigError
from cyclevos.network.protocol import MemoryNetwork

_P = ParamSpec("_P")
_R = TypeVar("_R")


def without_gradients(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function compute without gradients, on ordinary tensors, even within ``torch.inference_mode``.

    What is made in inference mode can never be a part of a gradient, and later frames are corrected by what is kept of
    earlier ones.
    """

    @wraps(function)
    def compute(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    return compute


def require_gradients(network: MemoryNetwork) -> None:
    """Check that masks can get a gradient through a network.

    Raises:
        ConfigError: its parameters were made in ``torch.inference_mode``.
    """
    if any(parameter.is_inference() for parameter in network.parameters()):
        raise ConfigError(
            "The network was built within torch.inference_mode, so there are no gradients to correct masks with.",
            "Build it outside of torch.inference_mode, or use cyclevos.load_network, which may be called anywhere.",
        )

"""Loading a prompter by name, file, folder or hub address."""

from __future__ import annotations

import logging
import pkgutil
from pathlib import Path
from typing import Protocol, cast

import torch

from cyclevos.network.locating import fetch, locate
from cyclevos.network.registry import PROMPTER
from cyclevos.network.weights import ordinary_tensors, resolve_device, resolve_dtype
from cyclevos.prompts.looking import LookingPrompter
from cyclevos.prompts.prompter import Prompter
from cyclevos.prompts.weights import load_prompt_network

logger = logging.getLogger(__name__)


class PrompterLoader(Protocol):
    """Loads the weights of a family as a prompter; families name one by its address, ``MODULE:FUNCTION``."""

    def __call__(self, path: Path, name: str, device: torch.device, dtype: torch.dtype) -> Prompter:
        """Load a prompter.

        Args:
            path: file or folder of the family's weights.
            name: what the user has given, which becomes :attr:`Prompter.name`.
            device: where it runs.
            dtype: in which it computes what takes long.

        Raises:
            WeightsError: the file holds other weights, or its tensors do not match.
        """
        ...


def load_prompter(
    name: str | Path = "default", *, device: str | torch.device = "auto", dtype: str | torch.dtype = "auto"
) -> Prompter:
    """Load a prompter with its weights, and fetch them first if they are not on this machine.

    Args:
        name: ``default`` or another prompter that ``cyclevos weights`` lists, such as ``sam2.1-tiny``; a file of
            ``cyclevos train prompt`` or a folder of SAM 2, which are recognised by their content; ``NAME=FILE``;
            ``hf://owner/repository``, ``@revision`` and ``/file`` may follow.
        device: ``auto`` (CUDA if available, else the CPU) or any torch device.
        dtype: ``auto`` (see :func:`cyclevos.network.weights.resolve_dtype`), ``float32``, ``bfloat16`` or ``float16``.

    Raises:
        WeightsError: the name or file is unknown, cannot be fetched, is no prompter's, or its tensors do not match.
        MissingExtraError: what the prompter needs is not installed; nothing has been downloaded.
        OutputError: what was fetched cannot be written.
        ConfigError: the device or the dtype is unknown, or the device cannot be used here.
    """
    place = resolve_device(device)
    kind = resolve_dtype(dtype, place)
    located = fetch(locate(name, PROMPTER))
    family = located.family()
    load = cast(PrompterLoader, pkgutil.resolve_name(cast(str, family.prompter)))
    with ordinary_tensors():
        prompter = load(located.on_disk(), located.address, place, kind)
    logger.info("loaded %s (%s)", located.path, family.name)
    return prompter


def prompter_file(name: str | Path) -> Path:
    """Return the file or folder that holds a prompter's weights, and fetch it first if it is not on this machine.

    Args:
        name: see :func:`load_prompter`.

    Raises:
        WeightsError: the name or file is unknown or cannot be fetched.
        MissingExtraError: what the prompter needs is not installed.
        OutputError: what was fetched cannot be written.
    """
    return fetch(locate(name, PROMPTER)).on_disk()


def load_looking_prompter(path: Path, name: str, device: torch.device, dtype: torch.dtype) -> Prompter:
    """Load a file of ``cyclevos train prompt``; see :class:`PrompterLoader`."""
    network = load_prompt_network(path)
    network.eval().requires_grad_(False)
    network.to(device, dtype).to(memory_format=torch.channels_last)
    return LookingPrompter(network, name)

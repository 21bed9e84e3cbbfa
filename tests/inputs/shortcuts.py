"""What most tests need not wait for: random weights of trunks, charts that nobody looks at, the disk.

The first two together were two thirds of a small run of `cyclevos segment`.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from cyclevos.files.atomic import output_errors, replacing
from cyclevos.jobs import review
from cyclevos.network.stm import family, trunks

_KEPT = 12  # trunks, of 20 MB and more


def remember_trunks(patched: pytest.MonkeyPatch) -> None:
    """Have trunks copied that were built before from the same random numbers, or whose weights a file replaces.

    timm builds each twice, once to ask for its strides.
    """
    known: OrderedDict[Hashable, tuple[nn.Module, torch.Tensor]] = OrderedDict()
    replaced = [False]  # whether a file's weights go over the random ones
    build, read = trunks._features_model, family.network_from_file

    def features_model(*arguments: Any) -> nn.Module:
        numbers = None if replaced[0] else torch.get_rng_state().numpy().tobytes()
        mode = torch.get_default_dtype(), torch.get_default_device(), torch.is_inference_mode_enabled()
        key = (*arguments, *mode, numbers)
        if key not in known:
            known[key] = build(*arguments), torch.get_rng_state()
            if len(known) > _KEPT:
                known.popitem(last=False)
        known.move_to_end(key)
        model, after = known[key]
        if numbers is not None:
            torch.set_rng_state(after)
        return copy.deepcopy(model)

    def network_from_file(*arguments: Any) -> nn.Module:
        replaced[0] = True
        try:
            return read(*arguments)
        finally:
            replaced[0] = False

    patched.setattr(trunks, "_features_model", features_model)
    patched.setattr(family, "network_from_file", network_from_file)


def leave_timelines_undrawn(patched: pytest.MonkeyPatch) -> None:
    """Have runs write noise for a timeline, the same noise where the chart would show the same."""

    def write_timeline(path: Path, names, rows, entries, thumbnails, *appearance) -> None:
        pictures = {name: hashlib.sha256(picture.tobytes()).hexdigest() for name, picture in thumbnails.items()}
        shown = repr((list(names), list(rows), list(entries), pictures, appearance))
        noise = hashlib.shake_256(shown.encode("utf-8", "surrogateescape")).digest(128 * 128)
        with output_errors(path), replacing(path) as temporary:
            Image.frombytes("L", (128, 128), noise).save(temporary, format="PNG")

    patched.setattr(review, "write_timeline", write_timeline)


def leave_files_to_the_system(patched: pytest.MonkeyPatch) -> None:
    """Have files count as written once the system has them, as they are after a kill: no test cuts the power."""
    patched.setattr(os, "fsync", lambda _: None)

"""The ``config.json`` of a SAM 2 or EdgeTAM folder, which tells what is in it. Importing it loads no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyclevos.errors import WeightsError
from cyclevos.words import first_line

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"

IMAGE_MODELS = {"sam2": "sam2_video", "edgetam": "edgetam_video"}
"""The type of a model for single images: that of the model for videos, which is needed."""

DEFAULT_SIDE = 1024
"""Pixels a side, of all published weights and of configurations that do not state it."""


def read_config(folder: Path) -> dict[str, Any]:
    """Read a folder's configuration.

    Raises:
        WeightsError: there is none, or it is broken.
    """
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{folder / CONFIG_FILE} cannot be read: {first_line(error)}",
            f"Give a folder that holds {CONFIG_FILE} and {WEIGHTS_FILE}.",
        ) from error
    if not isinstance(config, dict):
        raise WeightsError(f"{folder / CONFIG_FILE} holds no configuration.", "Download the folder again.")
    return config

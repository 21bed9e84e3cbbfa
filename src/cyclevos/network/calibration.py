"""The file of the reliability predictor that was fitted to a network: where it lies, and for which weights it holds.

``cyclevos calibrate`` writes it beside the weights, ``NAME.reliability.safetensors``. Its metadata names the weights by
their SHA-256, so a file that was left beside other weights is not believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

PACKAGED_CALIBRATION = Path(__file__).resolve().parents[1] / "weights" / "reliability.safetensors"
"""The predictor of the packaged network; it belongs to weights in the package, so it needs no checksum."""

SUFFIX = ".reliability.safetensors"
"""How the file of a reliability predictor ends, which lies beside weights but is none."""

WEIGHTS_SHA256 = "weights_sha256"
"""Name of the entry of the metadata that holds the SHA-256 of the weights."""

logger = logging.getLogger(__name__)


def calibration_beside(weights: Path) -> Path:
    """Return where the predictor of local weights lies: beside their file, or inside their folder.

    >>> calibration_beside(Path("runs/last.safetensors")).name
    'last.reliability.safetensors'
    """
    return weights / f"{weights.name}{SUFFIX}" if weights.is_dir() else weights.with_name(f"{weights.stem}{SUFFIX}")


def matching_calibration(file: Path, weights_sha256: Callable[[], str]) -> Path | None:
    """Return a predictor's file if it was fitted to these weights; otherwise warn. None also if there is no file.

    Args:
        file: where the predictor may lie.
        weights_sha256: returns the SHA-256 of the weights; called only if there is such a file.
    """
    if not file.is_file():
        return None
    try:
        fitted_to = calibration_metadata(file).get(WEIGHTS_SHA256)
    except Exception as error:  # safetensors raises an exception of its own, the system OSError
        logger.warning("%s cannot be read (%s): reliability is uncalibrated", file, error)
        return None
    if fitted_to != weights_sha256():
        logger.warning(
            "%s was fitted to other weights: reliability is uncalibrated (cyclevos calibrate fits it again)", file
        )
        return None
    return file


def calibration_metadata(file: Path) -> dict[str, Any]:
    """Return what a predictor's file records: the weights, the data set, and how accurate it was.

    Raises:
        SafetensorError, OSError: the file cannot be read.
    """
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        return dict(opened.metadata() or {})

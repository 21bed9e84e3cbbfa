"""Semi-supervised video object segmentation that checks and repairs itself with the cycle.

    network = cyclevos.load_network("default")
    for prediction in cyclevos.segment(network, "video.mp4", {0: mask}):
        ...

Names are imported when they are first used, so ``import cyclevos`` does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cyclevos.errors import (
    ConfigError,
    CycleVOSError,
    DatasetError,
    FailedClipsError,
    MaskError,
    MissingExtraError,
    OutputError,
    PromptError,
    TrainingError,
    VideoError,
    WeightsError,
)

if TYPE_CHECKING:
    from cyclevos.adaptation.adapting import adapt, adapt_to_clips
    from cyclevos.adaptation.segmenting import segment
    from cyclevos.adaptation.settings import Adaptation
    from cyclevos.analysis.cycle_erf import cycle_erf
    from cyclevos.jobs.writer import Writer
    from cyclevos.media.given_frames import bgr_frames
    from cyclevos.network.stm.spec import NetworkSpec
    from cyclevos.network.weights import load_network
    from cyclevos.prompts.loading import load_prompter
    from cyclevos.propagation.correction import Correction
    from cyclevos.propagation.prediction import Prediction
    from cyclevos.propagation.propagator import Propagator
    from cyclevos.propagation.reviewing import review

__version__ = "0.1.0"

_LAZY = {
    "Adaptation": "cyclevos.adaptation.settings",
    "Correction": "cyclevos.propagation.correction",
    "NetworkSpec": "cyclevos.network.stm.spec",
    "Prediction": "cyclevos.propagation.prediction",
    "Propagator": "cyclevos.propagation.propagator",
    "Writer": "cyclevos.jobs.writer",
    "adapt": "cyclevos.adaptation.adapting",
    "adapt_to_clips": "cyclevos.adaptation.adapting",
    "bgr_frames": "cyclevos.media.given_frames",
    "cycle_erf": "cyclevos.analysis.cycle_erf",
    "load_network": "cyclevos.network.weights",
    "load_prompter": "cyclevos.prompts.loading",
    "review": "cyclevos.propagation.reviewing",
    "segment": "cyclevos.adaptation.segmenting",
}

__all__ = [
    "Adaptation",
    "ConfigError",
    "Correction",
    "CycleVOSError",
    "DatasetError",
    "FailedClipsError",
    "MaskError",
    "MissingExtraError",
    "NetworkSpec",
    "OutputError",
    "Prediction",
    "PromptError",
    "Propagator",
    "TrainingError",
    "VideoError",
    "WeightsError",
    "Writer",
    "__version__",
    "adapt",
    "adapt_to_clips",
    "bgr_frames",
    "cycle_erf",
    "load_network",
    "load_prompter",
    "review",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'cyclevos' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

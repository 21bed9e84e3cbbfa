"""SAM 2.1 and EdgeTAM as a family: their named weights, and how their folders are recognised. It loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.errors import WeightsError
from cyclevos.network.named_weights import Figure, Hub, NamedWeights
from cyclevos.network.registry import Family
from cyclevos.network.sam2.configuration import DEFAULT_SIDE, IMAGE_MODELS, read_config

if TYPE_CHECKING:
    from cyclevos.network.protocol import MemoryNetwork
    from cyclevos.network.traits import NetworkTraits

_SAM2_README = "README of facebookresearch/sam2"
_EDGETAM_README = "README of facebookresearch/EdgeTAM"
_MODEL_TYPES = {*IMAGE_MODELS, *IMAGE_MODELS.values()}  # those for single images are prompters, and no networks


def _sam2(
    size: str, purpose: str, millions: float, sa_v: float, mose: float, lvos: float, *more: Figure
) -> NamedWeights:
    scores = (("SA-V test", sa_v), ("MOSE val", mose), ("LVOS v2", lvos))
    return NamedWeights(
        f"sam2.1-{size}",
        purpose,
        Hub(f"facebook/sam2.1-hiera-{size}"),
        parameters=round(millions * 1e6),
        size=round(millions * 4e6),  # float32
        code_licence="Apache-2.0",
        weights_licence="Apache-2.0",
        figures=(*(Figure(dataset, "J&F", value, _SAM2_README) for dataset, value in scores), *more),
    )


_WEIGHTS = (
    _sam2("tiny", "any kind of object; the smallest SAM 2.1", 38.9, 76.5, 71.8, 77.3),
    _sam2("small", "any kind of object; somewhat more accurate than tiny", 46.0, 76.6, 73.5, 78.3),
    _sam2(
        "base-plus",
        "any kind of object; between small and large",
        80.8,
        78.2,
        73.7,
        78.2,
        Figure("DAVIS-2017 val", "J&F", 90.2, _EDGETAM_README),
    ),
    _sam2("large", "any kind of object; the most accurate and the slowest", 224.4, 79.5, 74.6, 80.6),
    NamedWeights(
        "edgetam",
        "SAM 2 made for phones; any kind of object, much faster",
        Hub("yonigozlan/EdgeTAM-hf"),
        code_licence="Apache-2.0",
        weights_licence="Apache-2.0",
        figures=(
            Figure("DAVIS-2017 val", "J&F", 87.7, _EDGETAM_README),
            Figure("MOSE val", "J&F", 70.0, _EDGETAM_README),
            Figure("SA-V test", "J&F", 71.7, _EDGETAM_README),
        ),
    ),
)


class Sam2Family(Family):
    """SAM 2, SAM 2.1 (Ravi et al., 2024) and EdgeTAM (Zhou et al., CVPR 2025) through transformers."""

    name = "sam2"
    formats = "a folder with config.json and model.safetensors, as transformers saves it"
    weights = _WEIGHTS
    extra = "sam2"
    requirements = ("transformers>=5.20,<5.25",)
    prompter = "cyclevos.prompts.sam2:load_sam2_prompter"

    def recognises(self, path: Path) -> bool:
        """Return whether a folder's configuration is of these networks; the tensors need not be there yet."""
        try:
            return path.is_dir() and read_config(path).get("model_type") in _MODEL_TYPES
        except WeightsError:
            return False

    def load(self, path: Path, name: str | None) -> MemoryNetwork:
        """Load a network from a folder; its configuration shows which one it is."""
        from cyclevos.network.sam2.build import load_sam2

        if not path.is_dir():
            raise WeightsError(f"{path} is no folder. Expected {self.formats}.", "Give the folder.")
        return load_sam2(path)

    def traits(self, path: Path | None, name: str | None) -> NetworkTraits:
        """Return the size in the folder's configuration, or that of all published weights."""
        from cyclevos.network.sam2.build import traits_of
        from cyclevos.network.sam2.network import POLICY
        from cyclevos.network.traits import NetworkTraits

        return NetworkTraits(self.name, DEFAULT_SIDE, POLICY) if path is None else traits_of(path)


FAMILY = Sam2Family()

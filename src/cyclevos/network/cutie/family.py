"""Cutie as a family: its named weights, and how its files are recognised and loaded. Importing it loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclevos.errors import WeightsError
from cyclevos.network.named_weights import Download, Figure, NamedWeights
from cyclevos.network.registry import Family

if TYPE_CHECKING:
    from cyclevos.network.protocol import MemoryNetwork
    from cyclevos.network.traits import NetworkTraits

_RELEASE = "https://github.com/hkchengrex/Cutie/releases/download/v1.0"
_LEADERBOARD = "Papers with Code, page of the paper (arXiv 2310.12982), 600 pixels"

_SIZES: dict[str, Literal["base", "small"]] = {"cutie-base-mega": "base", "cutie-small-mega": "small"}

_WEIGHTS = (
    NamedWeights(
        "cutie-base-mega",
        "several objects, also such that look alike",
        # The authors' own program checks this MD5 (cutie/utils/download_models.py).
        Download(f"{_RELEASE}/cutie-base-mega.pth", "cutie-base-mega.pth", md5="a6071de6136982e396851903ab4c083a"),
        parameters=35_024_186,
        size=140_000_000,
        code_licence="MIT",
        weights_licence="as the repository: MIT",
        figures=(
            Figure("BURST val", "HOTA", 61.2, _LEADERBOARD),
            Figure("BURST test", "HOTA", 66.0, _LEADERBOARD),
        ),
    ),
    NamedWeights(
        "cutie-small-mega",
        "the same with a smaller trunk, faster",
        # Its authors document no checksum, so none is compared; its SHA-256 is in run.json as for all weights.
        Download(f"{_RELEASE}/cutie-small-mega.pth", "cutie-small-mega.pth"),
        parameters=28_747_578,
        size=115_000_000,
        code_licence="MIT",
        weights_licence="as the repository: MIT",
    ),
)


class CutieFamily(Family):
    """Cutie (Cheng et al., CVPR 2024) through the package rf-cutie."""

    name = "cutie"
    formats = "a .pth or .safetensors file of a Cutie network's tensors"
    weights = _WEIGHTS
    extra = "cutie"
    requirements = ("rf-cutie>=1.0.1,<1.1",)

    def recognises(self, path: Path) -> bool:
        """Return whether a file has the tensors of Cutie; the library is not needed for this."""
        return path.is_file() and _size_of(path) is not None

    def load(self, path: Path, name: str | None) -> MemoryNetwork:
        """Load a network; without a name, the tensors show whether it is the base or the small one."""
        from cyclevos.network.cutie.build import load_cutie

        if not path.is_file():
            raise WeightsError(f"{path} is no file. Expected {self.formats}.", "Give the file within it.")
        size = _SIZES[name] if name is not None else _size_of(path)
        if size is None:
            raise WeightsError(f"{path} holds no Cutie network.", f"Expected {self.formats}.")
        return load_cutie(path, size)

    def traits(self, path: Path | None, name: str | None) -> NetworkTraits:
        """Return Cutie's traits, which are the same for all its weights."""
        from cyclevos.network.cutie.network import TRAITS

        return TRAITS


FAMILY = CutieFamily()


def _size_of(path: Path) -> Literal["base", "small"] | None:
    """Return the kind of a Cutie file by its tensors; None for another network."""
    from cyclevos.network.cutie.build import is_cutie
    from cyclevos.network.tensor_files import read_headers

    return is_cutie(read_headers(path))

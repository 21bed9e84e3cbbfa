"""Every kind of network as a tiny one with random weights, by name; the conformance suite runs over all of them.

To check a network of your own, add a function that builds it: float32, on the CPU, in evaluation mode, and with weights
under which its masks are neither empty nor full.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from sam2_networks import CONFIGS, enliven

from cyclevos.errors import WeightsError
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.registry import Family
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import NetworkSpec
from cyclevos.network.traits import NetworkTraits

NETWORKS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "networks.md"


def stm_network(liveliness: float = 6.0, **spec: Any) -> SpaceTimeMemoryNetwork:
    network = SpaceTimeMemoryNetwork(NetworkSpec(key_dim=8, value_dim=12, decoder_dim=8, **spec))
    network.eval().requires_grad_(False)
    network.decoder.prediction.weight.mul_(liveliness)  # random weights alone hardly tell pixels apart
    return network


def shared_stm() -> MemoryNetwork:
    """Everything that `default` has."""
    spec = {"similarity": "cosine", "read_sigma": 3.0, "mask_shortcut": True, "shared_encoder": True, "context": True}
    return stm_network(3.0, **spec)


def cutie() -> MemoryNetwork:
    """Cutie with narrow layers: those of its small network take ten times as long."""
    modules = pytest.importorskip("cutie.model.big_modules", reason="the extra cutie is not installed")
    from cutie.model.cutie import CUTIE
    from omegaconf import OmegaConf

    from cyclevos.network.cutie.network import CutieNetwork

    folder = resources.files("cutie.config") / "model"
    layers = [OmegaConf.create((folder / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("base", "small")]
    narrow = {"pixel_dim": 64, "key_dim": 16, "value_dim": 64, "sensory_dim": 64, "embed_dim": 64}
    narrow |= {"mask_decoder": {"up_dims": [64, 32, 32]}}
    narrow |= {"object_transformer": {"ff_dim": 128, "num_blocks": 1}}
    untrained = {"pretrained": False}  # the library always asks for a download
    with pytest.MonkeyPatch.context() as patched:
        resnet18 = modules.resnet.resnet18
        patched.setattr(modules.resnet, "resnet18", lambda **asked: resnet18(**asked | untrained))
        network = CutieNetwork(CUTIE(OmegaConf.create({"model": OmegaConf.merge(*layers, narrow)})))
    network.cutie.mask_encoder.conv1.weight[:, 3:].mul_(40)  # objects have the same image; their masks have to count
    network.cutie.mask_decoder.pred.weight.mul_(4)
    network.cutie.mask_decoder.pred.bias.fill_(-0.3)
    return network


def sam2(variant: str, side: int = 64) -> MemoryNetwork:
    pytest.importorskip("transformers", reason="the extra sam2 is not installed")
    from cyclevos.network.sam2.build import build_sam2

    return enliven(build_sam2(CONFIGS[variant](side)))


def documented_code() -> list[str]:
    """The Python of docs/networks.md: a network of one's own, its use, its family."""
    return re.findall(r"^```python\n(.*?)^```$", NETWORKS_PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def toy() -> MemoryNetwork:
    """The network that docs/networks.md shows."""
    names: dict[str, Any] = {"__name__": "colour_votes"}
    exec(compile(documented_code()[0], str(NETWORKS_PAGE), "exec"), names)
    network: MemoryNetwork = names["ColourVotes"]()
    return network


FAMILIES: dict[str, Callable[[], MemoryNetwork]] = {
    "stm": stm_network,
    "stm-shared": shared_stm,
    "cutie": cutie,
    "sam2.1": lambda: sam2("sam2"),
    "edgetam": lambda: sam2("edgetam"),
    "toy": toy,
}


def build(name: str) -> MemoryNetwork:
    """Build a network, always with the same weights; the test is skipped where its extra is missing."""
    return copy.deepcopy(_built(name, torch.get_default_dtype(), torch.is_inference_mode_enabled()))


@cache
def _built(name: str, *_mode: object) -> MemoryNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FAMILIES[name]()


class TinyFamily(Family):
    """All of them as the weights of a package of its own: an empty file ``NAME.tiny`` is the network NAME."""

    name = "tiny"
    formats = "an empty file NAME.tiny"
    weights = ()

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".tiny"

    def load(self, path: Path, name: str | None) -> MemoryNetwork:
        if path.stem not in FAMILIES:
            raise WeightsError(f"{path} names no tiny network.", f"Expected one of {', '.join(FAMILIES)}.")
        return build(path.stem)

    def traits(self, path: Path | None, name: str | None) -> NetworkTraits:
        return NetworkTraits(self.name)

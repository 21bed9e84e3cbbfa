"""STM as a family: its named weights, and how its files are recognised and loaded. Importing it loads no torch."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cyclevos.errors import WeightsError
from cyclevos.network.named_weights import Figure, NamedWeights, OnRequest, Packaged
from cyclevos.network.registry import Family

if TYPE_CHECKING:
    from torch import Tensor

    from cyclevos.network.protocol import MemoryNetwork
    from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
    from cyclevos.network.stm.spec import NetworkSpec
    from cyclevos.network.traits import NetworkTraits

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parents[2] / "weights"
_STM_PAPER = "Oh et al., ICCV 2019"
_CYCLE_RELEASE = "the authors' release of STM-Cycle"

_WEIGHTS = (
    NamedWeights(
        "default",
        "small and fast; the weights in the package",
        Packaged(_PACKAGE / "default.safetensors", _PACKAGE / "reliability.safetensors"),
        parameters=5_666_499,
        size=11_486_046,
        code_licence="Apache-2.0",
        weights_licence="research use, see the model card",
        figures=(Figure("DAVIS-2016 val", "J&F", 86.7, "model card"),),
    ),
    NamedWeights(
        "stm-resnet50",
        "STM as its authors released it",
        OnRequest("The authors of STM publish it with their program, as STM_weights.pth."),
        parameters=38_925_570,
        size=156_000_000,
        code_licence="Apache-2.0",
        weights_licence="the authors' program: CC BY-NC-SA",
        figures=(
            Figure("DAVIS-2017 val", "J&F", 81.8, _STM_PAPER),
            Figure("DAVIS-2016 val", "J&F", 89.3, _STM_PAPER),
        ),
    ),
    NamedWeights(
        "stm-cycle-resnet50",
        "the network of the paper on the cycle",
        OnRequest("The authors of the cycle publish it with their program, as a .pth.tar file."),
        parameters=38_925_570,
        size=156_000_000,
        code_licence="Apache-2.0",
        weights_licence="the authors' program: GPL-3.0",
        figures=(Figure("DAVIS-2017 val", "J&F, corrected", 73.4, _CYCLE_RELEASE),),
    ),
    NamedWeights(
        "stm-cycle-resnet18",
        "the same, smaller and faster",
        OnRequest("The authors of the cycle publish it with their program, as a .pth.tar file."),
        parameters=17_230_082,
        size=69_000_000,
        code_licence="Apache-2.0",
        weights_licence="the authors' program: GPL-3.0",
        figures=(Figure("DAVIS-2017 val", "J&F, corrected", 68.1, _CYCLE_RELEASE),),
    ),
)


class StmFamily(Family):
    """Space-time memory networks over any trunk: ours, and the released ones of STM and of STM with the cycle."""

    name = "stm"
    formats = "safetensors of cyclevos train, or a .pth file of the STM authors"
    weights = _WEIGHTS
    channels_last = True
    writes = True

    def recognises(self, path: Path) -> bool:
        """Return whether a file records our specification or has the authors' tensor names."""
        from cyclevos.network.stm.checkpoints import is_released, read_spec
        from cyclevos.network.tensor_files import read_headers

        if not path.is_file():
            return False
        if path.suffix == ".safetensors" and read_spec(path) is not None:
            return True
        return is_released(cast("dict[str, Tensor]", read_headers(path)))

    def load(self, path: Path, name: str | None) -> MemoryNetwork:
        """Load a network; a released file's trunk is recognised by its tensors."""
        from cyclevos.network.stm.spec import SPECS

        if not path.is_file():
            raise WeightsError(f"{path} is no file. Expected {self.formats}.", "Give the file within it.")
        return network_from_file(path, SPECS.get(name or ""))

    def save(self, network: MemoryNetwork, path: Path) -> None:
        """Write a network's weights with its specification."""
        from cyclevos.network.stm.checkpoints import save_weights

        save_weights(cast("SpaceTimeMemoryNetwork", network), path, half=True)

    def traits(self, path: Path | None, name: str | None) -> NetworkTraits:
        """Return the size that the file records, or that of the name."""
        from cyclevos.network.stm.checkpoints import is_released, read_spec
        from cyclevos.network.stm.spec import SPECS
        from cyclevos.network.tensor_files import read_headers
        from cyclevos.network.traits import NetworkTraits

        spec = read_spec(path) if path is not None and path.suffix == ".safetensors" else None
        if spec is None and name is not None:
            spec = SPECS[name]
        if spec is None and path is not None:
            tensors = read_headers(path)
            spec = SPECS[released_name(dict(tensors))] if is_released(tensors) else None
        return NetworkTraits(self.name) if spec is None else spec.traits


FAMILY = StmFamily()


def build_network(spec: NetworkSpec, *, imagenet: bool = False) -> SpaceTimeMemoryNetwork:
    """Build a network with untrained weights; with `imagenet`, the trunks start from ImageNet weights.

    Raises:
        ConfigError: the trunk is unknown.
        WeightsError: its ImageNet weights cannot be loaded.
    """
    from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
    from cyclevos.network.stm.trunks import load_imagenet_weights

    network = SpaceTimeMemoryNetwork(spec)
    if imagenet:
        load_imagenet_weights(network.query_encoder, spec.trunk)
        load_imagenet_weights(network.memory_encoder, spec.trunk)
    return network


def network_from_file(path: Path, spec: NetworkSpec | None) -> SpaceTimeMemoryNetwork:
    """Load a network from one of our files or from a released one.

    Args:
        path: the file.
        spec: what the file is said to hold; None = what it records, or what its tensors show.

    Raises:
        WeightsError: the file holds another network, or does not show which one.
    """
    from cyclevos.network.stm.checkpoints import (
        convert_released,
        is_released,
        load_state,
        read_weights,
    )
    from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
    from cyclevos.network.stm.spec import SPECS
    from cyclevos.network.tensor_files import read_pickle

    stored: NetworkSpec | None = None
    if path.suffix == ".safetensors":
        tensors, stored = read_weights(path)
    else:
        tensors = read_pickle(path)
    if is_released(tensors):
        spec = spec or SPECS[released_name(tensors)]
        tensors = convert_released(tensors, spec)
    if stored is not None and spec is not None:
        _refuse_another(stored, spec, path)
    spec = stored or spec
    if spec is None:
        raise WeightsError(f"{path} does not record which network it is for.", f"Name it: --weights NAME={path}.")
    network = SpaceTimeMemoryNetwork(spec)
    load_state(network, tensors, str(path))
    logger.info("%s has the trunk %s", path, spec.trunk)
    return network


def released_name(tensors: dict[str, Tensor]) -> str:
    """Return the name of a released network, found by its second mask channel and its blocks."""
    if "Encoder_M.conv1_o.weight" in tensors:
        return "stm-resnet50"
    bottlenecks = any(".conv3." in name for name in tensors)
    return "stm-cycle-resnet50" if bottlenecks else "stm-cycle-resnet18"


def _refuse_another(stored: NetworkSpec, wanted: NetworkSpec, path: Path) -> None:
    free = {"size", "read_sigma"}  # may be changed after training
    ours, theirs = stored.model_dump(exclude=free), wanted.model_dump(exclude=free)
    differing = [name for name, value in ours.items() if value != theirs[name]]
    if differing:
        raise WeightsError(
            f"{path} holds a network other than the named one: {', '.join(f'{n} is {ours[n]!r}' for n in differing)}.",
            "Give the file without a name: it records which network it is for.",
        )

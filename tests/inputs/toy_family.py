"""A family that another package would bring: weights are text files that begin with `toy`."""

from __future__ import annotations

from pathlib import Path

from cyclevos.errors import WeightsError
from cyclevos.network.named_weights import NamedWeights, OnRequest
from cyclevos.network.registry import Family


class ToyFamily(Family):
    name = "toy"
    formats = "a text file that begins with toy"
    weights = (NamedWeights("toy-net", "tests", OnRequest("Write it yourself.")),)
    extra = None
    requirements = ("no-such-distribution>=1",)

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".toy" and path.read_text(encoding="utf-8").startswith("toy")

    def load(self, path, name):
        raise WeightsError(f"{path} ({name}) got as far as the toy family.", "Be content.")

    def traits(self, path, name):
        from cyclevos.network.traits import NetworkTraits

        return NetworkTraits(self.name, 99)

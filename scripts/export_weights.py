"""Makes weights to ship from those of training runs: their mean in half precision, with the size they run best at.

python scripts/export_weights.py runs/compact/last.safetensors runs/compact-further/last.safetensors --size 544
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from cyclevos.network.checkpoints import checksum, save_weights
from cyclevos.network.weights import PACKAGED, load_network
from cyclevos.training.schema import NetworkConfig
from cyclevos.training.setup import build_trained_network


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+", help="weights of finished runs of one network")
    parser.add_argument("--size", type=int, required=True, help="shorter side chosen on held-back train sequences")
    parser.add_argument("--read-sigma", type=float, help="of the memory read's kernel, where the run had another")
    parser.add_argument("--output", type=Path, default=PACKAGED["default"])
    arguments = parser.parse_args()
    specs = [load_network(file, device="cpu").spec for file in arguments.weights]
    spec = next((each for each in specs if each.context), specs[0])
    spec = spec.model_copy(update={"read_sigma": arguments.read_sigma or spec.read_sigma})
    # As a run would start from them: without context they get it as it is before training.
    starts = [NetworkConfig(spec=spec, init_from=str(file)) for file in arguments.weights]
    networks = [build_trained_network(start, arguments.size) for start in starts]
    network, states = networks[0], [each.state_dict() for each in networks]
    mean = {name: _mean([state[name] for state in states]) for name in states[0]}
    network.load_state_dict(mean)
    save_weights(network, arguments.output, half=True)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes, sha256 {checksum(arguments.output)}")


def _mean(values: list[torch.Tensor]) -> torch.Tensor:
    """Take the mean; counters of the norms' batches stay the first one's."""
    return torch.stack(values).mean(dim=0) if values[0].is_floating_point() else values[0]


if __name__ == "__main__":
    main()

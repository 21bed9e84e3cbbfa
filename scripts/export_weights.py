"""Exports the weights of training runs for release: their mean in half precision, with the size at which they are best.

python scripts/export_weights.py runs/compact/last.safetensors runs/compact-further/last.safetensors --size 544
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cyclevos.network.fingerprint import checksum
from cyclevos.network.locating import locate
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.network.stm.family import network_from_file
from cyclevos.network.tensor_files import mean_state
from cyclevos.training.schema import NetworkConfig
from cyclevos.training.setup import build_trained_network


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+", help="weights of finished runs of one network")
    parser.add_argument("--size", type=int, required=True, help="shorter side chosen on held-back train sequences")
    parser.add_argument("--read-sigma", type=float, help="kernel of the memory read in cells, if not the run's")
    parser.add_argument("--output", type=Path, default=locate("default").path)
    arguments = parser.parse_args()
    specs = [network_from_file(file, None).spec for file in arguments.weights]
    spec = next((each for each in specs if each.context), specs[0])
    spec = spec.model_copy(update={"read_sigma": arguments.read_sigma or spec.read_sigma})
    # Load them as the start of a run: weights without context get an untrained one.
    starts = [NetworkConfig(spec=spec, init_from=str(file)) for file in arguments.weights]
    networks = [build_trained_network(start, arguments.size) for start in starts]
    networks[0].load_state_dict(mean_state(networks))
    save_weights(networks[0], arguments.output, half=True)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes, sha256 {checksum(arguments.output)}")


if __name__ == "__main__":
    main()

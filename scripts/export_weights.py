"""Makes the packaged weights from a training run: half precision, with the size they run best at.

python scripts/export_weights.py runs/compact/last.safetensors --size 288
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cyclevos.network.checkpoints import checksum, save_weights
from cyclevos.network.weights import PACKAGED, load_network


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="weights of a finished run")
    parser.add_argument("--size", type=int, required=True, help="shorter side chosen on held-back train sequences")
    parser.add_argument("--read-sigma", type=float, help="of the memory read's kernel, where the run had another")
    parser.add_argument("--output", type=Path, default=PACKAGED["default"])
    arguments = parser.parse_args()
    network = load_network(arguments.weights, device="cpu", dtype="float32")
    changes = {"size": arguments.size, "read_sigma": arguments.read_sigma or network.spec.read_sigma}
    network.spec = network.spec.model_copy(update=changes)
    save_weights(network, arguments.output, half=True)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes, sha256 {checksum(arguments.output)}")


if __name__ == "__main__":
    main()

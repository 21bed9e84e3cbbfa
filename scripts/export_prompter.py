"""Exports the weights of training runs of one prompt network for release: their mean, in half precision.

Runs with looks of different sizes count at the largest one.

python scripts/export_prompter.py runs/prompt-longer/last.safetensors runs/prompt-larger/last.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cyclevos.network.fingerprint import checksum
from cyclevos.network.locating import locate
from cyclevos.network.registry import PROMPTER
from cyclevos.network.tensor_files import mean_state
from cyclevos.prompts.weights import load_prompt_network, save_prompt_network


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+", help="weights of finished runs, each from the one before")
    parser.add_argument("--output", type=Path, default=locate("default", PROMPTER).path)
    arguments = parser.parse_args()
    read = [load_prompt_network(file) for file in arguments.weights]
    size = max(network.spec.size for network in read)
    networks = [network.at_size(size) for network in read]
    networks[0].load_state_dict(mean_state(networks))
    save_prompt_network(networks[0], arguments.output, half=True)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes, sha256 {checksum(arguments.output)}")


if __name__ == "__main__":
    main()

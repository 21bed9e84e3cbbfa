"""Exports the weights of training runs of one prompt network for release: their mean, in half precision.

python scripts/export_prompter.py runs/prompt/last.safetensors runs/prompt-closer/last.safetensors
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
    networks = [load_prompt_network(file) for file in arguments.weights]
    networks[0].load_state_dict(mean_state(networks))
    save_prompt_network(networks[0], arguments.output, half=True)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes, sha256 {checksum(arguments.output)}")


if __name__ == "__main__":
    main()

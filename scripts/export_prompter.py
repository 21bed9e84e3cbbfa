"""Exports the weights of training runs of one prompt network for release: their mean, in half precision.

python scripts/export_prompter.py runs/prompt/last.safetensors runs/prompt-closer/last.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from cyclevos.network.fingerprint import checksum
from cyclevos.network.locating import locate
from cyclevos.network.registry import PROMPTER
from cyclevos.prompts.weights import load_prompt_network, save_prompt_network


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+", help="weights of finished runs, each from the one before")
    parser.add_argument("--output", type=Path, default=locate("default", PROMPTER).path)
    arguments = parser.parse_args()
    network, *others = [load_prompt_network(file) for file in arguments.weights]
    states = [each.state_dict() for each in (network, *others)]
    network.load_state_dict({name: _mean([state[name] for state in states]) for name in states[0]})
    save_prompt_network(network, arguments.output, half=True)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes, sha256 {checksum(arguments.output)}")


def _mean(values: list[torch.Tensor]) -> torch.Tensor:
    """Return the mean; integer counters of normalisation layers are taken from the first network."""
    return torch.stack(values).mean(dim=0) if values[0].is_floating_point() else values[0]


if __name__ == "__main__":
    main()

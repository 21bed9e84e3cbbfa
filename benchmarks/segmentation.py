"""Measures speed and memory of propagation, as ratios within one run.

    python benchmarks/segmentation.py            all of it, about ten minutes on two cores
    python benchmarks/segmentation.py --only ratio

``ratio``    the network as it normally runs against a plain float32 eager version, with contiguous tensors and the
             affinity of all cells in one piece, everything else equal; 480 pixels inside the network, one object
``objects``  five objects against one, at the default size
``length``   time per frame from frame 2,000 on against that from frame 100 on, and the growth of RSS between the two
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import psutil
import torch

from cyclevos.adaptation.segmenting import segment
from cyclevos.media.open_source import open_source
from cyclevos.network.stm import network as stm
from cyclevos.network.weights import load_network
from cyclevos.pictures.mask_files import read_mask
from cyclevos.propagation.propagator import Propagator

DEMO = Path(__file__).resolve().parents[1] / "src" / "cyclevos" / "demo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["ratio", "objects", "length"])
    parser.add_argument("--weights", default="default")
    arguments = parser.parse_args()
    clip = DEMO / "car-shadow.mp4"
    frames = [frame.image for frame in open_source(clip)]
    # Forward, then backward, so that the object never jumps.
    frames += frames[-2:0:-1]
    mask = read_mask(clip.with_suffix(".png")).ids
    print(
        f"clip {clip.stem}: {len(frames)} frames {frames[0].shape[1]}x{frames[0].shape[0]}, "
        f"{torch.get_num_threads()} threads"
    )
    parts = {"ratio": ratio, "objects": objects, "length": length}
    for name, part in parts.items():
        if arguments.only in (None, name):
            part(arguments.weights, frames, mask)


def plain_read(memory_key, memory_value, query_key, known=None, kernel=None):
    affinity = memory_key.transpose(1, 2) @ query_key / memory_key.shape[1] ** 0.5  # (O,N,n)
    if kernel is not None:
        place = torch.cartesian_prod(*(torch.arange(float(length)) for length in kernel.grid))  # (n,2)
        matched = place[affinity.argmax(dim=2)]  # (O,N,2)
        affinity = affinity - torch.cdist(matched, place).square() / (2 * kernel.sigma**2)
    return memory_value @ affinity.softmax(dim=1)


def seconds_per_frame(propagators: list[Propagator], frames, masks, around=nullcontext) -> tuple[list[float], list]:
    """Return the median time of each propagator over the clip's second half, when the memory is full, and its masks.

    The propagators take turns frame by frame, so that other load on the machine slows all of them.
    """
    ids, times = [[] for _ in propagators], [[] for _ in propagators]
    for index, frame in enumerate(frames):
        for k, propagator in enumerate(propagators):
            with around(k):
                start = time.perf_counter()
                ids[k].append(propagator.advance(index, frame, masks[k] if index == 0 else None).ids)
                times[k].append(time.perf_counter() - start)
    return [float(np.median(each[len(each) // 2 :])) for each in times], ids


def ratio(weights: str, frames, mask) -> None:
    networks = [
        load_network(weights),
        load_network(weights, dtype="float32").to(memory_format=torch.contiguous_format),
    ]
    quick_read = stm.memory_read

    @contextmanager
    def around(k: int) -> Iterator[None]:
        stm.memory_read = plain_read if k else quick_read
        try:
            yield
        finally:
            stm.memory_read = quick_read

    propagators = [Propagator(network, 480, network.traits.policy, correction=None) for network in networks]
    (fast, slow), (ours, plain) = seconds_per_frame(propagators, frames, [mask, mask], around)
    agreement = [
        ((a == b) & (a > 0)).sum() / max(1, ((a > 0) | (b > 0)).sum()) for a, b in zip(ours, plain, strict=True)
    ]
    print(
        f"ratio: plain float32 {slow:.3f} s/frame, ours {fast:.3f} s/frame: {slow / fast:.2f}x; "
        f"J between their masks {np.mean(agreement):.4f} (worst frame {np.min(agreement):.4f})"
    )


def objects(weights: str, frames, mask) -> None:
    network = load_network(weights)
    five = np.zeros_like(mask)
    height, width = mask.shape
    for k in range(5):
        five[height // 4 : height // 2, k * width // 5 + 8 : (k + 1) * width // 5 - 8] = k + 1
    one = np.where(five == 1, five, 0).astype(np.uint8)
    propagators = [Propagator(network, network.traits.size, network.traits.policy, correction=None) for _ in range(2)]
    (single, several), _ = seconds_per_frame(propagators, frames, [one, five])
    print(f"objects: one {single:.3f} s/frame, five {several:.3f} s/frame: {several / single:.2f}x")


def length(weights: str, frames, mask, total: int = 2000, window: int = 60) -> None:
    network = load_network(weights)
    process = psutil.Process()
    marks: dict[int, tuple[float, int]] = {}

    def endless() -> Iterator[np.ndarray]:
        for index in range(total + window + 1):
            yield frames[index % len(frames)]

    for p in segment(network, endless(), {0: mask}, correction=None):
        if p.index in (100, 100 + window, total, total + window):
            marks[p.index] = (time.perf_counter(), process.memory_info().rss)
    early = (marks[100 + window][0] - marks[100][0]) / window
    late = (marks[total + window][0] - marks[total][0]) / window
    growth = (marks[total][1] - marks[100][1]) / 2**20
    print(
        f"length: frame {total} takes {late / early:.2f}x of frame 100 ({late:.3f} s), RSS grew {growth:.0f} MB between"
    )


if __name__ == "__main__":
    main()

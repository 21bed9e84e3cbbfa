"""Speed of gradient correction, as ratios within one run.

    python benchmarks/correction.py              about ten minutes on two cores
    python benchmarks/correction.py --only default

One correction of ten steps with the paper's preset, against a plain float32 version that encodes both frames in every
step, with contiguous tensors and the affinity of all cells in one piece:

``stm-resnet50``  240x432, one object, in bfloat16 and in float32; random weights unless --weights names a file
``default``       480x864, one object and five
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from segmentation import plain_read
from torch import Tensor

from cyclevos.cycle import reconstruct_reference
from cyclevos.losses import mask_loss
from cyclevos.media.open_source import open_source
from cyclevos.network.stm import network as stm
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import SPECS
from cyclevos.network.weights import load_network
from cyclevos.pictures.mask_files import read_mask
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.descent import Subject, correct
from cyclevos.propagation.references import References

CLIP = Path(__file__).resolve().parents[1] / "src" / "cyclevos" / "demo" / "car-shadow.mp4"
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["stm-resnet50", "default"])
    parser.add_argument("--weights", help="the authors' STM_weights.pth")
    arguments = parser.parse_args()
    print(f"{torch.get_num_threads()} threads; median of {REPEATS}")
    if arguments.only in (None, "stm-resnet50"):
        resnet(arguments.weights)
    if arguments.only in (None, "default"):
        for objects in (1, 5):
            compare(
                f"default, 480x864, {objects} object(s)", lambda d: load_network(dtype=d), ["auto"], (480, 864), objects
            )


def resnet(weights: str | None) -> None:
    def build(dtype: str) -> SpaceTimeMemoryNetwork:
        if weights is not None:
            return load_network("stm-resnet50", weights=weights, dtype=dtype)
        torch.manual_seed(0)
        network = SpaceTimeMemoryNetwork(SPECS["stm-resnet50"]).eval().requires_grad_(False)
        return network.to(getattr(torch, dtype)).to(memory_format=torch.channels_last)

    compare("stm-resnet50, 240x432, 1 object", build, ["bfloat16", "float32"], (240, 432), 1)


def compare(
    title: str,
    build: Callable[[str], SpaceTimeMemoryNetwork],
    dtypes: list[str],
    size: tuple[int, int],
    objects: int,
) -> None:
    frames, ids = scene(size, objects)
    plain_network = build("float32").to(memory_format=torch.contiguous_format)
    how = Correction.preset("paper")
    # Random weights give gradients of any size, so the rate is set by how far one step moves the mask.
    probe = plain(plain_network, frames, ids, replace(how, steps=1, rate=1.0))
    start = soften(ids)
    how = replace(how, rate=0.1 / float((probe - start).abs().max()))
    slow, expected = timed(lambda: plain(plain_network, frames, ids, how))
    for dtype in dtypes:
        network = build(dtype)
        parameter = next(network.parameters())
        frame = frames.to(parameter.dtype)
        references = References(network)
        references.add(0, frame[:1], ids)

        def ours(network=network, frame=frame, references=references) -> Tensor:
            subject = Subject(1, network.prepare_memory(frame[1:]))
            names = range(1, objects + 1)
            return correct(network, subject, start, references.reached(), names, how).probabilities

        fast, corrected = timed(ours)
        a, b = corrected.argmax(dim=0), expected.argmax(dim=0)
        overlap = [((a == k) & (b == k)).sum() / ((a == k) | (b == k)).sum() for k in range(1, objects + 1)]
        moved = float((expected - start).abs().max())
        print(
            f"{title}, {str(parameter.dtype).removeprefix('torch.')}: plain float32 {slow:.2f} s, ours {fast:.2f} s: "
            f"{slow / fast:.2f}x; J between the masks {float(sum(overlap) / objects):.4f} (moved by up to {moved:.2f})"
        )


def scene(size: tuple[int, int], objects: int) -> tuple[Tensor, Tensor]:
    """Return two frames (2,3,H,W) of a real clip and ids (H,W): its object, or five boxes."""
    images = [frame.image for frame in open_source(CLIP)][:11:10]
    frames = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image in images])
    frames = torch.nn.functional.interpolate(frames, size=size, mode="bilinear", antialias=True).float() / 255
    height, width = size
    if objects == 1:
        mask = torch.from_numpy(read_mask(CLIP.with_suffix(".png")).ids)[None, None]
        return frames, torch.nn.functional.interpolate(mask, size=size, mode="nearest-exact")[0, 0]
    ids = np.zeros(size, np.uint8)
    for k in range(objects):
        ids[height // 4 : height // 2, k * width // objects + 8 : (k + 1) * width // objects - 8] = k + 1
    return frames, torch.from_numpy(ids)


def soften(ids: Tensor) -> Tensor:
    """Return a soft mask (K+1,H,W) that is uncertain along the outline, as predictions are."""
    hard = torch.stack([ids == i for i in range(int(ids.max()) + 1)]).float()
    return torch.nn.functional.avg_pool2d(hard[None], 21, 1, 10, count_include_pad=False)[0]


def plain(network: SpaceTimeMemoryNetwork, frames: Tensor, ids: Tensor, how: Correction) -> Tensor:
    """Compute equation 5, encoding everything again in every step."""
    mask = soften(ids)
    present = torch.ones(1, len(mask) - 1, dtype=torch.bool)
    labels = ids.long()[None]
    quick_read, stm.memory_read = stm.memory_read, plain_read
    try:
        for _ in range(how.steps):
            leaf = mask.clone().requires_grad_()
            memory = network.encode_memory(network.prepare_memory(frames[1:]), leaf[None], present)
            logits = reconstruct_reference(network, memory, network.encode_query(frames[:1]), present)
            (gradient,) = torch.autograd.grad(mask_loss(logits, labels, present).total, leaf)
            mask = mask - how.rate * gradient  # the background has no gradient: it is what the objects leave
    finally:
        stm.memory_read = quick_read
    return torch.cat([1 - mask[1:].sum(dim=0, keepdim=True), mask[1:]])


def timed(run: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Return the median time in seconds after one warm-up run, and the last result."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return float(np.median(times)), result


if __name__ == "__main__":
    main()

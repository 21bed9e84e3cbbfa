"""Speed and memory of every family of networks against ``default``, as ratios within one run.

    python benchmarks/networks.py                                    about twenty minutes on two cores
    python benchmarks/networks.py --only cutie-small edgetam --height 240 --objects 3
    python benchmarks/networks.py --device cuda

``frame``   one frame in the middle of a video, with a full memory: encoded, segmented, and remembered with its masks
``check``   the cycle: the first frame segmented from that frame alone
``step``    one step of a correction: the frame encoded with a mask, the check, and the gradient of its loss by the mask
``memory``  the peak of a process of its own that does these three once; on a GPU, of the GPU's memory

The networks take turns, and the fastest of several rounds counts, since other load on the machine only adds time. All
but ``default`` have the published sizes and random weights, on which speed does not depend. They get frames of
``--height`` pixels, except that SAM 2 and EdgeTAM get squares of 1024 pixels, at which they were trained, and SAM 2
also of 512.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from correction import scene, soften

from cyclevos.cycle import reconstruct_reference
from cyclevos.losses import mask_loss
from cyclevos.network.cutie.build import build_cutie
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.sam2.build import build_sam2
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import SPECS
from cyclevos.network.traits import Kind
from cyclevos.network.weights import load_network, resolve_device, resolve_dtype
from cyclevos.propagation.memory_bank import MemoryBank

REFERENCE = "default"
MEASURES = ("frame", "check", "step")


def sam2_tiny() -> MemoryNetwork:
    from transformers import Sam2VideoConfig

    return build_sam2(Sam2VideoConfig())  # whose defaults are the sizes of sam2.1-hiera-tiny


def edgetam() -> MemoryNetwork:
    from transformers import EdgeTamVideoConfig, EdgeTamVisionConfig, TimmWrapperConfig

    trunk = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
    backbone = TimmWrapperConfig(architecture="repvit_m1", model_args=trunk)
    return build_sam2(EdgeTamVideoConfig(vision_config=EdgeTamVisionConfig(backbone_config=backbone)))


def stm_resnet50() -> MemoryNetwork:
    network = SpaceTimeMemoryNetwork(SPECS["stm-resnet50"]).eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


NETWORKS: dict[str, tuple[Callable[[], MemoryNetwork], int | None]] = {
    REFERENCE: (lambda: load_network(device="cpu", dtype="float32"), None),
    "stm-resnet50": (stm_resnet50, None),
    "cutie-small": (lambda: build_cutie("small"), None),
    "cutie-base": (lambda: build_cutie("base"), None),
    "sam2.1-tiny": (sam2_tiny, 1024),
    "sam2.1-tiny-512": (sam2_tiny, 512),
    "edgetam": (edgetam, 1024),
}
"""Builds the network, and its size; None = the frames' own."""


@dataclass
class Options:
    """How all of them run."""

    height: int
    objects: int
    device: torch.device
    dtype: torch.dtype


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS), help=f"{REFERENCE} always runs too")
    parser.add_argument("--height", type=int, default=480, help="of frames with the shape of 854x480")
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="of which the fastest counts, after one to warm up")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--alone", choices=list(NETWORKS), help=argparse.SUPPRESS)  # the process that measures memory
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    how = Options(arguments.height, arguments.objects, device, resolve_dtype(arguments.dtype, device))
    if arguments.alone:
        alone(arguments.alone, how)
        return
    names = [name for name in NETWORKS if name in (REFERENCE, *(arguments.only or NETWORKS))]
    memory = {name: peak_memory(name) for name in names}
    scenes = {name: Scene(name, how) for name in names}
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(
        f"{frame_size(how)[1]}x{how.height}, {how.objects} object(s), {str(how.dtype).removeprefix('torch.')}, "
        f"{device.type} ({place}); fastest of {arguments.rounds}; in brackets: times that of {REFERENCE}"
    )
    print(f"{'network':<16} {'inside':>9}" + "".join(f"{name:>17}" for name in (*MEASURES, "memory")))
    seconds = in_turns(scenes, arguments.rounds)
    for name in names:
        (height, width), ours, first = scenes[name].size, seconds[name], seconds[REFERENCE]
        cells = [f"{ours[what]:.3f} s ({ours[what] / first[what]:.1f})" for what in MEASURES]
        cells.append(f"{memory[name]:.0f} MB ({memory[name] / memory[REFERENCE]:.1f})")
        print(f"{name:<16} {f'{width}x{height}':>9}" + "".join(f"{cell:>17}" for cell in cells))


def frame_size(how: Options) -> tuple[int, int]:
    return how.height, 2 * round(how.height * 854 / 960)


class Scene:
    """A network with a full memory of a real clip, and what each measurement needs."""

    def __init__(self, name: str, how: Options) -> None:
        build, side = NETWORKS[name]
        torch.manual_seed(0)
        network: Any = build()
        self.network: MemoryNetwork = network.to(how.device, how.dtype)
        self.size = self.network.frame_size(frame_size(how), side)
        frames, ids = scene(self.size, how.objects)
        masks = soften(ids)[None]
        self.labels, self.masks = ids.long()[None].to(how.device), masks.to(how.device)
        self.frames = frames.to(how.device, how.dtype)
        self.present = torch.ones(1, how.objects, dtype=torch.bool)
        self._device = how.device
        policy = self.network.traits.policy
        with torch.no_grad():
            self.reference = self.network.encode_query(self.frames[:1])
            prepared = self.network.prepare_memory(self.frames[:1], self.reference)
            first = self.network.encode_memory(prepared, self.masks, self.present)
            self.bank = MemoryBank(self.network, policy)
            self.bank.write(0, first, Kind.REFERENCE, how.objects, range(how.objects))
            self.state = self.network.carry(None, self.masks, first)
            full = policy.max_frames or 8
            for index in range(1, full):
                kind = Kind.PREVIOUS if policy.previous and index == full - 1 else Kind.SAMPLED
                self.bank.write(policy.every * index, first, kind, how.objects)
            self.now = policy.every * (full - 1) + 1
            self.frame()

    @torch.no_grad()
    def frame(self) -> None:
        """Segment the next frame and remember it, as a frame of the loop that is sampled."""
        query = self.network.encode_query(self.frames[1:])
        said = self.network.segment(query, self.bank.read(self.now), self.present, self.state)
        masks = said.logits.softmax(dim=1)
        self.prepared, self.said = self.network.prepare_memory(self.frames[1:], query), said
        self.memory = self.network.encode_memory(self.prepared, masks, self.present, said, self.present)
        self.network.carry(said, masks, self.memory)

    @torch.no_grad()
    def check(self) -> None:
        """Reconstruct the mask of the first frame."""
        reconstruct_reference(self.network, self.memory, self.reference, self.present, self.now)

    def step(self) -> None:
        """Take the gradient of the reconstruction's loss by the mask."""
        leaf = self.masks.clone().requires_grad_()
        memory = self.network.encode_memory(self.prepared, leaf, self.present, self.said, ~self.present)
        logits = reconstruct_reference(self.network, memory, self.reference, self.present, self.now)
        (gradient,) = torch.autograd.grad(mask_loss(logits, self.labels, self.present).total, leaf)
        assert bool(gradient.isfinite().all())

    def seconds(self, what: str) -> float:
        self._wait()
        start = time.perf_counter()
        getattr(self, what)()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def in_turns(scenes: dict[str, Scene], rounds: int) -> dict[str, dict[str, float]]:
    """Return the least time of each measurement of each network in seconds; the first round does not count."""
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(1 + rounds):
        for name, each in scenes.items():
            for what in MEASURES:
                times.setdefault((name, what), []).append(each.seconds(what))
    return {name: {what: min(times[name, what][1:]) for what in MEASURES} for name in scenes}


def peak_memory(name: str) -> float:
    """Return the peak memory of a process of its own in megabytes."""
    command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--alone", name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.005)
    answer, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{name} failed: exit code {process.returncode}")
    on_device: int | None = json.loads(answer)
    return (peak if on_device is None else on_device) / 2**20


def alone(name: str, how: Options) -> None:
    """Do each measurement once, and print the peak of the GPU's memory in bytes, null without one."""
    each = Scene(name, how)
    for what in MEASURES:
        each.seconds(what)
    print(json.dumps(torch.cuda.max_memory_allocated(how.device) if how.device.type == "cuda" else None))


if __name__ == "__main__":
    main()

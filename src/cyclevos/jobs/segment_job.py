"""One segmentation job: from checked inputs to written results, resumable after a kill."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from cyclevos.errors import ConfigError, OutputError, VideoError
from cyclevos.exchange.given_masks import STRICT, MaskReading, read_reaching_masks
from cyclevos.files.locks import sole_writer
from cyclevos.jobs.progress import OpenBar, progress_bar
from cyclevos.jobs.results import EXPORTS, NAMES, Results
from cyclevos.jobs.resume import STATE, restored, whole_count
from cyclevos.jobs.review import REPORTS, is_reported, report_reliability
from cyclevos.jobs.run_folder import allow_change, check_output, finished_count, mark_finished, prepare_output
from cyclevos.media.open_source import open_source
from cyclevos.media.source_identity import source_identity
from cyclevos.media.sources import FrameSource
from cyclevos.network.checkpoints import checksum, write_safetensors
from cyclevos.network.stm import SpaceTimeMemoryNetwork
from cyclevos.network.weights import PACKAGED, load_network
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.memory_bank import MemoryPolicy
from cyclevos.propagation.propagator import Prediction, Propagator
from cyclevos.propagation.segment import Direction, check_masks, segment_frames

_SECONDS_BETWEEN_STATES = 10.0
_CONTENT = "source_content"  # its name in the signature
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class SegmentJob:
    """What is to be segmented, how, and where to; fields as the options of ``cyclevos segment``."""

    source: Path | FrameSource
    masks: Path | Mapping[int, MaskImage]
    output: Path
    weights: str = "default"
    size: int | Literal["auto"] | None = "auto"
    memory_every: int = 5
    max_memory_frames: int | None = 8
    direction: Direction = "forward"
    correction: Correction | None = None
    device: str = "auto"
    dtype: str = "auto"
    objects_at_once: int | None = None
    save: tuple[str, ...] = ("masks", "overlay")
    review: int = 10
    reading: MaskReading = STRICT
    overwrite: bool = False
    quiet: bool = False
    title: str = "segmenting"


@dataclass(frozen=True)
class JobResult:
    """What a job did.

    Attributes:
        frames: frames in the video.
        segmented: frames segmented by this run, the others having been there.
        object_ids: ids seen.
        seconds: spent on each of them by the network, reading and writing left out.
    """

    frames: int
    segmented: int
    object_ids: tuple[int, ...] = field(default_factory=tuple)
    seconds: tuple[float, ...] = ()


class _Timed(Propagator):
    """Keeps how long each frame took; its masks being on the CPU, the device has finished them."""

    def __init__(self, *arguments: Any, seconds: list[float] | None = None) -> None:
        super().__init__(*arguments)
        self.seconds: list[float] = [] if seconds is None else seconds

    def fresh(self) -> _Timed:
        return _Timed(self.network, self.size, self.policy, self.correction, self.disturb, seconds=self.seconds)

    def step(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> Prediction:
        start = time.perf_counter()
        prediction = super().step(index, image, annotation)
        self.seconds.append(time.perf_counter() - start)
        return prediction


def run_job(
    job: SegmentJob, network: SpaceTimeMemoryNetwork | None = None, open_bar: OpenBar | None = None
) -> JobResult:
    """Run a job, or what is left of it.

    Args:
        job: the job.
        network: loaded already; None loads ``job.weights``.
        open_bar: shows how far it is; None shows a bar of its own.

    Raises:
        CycleVOSError: whatever is wrong with the input; results written before stay.
    """
    if job.direction == "backward" and "overlay" in job.save and "masks" not in job.save:
        raise ConfigError("An overlay of a backward run is made from its masks: add masks to --save.")
    exported = [kind for kind in job.save if kind in EXPORTS]
    if exported and "masks" not in job.save:
        raise ConfigError(f"{', '.join(exported)}: made from the masks at the end. Add masks to --save.")
    source = job.source if isinstance(job.source, FrameSource) else open_source(job.source)
    if job.output.resolve() == source.path.resolve():
        raise OutputError(f"{job.output} holds the frames themselves. Choose another folder for the results.")
    images = (
        job.masks
        if isinstance(job.masks, Mapping)
        else read_reaching_masks(job.masks, source, job.direction, job.reading)
    )
    masks = check_masks({index: image.ids for index, image in images.items()})
    open_bar = open_bar or partial(progress_bar, unit="frames", quiet=job.quiet)
    with sole_writer(job.output):
        return _run(job, source, images, masks, network, open_bar)


def _run(
    job: SegmentJob,
    source: FrameSource,
    images: Mapping[int, MaskImage],
    masks: Mapping[int, NDArray[np.uint8]],
    network: SpaceTimeMemoryNetwork | None,
    open_bar: OpenBar,
) -> JobResult:
    """Do what is left of a job in a folder that is its own meanwhile."""
    policy = MemoryPolicy(job.memory_every, job.max_memory_frames)
    signature = _signature(job, source, masks)
    terms: dict[str, Any] = {
        "overwrite": job.overwrite,
        "expected_signature": signature,
        "outputs": _outputs(job),
    }
    # The folder comes before the network: a refusal should not wait for it.
    finished = check_output(job.output, **terms)
    prepare = partial(prepare_output, job.output, **terms)
    palette = next((image.palette for image in images.values() if image.palette is not None), None)
    # What has ended is done anew where it is to be overwritten; what was interrupted is not.
    ended = finished_count(job.output)
    anew = job.overwrite and ended is not None
    count = None if anew else whole_count(job.output, job.save, source, finished, ended)
    if count is not None:
        if not is_reported(job.output, job.review):
            report_reliability(job.output, source, job.review, palette)
        mark_finished(job.output, count)
        return JobResult(count, 0, tuple(sorted({i for m in images.values() for i in m.object_ids})))
    network = network or load_network(job.weights, device=job.device, dtype=job.dtype)
    if job.objects_at_once is not None:
        network.chunks.at_once = job.objects_at_once
    fresh = _Timed(network, network.spec.size if job.size == "auto" else job.size, policy, job.correction)
    ahead = finished if job.direction == "forward" else set()
    propagator, start = restored(job.output, fresh.fresh, source, ahead)
    try:
        return _segment(job, prepare, source, propagator, masks, start, palette, open_bar)
    except VideoError:
        allow_change(job.output, signature, _CONTENT)  # the user is asked to repair it, and will go on then
        raise


def _segment(
    job: SegmentJob,
    prepare: Callable[[], object],
    source: FrameSource,
    propagator: _Timed,
    masks: Mapping[int, NDArray[np.uint8]],
    start: int,
    palette: bytes | None,
    open_bar: OpenBar,
) -> JobResult:
    total = source.len_hint
    count = 0
    objects = set(propagator.objects)
    saved = time.monotonic()
    late_overlay = start > 0 or job.direction == "backward"
    with open_bar(job.title, total) as advance:
        predictions = _begun(segment_frames(propagator, source, masks, job.direction, start))
        prepare()  # a first mask is there, so nothing is wrong with the inputs: only now may earlier results go
        results = Results(
            job.output, source.name, job.save, source.frame_rate, palette, resumed=start > 0, late_overlay=late_overlay
        )
        with results:
            for frame, p in predictions:
                after: Callable[[], None] | None = None
                if job.direction == "forward" and time.monotonic() - saved > _SECONDS_BETWEEN_STATES:
                    state = {**propagator.snapshot(), "index": torch.tensor(p.index)}
                    after, saved = partial(write_safetensors, state, job.output / STATE), time.monotonic()
                results.write(frame, p, after)
                count += 1
                objects.update(p.object_ids)
                advance(start + count, "")
    results.render_overlay(source)
    results.export()
    report_reliability(job.output, source, job.review, palette)
    (job.output / STATE).unlink(missing_ok=True)
    mark_finished(job.output, start + count)
    return JobResult(start + count, count, tuple(sorted(objects)), tuple(propagator.seconds))


def _begun(items: Iterator[_Item]) -> Iterator[_Item]:
    """Compute the first item now; what comes is the same."""
    first = list(islice(items, 1))
    return chain(first, items)


def _signature(job: SegmentJob, source: FrameSource, masks: Mapping[int, NDArray[np.uint8]]) -> dict[str, Any]:
    """What the results follow from: the same signature continues, another one is refused."""
    digest = hashlib.sha256()
    for index, mask in sorted(masks.items()):
        digest.update(f"{index} {mask.shape}".encode())
        digest.update(mask.tobytes())
    return {
        "source": str(source.path.resolve()),
        _CONTENT: source_identity(source.path, source.files),
        "resolution": list(source.size),
        "masks": digest.hexdigest(),
        **settings_signature(job),
    }


def settings_signature(job: SegmentJob) -> dict[str, Any]:
    """Return the part of a job's signature that is the same for every clip."""
    return {
        "weights": weights_identity(job.weights),
        "size": job.size,
        "memory_every": job.memory_every,
        "max_memory_frames": job.max_memory_frames,
        "direction": job.direction,
        "correction": None if job.correction is None else asdict(job.correction),
        "dtype": job.dtype,
        "save": list(job.save),
    }


def _outputs(job: SegmentJob) -> list[str]:
    return [*(NAMES[kind] for kind in job.save if kind in NAMES), *REPORTS, STATE]


def weights_identity(name: str) -> str:
    """Name the weights by their content where they are a file: a file trained anew gives other results."""
    file = weights_file(name)
    return name if file is None else f"{name} (SHA-256 {checksum(file)})"


def weights_file(name: str) -> Path | None:
    """Return the file that weights are named by, None where they lie elsewhere."""
    file = PACKAGED.get(name) or Path(name.rpartition("=")[2]).expanduser()
    return file if file.is_file() else None

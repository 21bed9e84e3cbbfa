"""A segmentation job, how its ``auto`` settings are resolved, and the identity of its results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.adaptation.settings import Adaptation
from cyclevos.exchange.given.mask_reading import STRICT, MaskReading
from cyclevos.jobs.run_record import ADAPTATION, CONTENT, SOURCE, Identity
from cyclevos.jobs.settings import OutputSettings
from cyclevos.media.sources import FrameSource
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.settings import NetworkSettings
from cyclevos.network.traits import NetworkTraits
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.prompts.settings import PromptSettings
from cyclevos.propagation.inner_size import Annotations, ChosenSize, sized
from cyclevos.propagation.settings import SegmentationSettings


@dataclass(frozen=True)
class SegmentJob:
    """What is segmented, how, and where the results go.

    Attributes:
        source: what `open_source` takes, or a source that is open already.
        masks: annotations: a file or folder, or masks by frame index, which may be none where there are prompts.
        output: folder of the results.
        segmentation: how the video is segmented.
        network: which network runs, and how.
        results: what is written.
        reading: how the masks are read.
        title: shown on the progress bar.
        prompting: what is pointed at, instead of masks or to repair them.
        adaptation: how the network is adapted to the source first; None = not at all.
    """

    source: str | Path | FrameSource
    masks: Path | Mapping[int, MaskImage]
    output: Path
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    results: OutputSettings = field(default_factory=OutputSettings)
    reading: MaskReading = STRICT
    title: str = "segmenting"
    prompting: PromptSettings = field(default_factory=PromptSettings)
    adaptation: Adaptation | None = None


class Resolved(NamedTuple):
    """A job's settings with every ``auto`` resolved; a size that depends on the masks is, once they are known.

    Attributes:
        segmentation: how the video is segmented.
        network: which network runs, and how.
        traits: what is known about the network.
        size: what ``auto`` chose; None where a size was asked for, or the masks are not known.
    """

    segmentation: SegmentationSettings
    network: NetworkSettings
    traits: NetworkTraits
    size: ChosenSize | None = None

    def for_masks(self, masks: Annotations) -> Resolved:
        """Choose the size by the objects of a clip's masks, by frame index."""
        segmentation, size = sized(self.segmentation, self.traits, masks)
        return self._replace(segmentation=segmentation, size=size)


def resolve(job: SegmentJob, network: MemoryNetwork | None = None) -> Resolved:
    """Resolve every ``auto`` in a job's settings.

    Args:
        job: the job.
        network: loaded already from the job's settings, if it is: then the size, device and dtype are its own.

    Raises:
        WeightsError: the weights cannot be found or do not match.
        ConfigError: the device or the dtype cannot be used.
    """
    if network is not None:
        parameter = next(network.parameters())
        dtype = str(parameter.dtype).removeprefix("torch.")
        own = replace(job.network, device=str(parameter.device), dtype=dtype)
        traits = network.traits
        return Resolved(job.segmentation.resolved(traits), own, traits)
    settings, traits = job.network.resolved(), job.network.traits()
    return Resolved(job.segmentation.resolved(traits), settings, traits)


def settings_identity(job: SegmentJob, resolved: Resolved) -> Identity:
    """Return the part of a job's identity that is the same for every clip; the device is none of it.

    A size that is not chosen yet is left out.

    Args:
        job: the job.
        resolved: see :func:`resolve`.
    """
    settings, asked = resolved.segmentation, {"size": job.segmentation.size, "dtype": job.network.dtype}
    values = {
        "weights": job.network.weights_identity,
        "size": settings.size,
        "memory_every": settings.memory_every,
        "max_memory_frames": settings.max_memory_frames,
        "direction": settings.direction,
        "correction": None if settings.correction is None else asdict(settings.correction),
        "dtype": resolved.network.dtype,
        "save": list(job.results.save),
        ADAPTATION: None if job.adaptation is None else asdict(job.adaptation),
    }
    automatic = {name for name, value in asked.items() if value == "auto"}
    if settings.size == "auto":
        del values["size"]
    if settings.size == "auto" or (resolved.size is not None and resolved.size.is_closer):
        automatic.discard("size")  # version 0.1, which kept "auto" as it was given, took the network's own size
    return Identity(values, frozenset(automatic))


def content_identity(source: FrameSource, masks: Mapping[int, NDArray[np.uint8]]) -> dict[str, Any]:
    """Return the part of a job's identity that is the clip's own.

    Args:
        source: the frames.
        masks: annotations by frame index, uint8 (H,W).

    Raises:
        VideoError: the source cannot be read.
    """
    return {
        SOURCE: source.location,
        CONTENT: source.content,
        "resolution": list(source.size),
        "masks": masks_digest(masks),
    }


def masks_digest(masks: Mapping[int, NDArray[np.uint8]]) -> str:
    """Return the checksum of masks, uint8 (H,W), by frame index."""
    digest = hashlib.sha256()
    for index, mask in sorted(masks.items()):
        digest.update(f"{index} {mask.shape}".encode())
        digest.update(mask.tobytes())
    return digest.hexdigest()

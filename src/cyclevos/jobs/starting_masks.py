"""The masks that a job starts from: those that were given, and those that a prompter makes from its prompts.

The latter are kept in the output folder, so that a run that continues does not ask the prompter again, and so that
``--masks`` repeats the run without prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import MaskError, OutputError, PromptError
from cyclevos.exchange.formats import find
from cyclevos.exchange.given.given_masks import GivenMasks, reaching, read_reaching_masks, read_source_masks
from cyclevos.exchange.given.python_masks import check_masks, check_shown
from cyclevos.files.atomic import output_errors
from cyclevos.jobs.job import Resolved, SegmentJob, masks_digest
from cyclevos.jobs.run_folder import Identity, RunFolder
from cyclevos.jobs.run_record import CONTENT, RunRecord
from cyclevos.media.appearance import Appearance
from cyclevos.media.sources import FrameSource
from cyclevos.media.writers import is_finished_mask, write_mask
from cyclevos.pictures.mask_files import MaskImage, read_labels
from cyclevos.prompts.prompts import VideoPrompts
from cyclevos.prompts.syntax import write_prompts
from cyclevos.propagation.prompted import check_found, prompted_masks, warn_of_empty

_MARKS = find("marks")
KEPT = "" if _MARKS is None else _MARKS.file
"""Name of the folder, within a run's, of the masks that it started from: what the format ``marks`` writes."""
_MASKS = "masks"  # name of the masks' checksum in the identity


class Started(NamedTuple):
    """What a job starts from.

    Attributes:
        images: the masks by frame index.
        identity: what they follow from, for the run's identity; empty where all of them were given.
    """

    images: Mapping[int, MaskImage]
    identity: Mapping[str, Any]


def read_given(job: SegmentJob, source: FrameSource) -> Mapping[int, MaskImage]:
    """Read the masks that a job was given, and check its prompts' frames.

    Raises:
        MaskError: a mask cannot be used.
        PromptError: the frame of a prompt does not exist, or cannot be shown before it is reached.
    """
    prompts = job.prompting.prompts
    if prompts:
        _check_frames(prompts, source)
        return read_source_masks(job.masks, source, job.reading) if isinstance(job.masks, Path) else job.masks
    if isinstance(job.masks, Path):
        given = read_reaching_masks(job.masks, source, job.segmentation.direction, job.reading)
        check_shown(given)
        return given
    check_masks({index: image.ids for index, image in job.masks.items()})
    return job.masks


def started(job: SegmentJob, source: FrameSource, given: Mapping[int, MaskImage], resolved: Resolved) -> Started:
    """Return the masks that a job starts from; the prompter is asked unless the output folder holds its answers.

    Args:
        job: the job.
        source: the frames.
        given: see :func:`read_given`.
        resolved: the job's settings.

    Raises:
        OtherRunError: the output folder holds a run of other prompts.
        CycleVOSError: a prompt or a mask cannot be used, the prompter cannot be loaded, or a frame cannot be read.
    """
    prompts = job.prompting.prompts
    if not prompts:
        return Started(given, {})
    ids = {index: image.ids for index, image in given.items()}
    identity = {
        "prompts": write_prompts(prompts),
        "prompter": f"SHA-256 {job.prompting.fingerprint}",
        "given_masks": masks_digest(ids),
    }
    made = _kept(job.output, source, prompts, ids, identity)
    if made is None:  # a refusal should not wait for the prompter
        RunFolder(job.output, Identity(identity), overwrite=job.results.overwrite).refuse_other_settings()
        prompter = job.prompting.load(resolved.network.device, resolved.network.dtype)
        made = prompted_masks(prompter, prompts, lambda index: source.frame(index).image, ids)
    check_found({**ids, **made})
    palette = next((image.palette for image in given.values() if image.palette is not None), None)
    images = {**given, **{index: MaskImage(mask, palette) for index, mask in made.items()}}
    images = dict(sorted(images.items()))
    notes = tuple(warn_of_empty(prompts, made))
    before = given if isinstance(given, GivenMasks) else GivenMasks(given)
    all_masks = replace(before, images=images, notes=(*before.notes, *notes))
    return Started(reaching(all_masks, source, job.segmentation.direction), identity)


def keep_masks(
    output: Path, source: FrameSource, masks: Mapping[int, NDArray[np.uint8]], appearance: Appearance
) -> None:
    """Keep the masks that a run starts from in its folder.

    Raises:
        OutputError: the system refuses to write.
    """
    folder = output / KEPT
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for index, mask in masks.items():
        write_mask(_kept_file(output, source, index), mask, appearance)


def _kept(
    output: Path,
    source: FrameSource,
    prompts: VideoPrompts,
    given: Mapping[int, NDArray[np.uint8]],
    identity: Mapping[str, Any],
) -> dict[int, NDArray[np.uint8]] | None:
    """Return the masks that an earlier run made from the same prompts and kept; None if there are none such."""
    try:
        record = RunRecord.read(output)
    except OutputError:  # it is refused later, or replaced
        return None
    if record is None or record.signature.get(CONTENT) != source.content:
        return None
    if any(record.signature.get(name) != value for name, value in identity.items()):
        return None
    files = {index: _kept_file(output, source, index) for index in prompts}
    if not all(is_finished_mask(file) for file in files.values()):
        return None
    try:
        masks = {index: read_labels(file, exact=True).ids for index, file in files.items()}
    except MaskError:
        return None
    return masks if masks_digest({**given, **masks}) == record.signature.get(_MASKS) else None


def _kept_file(output: Path, source: FrameSource, index: int) -> Path:
    return output / KEPT / f"{source.name_of(index)}.png"


def _check_frames(prompts: VideoPrompts, source: FrameSource) -> None:
    """Refuse prompts of frames that do not exist, or that a stream shows only once."""
    later = [index for index in prompts if index]
    if later and not source.can_be_read_again:
        raise PromptError(
            f"{source.location} is a stream, so frame {min(later)} cannot be shown before it is reached.",
            "Give prompts for frame 0, or record the stream first, for example with ffmpeg.",
        )
    count = source.len_hint
    if count is not None and max(prompts) >= count:
        source.frame(max(prompts))  # says so

"""The run folder of a segmentation job: what the run is told by there, and what it writes there."""

from __future__ import annotations

from cyclevos.jobs.adapted_network import ADAPTED_FILE
from cyclevos.jobs.job import Resolved, SegmentJob, content_identity, settings_identity
from cyclevos.jobs.results import result_names
from cyclevos.jobs.review import REPORTS
from cyclevos.jobs.run_folder import Identity, RunFolder
from cyclevos.jobs.starting_masks import KEPT, Started
from cyclevos.media.reliability_files import RELIABILITY_FILE
from cyclevos.media.sources import FrameSource


def job_folder(job: SegmentJob, source: FrameSource, start: Started, resolved: Resolved) -> RunFolder:
    """Return the folder of a job's run.

    Args:
        job: the job.
        source: its frames.
        start: the masks that it starts from.
        resolved: its settings.

    Raises:
        CycleVOSError: the source or the weights cannot be read.
    """
    settings = settings_identity(job, resolved)
    content = content_identity(source, {index: image.ids for index, image in start.images.items()})
    others = [name for name in REPORTS if name != RELIABILITY_FILE]
    others += [KEPT] if job.prompting.prompts else []
    others += [ADAPTED_FILE] if job.adaptation is not None else []
    return RunFolder(
        job.output,
        Identity({**content, **start.identity, **settings.values}, settings.automatic),
        results=[*result_names(job.results.save), RELIABILITY_FILE],
        reports=others,
        overwrite=job.results.overwrite,
        extra={"device": resolved.network.device} | ({} if resolved.size is None else {"size": resolved.size.record()}),
    )

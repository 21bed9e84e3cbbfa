"""The adapted network of a run: made before its first frame, kept beside the results until it ends, then forgotten.

`run.json` holds the digest of its weights, so that a run that continues goes on with the very same network, or knows
that it does not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn

from cyclevos.adaptation.adapting import adapt_to
from cyclevos.adaptation.given_clips import GivenClip
from cyclevos.adaptation.outcome import AdaptationOutcome
from cyclevos.errors import WeightsError
from cyclevos.jobs.job import SegmentJob
from cyclevos.jobs.progress import OpenBar, with_loss
from cyclevos.jobs.run_folder import RunFolder
from cyclevos.jobs.run_record import ADAPTATION, RunRecord
from cyclevos.media.sources import FrameSource
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.tensor_files import fill, read_safetensors, stored_tensors, tensors_digest, write_safetensors
from cyclevos.network.weights import ordinary_tensors
from cyclevos.propagation.segment import Masks

ADAPTED_FILE = "adapted.safetensors"
"""Name, within the folder of a run that has not ended, of the file of its adapted weights."""

_DIGEST = "digest"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunNetwork:
    """The network of a run.

    Attributes:
        network: adapted to the source where the job asks for that.
        outcome: what came of the adaptation; None where the job asks for none.
        same: whether it made the results that the folder holds, if there are any.
    """

    network: MemoryNetwork
    outcome: AdaptationOutcome | None = None
    same: bool = True

    def keep(self, folder: Path) -> None:
        """Write adapted weights to the run's folder.

        Raises:
            OutputError: the system refuses to write.
        """
        if self.outcome is not None:
            write_safetensors(_tensors(self.network), folder / ADAPTED_FILE)


def network_of_run(
    network: MemoryNetwork,
    job: SegmentJob,
    source: FrameSource,
    masks: Masks,
    folder: RunFolder,
    open_bar: OpenBar,
    *,
    continues: bool,
) -> RunNetwork:
    """Return the network that a job runs: as it was loaded, as an earlier start of the run adapted it, or adapted now.

    Args:
        network: loaded; it stays as it is.
        job: the job.
        source: its frames.
        masks: checked masks by frame index.
        folder: of the run; what came of the adaptation is noted there.
        open_bar: opens the bar that shows the progress.
        continues: the folder holds the same run.

    Raises:
        CycleVOSError: the network cannot be adapted.
    """
    if job.adaptation is None:
        return RunNetwork(network)
    before = _recorded(folder.path) if continues else {}
    kept = _kept(network, folder.path / ADAPTED_FILE, before.get(_DIGEST))
    if kept is not None:
        folder.note(**{ADAPTATION: before})
        return RunNetwork(kept, AdaptationOutcome.read(before))
    how, direction = job.adaptation, job.segmentation.direction
    with open_bar(f"adapting to {source.name}", how.steps, unit="steps") as advance:
        clip = GivenClip(source.name, source, masks)
        adapted, outcome = adapt_to(network, [clip], how, direction, with_loss(advance))
    digest = tensors_digest(_tensors(adapted)).hex()
    folder.note(**{ADAPTATION: {**outcome.as_record(), _DIGEST: digest}})
    same = not continues or before.get(_DIGEST) == digest
    if not same:
        folder.start_again()
        logger.warning(
            "%s: the weights that this run was adapted to are lost, and cannot be made again on this machine; starting "
            "at the first frame with other ones",
            folder.path,
        )
    return RunNetwork(adapted, outcome, same)


def forget_adapted(folder: Path) -> None:
    """Remove the adapted weights of a run that has ended."""
    (folder / ADAPTED_FILE).unlink(missing_ok=True)


def _recorded(folder: Path) -> Mapping[str, Any]:
    """Return what a run's record says came of its adaptation; nothing where that is not whole."""
    run = RunRecord.read(folder)
    found = None if run is None else run.extra.get(ADAPTATION)
    return found if isinstance(found, dict) and {"steps", "reason", _DIGEST} <= found.keys() else {}


def _kept(network: MemoryNetwork, file: Path, digest: str | None) -> MemoryNetwork | None:
    """Return a copy of the network with the weights of an earlier start; None if they are not there whole."""
    if digest is None or not file.is_file():
        return None
    try:
        tensors, _ = read_safetensors(file)
        if tensors_digest(tensors).hex() != digest:
            raise WeightsError(f"{file} is damaged.", "Repeat the command: the network is adapted again.")
    except WeightsError as error:
        logger.warning("%s Adapting again.", error.problem)
        return None
    with ordinary_tensors():
        copy = cast(nn.Module, deepcopy(network))
        fill(copy.state_dict(), tensors, f"{file} does not match the network")
    return cast(MemoryNetwork, copy)


def _tensors(network: MemoryNetwork) -> dict[str, Any]:
    return stored_tensors(cast(nn.Module, network))

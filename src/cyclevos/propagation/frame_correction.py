"""The correction of one frame within the loop: whether it is due, what it starts from, and where its result goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.geometry import grow_probabilities
from cyclevos.masks import ids_to_probabilities, most_probable, probabilities_to_ids
from cyclevos.network.protocol import MemoryNetwork, Segmentation
from cyclevos.network.transfer import upload
from cyclevos.propagation.autograd_mode import require_gradients
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.descent import Corrected, Subject, correct
from cyclevos.propagation.mask_steps import as_probabilities
from cyclevos.propagation.network_frame import NetworkFrame
from cyclevos.propagation.outcome import MaskOutcome
from cyclevos.propagation.pruning import Pruned, prune
from cyclevos.propagation.references import Reference, References
from cyclevos.propagation.schedule import Schedule
from cyclevos.words import counted

logger = logging.getLogger(__name__)

Disturbance = Callable[[int, NDArray[np.uint8]], NDArray[np.uint8] | None]

# Shapes: K objects, H W pixels of the source, H' W' of the network.


class Known(NamedTuple):
    """What is known of the frames before the one that is corrected.

    Attributes:
        objects: the user's id of each slot.
        references: annotated frames.
        previous: the frame before with its output, if the correction asks it.
        schedule: where the run stands.
    """

    objects: tuple[int, ...]
    references: References
    previous: Reference | None
    schedule: Schedule


class FrameCorrection:
    """Corrects the predicted masks of frames in which a correction is due.

    Args:
        network: any memory network.
        correction: how masks are corrected; None = they are not.
        disturb: see :class:`~cyclevos.propagation.propagator.Propagator`.

    Raises:
        ConfigError: the network has no gradients to correct masks with.
    """

    def __init__(self, network: MemoryNetwork, correction: Correction | None, disturb: Disturbance | None) -> None:
        self.how = correction if correction is not None and (correction.steps or correction.prune) else None
        if self.how is not None and self.how.steps:
            require_gradients(network)
        self._network, self._disturb = network, disturb

    def masks(
        self, frame: NetworkFrame, said: Segmentation, predicted: Tensor, known: Known
    ) -> tuple[MaskOutcome, Tensor]:
        """Correct predicted masks (K+1,H',W') where it is due, and choose the masks for the output and for memory.

        Args:
            frame: the frame.
            said: what the network answered.
            predicted: the masks that follow from it.
            known: of the frames before.

        Returns:
            The masks, and what is left of the predicted ones without islands, before any gradient step.
        """
        answered, dropped = predicted, (0,) * len(known.objects)
        pruned = self._prune(frame, said, predicted, known)
        if pruned is not None:
            predicted, dropped = pruned.probabilities, pruned.dropped
        start = self._disturbed(frame.index, predicted, known)
        output, remembered = predicted, start
        uncorrected = None if pruned is None else answered
        memory = pruned.memory if pruned is not None and start is predicted else None
        own = torch.tensor([[not pieces for pieces in dropped]]) if start is predicted else None
        corrected = self._correct(frame, start, said if start is answered else None, known)
        if corrected is not None and self._goes_to("memory"):
            remembered, memory = corrected.probabilities, corrected.memory
            own = None if corrected.kept else own
        if corrected is not None and corrected.kept and self._goes_to("output") and start is predicted:
            output, uncorrected = as_probabilities(corrected.probabilities), answered
        full = grow_probabilities(output, frame.source)
        return MaskOutcome(known.objects, full, output, remembered, memory, own, uncorrected), predicted

    def next_previous(self, masks: MaskOutcome, schedule: Schedule) -> tuple[Tensor | None, Tensor]:
        """Return the output's ids (H',W') and objects' pixel counts (K,), if the next step asks this frame.

        Args:
            masks: of the frame.
            schedule: of the step that comes next.
        """
        if not self._asks_previous(schedule) or masks.inside is None:
            return None, torch.empty(0, dtype=torch.int64, device=masks.output.device)
        ids = most_probable(masks.inside, masks.objects)
        return ids, torch.stack([(ids == i).sum() for i in masks.objects])

    def _asks_previous(self, schedule: Schedule) -> bool:
        """Return whether the next step asks the frame before it."""
        how = self.how
        if how is None:
            return False
        return how.prune or (how.steps > 0 and how.accept == "consistent" and schedule.due(how.every))

    def _prune(self, frame: NetworkFrame, said: Segmentation, predicted: Tensor, known: Known) -> Pruned | None:
        """Drop pieces of predicted masks (K+1,H',W') that vouch for nothing; None if none is dropped."""
        if self.how is None or not self.how.prune:
            return None
        references, previous = known.references.reached(), known.previous
        pruned = prune(self._network, frame, said, predicted, references, known.objects, previous)
        if pruned is not None:
            logger.info("frame %d: %s dropped", frame.index, counted(sum(pruned.dropped), "island"))
        return pruned

    def _correct(self, frame: NetworkFrame, start: Tensor, said: Segmentation | None, known: Known) -> Corrected | None:
        how = self.how
        if how is None or not how.steps or not known.schedule.due(how.every):
            return None
        references = known.references.all() if how.reference == "all" else known.references.reached()
        subject = Subject(frame.index, self._network.prepare_memory(frame.pixels, frame.query), said)
        measured = logger.isEnabledFor(logging.INFO)  # measuring a correction takes time
        corrected = correct(
            self._network, subject, start, references, known.objects, how, previous=known.previous, measure=measured
        )
        if measured:
            logger.info("frame %d: %s", frame.index, corrected.summary(start))
        return corrected

    def _goes_to(self, what: str) -> bool:
        return self.how is not None and self.how.apply_to in (what, "both")

    def _disturbed(self, index: int, predicted: Tensor, known: Known) -> Tensor:
        if self._disturb is None or not known.schedule.sampled:
            return predicted
        ids = self._disturb(index, probabilities_to_ids(predicted, known.objects))
        return predicted if ids is None else upload(ids_to_probabilities(ids, known.objects), predicted.device)

"""The settings of a training run of a prompt network: meaning, range and default of each."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cyclevos.datasets.augmentation import Motion
from cyclevos.datasets.prompt_samples import PromptDraws
from cyclevos.prompts.spec import PromptSpec
from cyclevos.training.prompt_objective import PromptObjectiveConfig
from cyclevos.training.schema import RunConfig, Section, SourceConfig, ValidationEvery


class PromptNetworkConfig(Section):
    """Which network is trained and what it starts from.

    Attributes:
        spec: the architecture.
        trunk_from: network whose query encoder gives the trunk's weights: a name or a file; None = ImageNet weights.
        init_from: weights file of a prompt network to start from; None = only the trunk is given.
        decoder_from: weights file of a prompt network with another trunk, whose decoder is taken over; not with
            ``init_from``.
        freeze_until_stride: keep the trunk's stages up to this stride as they are; 0 trains all of it, 32 nothing.
    """

    spec: PromptSpec = PromptSpec()
    trunk_from: str | None = "default"
    init_from: Path | None = None
    decoder_from: Path | None = None
    freeze_until_stride: Literal[0, 4, 8, 16, 32] = 32

    @model_validator(mode="after")
    def _one_start(self) -> PromptNetworkConfig:
        if self.init_from is not None and self.decoder_from is not None:
            raise ValueError("init_from gives the decoder, too: set decoder_from or init_from to null")
        return self


class PromptDataConfig(Section):
    """Training data.

    Attributes:
        sources: data sets from which frames and stills are drawn.
        motion: how still images are moved.
        draws: how prompts and looks are drawn.
        hold_back_every: every n-th image of a still source is left out, for validation.
        workers: processes that prepare samples; 0 prepares them in the training process.
    """

    sources: tuple[SourceConfig, ...]
    motion: Motion = Motion()
    draws: PromptDraws = PromptDraws()
    hold_back_every: int = Field(25, ge=2)
    workers: int = Field(1, ge=0)


class PromptValidationConfig(ValidationEvery):
    """Validation during a run: J of objects that are held back, from a box and after 1 to 3 clicks.

    Attributes:
        sequences: names of the sequences that are left out of every video source and validated.
        objects: how many objects are validated, half from the sequences and half from the stills held back; 0 = none.
    """

    sequences: tuple[str, ...] = ()
    objects: int = Field(0, ge=0)


class PromptTrainingConfig(RunConfig):
    """A whole training run of a prompt network.

    Attributes:
        trains: ``prompts``.
        network: the network to train.
        objective: the loss, and the corrective clicks.
        data: the training data.
        validation: validation during the run.
    """

    trains: Literal["prompts"]
    network: PromptNetworkConfig = PromptNetworkConfig()
    objective: PromptObjectiveConfig = PromptObjectiveConfig()
    data: PromptDataConfig
    validation: PromptValidationConfig = PromptValidationConfig()

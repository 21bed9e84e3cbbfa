"""The settings of a training run: meaning, range and default of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator, model_validator

from cyclevos.datasets.augmentation import Augmentation, Motion
from cyclevos.datasets.sources import Labels
from cyclevos.network.stm.spec import NetworkSpec
from cyclevos.training.objective import ObjectiveConfig


class Section(BaseModel):
    """A part of the settings: complete, unchangeable, with finite numbers and no unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NetworkConfig(Section):
    """Which network is trained and what it starts from.

    Attributes:
        name: a named network whose specification is used, unless ``spec`` is given.
        changes: fields of that specification to override.
        spec: a complete specification.
        init_from: weights file or named weights to start from; their size, kernel and context may differ.
        imagenet: start both trunks from ImageNet weights; with ``init_from``, only the stages for context if those
            weights have no context.
        freeze_until_stride: freeze the query encoder's stages up to this stride; 0 trains all.
    """

    name: str = "default"
    changes: NetworkSpec = NetworkSpec()
    spec: NetworkSpec | None = None
    init_from: str | None = None
    imagenet: bool = True
    freeze_until_stride: Literal[0, 4, 8, 16] = 0

    @field_serializer("changes")
    def _set_alone(self, changes: NetworkSpec) -> dict[str, Any]:
        return changes.model_dump(exclude_unset=True)


class SourceConfig(Section):
    """One source of clips.

    Attributes:
        kind: ``video`` (a data set of sequences), ``pseudo`` (the annotated frames of such a data set, each moved as a
            still image) or ``still`` (a folder of images and one of masks, see ``images`` and ``masks``).
        root: the data set's folder.
        weight: sampling weight, relative to the other sources.
        split: split to use; None takes every sequence.
        labels: ``all``, or ``first``: of each sequence only the first annotated frame counts as labelled. Clips of
            ``video`` begin with it, and the frames that follow are any frames of the sequence, without labels; they
            have cyclic terms alone. Not for still sources.
        annotations: folder of the masks inside ``annotation_root``.
        annotation_root: folder that holds it; default ``root``.
        exclude: sequences to leave out in addition to the validation sequences.
        images: folder of images, still sources only.
        masks: folder of masks, still sources only.
        motion: how pseudo-clips move, still and pseudo sources only; None = ``data.motion``.
    """

    kind: Literal["video", "pseudo", "still"] = "video"
    root: Path
    weight: float = Field(1.0, gt=0)
    split: str | None = None
    labels: Labels = "all"
    annotations: str = "Annotations"
    annotation_root: Path | None = None
    exclude: tuple[str, ...] = ()
    images: str = "images"
    masks: str = "masks"
    motion: Motion | None = None

    @field_validator("labels", mode="before")
    @classmethod
    def _one_mask_is_needed(cls, value: object) -> object:
        """Explain why there is no ``none``."""
        if value in ("none", None):
            raise ValueError("expected 'all' or 'first': a sequence without any mask has nothing to come back to")
        return value

    @model_validator(mode="after")
    def _stills_are_labelled(self) -> SourceConfig:
        if self.kind == "still" and self.labels != "all":
            raise ValueError("labels: first is for the kinds video and pseudo; every still image has its mask")
        return self


class GapConfig(Section):
    """Curriculum of the largest frame gap; see :class:`cyclevos.datasets.clips.GapCurriculum`.

    Attributes:
        start: largest gap at the start, in frames.
        step: added at every stage.
        every: samples per stage.
        maximum: never exceeded.
    """

    start: int = Field(5, ge=1)
    step: int = Field(5, ge=0)
    every: int = Field(100_000, ge=1)
    maximum: int = Field(25, ge=1)


class DataConfig(Section):
    """Training data.

    Attributes:
        sources: data sets from which clips are drawn.
        motion: how pseudo-clips of still images move.
        augmentation: how every clip is varied.
        length: frames per clip.
        gaps: curriculum of frame gaps.
        max_objects: objects per clip, at most.
        min_pixels: smallest object to train on, in pixels of the augmented frame.
        paste: probability of pasting an object of another clip over a clip, so that objects occlude each other. Objects
            of clips with unlabelled frames are not pasted.
        twins: probability of pasting an object's mirror image over its clip, elsewhere, as another object.
        leave_out: probability that an object becomes background, of each but one, so that what looks like an object
            need not be one.
        workers: processes that prepare clips; 0 prepares them in the training process.
    """

    sources: tuple[SourceConfig, ...]
    motion: Motion = Motion()
    augmentation: Augmentation = Augmentation()
    length: int = Field(3, ge=2)
    gaps: GapConfig = GapConfig()
    max_objects: int = Field(5, ge=1)
    min_pixels: int = Field(64, ge=1)
    paste: float = Field(0.0, ge=0, le=1)
    twins: float = Field(0.0, ge=0, le=1)
    leave_out: float = Field(0.0, ge=0, le=1)
    workers: int = Field(2, ge=0)


class OptimiserConfig(Section):
    """The optimiser and its schedule.

    Attributes:
        name: ``adam`` or ``adamw``.
        lr: learning rate.
        trunk_factor: the trunks' learning rate relative to ``lr``.
        betas: Adam's.
        weight_decay: Adam's (L2 for ``adam``, decoupled for ``adamw``).
        schedule: ``constant`` or ``cosine`` (to zero at the last step).
        warmup: steps of linear warm-up.
        clip_norm: largest gradient norm; None = no clipping.
        ema: decay of the averaged weights that are validated and saved; None = no averaging.
    """

    name: Literal["adam", "adamw"] = "adam"
    lr: float = Field(1e-5, gt=0)
    trunk_factor: float = Field(1.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(5e-4, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = Field(0, ge=0)
    clip_norm: float | None = Field(None, gt=0)
    ema: float | None = Field(None, gt=0, lt=1)


class ValidationEvery(Section):
    """When a run is validated.

    Attributes:
        every: steps between validations.
    """

    every: int = Field(1000, ge=1)


class ValidationConfig(ValidationEvery):
    """Validation during a run.

    Attributes:
        root: data set of the validation sequences; None = no validation.
        split: its split.
        annotations: folder of the masks.
        sequences: names of the sequences, which are left out of every training source of the same root.
        size: shorter side for validation, in pixels.
        max_frames: frames per sequence, at most.
    """

    root: Path | None = None
    split: str | None = None
    annotations: str = "Annotations"
    sequences: tuple[str, ...] = ()
    size: int | None = Field(240, ge=16)
    max_frames: int = Field(40, ge=2)


class RunConfig(Section):
    """What every training run has, whatever it trains.

    Attributes:
        optimiser: the optimiser and its schedule.
        validation: validation during the run.
        steps: optimiser steps.
        batch: samples per step and process.
        seed: of all randomness.
        precision: ``no``, ``bf16`` or ``fp16`` mixed precision.
        log_every: steps between logged scalars.
        checkpoint_every: steps between full-state checkpoints.
    """

    optimiser: OptimiserConfig = OptimiserConfig()
    validation: ValidationEvery = ValidationEvery()
    steps: int = Field(..., ge=1)
    batch: int = Field(4, ge=1)
    seed: int = 0
    precision: Literal["no", "bf16", "fp16"] = "no"
    log_every: int = Field(20, ge=1)
    checkpoint_every: int = Field(500, ge=1)

    @field_validator("precision", mode="before")
    @classmethod
    def _no_is_a_word(cls, value: object) -> object:
        """Accept false as ``no``, because YAML reads an unquoted ``no`` as false."""
        return "no" if value is False else value


class TrainingConfig(RunConfig):
    """A whole training run of a video network.

    Attributes:
        trains: ``video``.
        network: the network to train.
        objective: the loss.
        data: the training data.
        validation: validation during the run.
        size: shorter side stored with the weights as their default, in pixels.
    """

    trains: Literal["video"] = "video"
    network: NetworkConfig = NetworkConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    data: DataConfig
    validation: ValidationConfig = ValidationConfig()
    size: int | None = Field(240, ge=16)

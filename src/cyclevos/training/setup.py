"""Builds the parts of a training run from its configuration: network, data, optimiser and schedule."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from cyclevos.datasets.augmentation import Motion
from cyclevos.datasets.clips import ClipDataset, GapCurriculum
from cyclevos.datasets.layouts import open_dataset
from cyclevos.datasets.sources import ClipSource, PseudoClipSource, StillSource, VideoSource
from cyclevos.datasets.stills import still_pairs
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.network.stm.family import build_network
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import SPECS, NetworkSpec
from cyclevos.network.weights import load_network
from cyclevos.training.schema import NetworkConfig, OptimiserConfig, SourceConfig, TrainingConfig


def build_trained_network(config: NetworkConfig, size: int | None) -> SpaceTimeMemoryNetwork:
    """Build the network that a run starts from.

    Args:
        config: the network's configuration.
        size: shorter side to store with the weights.

    Raises:
        ConfigError: the network's name is unknown, or the weights to start from are for another network.
        WeightsError: the weights to start from cannot be read.
    """
    if config.spec is None and config.name not in SPECS:
        raise ConfigError(f"network.name {config.name!r} is unknown.", f"Use one of {', '.join(SPECS)}.")
    changes = config.changes.model_dump(exclude_unset=True)
    spec = (config.spec or SPECS[config.name]).model_copy(update={**changes, "size": size})
    if config.init_from is None:
        network = build_network(spec, imagenet=config.imagenet)
    else:
        network = _start_from(config.init_from, spec, imagenet=config.imagenet)
    network.query_encoder.freeze_until_stride(config.freeze_until_stride)
    return network


def build_dataset(config: TrainingConfig, processes: int) -> ClipDataset:
    """Build the data set of clips for a whole run.

    Raises:
        ConfigError: a source can teach nothing, because its labels need the cycle and the run has none.
        DatasetError: a source is missing or empty, or there is nothing to paste.
    """
    data = config.data
    _check_unlabelled(config)
    held_back = set(config.validation.sequences)
    gaps = GapCurriculum(**data.gaps.model_dump())
    return ClipDataset(
        [(named_source(n, source, held_back, data.motion), source.weight) for n, source in enumerate(data.sources)],
        data.augmentation,
        length=data.length,
        samples=config.steps * config.batch * processes,
        gaps=gaps,
        max_objects=data.max_objects,
        seed=config.seed,
        min_pixels=data.min_pixels,
        paste=data.paste,
        twins=data.twins,
        leave_out=data.leave_out,
    )


def build_optimiser(objective: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """Build the optimiser; the trunks are a parameter group with their own learning rate."""
    named = [(name, p) for name, p in objective.named_parameters() if p.requires_grad]
    trunks = [p for name, p in named if _is_of_trunk(name)]
    others = [p for name, p in named if not _is_of_trunk(name)]
    groups = [
        {"params": trunks, "lr": config.lr * config.trunk_factor},
        {"params": others, "lr": config.lr},
    ]
    kind = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    return kind([g for g in groups if g["params"]], betas=config.betas, weight_decay=config.weight_decay)


def build_schedule(optimiser: torch.optim.Optimizer, config: OptimiserConfig, steps: int) -> LambdaLR:
    """Build the learning-rate schedule: linear warm-up, then constant or cosine to zero."""

    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
        if config.schedule == "constant":
            return warm
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))

    return LambdaLR(optimiser, factor)


def _is_of_trunk(name: str) -> bool:
    return "_encoder." in name or name.startswith("network.trunk.")


def _start_from(weights: str, spec: NetworkSpec, *, imagenet: bool) -> SpaceTimeMemoryNetwork:
    """Build a network from weights, which may have another size or kernel and may lack the context."""
    start = load_network(weights, device="cpu", dtype="float32")
    if not isinstance(start, SpaceTimeMemoryNetwork):
        raise ConfigError(
            f"network.init_from {weights}: the weights are for a network of the family {start.traits.family}, but only "
            "those of the family stm can be trained.",
            "Give weights of cyclevos train, or a released file of STM.",
        )
    grows = spec.context and not start.spec.context
    may_differ = {"size": spec.size, "read_sigma": spec.read_sigma, "context": spec.context or start.spec.context}
    if start.spec.model_copy(update=may_differ) != spec:
        raise ConfigError(
            f"network.init_from {weights}: the weights are for {start.spec}, but the run has {spec}.",
            "Give weights for this network, or change network.spec.",
        )
    network = build_network(spec, imagenet=imagenet and grows)
    network.load_state_dict(start.state_dict(), strict=not grows)
    return network


def named_source(number: int, config: SourceConfig, held_back: set[str], motion: Motion) -> ClipSource:
    """Build a source; an error names the setting that it comes from."""
    try:
        return _build_source(config, held_back, motion)
    except DatasetError as error:
        setting = f"data.sources.{number}.root"
        raise DatasetError(
            f"{setting}: {error.problem}", f"{error.remedy} --set {setting}=FOLDER changes the folder."
        ) from error


def _build_source(config: SourceConfig, held_back: set[str], motion: Motion) -> ClipSource:
    if config.kind == "still":
        source = StillSource(still_pairs(config.root, config.images, config.masks), config.motion or motion)
        source.decide()
        return source
    dataset = open_dataset(
        config.root,
        config.split,
        annotations=config.annotations,
        annotation_root=config.annotation_root,
    )
    left_out = held_back | set(config.exclude)
    sequences = [s for s in dataset.sequences if s.name not in left_out and s.annotations]
    if not sequences:
        raise DatasetError(
            f"{config.root}: no sequence is left to train on after leaving out {sorted(left_out)}.",
            "Check split, exclude and validation.sequences.",
        )
    if config.kind == "pseudo":
        return PseudoClipSource(sequences, config.motion or motion, config.labels)
    return VideoSource(sequences, config.labels)


def _check_unlabelled(config: TrainingConfig) -> None:
    """Refuse clips with unlabelled frames in a run without the cyclic terms, the only ones that they have."""
    if config.objective.cycle and config.objective.cycle_weight > 0:
        return
    for n, source in enumerate(config.data.sources):
        if source.kind == "video" and source.labels == "first":
            raise ConfigError(
                f"data.sources.{n}: clips with labels in the first frame alone teach nothing without the cycle.",
                f"Set objective.cycle to true and objective.cycle_weight above 0, or data.sources.{n}.kind to pseudo, "
                "which moves the first frames.",
            )

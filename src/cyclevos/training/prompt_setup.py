"""Builds the parts of a training run of a prompt network from its configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from cyclevos.datasets.augmentation import Motion
from cyclevos.datasets.prompt_samples import PromptDataset, PromptDraws
from cyclevos.datasets.sources import ClipSource, StillSource, VideoSource
from cyclevos.errors import ConfigError
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.trunks import load_imagenet_weights
from cyclevos.network.tensor_files import fill
from cyclevos.network.weights import load_network
from cyclevos.prompts.network import PromptNetwork
from cyclevos.prompts.weights import load_prompt_network
from cyclevos.training.prompt_schema import PromptNetworkConfig, PromptTrainingConfig
from cyclevos.training.setup import named_source

_STILL = Motion(rotate=0, shear=0, scale=(1, 1), translate=0, perspective=0, elastic=0)


def build_prompt_network(config: PromptNetworkConfig) -> PromptNetwork:
    """Build the network that a run starts from; it may look at another size than the weights that it starts from.

    Raises:
        ConfigError: the weights to start from are for another network.
        WeightsError: they cannot be read.
    """
    if config.init_from is not None:
        network = load_prompt_network(config.init_from)
        if network.spec.size != config.spec.size:
            network = network.at_size(config.spec.size)
        if network.spec != config.spec:
            raise ConfigError(
                f"network.init_from {config.init_from}: the weights are for {network.spec}, the run has {config.spec}.",
                "Give weights for this network, or change network.spec.",
            )
    else:
        network = PromptNetwork(config.spec)
        _start_trunk(network, config.trunk_from)
        if config.decoder_from is not None:
            _start_decoder(network, config.decoder_from)
    network.trunk.freeze_until_stride(config.freeze_until_stride)
    return network


def build_prompt_dataset(config: PromptTrainingConfig, processes: int) -> PromptDataset:
    """Build the samples of a whole run, without what is held back for validation.

    Raises:
        DatasetError: a source is missing or empty.
    """
    kept = [_without_held_back(source, config.data.hold_back_every) for source in _sources(config, held_back=False)]
    return PromptDataset(
        list(zip(kept, (source.weight for source in config.data.sources), strict=True)),
        config.data.draws,
        samples=config.steps * config.batch * processes,
        seed=config.seed,
    )


def build_prompt_validation(config: PromptTrainingConfig) -> dict[str, PromptDataset]:
    """Return the samples of what is held back, of video sources and of stills; a kind without any is left out.

    Raises:
        DatasetError: a sequence is missing.
    """
    draws = PromptDraws(
        size=config.data.draws.size, kinds={"box": 1.0}, margin=(1.4, 1.4), shift=0.0, slack=0.0,
        contrast=(1, 1), brightness=0.0, saturation=(1, 1), mirror=0.0,
    )  # fmt: skip
    videos = [s for s in _sources(config, held_back=True) if isinstance(s, VideoSource)]
    stills = [
        replace(s, pairs=s.pairs[:: config.data.hold_back_every], motion=_STILL)
        for s in _sources(config, held_back=False)
        if isinstance(s, StillSource)
    ]
    kinds: dict[str, list[ClipSource]] = {"video": list(videos), "still": list(stills)}
    half = max(1, config.validation.objects // 2)
    return {
        kind: PromptDataset([(source, 1.0) for source in found], draws, samples=half, seed=0)
        for kind, found in kinds.items()
        if found
    }


def _start_trunk(network: PromptNetwork, trunk_from: str | None) -> None:
    if trunk_from is None:
        load_imagenet_weights(network.trunk, network.spec.trunk)
        return
    start = load_network(trunk_from, device="cpu", dtype="float32")
    if not isinstance(start, SpaceTimeMemoryNetwork):
        raise ConfigError(
            f"network.trunk_from {trunk_from}: a network of the family {start.traits.family} has no such trunk.",
            "Give a network of the family stm.",
        )
    state = network.trunk.state_dict()
    fill(state, start.query_encoder.state_dict(), f"network.trunk_from {trunk_from}")


def _start_decoder(network: PromptNetwork, path: Path) -> None:
    """Take over the decoder of a network with another trunk, but for what joins a trunk of other widths."""
    source = load_prompt_network(path).at_size(network.spec.size)
    if (source.spec.widths, source.spec.blocks) != (network.spec.widths, network.spec.blocks):
        raise ConfigError(
            f"network.decoder_from {path}: the decoder is that of {source.spec}, the run has {network.spec}.",
            "Give a network with the same widths and blocks, or change network.spec.",
        )
    own = network.state_dict()
    given = {name: tensor for name, tensor in source.state_dict().items() if not name.startswith("trunk.")}
    fitting = {name: tensor for name, tensor in given.items() if tensor.shape == own[name].shape}
    network.load_state_dict(fitting, strict=False)


def _sources(config: PromptTrainingConfig, *, held_back: bool) -> list[ClipSource]:
    """Open the sources; with `held_back`, video sources give the validation's sequences alone."""
    names = set(config.validation.sequences)
    opened: list[ClipSource] = []
    for n, source in enumerate(config.data.sources):
        if source.kind == "video" and held_back:
            video = cast(VideoSource, named_source(n, source, set(), config.data.motion))
            kept = [s for s in video.sequences if s.name in names]
            opened += [replace(video, sequences=kept)] if kept else []
        else:
            opened.append(named_source(n, source, names, config.data.motion))
    return opened


def _without_held_back(source: ClipSource, every: int) -> ClipSource:
    if not isinstance(source, StillSource):
        return source
    return replace(source, pairs=[pair for n, pair in enumerate(source.pairs) if n % every])

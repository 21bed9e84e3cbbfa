"""``cyclevos adapt``: a network adapted to one video, as a file of weights."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.changed_values import parse_settings
from cyclevos.cli.mask_options import GivenMasks
from cyclevos.cli.options import Source
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError, OutputError
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings
from cyclevos.words import counted


@with_settings
def adapt(
    source: Source,
    masks: GivenMasks,
    output: Annotated[Path, typer.Option(help="The file of the adapted weights, ending in .safetensors.")],
    reading: MaskReading,
    network: Annotated[NetworkSettings, Only("weights", "device", "dtype")],
    segmentation: Annotated[SegmentationSettings, Only("direction")],
    results: Annotated[OutputSettings, Only("overwrite", "quiet")],
    adapt_set: Annotated[
        list[str] | None, typer.Option(help="Change one value of the adaptation, e.g. steps=40; may be repeated.")
    ] = None,
) -> None:
    """Adapt a network to a video before it is segmented, from the masks that are given alone (experimental).

    Segment the video with --weights and this file afterwards. docs/adapt.md says when it helps and what it costs.
    """
    from cyclevos.adaptation.adapting import adapt as adapt_network
    from cyclevos.adaptation.settings import Adaptation
    from cyclevos.exchange.given.given_masks import read_source_masks
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.media.open_source import open_source
    from cyclevos.network.locating import locate

    adaptation = Adaptation.preset("default", **parse_settings(adapt_set, "--adapt-set"))
    family = locate(network.weights).network_family()
    family.require_writing()
    _check_output(output, results.overwrite)
    opened = open_source(source)
    given = read_source_masks(masks, opened, reading)
    loaded = network.load()
    losses: list[float] = []
    with progress_bar("adapting", adaptation.steps, unit="steps", quiet=results.quiet) as advance:

        def progress(done: int, loss: float) -> None:
            losses.append(loss)
            advance(done, f"loss {loss:.3f}")

        ids = {index: mask.ids for index, mask in given.items()}
        adapted = adapt_network(loaded, opened, ids, adaptation, direction=segmentation.direction, progress=progress)
    family.save(adapted, output)
    typer.echo(f"{_told(losses)}{output}")


def _told(losses: list[float]) -> str:
    """Say how the loss fell, from the first quarter of the steps to the last."""
    known = [loss for loss in losses if loss == loss]
    if not known:
        return "nothing could be reconstructed, so the weights are as they were: "
    quarter = max(1, len(known) // 4)
    first, last = statistics.fmean(known[:quarter]), statistics.fmean(known[-quarter:])
    return f"loss {first:.3f} to {last:.3f} in {counted(len(losses), 'step')}: "


def _check_output(output: Path, overwrite: bool) -> None:
    if output.suffix != ".safetensors" or output.is_dir():
        raise ConfigError(f"--output {output} is not a file of weights.", "Give a name that ends in .safetensors.")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists already.", "Choose another name, or give --overwrite.")

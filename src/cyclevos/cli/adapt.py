"""``cyclevos adapt``: a network adapted to one video, as a file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.adapt_options import AdaptSet, parsed_adaptation
from cyclevos.cli.mask_options import GivenMasks
from cyclevos.cli.options import Source
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError, OutputError
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings


@with_settings
def adapt(
    source: Source,
    masks: GivenMasks,
    output: Annotated[Path, typer.Option(help="The file of the adapted weights, ending in .safetensors.")],
    reading: MaskReading,
    network: Annotated[NetworkSettings, Only("weights", "device", "dtype")],
    segmentation: Annotated[SegmentationSettings, Only("direction")],
    results: Annotated[OutputSettings, Only("overwrite", "quiet")],
    adapt_set: AdaptSet = None,
) -> None:
    """Adapt a network to a video before it is segmented, from the masks that are given alone (experimental).

    Segment the video with --weights and this file afterwards; `cyclevos segment --adapt` does both. docs/adapt.md says
    when it helps and what it costs.
    """
    from cyclevos.adaptation.adapting import adapt_to
    from cyclevos.exchange.given.given_masks import read_reaching_masks
    from cyclevos.exchange.given.python_masks import check_shown
    from cyclevos.jobs.progress import progress_bar, with_loss
    from cyclevos.media.open_source import open_source
    from cyclevos.network.locating import locate

    adaptation = parsed_adaptation(adapt_set)
    family = locate(network.weights).network_family()
    family.require_writing()
    _check_output(output, results.overwrite)
    opened = open_source(source)
    given = read_reaching_masks(masks, opened, segmentation.direction, reading)
    check_shown(given)
    ids = {index: mask.ids for index, mask in given.items()}
    loaded = network.load()
    with progress_bar(f"adapting to {opened.name}", adaptation.steps, unit="steps", quiet=results.quiet) as advance:
        adapted, outcome = adapt_to(loaded, opened, ids, adaptation, segmentation.direction, with_loss(advance))
    family.save(adapted, output)
    typer.echo(f"{outcome.text}: {output}")


def _check_output(output: Path, overwrite: bool) -> None:
    if output.suffix != ".safetensors" or output.is_dir():
        raise ConfigError(f"--output {output} is not a file of weights.", "Give a name that ends in .safetensors.")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists already.", "Choose another name, or give --overwrite.")

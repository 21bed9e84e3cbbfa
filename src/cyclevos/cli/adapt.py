"""``cyclevos adapt``: a network adapted to one video, or to several of one kind, as a file of weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli.adapt_options import AdaptSet, parsed_adaptation
from cyclevos.cli.mask_options import MasksOfEach
from cyclevos.cli.options import Sources
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError, OutputError
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import Direction, SegmentationSettings
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.adaptation.given_clips import GivenClip


@with_settings
def adapt(
    clips: Sources,
    masks: MasksOfEach,
    output: Annotated[Path, typer.Option(help="The file of the adapted weights, ending in .safetensors.")],
    reading: MaskReading,
    network: Annotated[NetworkSettings, Only("weights", "device", "dtype")],
    segmentation: Annotated[SegmentationSettings, Only("direction")],
    results: Annotated[OutputSettings, Only("overwrite", "quiet")],
    adapt_set: AdaptSet = None,
) -> None:
    """Adapt a network to one or several videos of a kind, from the masks that are given alone (experimental).

    Several clips, each with a --masks of its own, take turns: the steps are those of the whole run, not of each clip.
    Segment these or other videos with --weights and this file afterwards; `cyclevos segment --adapt` does both for one
    video. docs/adapt.md says when it helps and what it costs.
    """
    from cyclevos.adaptation.adapting import adapt_to
    from cyclevos.adaptation.given_clips import usable
    from cyclevos.jobs.progress import progress_bar, with_loss
    from cyclevos.network.locating import locate

    adaptation = parsed_adaptation(adapt_set)
    _check_masks(clips, masks)
    family = locate(network.weights).network_family()
    family.require_writing()
    _check_output(output, results.overwrite)
    direction = segmentation.direction
    pairs = zip(clips, masks, strict=True)
    opened = usable([(source, partial(_opened, source, given, direction, reading)) for source, given in pairs])
    loaded = network.load()
    name = Path(opened[0].name).name if len(opened) == 1 else counted(len(opened), "clip")
    with progress_bar(f"adapting to {name}", adaptation.steps, unit="steps", quiet=results.quiet) as advance:
        adapted, outcome = adapt_to(loaded, opened, adaptation, direction, with_loss(advance))
    family.save(adapted, output)
    if outcome.kept:
        typer.echo(f"{outcome.text}: {output}")
    else:
        typer.echo(f"Not adapted, {outcome.text}. {output} holds it unchanged.")


def _check_masks(clips: Sequence[str], masks: Sequence[Path]) -> None:
    if len(clips) != len(masks):
        raise ConfigError(
            f"There are {counted(len(clips), 'clip')} and {len(masks)} --masks; expected one for each clip.",
            "Give --masks once for each clip, in the order of the clips. A folder may hold the masks of one clip.",
        )


def _opened(source: str, masks: Path, direction: Direction, reading: MaskReading) -> GivenClip:
    from cyclevos.adaptation.given_clips import GivenClip
    from cyclevos.exchange.given.given_masks import read_reaching_masks
    from cyclevos.exchange.given.python_masks import check_shown
    from cyclevos.media.open_source import open_source

    opened = open_source(source)
    given = read_reaching_masks(masks, opened, direction, reading)
    check_shown(given)
    return GivenClip(source, opened, {index: mask.ids for index, mask in given.items()})


def _check_output(output: Path, overwrite: bool) -> None:
    if output.suffix != ".safetensors" or output.is_dir():
        raise ConfigError(f"--output {output} is not a file of weights.", "Give a name that ends in .safetensors.")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists already.", "Choose another name, or give --overwrite.")

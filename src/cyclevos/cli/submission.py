"""``cyclevos submission``: pack results as the zip file that a challenge's server accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import Only, with_settings
from cyclevos.words import counted

_TEST = DatasetSettings(split="test-dev")


@with_settings
def submission(
    results: Annotated[Path, typer.Argument(help="Folder of predicted masks: <sequence>/<frame>.png.")],
    dataset: Annotated[Path, typer.Option("--dataset", help="Root of the data set, with its frames.")],
    output: Annotated[Path, typer.Option("--output", help="The zip to write.")] = Path("submission.zip"),
    selection: Annotated[DatasetSettings, Only("split", "year", "sequences")] = _TEST,
    challenge: Annotated[
        options.ChallengeOption,
        typer.Option("--challenge", help="davis: sequences at the root; youtube-vos: in Annotations."),
    ] = options.ChallengeOption.davis,
    meta: Annotated[
        Path | None, typer.Option("--meta", help="YouTube-VOS meta.json: pack only the frames it lists.")
    ] = None,
) -> None:
    """Check that results are complete, with the right sizes and ids, and pack them for a challenge's server."""
    from cyclevos.datasets.youtube_meta import read_meta
    from cyclevos.evaluation.submission import write_submission

    opened = selection.open(dataset)
    youtube = challenge is options.ChallengeOption.youtube_vos
    asked = None if meta is None else read_meta(meta)
    masks = write_submission(results, opened, output, folder="Annotations" if youtube else "", meta=asked)
    typer.echo(f"{counted(len(opened), 'sequence')}, {counted(masks, 'mask')}: {output}")

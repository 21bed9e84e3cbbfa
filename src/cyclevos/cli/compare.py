"""``cyclevos compare``: the figure of two results side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from cyclevos.analysis.comparison import ComparedFrame


def compare(
    before: Annotated[Path, typer.Argument(help="Results before: a folder of masks, or of <sequence> folders.")],
    after: Annotated[Path, typer.Argument(help="Results after, of the same names.")],
    frames: Annotated[Path, typer.Option(help="The frames: a video, a folder, or <sequence> folders.")],
    output: Annotated[Path, typer.Option(help="The figure, .png or .pdf.")],
    truth: Annotated[Path | None, typer.Option(help="Ground truth of the same names, drawn as outlines.")] = None,
    sequences: Annotated[str | None, typer.Option(help="Some sequences, separated by commas.")] = None,
    at: Annotated[str | None, typer.Option(help="Names of the frames to show, separated by commas.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows at most; without --at, where the masks differ most.")] = 4,
    titles: Annotated[str, typer.Option(help="Titles of the two columns.")] = "before,after",
) -> None:
    """Draw frames with their masks before and after, say a correction, enlarging where they differ most."""
    names = titles.split(",")
    if len(names) != 2:
        raise ConfigError(f"--titles {titles!r}: expected two titles separated by a comma.")
    if output.suffix not in (".png", ".pdf"):
        raise ConfigError(f"--output {output}: expected a name that ends in .png or .pdf.")
    from cyclevos.analysis.comparison import comparison_figure, save_figure

    wanted = options.parse_names(sequences) or _sequences(before, after)
    shown = options.parse_names(at)
    found = [frame for name in wanted for frame in _most_changed(name, before, after, frames, truth, shown, rows)]
    if not shown:
        found = sorted(found, key=lambda frame: -frame.changed)[:rows]
    if not found:
        raise OutputError(f"{before} and {after} have no masks of the same names. Give two results of one video.")
    save_figure(comparison_figure(found[:rows], (names[0], names[1])), output)
    typer.echo(f"{', '.join(frame.label for frame in found[:rows])}: {output}")


def _sequences(before: Path, after: Path) -> tuple[str, ...]:
    """Return the sequence folders that both have; the folder itself, as ``.``, where masks lie in it."""
    for folder in (before, after):
        if not folder.is_dir():
            raise OutputError(f"{folder} is not a folder of results.")
    if any(before.glob("*.png")):
        return (".",)
    return tuple(sorted(p.name for p in before.iterdir() if p.is_dir() and (after / p.name).is_dir()))


def _most_changed(
    name: str, before: Path, after: Path, frames: Path, truth: Path | None, shown: tuple[str, ...] | None, rows: int
) -> list[ComparedFrame]:
    """Read the frames of one sequence that are asked for, or those in which the masks differ most."""
    import numpy as np

    from cyclevos.analysis.comparison import ComparedFrame
    from cyclevos.video import open_source, read_ground_truth
    from cyclevos.video.frames import index_name
    from cyclevos.video.review import spread_choice

    old, new = ({path.stem: path for path in (folder / name).glob("*.png")} for folder in (before, after))
    masks = {
        stem: (read_ground_truth(old[stem]).ids, read_ground_truth(new[stem]).ids)
        for stem in sorted(old.keys() & new.keys())
        if shown is None or stem in shown
    }
    if shown is None:
        stems = list(masks)
        differing = spread_choice([int(np.sum(masks[stem][0] != masks[stem][1])) for stem in stems], rows)
        masks = {stems[position]: masks[stems[position]] for position in differing}
    source = open_source(frames / name if (frames / name).is_dir() else frames)
    found = []
    for frame in source:
        stem = frame.name if source.frame_names is not None else index_name(frame.index)
        if stem in masks:
            file = None if truth is None else truth / name / f"{stem}.png"
            ids = read_ground_truth(file).ids if file is not None and file.is_file() else None
            label = stem if name == "." else f"{name} {stem}"
            found.append(ComparedFrame(label, frame.image, *masks[stem], ids))
    return found

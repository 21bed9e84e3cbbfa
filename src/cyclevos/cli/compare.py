"""``cyclevos compare``: the figure of two results side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.errors import ConfigError, MaskError, OutputError, VideoError
from cyclevos.naming import by_frame_name, list_masks

if TYPE_CHECKING:
    from cyclevos.analysis.comparison import ComparedFrame

_Pairs = dict[str, tuple[Path, Path]]  # files of the masks before and after, by the frame's name
_Chosen = list[tuple[str, str]]  # names of sequence and frame


def compare(
    before: Annotated[Path, typer.Argument(help="Results before: a folder of masks, or of <sequence> folders.")],
    after: Annotated[Path, typer.Argument(help="Results after, with the same names.")],
    frames: Annotated[Path, typer.Option(help="The frames: a video, a folder, or <sequence> folders.")],
    output: Annotated[Path, typer.Option(help="The figure, .png or .pdf.")],
    truth: Annotated[Path | None, typer.Option(help="Ground truth with the same names, drawn as outlines.")] = None,
    sequences: Annotated[str | None, typer.Option(help="Only these sequences, separated by commas.")] = None,
    at: Annotated[str | None, typer.Option(help="Names or indices of the frames to show, separated by commas.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows at most; without --at, where masks differ most.")] = 4,
    titles: Annotated[str, typer.Option(help="Titles of the two columns.")] = "before,after",
) -> None:
    """Draw frames with their masks before and after, for example, correction; details show where they differ most."""
    names = titles.split(",")
    if len(names) != 2:
        raise ConfigError(f"--titles {titles!r}: expected two titles.", "Separate them by a comma.")
    if output.suffix not in (".png", ".pdf"):
        raise ConfigError(f"--output {output} has an unknown ending.", "Give a name that ends in .png or .pdf.")
    for folder in (before, after, truth):
        if folder is not None and not folder.is_dir():
            raise OutputError(f"{folder} is not a folder.", "Give a folder of results.")
    from cyclevos.analysis.comparison import comparison_figure, save_figure

    named = options.parse_names(sequences)
    pairs = {name: _pairs(name, before, after) for name in named or _sequences(before, after)}
    without = [name for name, files in pairs.items() if not files]
    if len(without) == len(pairs) or (named and without):
        place = f" in {', '.join(without)}" if named else ""
        raise OutputError(
            f"{before} and {after} have no masks of the same names{place}.", "Give two results of one video."
        )
    asked = options.parse_names(at)
    chosen = _asked(pairs, asked, rows) if asked else _most_changed(pairs, rows)
    shown = _read_rows(chosen, pairs, frames, truth)
    save_figure(comparison_figure(shown, (names[0], names[1])), output)
    typer.echo(f"{', '.join(row.label for row in shown)}: {output}")


def _sequences(before: Path, after: Path) -> tuple[str, ...]:
    """Return the sequence folders that both have; the folder itself, as ``.``, where masks lie in it."""
    if list_masks(before):
        return (".",)
    return tuple(sorted(p.name for p in before.iterdir() if p.is_dir() and (after / p.name).is_dir()))


def _pairs(name: str, before: Path, after: Path) -> _Pairs:
    """Return the files of one sequence's masks whose names both have."""
    folders = [folder / name for folder in (before, after)]
    old, new = (by_frame_name(list_masks(each) if each.is_dir() else [], MaskError) for each in folders)
    return {stem: (old[stem], new[stem]) for stem in old if stem in new}


def _asked(pairs: Mapping[str, _Pairs], asked: tuple[str, ...], rows: int) -> _Chosen:
    """Return the frames that are asked for, by name or by number: 3 is also 00003.

    Raises:
        ConfigError: one of them is nowhere, or there are more than rows.
    """
    from cyclevos.naming import index_name

    meant = {each: {each, index_name(int(each))} if each.isdecimal() else {each} for each in asked}
    wanted = set().union(*meant.values())
    chosen = [(name, stem) for name, files in pairs.items() for stem in files if stem in wanted]
    missing = [each for each, stems in meant.items() if stems.isdisjoint(stem for _, stem in chosen)]
    if missing:
        known = next(list(files) for files in pairs.values() if files)
        span = known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"
        raise ConfigError(f"--at: both results have no mask named {', '.join(missing)}.", f"Expected some of {span}.")
    if len(chosen) > rows:
        raise ConfigError(
            f"--at names {len(chosen)} frames, --rows allows {rows}.", "Name fewer frames, or raise --rows."
        )
    return chosen


def _most_changed(pairs: Mapping[str, _Pairs], rows: int) -> _Chosen:
    """Return the frames in which the masks differ most, spread over each sequence.

    Raises:
        MaskError: masks of one frame differ in size.
    """
    from cyclevos.media.review import spread_choice

    ranked: list[tuple[int, str, str]] = []
    for name, files in pairs.items():
        stems = list(files)
        # Only the numbers are kept: the masks of a long video do not fit into memory.
        changed = [_changed_pixels(*files[stem]) for stem in stems]
        ranked += [(changed[k], name, stems[k]) for k in spread_choice(changed, rows)]
    ranked.sort(key=lambda each: -each[0])
    return [(name, stem) for _, name, stem in ranked[:rows]]


def _changed_pixels(before: Path, after: Path) -> int:
    from cyclevos.naming import size_text
    from cyclevos.pictures.mask_files import read_ground_truth

    old, new = read_ground_truth(before), read_ground_truth(after)
    if old.size != new.size:
        raise MaskError(
            f"{before} is {size_text(old.size)}, {after} {size_text(new.size)} (width x height).",
            "Give two results of one video.",
        )
    return int((old.ids != new.ids).sum())


def _read_rows(chosen: _Chosen, pairs: Mapping[str, _Pairs], frames: Path, truth: Path | None) -> list[ComparedFrame]:
    """Read the chosen frames and masks, in the order of the choice.

    Raises:
        VideoError: a mask's frame does not exist.
        OutputError: the ground truth has a mask for none of them.
    """
    from cyclevos.analysis.comparison import ComparedFrame
    from cyclevos.media.open_source import open_source
    from cyclevos.naming import index_name
    from cyclevos.pictures.mask_files import read_ground_truth

    found: dict[tuple[str, str], ComparedFrame] = {}
    for name in dict.fromkeys(name for name, _ in chosen):
        source = open_source(frames / name if (frames / name).is_dir() else frames)
        wanted = {stem for each, stem in chosen if each == name}
        for frame in source:
            stem = frame.name if source.frame_names is not None else index_name(frame.index)
            if stem in wanted:
                before, after = (read_ground_truth(file).ids for file in pairs[name][stem])
                file = None if truth is None else truth / name / f"{stem}.png"
                outlines = read_ground_truth(file).ids if file is not None and file.is_file() else None
                label = stem if name == "." else f"{name} {stem}"
                found[name, stem] = ComparedFrame(label, frame.image, before, after, outlines)
                wanted.remove(stem)
            if not wanted:
                break
        if wanted:
            raise VideoError(
                f"{source.path} has no frame {', '.join(sorted(wanted))}, for which there are masks.",
                "Give the frames that the results were made from.",
            )
    if truth is not None and all(row.truth is None for row in found.values()):
        raise OutputError(
            f"{truth} has no mask of the frames shown.", "Give ground truth with the same sequence and frame names."
        )
    return [found[each] for each in chosen]

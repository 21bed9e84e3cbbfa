"""Values that the shell completes: names of presets, of networks, of prompters and of a data set's splits."""

from __future__ import annotations

from pathlib import Path

import typer


def complete_preset(incomplete: str) -> list[str]:
    """Return the training presets whose names begin so."""
    from cyclevos.training.presets import presets

    return [name for name in presets() if name.startswith(incomplete)]


def complete_weights(incomplete: str) -> list[str]:
    """Return the named weights whose names begin so; where none does, the shell completes files by itself."""
    from cyclevos.network.registry import names

    return [name for name in names() if name.startswith(incomplete)]


def complete_prompter(incomplete: str) -> list[str]:
    """Return the named prompters whose names begin so; where none does, the shell completes files by itself."""
    from cyclevos.network.registry import PROMPTER, names

    return [name for name in names(PROMPTER) if name.startswith(incomplete)]


def complete_split(context: typer.Context, incomplete: str) -> list[str]:
    """Return the splits of the data set named on the command line: DAVIS lists, or folders with frames or masks."""
    given = context.params.get("dataset")
    if given is None:
        return []
    root = Path(given)
    try:
        lists = {path.stem for path in (root / "ImageSets").glob("*/*.txt")}
        folders = {
            path.name for path in root.iterdir() if (path / "JPEGImages").is_dir() or (path / "Annotations").is_dir()
        }
    except OSError:
        return []
    return sorted(name for name in lists | folders if name.startswith(incomplete))

"""The clips that come with the package, to try the app on; some have a mask of their first frame beside them."""

from __future__ import annotations

from pathlib import Path

from cyclevos.app.errors import NotFoundError

DEMO = Path(__file__).resolve().parents[2] / "demo"


def demo_names() -> list[str]:
    """Return the names of the clips."""
    return sorted(path.stem for path in DEMO.glob("*.mp4"))


def demo_clip(name: str) -> Path:
    """Return the file of a clip.

    Raises:
        NotFoundError: the name is unknown.
    """
    names = demo_names()
    if name not in names:
        raise NotFoundError(f"There is no demo clip {name!r}.", f"Choose one of {', '.join(names)}.")
    return DEMO / f"{name}.mp4"

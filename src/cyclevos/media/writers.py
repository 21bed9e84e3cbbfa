"""What every writer of results offers, and those that write one file per frame."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image, PngImagePlugin

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import palette_colours

SelfWriter = TypeVar("SelfWriter", bound="ResultWriter")

SIGNATURE = "cyclevos"
"""Stands in every picture and video that cyclevos writes, so that a user's own are never overwritten or deleted."""

_PNG_END = b"IEND\xaeB`\x82"


class ResultWriter(Protocol):
    """Takes results frame by frame; a context manager that closes on success and aborts on an error.

    A class that derives from this one only has to define `write`.
    """

    def write(self, result: FrameResult) -> None:
        """Write one frame's result.

        Raises:
            OutputError: the system refuses to write.
        """

    def close(self) -> None:
        """Complete the output and give it its final name."""
        return

    def abort(self) -> None:
        """Stop early; an output that is only valid when complete gets no final name."""
        return

    def __enter__(self: SelfWriter) -> SelfWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class MaskWriter(ResultWriter):
    """Indexed PNGs `<frame name>.png`; each appears only when it is complete.

    Args:
        folder: output folder; created if needed.
        appearance: its palette goes into the PNGs.
    """

    def __init__(self, folder: str | Path, appearance: Appearance = PLAIN) -> None:
        self.folder = Path(folder)
        self._appearance = appearance

    def write(self, result: FrameResult) -> None:
        """Write one mask.

        Raises:
            ValueError: the ids are not uint8 (H, W) of the frame's size.
            OutputError: a picture that cyclevos did not write has this name, or the system refuses to write.
        """
        result.check_ids()
        write_mask(self.folder / f"{result.name}.png", result.ids, self._appearance)


def write_mask(path: Path, ids: UInt8Array, appearance: Appearance = PLAIN) -> None:
    """Write ids (H,W) as an indexed PNG, which appears only when it is complete.

    Raises:
        OutputError: a picture that cyclevos did not write has this name, or the system refuses to write.
    """
    check_not_foreign(path)
    image = Image.fromarray(ids)
    image.putpalette(palette_colours(appearance.palette).tobytes())
    with replacing(path) as temporary, temporary.open("wb") as file:
        image.save(file, format="PNG", pnginfo=png_note(), compress_level=1)


class AnnotationWriter(MaskWriter):
    """The masks that the user gave, as indexed PNGs; frames without one are skipped.

    Args:
        folder: output folder; created if needed.
        appearance: its palette goes into the PNGs.
    """

    def write(self, result: FrameResult) -> None:
        """Write the frame's annotation, if it has one; see :meth:`MaskWriter.write`."""
        if result.annotation is not None:
            super().write(replace(result, ids=result.annotation))


class ProbabilityWriter(ResultWriter):
    """Compressed `<frame name>.npz` with `probabilities` float16 (K+1, H, W) and `object_ids` int64 (K,).

    Args:
        folder: output folder; created if needed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def write(self, result: FrameResult) -> None:
        """Write one frame's probabilities.

        Raises:
            ValueError: there are none, or there is not one channel per object plus one for the background.
            OutputError: the system refuses to write.
        """
        object_ids = result.channel_ids()
        probabilities = np.asarray(result.probabilities)
        with replacing(self.folder / f"{result.name}.npz") as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                probabilities=probabilities.astype(np.float16),
                object_ids=np.asarray(object_ids, np.int64),
            )


def remove_masks(folder: Path) -> None:
    """Delete the masks that cyclevos wrote into a folder; anything else stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    with output_errors(folder):
        for path in sorted(folder.glob("*.png")):
            if is_finished_mask(path):
                path.unlink()


def first_missing_probabilities(folder: Path, names: Iterable[str]) -> str | None:
    """Return the first of these frames whose probabilities are missing or cut off; None if all are there."""
    return next((name for name in names if not is_whole_npz(folder / f"{name}.npz")), None)


def is_whole_npz(path: Path) -> bool:
    """Return whether a file is one of :class:`ProbabilityWriter` and not cut off; its arrays are not read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) == {"probabilities.npy", "object_ids.npy"}
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def png_note() -> PngImagePlugin.PngInfo:
    """Return what marks a PNG as ours."""
    note = PngImagePlugin.PngInfo()
    note.add_text("Software", SIGNATURE)
    return note


def is_finished_mask(path: Path) -> bool:
    """Return whether a PNG is one of our masks and complete."""
    return _is_ours_and_whole(path, "P")


def is_whole_png(path: Path) -> bool:
    """Return whether a PNG is one of ours, of any kind, and complete."""
    return _is_ours_and_whole(path, None)


def _is_ours_and_whole(path: Path, mode: str | None) -> bool:
    try:
        with Image.open(path) as image:
            ours: bool = image.format == "PNG" and image.info.get("Software") == SIGNATURE
            ours = ours and mode in (None, image.mode)
        with path.open("rb") as file:
            file.seek(-len(_PNG_END), 2)
            return ours and file.read() == _PNG_END
    except Exception:  # Pillow may raise any exception on a broken file
        return False


def check_not_foreign(path: Path) -> None:
    """Refuse to overwrite a PNG that cyclevos did not write.

    Args:
        path: the PNG to be written, which may exist.

    Raises:
        OutputError: it exists and another program wrote it.
    """
    if path.exists() and is_foreign_png(path):
        raise OutputError(
            f"{path} was not written by cyclevos, so it is not overwritten.",
            "Choose another output folder, either a new one or one that holds only results of cyclevos.",
        )


def is_foreign_png(path: Path) -> bool:
    """Return whether a file is a readable picture that another program wrote; a broken file may be overwritten."""
    try:
        with Image.open(path) as image:
            return bool(image.info.get("Software") != SIGNATURE)
    except Exception:
        return False

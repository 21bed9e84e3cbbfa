"""Soft mattes: how much of each pixel belongs to an object, as a black-and-white picture per object and frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.media.alpha import coverage, coverage_levels
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.writers import SIGNATURE, ResultWriter, is_whole_png, png_note
from cyclevos.naming import list_folders
from cyclevos.pictures.exr import openexr

PNG, EXR = ".png", ".exr"

_EXR_BEGINNING = b"\x76\x2f\x31\x01"
# How OpenEXR writes our attribute: name, type, size and value.
_EXR_MARK = b"software\0string\0" + len(SIGNATURE).to_bytes(4, "little") + SIGNATURE.encode()
_EXR_HEADER_BYTES = 4096  # more than ours ever has


class MatteWriter(ResultWriter):
    """A matte per object and frame, `001_dog/<frame name>.<ending>`, made of the probabilities.

    Args:
        folder: output folder; created if needed.
        objects: ids of all objects.
        appearance: names of the objects, for the folders.
    """

    suffix: str

    def __init__(self, folder: str | Path, objects: Collection[int], appearance: Appearance = PLAIN) -> None:
        self.folder, self._objects = Path(folder), frozenset(objects)
        self._folders = {i: self.folder / appearance.file_name(i) for i in sorted(self._objects)}

    def write(self, result: FrameResult) -> None:
        """Write one frame's matte of every object.

        Raises:
            ValueError: there are no probabilities, or the frame shows an object that was not announced.
            OutputError: the system refuses to write.
        """
        result.channel_ids()
        result.check_objects(self._objects)
        for object_id, folder in self._folders.items():
            with replacing(folder / f"{result.name}{self.suffix}") as temporary:
                self._save(result, object_id, temporary)

    @abstractmethod
    def _save(self, result: FrameResult, object_id: int, path: Path) -> None:
        """Write one matte."""


class PngMattes(MatteWriter):
    """Mattes as 8-bit grey PNGs: 0 nothing of a pixel, 255 all of it; see `MatteWriter`."""

    suffix = PNG

    def _save(self, result: FrameResult, object_id: int, path: Path) -> None:
        with path.open("wb") as file:
            image = Image.fromarray(coverage_levels(result, object_id))
            image.save(file, format="PNG", pnginfo=png_note(), compress_level=3)


class ExrMattes(MatteWriter):
    """Mattes as OpenEXR: half floats 0..1, the same in channels R, G and B; see `MatteWriter`.

    Raises:
        MissingExtraError: OpenEXR is not installed.
    """

    suffix = EXR

    def __init__(self, folder: str | Path, objects: Collection[int], appearance: Appearance = PLAIN) -> None:
        super().__init__(folder, objects, appearance)
        self._library = openexr()

    def _save(self, result: FrameResult, object_id: int, path: Path) -> None:
        library = self._library
        share: npt.NDArray[np.float16] = np.clip(coverage(result, object_id), 0, 1).astype(np.float16)
        header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage, "software": SIGNATURE}
        try:
            library.File(header, {"R": share, "G": share, "B": share}).write(str(path))
        except (RuntimeError, ValueError) as error:
            raise OutputError(
                f"{path} cannot be written: {error}.", "Check that its disk has space left and can be written to."
            ) from error


def first_missing_matte(folder: Path, names: Sequence[str], suffix: str) -> str | None:
    """Return the first of these frames of which an object's matte is missing or cut off; None if all are there."""
    folders = list(_object_folders(folder))
    is_whole = is_whole_png if suffix == PNG else _is_our_exr
    return next((n for n in names if not folders or not all(is_whole(each / f"{n}{suffix}") for each in folders)), None)


def remove_mattes(folder: Path) -> None:
    """Delete the mattes that cyclevos wrote into a folder; anything else stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    with output_errors(folder):
        for each in list(_object_folders(folder)):
            for file in sorted(each.iterdir()):
                if (file.suffix == PNG and is_whole_png(file)) or (file.suffix == EXR and _is_our_exr(file)):
                    file.unlink()
            if not any(each.iterdir()):
                each.rmdir()


def _object_folders(folder: Path) -> Iterator[Path]:
    for each in list_folders(folder) if folder.is_dir() else ():
        if each.name[:3].isdecimal() and each.name[3:4] in ("", "_"):
            yield each


def _is_our_exr(path: Path) -> bool:
    """Return whether a file is an OpenEXR of ours, judged by its header, for which no library is needed."""
    try:
        with path.open("rb") as file:
            header = file.read(_EXR_HEADER_BYTES)
    except OSError:
        return False
    return header.startswith(_EXR_BEGINNING) and _EXR_MARK in header

"""What a writer of results offers, and the two that write one file per frame.

Shapes: H height, W width, K objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from cyclevos.errors import OutputError
from cyclevos.files.atomic import replacing
from cyclevos.media.frames import Frame
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import palette_colours

SelfWriter = TypeVar("SelfWriter", bound="ResultWriter")

# Tells our masks from a user's own PNGs, which are never overwritten.
_SIGNATURE = "cyclevos"
_PNG_END = b"IEND\xaeB`\x82"


class ResultWriter(Protocol):
    """Takes the results frame by frame; a context manager that closes, or aborts on an error.

    A writer of one's own needs no more than `write` if it derives from this class.
    """

    def write(
        self,
        frame: Frame,
        ids: UInt8Array,
        probabilities: npt.NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Write one frame's result.

        Args:
            frame: the frame; its name names the result.
            ids: object ids, uint8 (H, W).
            probabilities: (K+1, H, W), channel 0 background, where the network's certainty is kept.
            object_ids: the ids of channels 1..K; default 1..K.
            reliability: J that each object's mask is thought to have, by id.

        Raises:
            OutputError: the disk refuses.
        """

    def close(self) -> None:
        """Finish the result and give it its final name."""
        return

    def abort(self) -> None:
        """Stop without finishing: what is only whole at the end gets no final name."""
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
    """Indexed PNGs `<frame name>.png`, each there only when it is whole.

    Args:
        folder: where to; made if need be.
        palette: 768 bytes of RGB, usually the input mask's; None for the DAVIS palette.
    """

    def __init__(self, folder: str | Path, palette: bytes | None = None) -> None:
        self.folder = Path(folder)
        self._palette = palette_colours(palette).tobytes()
        self._note = PngImagePlugin.PngInfo()
        self._note.add_text("Software", _SIGNATURE)

    def write(
        self,
        frame: Frame,
        ids: UInt8Array,
        probabilities: npt.NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Write one mask; see ResultWriter.write."""
        check_ids(frame, ids)
        path = self.folder / f"{frame.name}.png"
        if path.exists() and is_foreign_png(path):
            raise OutputError(
                f"{path} was not written by cyclevos and is left alone. Expected a folder of cyclevos's "
                "own results or a new one: choose another output folder."
            )
        image = Image.fromarray(ids)
        image.putpalette(self._palette)
        with replacing(path) as temporary, temporary.open("wb") as file:
            image.save(file, format="PNG", pnginfo=self._note, compress_level=1)


class ProbabilityWriter(ResultWriter):
    """Compressed `<frame name>.npz` with `probabilities` float16 (K+1, H, W) and `object_ids` int64 (K,).

    Args:
        folder: where to; made if need be.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def write(
        self,
        frame: Frame,
        ids: UInt8Array,
        probabilities: npt.NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Write one frame's probabilities; see ResultWriter.write.

        Raises:
            ValueError: there are none, or not one channel per object and one for the background.
        """
        if probabilities is None or probabilities.ndim != 3 or probabilities.shape[1:] != frame.size:
            came = "none" if probabilities is None else f"shape {probabilities.shape}"
            raise ValueError(f"expected probabilities (K+1, {frame.size[0]}, {frame.size[1]}), got {came}")
        channels = len(probabilities) - 1
        numbers = range(1, channels + 1) if object_ids is None else object_ids
        if len(numbers) != channels:
            raise ValueError(f"expected {channels} object ids for {channels + 1} channels, got {list(numbers)}")
        with replacing(self.folder / f"{frame.name}.npz") as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                probabilities=probabilities.astype(np.float16),
                object_ids=np.asarray(list(numbers), np.int64),
            )


def check_ids(frame: Frame, ids: UInt8Array) -> None:
    """Raise ValueError unless ids are uint8 (H, W) of the frame's size."""
    if ids.dtype != np.uint8 or ids.shape != frame.size:
        raise ValueError(f"frame {frame.name}: expected ids uint8 {frame.size}, got {ids.dtype} {tuple(ids.shape)}")


def is_finished_mask(path: Path) -> bool:
    """Tell whether a PNG is one of our masks and whole to its end."""
    try:
        with Image.open(path) as image:
            ours: bool = image.format == "PNG" and image.mode == "P" and image.info.get("Software") == _SIGNATURE
        with path.open("rb") as file:
            file.seek(-len(_PNG_END), 2)
            return ours and file.read() == _PNG_END
    except Exception:  # whatever Pillow raises on a broken file
        return False


def is_foreign_png(path: Path) -> bool:
    """Tell whether a file is a readable picture that somebody else made; a broken file belongs to nobody."""
    try:
        with Image.open(path) as image:
            return bool(image.info.get("Software") != _SIGNATURE)
    except Exception:
        return False

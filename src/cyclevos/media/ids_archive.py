"""All masks of a video as one NumPy file of ids, with frame names, times and the names of the objects.

Shapes: T frames, H height, W width; K objects.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, partial_path, replacing
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.writers import ResultWriter
from cyclevos.naming import size_text

_LENGTH = struct.Struct("<Q")


class IdsArchive(ResultWriter):
    """A compressed .npz; its frames are in the order in which they arrive.

    ==============  ===========================================================
    `ids`           uint8 (T, H, W), 0 = background
    `frame_names`   text (T,)
    `times`         float64 (T,), seconds of the source's clock, NaN = unknown
    `object_ids`    int64 (K,), those that have a name or that a frame shows
    `object_names`  text (K,), empty for objects without a name
    ==============  ===========================================================

    The shape of `ids` stands before its values, so that the masks wait in a file of their own until all are there;
    memory holds one frame.

    Args:
        path: the file.
        appearance: names of the objects.
    """

    def __init__(self, path: str | Path, appearance: Appearance = PLAIN) -> None:
        self.path, self._appearance = Path(path), appearance
        self._waiting: IO[bytes] | None = None
        self._names: list[str] = []
        self._times: list[float] = []
        self._shown = np.zeros(256, np.bool_)
        self._size: tuple[int, int] | None = None

    def write(self, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            ValueError: the ids do not fit the frame.
            OutputError: the frame has another size than the first one, or the system refuses to write.
        """
        result.check_ids()
        self._size = self._size or result.frame.size
        if self._size != result.frame.size:
            raise OutputError(
                f"{self.path} holds masks of one size, but frame {result.name} is {size_text(result.frame.size)} and "
                f"those before it {size_text(self._size)}.",
                "Choose another format, or resize the masks.",
            )
        with output_errors(self.path):
            if self._waiting is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._waiting = partial_path(self.path).open("w+b")
            packed = zlib.compress(result.ids.tobytes(), 1)
            self._waiting.write(_LENGTH.pack(len(packed)) + packed)
        self._names.append(result.name)
        self._times.append(float("nan") if result.frame.time is None else result.frame.time)
        self._shown |= np.bincount(result.ids.ravel(), minlength=256) > 0

    def close(self) -> None:
        """Write the file; without frames, none is written.

        Raises:
            OutputError: the system refuses to write.
        """
        if self._waiting is None:
            return
        try:
            with replacing(self.path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
                self._write_ids(archive)
                for name, array in self._small_arrays().items():
                    with archive.open(_member(name), mode="w") as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
        finally:
            self.abort()

    def abort(self) -> None:
        """Delete what was collected so far."""
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None
            partial_path(self.path).unlink(missing_ok=True)

    def _write_ids(self, archive: zipfile.ZipFile) -> None:
        height, width = self._size or (0, 0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(self._names), height, width)}
        with archive.open(_member("ids"), mode="w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for mask in self._masks():
                member.write(mask)

    def _masks(self) -> Iterator[bytes]:
        if self._waiting is not None:
            self._waiting.seek(0)
            while length := self._waiting.read(_LENGTH.size):
                yield zlib.decompress(self._waiting.read(*_LENGTH.unpack(length)))

    def _small_arrays(self) -> dict[str, np.ndarray]:
        names = self._appearance.names
        object_ids = sorted({int(i) for i in np.flatnonzero(self._shown) if i} | set(names))
        return {
            "frame_names": np.array(self._names, np.str_),
            "times": np.array(self._times, np.float64),
            "object_ids": np.array(object_ids, np.int64),
            "object_names": np.array([names.get(i, "") for i in object_ids], np.str_),
        }


def _member(name: str) -> zipfile.ZipInfo:
    """Return the place of an array in the file, without the time of day, so that the same masks give the same file."""
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    return member

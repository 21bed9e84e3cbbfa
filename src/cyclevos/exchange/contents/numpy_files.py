"""Arrays in NumPy's files, .npy and .npz: their headers first, then one picture at a time, and never a pickle."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.pictures.bounds import MAX_PIXELS
from cyclevos.words import counted

# Shapes: H height, W width; ... any number of axes before them.

_MAX_BYTES = 2**28  # of a picture, and of an array that can only be read in one piece
_MAX_LIST_BYTES = 2**24
_MAX_VALUES = 2**50
_MAX_MEMBERS = 256
_REMEDY = "Save it again with numpy.save or numpy.savez_compressed."


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, of which only the header was read.

    Attributes:
        file: the file.
        member: name within the archive; None for a .npy.
        shape: of the whole array.
        dtype: of its values.
        columns_first: stored in Fortran's order.
    """

    file: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    columns_first: bool

    def pictures(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the array's pictures (H, W), which its last two axes are, in order; each is read when its turn comes.

        Raises:
            MaskError: the file is broken, or a picture is too large.
        """
        height, width = self.shape[-2:]
        if not 0 < height * width <= MAX_PIXELS:
            raise MaskError(
                f"{self.file}: pictures of {width}x{height} pixels; expected 1 to {MAX_PIXELS:,} pixels.",
                "Check the order of its axes: height and width are the last ones.",
            )
        size = height * width * self.dtype.itemsize
        if size > _MAX_BYTES:
            raise MaskError(
                f"{self.file}: pictures of {size:,} bytes; expected at most {_MAX_BYTES:,}.",
                "Save ids in fewer bytes: masks.astype('uint8').",
            )
        if self.columns_first:
            yield from self.whole(_MAX_BYTES).reshape(-1, height, width)
            return
        with _reading(self.file), _opened(self.file, self.member) as stream:
            _header(stream)
            for _ in range(math.prod(self.shape[:-2])):
                data = _exactly(stream, size)
                yield np.frombuffer(data, self.dtype).reshape(height, width)

    def whole(self, most: int = _MAX_LIST_BYTES) -> npt.NDArray[Any]:
        """Return the array.

        Args:
            most: bytes that it may have.

        Raises:
            MaskError: the file is broken, or the array is larger.
        """
        size = math.prod(self.shape) * self.dtype.itemsize
        if size > most:
            raise MaskError(f"{self.file}: an array of {size:,} bytes; expected at most {most:,}.", _REMEDY)
        with _reading(self.file), _opened(self.file, self.member) as stream:
            _header(stream)
            flat = np.frombuffer(_exactly(stream, size), self.dtype)
            return flat.reshape(self.shape, order="F" if self.columns_first else "C")


def stored_arrays(path: Path) -> Mapping[str, StoredArray]:
    """Return the arrays of a file by their names; the one of a .npy has an empty name.

    Raises:
        MaskError: the file is broken, or an array holds Python objects.
    """
    with _reading(path):
        if not zipfile.is_zipfile(path):
            return {"": _stored(path, None)}
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
        if len(members) > _MAX_MEMBERS:
            raise MaskError(f"{path} holds {counted(len(members), 'array')}; expected at most {_MAX_MEMBERS}.", _REMEDY)
        return {name.removesuffix(".npy"): _stored(path, name) for name in members}


def _stored(path: Path, member: str | None) -> StoredArray:
    with _opened(path, member) as stream:
        shape, columns_first, dtype = _header(stream)
    if dtype.hasobject or dtype.names is not None or any(side < 0 for side in shape):
        raise MaskError(
            f"{path}: {member or 'it'} is an array of {dtype}, not of numbers. Pickles are never opened.",
            "Save arrays of numbers, numpy.save('masks.npy', ids) with ids (H,W) or (T,H,W).",
        )
    if math.prod(shape) > _MAX_VALUES:
        raise MaskError(f"{path}: {member or 'it'} claims more than {_MAX_VALUES:,} values.", _REMEDY)
    return StoredArray(path, member, shape, dtype, columns_first)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # only structured arrays need others, whose headers have no bound
        raise ValueError(f"its version is {version}; expected (1, 0)")
    try:
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception as error:  # it parses the text as Python's, which raises almost any exception on broken data
        raise ValueError(f"its header is broken: {type(error).__name__}") from error
    return tuple(shape), bool(columns_first), dtype


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    if member is None:
        with path.open("rb") as file:
            yield file
    else:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            yield stream


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what broken files raise into our error."""
    try:
        yield
    except MaskError:
        raise
    except (
        OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
        OverflowError, TypeError, SyntaxError,
    ) as error:  # fmt: skip
        raise MaskError(f"{path} cannot be read as NumPy's file ({error}).", _REMEDY) from error


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("it ends early")
    return data

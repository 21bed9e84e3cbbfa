"""ZIP archives that somebody else made, unpacked into a temporary folder: bounded, and confined to it."""

from __future__ import annotations

import lzma
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from cyclevos.errors import MaskError
from cyclevos.files.names import safe_name
from cyclevos.naming import VIDEO_SUFFIXES
from cyclevos.pictures.headers import HEADER_BYTES, declared_in
from cyclevos.words import counted

MAX_MEMBERS = 200_000
"""Files in an archive."""
MAX_BYTES = 2**34
"""Bytes of all files together once they are unpacked."""
MAX_MEMBER_BYTES = 2**31
"""Bytes of one file once it is unpacked."""
MAX_RATIO = 200
"""How many times as large as the archive its files may be, if they have more than `FREE_BYTES`."""
FREE_BYTES = 2**28
"""Bytes that may be unpacked whatever the ratio: masks are mostly background, which is packed very small."""

_BLOCK = 2**20
# What zipfile raises for broken archives; RuntimeError where a password is missing.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError)
_NOT_MASKS = frozenset({".jpg", ".jpeg"}) | VIDEO_SUFFIXES  # left packed
_LEFT_OUT = ("__MACOSX/",)


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive, by its ending."""
    return path.suffix.lower() == ".zip" and path.is_file()


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Unpack a ZIP archive and give its folder, which is removed when the block ends.

    Videos, JPEGs and hidden files stay packed. The folder has the archive's name.

    Args:
        path: the archive.

    Raises:
        MaskError: it is broken or encrypted, too large, or holds a file that would lie outside of the folder.
    """
    with tempfile.TemporaryDirectory(prefix="cyclevos-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve() / "archive" / (path.stem.rstrip(". ") or "archive")
        folder.mkdir(parents=True)
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, path, folder)
        except _BROKEN as error:
            if isinstance(error, MaskError):
                raise
            raise MaskError(
                f"{path} cannot be unpacked ({error or type(error).__name__}).",
                "Export it again, or unpack it and give the folder.",
            ) from error
        yield folder


def member_sizes(path: Path) -> list[tuple[int, int]]:
    """Return the (width, height) in the headers of an archive's pictures, without unpacking more than those.

    Raises:
        MaskError: the archive cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            heads = [_head(archive, member) for member in archive.infolist() if not member.is_dir()]
    except _BROKEN as error:
        raise MaskError(
            f"{path} cannot be unpacked ({error or type(error).__name__}).",
            "Export it again, or unpack it and give the folder.",
        ) from error
    return [size for size in map(declared_in, heads) if size is not None]


def _head(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as packed:
        return packed.read(HEADER_BYTES)


def _unpack(archive: zipfile.ZipFile, path: Path, folder: Path) -> None:
    members = [member for member in archive.infolist() if not member.is_dir() and _is_wanted(member.filename)]
    _check_bounds(members, path)
    taken: set[str] = set()
    for member in members:
        parts = _parts(member, path)
        if "/".join(parts).casefold() in taken:
            raise MaskError(f"{path} holds {member.filename!r} twice.", "Unpack it and give the folder.")
        taken.add("/".join(parts).casefold())
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("xb") as file:
            left = member.file_size
            while block := packed.read(min(_BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    raise MaskError(f"{path}: {member.filename!r} is longer than it says.", "Export it again.")
                file.write(block)


def _is_wanted(name: str) -> bool:
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return not (name.startswith(_LEFT_OUT) or base.startswith(".") or PurePosixPath(base.lower()).suffix in _NOT_MASKS)


def _check_bounds(members: Sequence[zipfile.ZipInfo], path: Path) -> None:
    """Refuse an archive whose directory announces too much; no more than that is unpacked of it."""
    total, largest = sum(member.file_size for member in members), max((m.file_size for m in members), default=0)
    remedy = "Unpack it yourself if you trust it, and give the folder."
    if len(members) > MAX_MEMBERS:
        raise MaskError(f"{path} holds {counted(len(members), 'file')}; expected at most {MAX_MEMBERS:,}.", remedy)
    if total > MAX_BYTES or largest > MAX_MEMBER_BYTES:
        raise MaskError(
            f"{path} unpacks to {total:,} bytes, its largest file to {largest:,}; expected at most {MAX_BYTES:,} and "
            f"{MAX_MEMBER_BYTES:,}.",
            remedy,
        )
    if total > max(FREE_BYTES, MAX_RATIO * path.stat().st_size):
        raise MaskError(
            f"{path} unpacks to {total:,} bytes, more than {MAX_RATIO} times its size, as archives do that are meant "
            "to fill a disk.",
            remedy,
        )


def _parts(member: zipfile.ZipInfo, path: Path) -> Sequence[str]:
    """Return the folders and the name of a member.

    Raises:
        MaskError: it would lie outside of the folder, or is not a plain file.
    """
    name = member.filename.replace("\\", "/")
    parts = [part for part in name.split("/") if part != "."]
    if not parts or any(safe_name(part, longest=255) != unicodedata.normalize("NFC", part) for part in parts):
        raise MaskError(
            f"{path} holds {member.filename!r}, which is no path within a folder that every system can have.",
            "Make the archive again, or unpack it and give the folder.",
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise MaskError(
            f"{path} holds {member.filename!r}, which is a link or a device, not a file.", "Make the archive again."
        )
    if member.flag_bits & 1:
        raise MaskError(f"{path} is encrypted.", "Unpack it with its password and give the folder.")
    return parts

"""What files held, kept by the digests of their contents, so that the same content is kept once.

A file that is kept gets a second name here, and one that is brought back gets its first name again. This takes neither
time nor space, so it works on a full disk too. It is safe because files of the project are replaced, never written to.
Data is copied where the disk has no links, and where a file of the project has it already: two of them never share it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.durable_files import saving
from cyclevos.files.atomic import remove_leftovers, sync_file, sync_folder, temporary_path


class KeptContents:
    """Contents of files; threads may share it.

    Args:
        folder: that gets a folder `files` of them; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, folder / "files"
        remove_leftovers(self._files)
        self._sizes = {path.name: path.stat().st_size for path in self._files.glob("*")}
        self._keeping = threading.Lock()
        self._unnamed: set[str] = set()  # those whose names the disk may not have yet
        self._pins: list[set[str]] = []  # contents of steps that are being prepared

    @contextmanager
    def pin(self) -> Iterator[set[str]]:
        """Give a set of names whose contents stay inside the block, although no step needs them yet."""
        pins: set[str] = set()
        with self._keeping:
            self._pins.append(pins)
        try:
            yield pins
        finally:
            with self._keeping:
                self._pins = [each for each in self._pins if each is not pins]

    def keep(self, path: Path, *, flush: bool = True, pins: set[str] | None = None) -> str | None:
        """Keep what a file holds, which the disk has, and return its digest; None where there is no file.

        Args:
            path: the file, which is on the same disk.
            flush: wait until the disk has its name here as well.
            pins: of a step that is being prepared (`pin`), to which the digest is added.

        Raises:
            UnsavedError: it cannot be kept.
        """
        with saving(self._folder):
            self._folder.mkdir(exist_ok=True)
            self._files.mkdir(exist_ok=True)
            # A name of our own: the file may be replaced while it is read.
            temporary = temporary_path(self._files / secrets.token_hex(8))
            try:
                if not _give_name(path, temporary):
                    return None
                data = temporary.read_bytes()
                name = digest(data)
                with self._keeping:
                    if pins is not None:
                        pins.add(name)
                    if self._sizes.get(name) != len(data):  # not kept yet, or cut short by a power cut
                        temporary.replace(self._files / name)
                        self._sizes[name] = len(data)
                        self._unnamed.add(name)
            finally:
                temporary.unlink(missing_ok=True)
        if flush and name in self._unnamed:
            self.flush()
        return name

    def flush(self) -> None:
        """Wait until the disk has the names of all that was kept without.

        Raises:
            UnsavedError: it cannot take them.
        """
        named = {*self._unnamed}
        with saving(self._folder):
            if named:
                sync_folder(self._files)
        with self._keeping:
            self._unnamed -= named

    def lay(self, name: str, path: Path) -> None:
        """Put what was kept at a path on the same disk, in the place of whatever is there; the disk has its data then.

        Raises:
            ConflictError: the file is gone or damaged.
            UnsavedError: it cannot be written.
        """
        kept = self._files / name
        data = self.content(name)
        with saving(path.parent):
            path.unlink(missing_ok=True)  # written to, it would change the files that share its data
            if data is not None and not (has_one_name(kept) and linked(kept, path)):
                path.write_bytes(data)
                sync_file(path)

    def content(self, name: str | None) -> bytes | None:
        """Return what was kept.

        Raises:
            ConflictError: the file is gone or damaged.
        """
        if name is None:
            return None
        data = content_of(self._files / name)
        if data is None or digest(data) != name:
            raise ConflictError(
                "This cannot be shown or brought back: a file of the project's history is gone or damaged.",
                "Restore the folder `history` of the project, or paint the frame again.",
            )
        return data

    def _remove_all_but(self, needed: set[str]) -> None:
        """Remove contents that nothing needs.

        Raises:
            UnsavedError: they cannot be removed.
        """
        with self._keeping:  # or what is kept at this moment would be taken for needless
            for name in self._sizes.keys() - needed.union(*self._pins):
                with saving(self._files):
                    (self._files / name).unlink(missing_ok=True)
                del self._sizes[name]


def _give_name(path: Path, name: Path) -> bool:
    """Give a file a second name, or copy it where that cannot be; return whether there is a file."""
    if linked(path, name):
        return True
    try:
        shutil.copyfile(path, name)
    except FileNotFoundError:
        return False
    sync_file(name)
    return True


def linked(path: Path, name: Path) -> bool:
    """Give a file a second name; return whether that could be done."""
    try:
        os.link(path, name)
    except OSError:  # no file, no links on this disk, or no more of them
        return False
    return True


def has_one_name(path: Path) -> bool:
    """Return whether there is a file that shares its data with no other."""
    try:
        return path.stat().st_nlink == 1
    except OSError:
        return False


def content_of(path: Path) -> bytes | None:
    """Return what a file holds; None where there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def digest_of(path: Path) -> str | None:
    """Return the name under which the content of a file is kept; None where there is none."""
    data = content_of(path)
    return None if data is None else digest(data)


def digest(data: bytes) -> str:
    """Return the name under which a content is kept."""
    return hashlib.sha256(data).hexdigest()[:32]

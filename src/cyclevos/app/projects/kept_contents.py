"""What files held, kept by the digests of their contents, so that the same content is kept once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.durable_files import saving, write_durably
from cyclevos.files.atomic import sync_file, sync_folder


class KeptContents:
    """Contents of files; threads may share it.

    Args:
        folder: that gets a folder `files` of them; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, folder / "files"
        self._sizes = {path.name: path.stat().st_size for path in self._files.glob("*")}
        self._keeping = threading.Condition()
        self._writing: set[str] = set()
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

    def keep(self, data: bytes | None, *, flush: bool = True, pins: set[str] | None = None) -> str | None:
        """Keep the content of a file and return its digest; None for a file that is not there.

        Args:
            data: the content.
            flush: wait until the disk has it.
            pins: of a step that is being prepared (`pin`), to which its name is added.

        Raises:
            UnsavedError: it cannot be written.
        """
        if data is None:
            return None
        name = digest(data)
        with self._keeping:
            if pins is not None:
                pins.add(name)
            self._keeping.wait_for(lambda: name not in self._writing)
            if name in self._sizes:
                return name
            self._writing.add(name)
        try:
            with saving(self._folder):
                self._folder.mkdir(exist_ok=True)
            write_durably(self._files / name, data, flush=flush)
            with self._keeping:
                self._sizes[name] = len(data)
        finally:
            with self._keeping:
                self._writing.discard(name)
                self._keeping.notify_all()
        return name

    def flush(self, names: Iterable[str]) -> None:
        """Wait until the disk has contents that were kept without.

        Raises:
            UnsavedError: it cannot take them.
        """
        with saving(self._folder):
            for name in names:
                sync_file(self._files / name)
            if self._files.exists():
                sync_folder(self._files)

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

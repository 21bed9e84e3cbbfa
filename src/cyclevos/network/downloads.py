"""The cache folder, and downloads into it: resumed after a stop, checked before they are renamed, never done twice."""

from __future__ import annotations

import errno
import http.client
import logging
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclevos.errors import OutputError, WeightsError
from cyclevos.files.atomic import partial_path, sync_file
from cyclevos.files.locks import Lock
from cyclevos.network.download_bar import download_bar, megabytes
from cyclevos.network.fingerprint import checksum
from cyclevos.network.named_weights import Download

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "CYCLEVOS_CACHE"

_ATTEMPTS = 4  # of a download that breaks off
_PAUSE = 1.0  # seconds before the next attempt, and between two looks at another process's lock
_TIMEOUT = 30.0  # seconds without an answer
_BLOCK = 1 << 18


def cache_folder() -> Path:
    """Return the folder of weights that were fetched; it need not exist.

    It is ``weights`` in the folder that the environment variable ``CYCLEVOS_CACHE`` names, by default in the system's
    folder for caches.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser() / "weights"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "cyclevos" / "weights"


def cached(source: Download) -> Path | None:
    """Return the file of a finished download; None if there is none."""
    target = cache_folder() / source.filename
    return target if target.is_file() else None


def download(source: Download, label: str, about: int | None = None) -> Path:
    """Download a file into the cache folder, unless it is there, and return its path.

    What an interrupted download has left is continued if the server still has the same file.

    Args:
        source: the file.
        label: what the user calls it, for messages.
        about: its approximate size in bytes, for messages.

    Raises:
        WeightsError: the server cannot be reached, refuses, or sends something else than the file.
        OutputError: the file cannot be written.
    """
    target = cache_folder() / source.filename
    with _writing(target), _alone(target):
        if target.is_file():  # another process was quicker
            return target
        size = source.size or about
        logger.warning(
            "Downloading %s%s from %s to %s", label, f" ({megabytes(size)})" if size else "", source.url, target
        )
        _complete(source, _Part(partial_path(target)), target, label, size)
    logger.info("Downloaded %s", target)
    return target


class _BreakError(Exception):
    """The connection broke off; what has been received is kept."""


@dataclass(frozen=True)
class _Part:
    """What has been received of a file, and the server's tag of the version that it is a part of."""

    path: Path

    @property
    def _tag_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.etag")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def tag(self) -> str | None:
        return self._tag_path.read_text(encoding="utf-8") if self._tag_path.is_file() else None

    def begin(self, tag: str | None) -> None:
        """Start anew; without a strong tag the rest could be of another version, so nothing can be continued."""
        self.forget()
        if tag and not tag.startswith("W/"):
            self._tag_path.write_text(tag, encoding="utf-8", newline="\n")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._tag_path.unlink(missing_ok=True)


def _complete(source: Download, part: _Part, target: Path, label: str, about: int | None) -> None:
    """Receive a file, in several attempts if needed, check it and rename it."""
    for attempt in range(1, _ATTEMPTS + 1):
        continued = part.tag is not None and part.size > 0
        try:
            _receive(source, part, label, about)
            _check(source, part)
        except _BreakError as error:
            if attempt == _ATTEMPTS:
                raise WeightsError(
                    f"The download of {label} from {source.url} broke off after {megabytes(part.size)} ({error}).",
                    f"Run the same command again to continue. {_by_hand(label, target)}",
                ) from error
            logger.info("The download of %s broke off (%s), trying again", label, error)
            time.sleep(_PAUSE)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and continued:
                part.forget()  # longer than the server's file
                continue
            if error.code < 500 or attempt == _ATTEMPTS:
                raise _refused(source, label, target, error) from error
            time.sleep(_PAUSE)
        except urllib.error.URLError as error:
            raise WeightsError(
                f"The weights {label!r}{f' ({megabytes(about)})' if about else ''} are not on this machine, and "
                f"{source.url} cannot be reached ({error.reason}).",
                f"Connect to the internet and try again. {_by_hand(label, target)}",
            ) from error
        except WeightsError:
            part.forget()
            if not continued:
                raise
        else:
            sync_file(part.path)
            part.path.replace(target)
            part.forget()
            return
    raise WeightsError(
        f"{source.url} did not send one version of the file in {_ATTEMPTS} attempts.",
        f"Run the same command again. {_by_hand(label, target)}",
    )


def _receive(source: Download, part: _Part, label: str, about: int | None) -> None:
    """Append to a part what the server sends.

    Raises:
        _BreakError: less came than was announced.
        urllib.error.URLError: there is no connection, or the server refuses.
        WeightsError: the server sent a page.
    """
    start, tag = part.size, part.tag
    headers = {"User-Agent": "cyclevos", "Accept-Encoding": "identity"}
    if start and tag:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    with _open(urllib.request.Request(source.url, headers=headers)) as answer:
        if answer.headers.get_content_maintype() == "text":
            raise WeightsError(
                f"{source.url} sent a page ({answer.headers.get_content_type()}) instead of the file.",
                f"Check whether your connection asks for a login. {_by_hand(label, cache_folder() / source.filename)}",
            )
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            start = 0
            part.begin(answer.headers.get("ETag"))
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else source.size
        with part.path.open("ab") as file, download_bar(label, total or about, start) as advance:
            while block := _read(answer):
                file.write(block)
                advance(len(block))
    if total is not None and part.size < total:
        raise _BreakError(f"{megabytes(total)} were announced")


def _open(request: urllib.request.Request) -> Any:
    try:
        return urllib.request.build_opener(_SafeRedirects).open(request, timeout=_TIMEOUT)
    except urllib.error.URLError:
        raise
    except (OSError, http.client.HTTPException) as error:  # the server closed the connection without an answer
        raise _BreakError(str(error) or type(error).__name__) from error


def _read(answer: Any) -> bytes:
    try:
        block: bytes = answer.read(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _BreakError(str(error) or type(error).__name__) from error
    return block


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from an encrypted address to one that is not."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check(source: Download, part: _Part) -> None:
    """Compare what was received with what is known about the file.

    Raises:
        WeightsError: it is another file.
    """
    known: tuple[tuple[str, str | int | None, Any], ...] = (
        ("size in bytes", source.size, lambda: part.size),
        ("SHA-256", source.sha256, lambda: checksum(part.path)),
        ("MD5", source.md5, lambda: checksum(part.path, "md5")),
    )
    for what, expected, measure in known:
        found = None if expected is None else measure()
        if found != expected:
            raise WeightsError(
                f"{source.url} sent another file than expected: its {what} is {found}, expected {expected}.",
                "Try again. If it is so again, the file was replaced or something on the way changes downloads.",
            )


def _refused(source: Download, label: str, target: Path, error: urllib.error.HTTPError) -> WeightsError:
    return WeightsError(
        f"The weights {label!r} are not on this machine, and {source.url} answers {error.code} {error.reason}.",
        f"Try again later. {_by_hand(label, target)}",
    )


def _by_hand(label: str, target: Path) -> str:
    return f"Or download the file elsewhere and give {label}=FILE instead, or copy it to {target}."


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn an error of the disk into words."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise OutputError(
            f"The system cannot write {target}: {error.strerror or error}.",
            f"{'Free some space' if full else 'Make the folder writable'}, or name another folder for downloads in the "
            f"environment variable {CACHE_VARIABLE}. Then run the same command again: it continues where it stopped.",
        ) from error


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait until no other process or thread downloads the file."""
    path, told = target.with_name(f".{target.name}.cyclevos.lock"), False
    while True:
        try:
            lock = Lock(path)
            break
        except BlockingIOError:
            if not told:
                logger.warning("Waiting for another process that downloads %s", target)
            told = True
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        lock.release()

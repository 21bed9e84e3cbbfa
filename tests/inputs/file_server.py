"""A server of one file on this machine that can misbehave: breaks off, answers errors, redirects, changes the file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OK, NO_RANGES, NO_LENGTH, PAGE, REDIRECT, SILENT = "ok", "no ranges", "no length", "page", "redirect", "silent"
SEEKABLE = "seekable"  # answers every range, as servers of videos do


class FileServer(ThreadingHTTPServer):
    """Answers each request by the next entry of ``plan``, the last one for all others.

    An entry is a constant from above, the status of an error, or ``("break", n)``: n bytes, then the connection ends.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.etag = content, '"v1"'
        self.plan: list[object] = [OK]
        self.asked: list[dict[str, str]] = []
        self.sent = 0
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/net.pth"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server: FileServer = self.server  # type: ignore[assignment]
        number = len(server.asked)
        server.asked.append({name.lower(): value for name, value in self.headers.items()})
        what = server.plan[min(number, len(server.plan) - 1)]
        server.gate.wait(20)
        self.close_connection = True
        if what == SILENT:
            return
        if isinstance(what, int):
            self.send_error(what)
        elif what == REDIRECT:
            self.send_response(302)
            self.send_header("Location", "/elsewhere.pth")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif what == PAGE:
            self._send(b"<html>Please log in</html>", "text/html")
        else:
            self._file(server, what)

    def _file(self, server: FileServer, what: object) -> None:
        start = 0
        asked = self.headers.get("Range")
        if asked and what == SEEKABLE:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            self._send(server.content[start:], "video/mp4", start, partial=True)
            return
        if asked and what != NO_RANGES and self.headers.get("If-Range") == server.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
        upto = start + what[1] if isinstance(what, tuple) else None
        self._send(server.content[start:], "application/octet-stream", start, upto, length=what != NO_LENGTH)

    def _send(
        self,
        body: bytes,
        kind: str,
        start: int = 0,
        upto: int | None = None,
        *,
        length: bool = True,
        partial: bool = False,
    ) -> None:
        server: FileServer = self.server  # type: ignore[assignment]
        partial = partial or start > 0
        self.send_response(206 if partial else 200)
        self.send_header("Content-Type", kind)
        if server.etag:
            self.send_header("ETag", server.etag)
        if partial:
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        part = body if upto is None else body[: upto - start]
        server.sent += len(part)
        self.wfile.write(part)


@contextmanager
def serving(content: bytes) -> Iterator[FileServer]:
    """Run a server of a file for as long as the block lasts."""
    server = FileServer(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()

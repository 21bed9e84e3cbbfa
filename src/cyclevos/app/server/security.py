"""Who may use the server: pages of this machine, and from other machines whoever has the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from cyclevos.app.errors import AppError, ForbiddenError, TooLargeError, describe, status_of
from cyclevos.app.server.services import Services

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "cyclevos_session"
_MOST_BODY = 64 * 2**20  # bytes; uploads of videos have a bound of their own
_OPEN = {"/api/session"}  # what has to work before the token is given
_READING = {"GET", "HEAD"}

_HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """Return a random token of 32 characters."""
    return secrets.token_urlsafe(24)


class Guard:
    """Middleware that checks every request before the application sees it.

    The Host header must be one of ours, or another site could point its own name at this machine. The Origin header,
    where a browser sends one, must be this server. If there is a token, the session cookie must match it.

    Args:
        app: the application.
        services: of the application, for whoever starts the server.
        host: the address that the server binds.
        token: required of every page; None = no token.
        upload_path: path of uploads, whose handler limits the body itself.

    Attributes:
        session: required value of the session cookie: a hash of the token, not the token itself.
    """

    def __init__(self, app: Application, services: Services, *, host: str, token: str | None, upload_path: str) -> None:
        self.services = services
        self.session = "" if token is None else hashlib.sha256(token.encode()).hexdigest()
        self._app, self._host, self._token, self._upload_path = app, host, token, upload_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})  # there are none
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if all(name.lower() != b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-cache"))  # a page must not be older than its server
                message["headers"] = [*headers, *_HEADERS.items()]
            await send(message)

        try:
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            self._check(scope, headers)
            await self._app(scope, await self._bounded(scope, headers, receive), protected)
        except AppError as error:
            await _answer(protected, error)

    def _check(self, scope: Scope, headers: dict[bytes, str]) -> None:
        host = headers.get(b"host", "")
        if not self._is_ours(host):
            raise ForbiddenError(f"This server does not answer to the name {host!r}.", "Open the address it printed.")
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site", "none")
        foreign = _authority(origin) != host if origin is not None else site not in ("same-origin", "none")
        reading_page = scope["method"] in _READING and not scope["path"].startswith("/api/")
        if foreign and not (reading_page and origin is None):
            raise ForbiddenError("Another web page sent this request.", "Open the address that the server printed.")
        if self._token is None or not scope["path"].startswith("/api/") or scope["path"] in _OPEN:
            return
        if not hmac.compare_digest(_session(headers.get(b"cookie", "")).encode(), self.session.encode()):
            raise _UnauthorisedError("This server asks for its token.", "Open the whole address that it printed once.")

    def knows(self, token: str) -> bool:
        """Compare a token in constant time; every token is right where none is required."""
        return self._token is None or hmac.compare_digest(token.encode(), self._token.encode())

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if is_loopback(self._host):
            return is_loopback(name)
        if name == self._host or name == socket.gethostname().lower():
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost"
        return True  # a name can be pointed at us by somebody else, an address cannot

    async def _bounded(self, scope: Scope, headers: dict[bytes, str], receive: Receive) -> Receive:
        """Read a request's body, up to the allowed size, before the application handles it."""
        if scope["path"] == self._upload_path:
            return receive
        declared = headers.get(b"content-length", "0")
        if not declared.isdecimal() or int(declared) > _MOST_BODY:
            raise _too_large()
        body, message = bytearray(), await receive()
        while message["type"] == "http.request":
            body += message.get("body", b"")
            if len(body) > _MOST_BODY:
                raise _too_large()
            if not message.get("more_body", False):
                message = {"type": "http.request", "body": bytes(body)}
                break
            message = await receive()
        waiting = [message]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        return replay


def _too_large() -> TooLargeError:
    return TooLargeError("The request is too large.", f"Send at most {_MOST_BODY // 2**20} MB.")


class _UnauthorisedError(ForbiddenError):
    status = 401


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _session(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


async def _answer(send: Send, error: AppError) -> None:
    body = json.dumps(describe(error)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status_of(error), "headers": headers})
    await send({"type": "http.response.body", "body": body})

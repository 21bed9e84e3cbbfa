"""Server-sent events: every change of a project goes to each page that listens."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

_WAITING = 256  # events that a page may fall behind before it has to fetch the whole state
_HEARTBEAT = 15.0  # seconds


class Hub:
    """Carries events from any thread to the listeners on the server's loop."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may interrupt a holder
        self._listeners: set[_Listener] = set()
        self.told = time.time_ns() // 1000  # a restarted server does not count from the same number

    def publish(self, kind: str, data: dict[str, Any] | Callable[[], dict[str, Any]]) -> None:
        """Send an event to every current listener.

        Args:
            kind: its name.
            data: its content, as JSON values; a function that gives it is called only if somebody listens.
        """
        with self._lock:
            self.told += 1  # also without a listener: a page that comes now learns that its state is old
            listeners = list(self._listeners)
        if not listeners:
            return
        text = _event(kind, data() if callable(data) else data)
        for listener in listeners:
            listener.put(text)

    def close(self) -> None:
        """End every stream."""
        with self._lock:
            for listener in self._listeners:
                listener.put(None)

    @property
    def heard(self) -> bool:
        """Whether there are listeners."""
        return bool(self._listeners)

    async def listen(self) -> AsyncIterator[str]:
        """Yield events as server-sent text until the listener leaves, with a heartbeat every 15 s of silence.

        The first is "hello" and says how many had been told until then: who has read a state of another number must
        read it again.
        """
        listener = _Listener(asyncio.get_running_loop())
        with self._lock:
            self._listeners.add(listener)
            hello = _event("hello", {"told": self.told})
        try:
            yield f"retry: 1000\n\n{hello}"
            while True:
                try:
                    text = await asyncio.wait_for(listener.queue.get(), _HEARTBEAT)
                except asyncio.TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text
        finally:
            with self._lock:
                self._listeners.discard(listener)


class _Listener:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()

    def put(self, text: str | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._put, text)
        except RuntimeError:  # the loop is closed: no listener is left
            return

    def _put(self, text: str | None) -> None:
        if text is not None and self.queue.qsize() >= _WAITING:
            while not self.queue.empty():
                self.queue.get_nowait()
            text = _event("hello", {})
        self.queue.put_nowait(text)


def _event(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"

"""The one prompter of a server, loaded when somebody points at something."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cyclevos.app.errors import ConflictError, explain
from cyclevos.errors import CycleVOSError

if TYPE_CHECKING:
    from cyclevos.prompts.prompter import Prompter

_MOST_WAITING = 8  # of the 40 threads that serve requests


class PrompterHolder:
    """The one prompter, loaded when it is first needed; it answers one request at a time, and no job holds it.

    Args:
        name: name or file of its weights.
        device: that it runs on.
        dtype: that it computes in.
    """

    def __init__(self, name: str, device: str, dtype: str) -> None:
        self.name, self.device, self.dtype = name, device, dtype
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_WAITING)
        self._prompter: Prompter | None = None

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def borrow(self) -> Iterator[Prompter]:
        """Give the prompter to one thread.

        Raises:
            ConflictError: too many wait for it; the threads that serve the page are not theirs alone.
            CycleVOSError: it cannot be loaded, or whatever else went wrong with it, in words.
        """
        if not self._places.acquire(blocking=False):
            raise ConflictError("Many points are waiting for an answer.", "Try again in a moment.")
        with self._leaving(), self._lock:
            try:
                if self._prompter is None:
                    # Imported when it is needed: torch takes seconds to load, and opening the page should not wait.
                    from cyclevos.prompts.loading import load_prompter

                    self._prompter = load_prompter(self.name, device=self.device, dtype=self.dtype)
                yield self._prompter
            except CycleVOSError:
                raise
            except Exception as error:
                raise explain(error) from error

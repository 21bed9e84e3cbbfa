"""Places in the program that stand still until a test lets them go on."""

from __future__ import annotations

import threading
from typing import Any

import pytest


class Slow:
    """One call of a function that stands still.

    Args:
        monkeypatch: puts the function back in the end.
        target: where the function stands.
        name: of the function.
        at: which of its calls, from 1.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, target: Any, name: str, at: int = 1) -> None:
        self.reached, self.go_on, self.calls = threading.Event(), threading.Event(), 0
        real = getattr(target, name)

        def waiting(*given: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == at:
                self.reached.set()
                assert self.go_on.wait(60)
            return real(*given, **options)

        monkeypatch.setattr(target, name, waiting)

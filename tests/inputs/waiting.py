"""Waiting for something that no event tells of."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition holds.

    Args:
        condition: looked at again and again.
        seconds: after which the test fails.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)

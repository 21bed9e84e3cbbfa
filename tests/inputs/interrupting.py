"""A run that is interrupted, as by Ctrl-C, before it writes a frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cyclevos.media.writers import MaskWriter


@contextmanager
def interrupted_at(index: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within this context, writing the masks of a frame raises KeyboardInterrupt."""
    write = MaskWriter.write

    def stop(self, frame, *arguments, **options):
        if frame.index == index:
            raise KeyboardInterrupt
        write(self, frame, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(MaskWriter, "write", stop)
        yield

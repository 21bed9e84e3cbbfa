"""Decoding on a second thread, so that it overlaps with the network's work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """The last thing in the queue: how the producer ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(iterable: Iterable[Item], depth: int = 4) -> Iterator[Item]:
    """Iterate on a background thread, at most `depth` items ahead.

    Args:
        iterable: any iterable; it is iterated on the background thread only.
        depth: how many items may wait, at least 1.

    Yields:
        The items in order. An error is raised after the items that preceded it. Closing the generator ends
        the thread as soon as its current item is done.

    >>> list(read_ahead(range(3), depth=1))
    [0, 1, 2]
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; expected at least 1")
    return _consume(iterable, depth)


def _consume(iterable: Iterable[Item], depth: int) -> Iterator[Item]:
    items: queue.Queue[Item | _End] = queue.Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(target=_produce, args=(iterable, items, stop), name="cyclevos-read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        while thread.is_alive():  # the producer may be waiting at a full queue: make room until it sees `stop`
            try:
                items.get_nowait()
            except queue.Empty:
                thread.join(0.005)


def _produce(iterable: Iterable[Item], items: queue.Queue[Item | _End], stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        iterator = iter(iterable)
        try:
            while not stop.is_set():
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                items.put(item)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()  # a generator over a file closes it here, on the thread that opened it
    except BaseException as caught:  # raised again on the consumer's thread
        error = caught
    items.put(_End(error))

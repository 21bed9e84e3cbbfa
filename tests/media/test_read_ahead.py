import threading
import time

import pytest

from cyclevos.media.read_ahead import read_ahead


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "cyclevos-read-ahead"]


def test_order_is_kept_and_the_thread_ends():
    assert list(read_ahead(range(50), depth=3)) == list(range(50))
    assert not threads()


def test_it_works_ahead_but_not_too_far():
    made = []

    def numbers():
        for number in range(100):
            made.append(number)
            yield number

    ahead = read_ahead(numbers(), depth=4)
    assert not made, "nothing happens before the first item is asked for"
    next(ahead)
    deadline = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert 5 <= len(made) <= 6, "one taken, four waiting, one in hand"
    ahead.close()
    assert not threads()


def test_an_error_comes_after_the_items_before_it():
    def breaks():
        yield 1
        yield 2
        raise ValueError("here")

    ahead = read_ahead(breaks())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="here"):
        next(ahead)
    assert not threads()


@pytest.mark.parametrize("taken", [1, 3])
def test_closing_closes_the_source_and_ends_the_thread(taken):
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield bytes(10)
        finally:
            closed.set()

    ahead = read_ahead(endless(), depth=2)
    for _ in range(taken):
        next(ahead)
    began = time.monotonic()
    ahead.close()
    assert closed.is_set()
    assert not threads()
    assert time.monotonic() - began < 1


def test_abandoned_generator_leaves_no_thread():
    for number in read_ahead(range(1000)):
        if number == 3:
            break
    del number
    assert not threads()


def test_depth_is_checked():
    with pytest.raises(ValueError, match="depth is 0; expected at least 1"):
        read_ahead([], depth=0)

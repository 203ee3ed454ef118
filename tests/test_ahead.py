from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from sensors.reading.ahead import ahead


def makers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_the_same_items_in_the_same_order() -> None:
    assert list(ahead(range(50))) == list(range(50))
    assert list(ahead([])) == []
    assert makers() == []


def test_the_next_item_is_made_while_this_one_is_in_use() -> None:
    begun = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        yield 2
        begun.set()
        yield 3

    for item in ahead(items()):
        if item == 2:
            assert begun.wait(5), "the third was not begun while the second was in use"


def test_one_item_needs_no_other_thread() -> None:
    for _ in ahead([1]):
        assert makers() == []
    assert makers() == []


def test_there_are_two_items_at_most() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    for item in ahead(items()):
        time.sleep(0.005)
        assert len(made) <= item + 2
        if item == 5:
            break


def test_what_the_maker_raises_comes_after_what_it_made() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend(ahead(items()))
    assert seen == [1]
    assert makers() == []


def test_a_caller_that_stops_early_leaves_no_thread() -> None:
    def items() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    for item in ahead(items()):
        if item == 3:
            break
    assert makers() == []

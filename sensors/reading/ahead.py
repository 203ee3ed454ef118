"""The next block while this one is in use: reading, taking apart, mapping and matching on several cores."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")
_END: Final = object()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items in the same order, each made by another thread while the one before it is in use.

    There are two at most: the one in use, and the next. What the maker raises is raised here, after the items
    before it. If the caller stops early, the maker stops after the item it is at. The first item is made by
    the caller's own thread, so that a small file, which is one, has no other.
    """
    source = iter(items)
    for first in source:
        yield first
        break
    else:
        return
    yield from _ahead(source)


def _ahead(source: Iterator[T]) -> Iterator[T]:
    made: SimpleQueue[object] = SimpleQueue()
    wanted = Semaphore(1)
    over = False
    failed: list[BaseException] = []

    def make() -> None:
        try:
            while wanted.acquire() and not over:
                made.put(next(source))
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
            failed.append(error)
        made.put(_END)

    maker = Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while (item := made.get()) is not _END:
            wanted.release()
            yield item  # type: ignore[misc]  # an item, since it is not the end
    finally:
        over = True
        wanted.release()
        maker.join()
    if failed:
        raise failed[0]

"""`Record 1`, `Record 2`…: titles that evtx_dump prints above records, unless it is told to print lines."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, Final, cast

if TYPE_CHECKING:
    from sensors.sensor import Source

_TITLES: Final = re.compile(rb"(?m)^Record \d+(?=\r?$)")
_TITLED: Final = re.compile(rb"Record \d+\r?\n\s*[{<]")
_BLOCK: Final = 1 << 20


def blanked(head: bytes) -> bytes:
    """The beginning of a file with its titles blanked out, if it begins with one."""
    return _blank(head) if _TITLED.match(head) else head


def without(source: Source) -> Source:
    """The same source, its titles blanked out, so that every offset stays what it is."""
    if not _TITLED.match(source.head):
        return source
    return replace(
        source,
        head=_blank(source.head),
        opener=lambda: cast("BinaryIO", io.BufferedReader(_Untitled(source.open()), _BLOCK)),
    )


def _blank(block: bytes) -> bytes:
    return _TITLES.sub(lambda title: b" " * len(title[0]), block)


class _Untitled(io.RawIOBase):
    """A stream with its titles blanked out."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._held = b""
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # typeshed's Buffer is wider
        while not self._ready:
            block = self._stream.read(_BLOCK)
            whole = self._held + block
            cut = whole.rfind(b"\n") + 1 if block else len(whole)
            self._ready, self._held = _blank(whole[:cut]), whole[cut:]
            if not block:
                break
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()

"""Where bodies of HTTP/1.x messages end, and the title of a page in them (RFC 9112, 6 and 7)."""

# ruff: noqa: PLR2004, FBT001 - numbers are bytes and status codes of the RFC

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.http.layout import BODY, BYTES, CODING, LENGTH, TITLE
from sensors.capture.protocols.http.start_lines import line_at
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_TITLE_WITHIN: Final = 2048  # bytes of a page in which its title is looked for
_TITLE_MOST: Final = 512
_MOST_DIGITS: Final = 18  # of a length: what no 64 bits hold is no length
_OPEN: Final = np.frombuffer(b"<title", np.uint8)
_CLOSE: Final = np.frombuffer(b"</title", np.uint8)
_CHUNKED: Final = np.frombuffer(b"chunked", np.uint8)


@kernel
def framing(data: Array, parts: Array) -> tuple[int, bool]:
    """Bytes of a body, -1 if no field says, -2 if it lies; and whether it comes in chunks (6.3)."""
    if parts[CODING, 0] >= 0 and _finds(data, parts[CODING, 0], parts[CODING, 1], _CHUNKED) >= 0:
        return -1, True
    if parts[LENGTH, 0] < 0:
        return -1, False
    length = 0
    start, end = parts[LENGTH]
    if end == start or end - start > _MOST_DIGITS:
        return -2, False
    for k in range(start, end):
        if not 0x30 <= data[k] <= 0x39:
            return -2, False
        length = length * 10 + int(data[k]) - 0x30
    return length, False


@kernel
def body(
    data: Array,
    at: int,
    end: int,
    more: bool,
    length: int,
    chunked: bool,
    numbers: Array,
    parts: Array,
) -> int:
    """Pass over a body and say of how many bytes it is; returns where it ends, -1 if that is not at hand.

    Args:
        data: bytes.
        at: where it begins.
        end: of what is at hand.
        more: whether more followed that is not at hand.
        length: of it, below 0 if nothing says.
        chunked: whether it comes in chunks.
        numbers: of the message.
        parts: of the message: gets where the first of it, and a title in it, are.
    """
    if chunked:
        return _chunks(data, at, end, more, numbers, parts)
    stop = end if length < 0 else min(end, at + length)
    _page(data, at, stop, parts)
    if length >= 0 and at + length <= end:
        numbers[BYTES] = length
        return at + length
    numbers[BYTES] = (length if length >= 0 else -1) if more else end - at
    return -1


@kernel
def _chunks(data: Array, at: int, end: int, more: bool, numbers: Array, parts: Array) -> int:
    """The same for a body in chunks (7.1)."""
    total = 0
    while at < end:
        line, behind = line_at(data, at, end)
        size = 0
        digits = 0
        while at + digits < line and digits < 15 and _hex(data[at + digits]) >= 0:
            size = size * 16 + _hex(data[at + digits])
            digits += 1
        if behind < 0 or digits in {0, 15}:
            break
        if size == 0:
            numbers[BYTES] = total
            while behind >= 0 and line > at:  # the line of the last chunk, and trailers, to an empty line
                at = behind
                line, behind = line_at(data, at, end)
            return behind
        _page(data, behind, min(end, behind + size), parts)
        total += min(size, end - behind)
        if size > end - behind:
            break
        _, at = line_at(data, behind + size, end)
        if at < 0:
            break
    numbers[BYTES] = -1 if more else total
    return -1


@kernel
def _hex(octet: int) -> int:
    """What a hexadecimal digit stands for; -1 if it is none."""
    if 0x30 <= octet <= 0x39:
        return int(octet) - 0x30
    return int(octet | 0x20) - 0x57 if 0x61 <= (octet | 0x20) <= 0x66 else -1


@kernel
def _page(data: Array, at: int, end: int, parts: Array) -> None:
    """Where the first bytes of a body are, and the title of a page in them; the first call counts."""
    if parts[BODY, 0] >= 0 or end <= at:
        return
    parts[BODY] = (at, end)
    end = min(end, at + _TITLE_WITHIN)
    start = _finds(data, at, end, _OPEN)
    if start < 0 or start + 6 >= end or data[start + 6] not in (9, 10, 13, 0x20, 0x3E):
        return
    start += 6
    while start < end and data[start] != 0x3E:
        start += 1
    stop = _finds(data, start, end, _CLOSE)
    if stop > start:
        parts[TITLE] = (start + 1, min(stop, start + 1 + _TITLE_MOST))


@kernel
def _finds(data: Array, at: int, end: int, text: Array) -> int:
    """Where a text stands, large letters or small; -1 if it does not."""
    for place in range(at, end - len(text) + 1):
        same = 0
        while same < len(text) and small(data[place + same]) == text[same]:
            same += 1
        if same == len(text):
            return place
    return -1


@kernel
def small(octet: int) -> int:
    """A letter as its small one."""
    return octet | 0x20 if 0x41 <= octet <= 0x5A else octet

"""Compiled: domain names (RFC 1035, 3.1 and 4.1.4), compressed or not."""

# ruff: noqa: FBT003 - compiled: numbers are the format's own, tables come as arguments

from __future__ import annotations

from typing import TYPE_CHECKING

from sensors.capture.packet import be16
from sensors.capture.protocols.dns.printable import put
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.protocols.dns.printable import Array

MOST = 1024  # bytes of text that a name can need: 255 bytes, each of them escaped
_JUMPS = 32
_LABEL, _NAME = 63, 255
_POINTER = 0xC0
_DOT = 0x2E


@kernel
def put_name(data: Array, start: int, end: int, at: int, text: Array, used: int) -> tuple[int, int]:
    """Append the name at `at` of the message from `start` to `end`; without a dot at its end.

    Returns:
        Where it ends in the message, -1 if it is malformed; the length of the text.
    """
    after, jumps, length, first = -1, 0, 0, used
    while at < end:
        size = int(data[at])
        if size == 0:
            if used > first:
                used -= 1
            else:
                text[used] = _DOT  # the root
                used += 1
            return (at + 1 if after < 0 else after), used
        if size >= _POINTER:
            if at + 2 > end or jumps == _JUMPS:
                return -1, first
            after = at + 2 if after < 0 else after
            at, jumps = start + (be16(data, at) & 0x3FFF), jumps + 1
            continue
        length += size + 1
        if size > _LABEL or at + 1 + size > end or length >= _NAME:
            return -1, first
        used = put(text, used, data, at + 1, at + 1 + size, True)
        text[used] = _DOT
        used, at = used + 1, at + 1 + size
    return -1, first

"""Lines, request lines and status lines of HTTP/1.x (RFC 9112, 2 to 4)."""

# ruff: noqa: PLR2004, FBT001, SIM110 - numbers are bytes and status codes of the RFC

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.http.layout import METHOD, PHRASE, TARGET
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_HTTP: Final = np.frombuffer(b"HTTP/", np.uint8)


@kernel
def behind_blank(data: Array, at: int, end: int) -> int:
    """Behind empty lines, which may precede a message (RFC 9112, 2.2)."""
    while at < end and data[at] in (10, 13):
        at += 1
    return at


@kernel
def line_at(data: Array, at: int, end: int) -> tuple[int, int]:
    """Where a line ends, and where the next one begins, -1 if its end is not at hand; LF alone ends one."""
    place = at
    while place < end and data[place] != 10:
        place += 1
    if place >= end:
        return end, -1
    return place - 1 if place > at and data[place - 1] == 13 else place, place + 1


@kernel
def _version(data: Array, at: int, end: int) -> int:
    """The version that `HTTP/1.1` says as 11; -1 if it is none."""
    if end - at != 8 or data[at + 6] != 0x2E:
        return -1
    for k in range(5):
        if data[at + k] != _HTTP[k]:
            return -1
    major, minor = int(data[at + 5]) - 0x30, int(data[at + 7]) - 0x30
    return int(major * 10 + minor) if 0 <= major <= 1 and 0 <= minor <= 9 else -1


@kernel
def request_line(data: Array, at: int, end: int, alone: bool, parts: Array) -> int:
    """Method and target of a request line; its version, 9 for a line that is `alone` and has none, or -1."""
    place = at
    while (
        place < end
        and place - at < 32
        and (0x41 <= data[place] & 0xDF <= 0x5A or data[place] in (0x2D, 0x5F))
    ):
        place += 1
    if place == at or place >= end or data[place] != 0x20:
        return -1
    parts[METHOD] = (at, place)
    last = end
    while last > place and data[last - 1] in (9, 0x20):
        last -= 1
    version = _version(data, last - 8, last) if last - 8 > place and data[last - 9] == 0x20 else -1
    if version >= 0:
        last -= 8
    elif alone and place + 1 < last and data[place + 1] == 0x2F and _is_old(data, at, place, last):
        version = 9
    else:
        return -1
    while place < last and data[place] == 0x20:
        place += 1
    while last > place and data[last - 1] == 0x20:
        last -= 1
    if last > place:
        parts[TARGET] = (place, last)
    return version


@kernel
def _is_old(data: Array, at: int, place: int, last: int) -> bool:
    """Whether a line may be HTTP/0.9: a GET or POST of a path without spaces or bytes beyond ASCII."""
    if not (place - at == 3 and data[at] == 0x47 or place - at == 4 and data[at] == 0x50):  # noqa: RUF021
        return False
    for k in range(place + 1, last):
        if not 0x21 <= data[k] <= 0x7E:
            return False
    return True


@kernel
def status_line(data: Array, at: int, end: int, parts: Array) -> tuple[int, int]:
    """The version and the code of a status line, and where its phrase is; -1 if it is none."""
    if end - at < 12:
        return -1, -1
    version = _version(data, at, at + 8)
    if version < 0 or data[at + 8] != 0x20:
        return -1, -1
    place = at + 9
    while place < end and data[place] == 0x20:
        place += 1
    if end - place < 3:
        return -1, -1
    code = 0
    for k in range(place, place + 3):
        if not 0x30 <= data[k] <= 0x39:
            return -1, -1
        code = code * 10 + int(data[k]) - 0x30
    if not 100 <= code <= 999 or (place + 3 < end and data[place + 3] != 0x20):
        return -1, -1
    if place + 4 < end:
        parts[PHRASE] = (place + 4, end)
    return version, code

"""HTTP/1.x messages in what both sides of a stream said: where each begins, and its parts (RFC 9112).

One kernel walks the heads of all streams: start lines, the fields it knows, and over bodies, by their length
or chunk by chunk. Responses are told apart by the requests they answer: HEAD has no body whatever its fields
say, and behind CONNECT and 101 it is no longer HTTP.
"""

# ruff: noqa: PLR2004 - numbers are bytes and status codes of the RFC

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sensors.capture.conversations import HEAD, Streams
from sensors.capture.protocols.http.bodies import body, framing, small
from sensors.capture.protocols.http.layout import (
    ANSWERS,
    BEHIND,
    FIELDS,
    FIRST,
    KEPT,
    METHOD,
    NUMBERS,
    PARTS,
    VERSION,
)
from sensors.capture.protocols.http.start_lines import behind_blank, line_at, request_line, status_line
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_LEAST: Final = 12  # bytes of the shortest message that others may follow: `A HTTP/1.1` and two line feeds
_ROOM: Final = 1 << 12  # messages in a block of results
_NAMES: Final = np.frombuffer(b"".join(name.encode().ljust(32, b"\0") for name in FIELDS), np.uint8).reshape(
    -1, 32
)
_SIZES: Final = np.array([len(name) for name in FIELDS])


class Messages(NamedTuple):
    """What was found, a row a message.

    Attributes:
        numbers: columns by `NUMBERS`: row of the streams and side; bytes of that side before it; its number
            among the side's messages, from 0; version (11 is 1.1); status (0 of requests); bytes of the body,
            -1 if not all of it was seen and nothing says how many; which row here it answers, or -1; whether
            it is HTTP, not something in a tunnel (1); bytes of that side up to the end of its head.
        spans: by `PARTS` where in the data they begin and end, -1 where there is none.
    """

    numbers: Array
    spans: Array


def found(streams: Streams) -> Messages:
    """Every message at the beginnings of the streams."""
    sizes = (streams.ends - streams.starts).sum(axis=1) // _LEAST + 4
    room = max(_ROOM, int(sizes.max(initial=0)))
    blocks: list[Messages] = []
    row = 0
    seen = 0
    while row < len(streams):
        numbers = np.empty((room, len(NUMBERS)), np.int64)
        spans = np.empty((room, len(PARTS), 2), np.int64)
        row, count = walk(streams.data, streams.starts, streams.ends, row, numbers, spans)
        numbers, spans = numbers[:count].copy(), spans[:count].copy()
        numbers[numbers[:, ANSWERS] >= 0, ANSWERS] += seen
        seen += count
        blocks.append(Messages(numbers, spans))
    if not blocks:
        return Messages(np.empty((0, len(NUMBERS)), np.int64), np.empty((0, len(PARTS), 2), np.int64))
    return Messages(*(np.concatenate(each) for each in zip(*blocks, strict=True)))


@kernel
def speaks(data: Array, starts: Array, ends: Array) -> Array:
    """Where what a side said begins with a request or a status line; a mask."""
    mask = np.zeros(len(starts), np.bool_)
    places = np.empty((len(PARTS), 2), np.int64)
    for row in range(len(starts)):
        line, behind = line_at(data, starts[row], ends[row])
        if behind > 0:
            mask[row] = (
                request_line(data, starts[row], line, behind == ends[row], places) >= 0
                or status_line(data, starts[row], line, places)[1] > 0
            )
    return mask


@kernel
def walk(
    data: Array,
    starts: Array,
    ends: Array,
    first: int,
    numbers: Array,
    spans: Array,
) -> tuple[int, int]:
    """Take streams apart from row `first` on, until results are full.

    Args:
        data: bytes, UInt8.
        starts: of both sides' bytes, rows by sides; `ends` the places behind them.
        ends: see there.
        first: the row to begin with.
        numbers: gets a row a message, columns by `NUMBERS`.
        spans: gets a row a message, pairs by `PARTS`.

    Returns:
        The row to go on with, and how many messages were found.
    """
    count = 0
    for row in range(first, len(starts)):
        most = (ends[row, 0] - starts[row, 0] + ends[row, 1] - starts[row, 1]) // _LEAST + 4
        if count + most > len(numbers):
            return row, count
        mark = count
        count = _requests(data, row, starts[row, 0], ends[row, 0], count, numbers, spans)
        count = _responses(data, row, starts[row, 1], ends[row, 1], mark, count, numbers, spans)
    return len(starts), count


@kernel
def _requests(
    data: Array,
    row: int,
    start: int,
    end: int,
    count: int,
    numbers: Array,
    spans: Array,
) -> int:
    """The messages of a client; returns how many messages there are now."""
    at = start
    order = 0
    while at >= 0 and at < end and count < len(numbers):
        at = behind_blank(data, at, end)
        line, behind = line_at(data, at, end)
        if behind < 0:
            break
        parts = spans[count]
        parts[:] = -1
        version = request_line(data, at, line, order == 0 and behind == end, parts)
        if version < 0:
            break
        numbers[count] = (row, 0, at - start, order, version, 0, 0, -1, 1, 0)
        behind, whole = _fields(data, behind, end, parts)
        numbers[count, BEHIND] = behind - start
        at = -1
        if whole:
            length, chunked = framing(data, parts)
            if length >= -1:
                at = body(
                    data, behind, end, end - start >= HEAD, max(length, 0), chunked, numbers[count], parts
                )
        count += 1
        order += 1
    return count


@kernel
def _responses(
    data: Array,
    row: int,
    start: int,
    end: int,
    asked: int,
    count: int,
    numbers: Array,
    spans: Array,
) -> int:
    """The messages of a server, each with the request it answers: those from `asked` to `count`."""
    at = start
    order = 0
    request = asked
    requests = count
    old = requests - asked == 1 and numbers[asked, VERSION] == 9
    while at >= 0 and at < end and count < len(numbers):
        at = behind_blank(data, at, end)
        line, behind = line_at(data, at, end)
        parts = spans[count]
        parts[:] = -1
        version, status = status_line(data, at, line, parts) if behind > 0 else (-1, -1)
        if status < 0:
            if old and order == 0:  # HTTP/0.9 answers with a page and nothing else
                numbers[count] = (row, 1, 0, 0, 9, 0, 0, asked, 1, 0)
                body(
                    data,
                    start,
                    end,
                    end - start >= HEAD,
                    -1,
                    chunked=False,
                    numbers=numbers[count],
                    parts=parts,
                )
                count += 1
            break
        answers = request if request < requests else -1
        numbers[count] = (row, 1, at - start, order, version, status, 0, answers, 1, 0)
        behind, whole = _fields(data, behind, end, parts)
        numbers[count, BEHIND] = behind - start
        if not whole:
            return count + 1
        if 100 <= status < 200 and status != 101:
            at = behind
            continue
        method = data[spans[answers, METHOD, 0]] if answers >= 0 else 0
        length = spans[answers, METHOD, 1] - spans[answers, METHOD, 0] if answers >= 0 else 0
        if status == 101 or (method == 0x43 and length == 7 and status < 300):  # C of CONNECT, no other has 7
            for tunnelled in range(request + 1, requests):
                numbers[tunnelled, KEPT] = 0
            return count + 1
        length, chunked = (
            (0, False)
            if status in (204, 304) or (method == 0x48 and length == 4)  # H of HEAD
            else framing(data, parts)
        )
        at = body(data, behind, end, end - start >= HEAD, length, chunked, numbers[count], parts)
        count += 1
        order += 1
        request += 1
    return count


@kernel
def _fields(data: Array, at: int, end: int, parts: Array) -> tuple[int, bool]:
    """Places of the fields of a head; where it ends, and whether its end was seen."""
    last = -1
    while True:
        line, behind = line_at(data, at, end)
        if behind < 0:
            return at, False
        if line == at:
            return behind, True
        if data[at] in (9, 0x20):
            if last >= 0:  # a value that goes on (5.2)
                parts[last, 1] = line
        else:
            last = _field(data, at, line, parts)
        at = behind


@kernel
def _field(data: Array, at: int, end: int, parts: Array) -> int:
    """Which part a field line is, if it is one that is looked for and the first one; else -1."""
    colon = at
    while colon < end and data[colon] != 0x3A:
        colon += 1
    size = colon - at
    while size > 0 and data[at + size - 1] in (9, 0x20):
        size -= 1
    for which in range(len(_SIZES)):
        if _SIZES[which] != size or (data[at] | 0x20) != _NAMES[which, 0]:
            continue
        same = 1
        while same < size and small(data[at + same]) == _NAMES[which, same]:
            same += 1
        if same < size or colon >= end or parts[FIRST + which, 0] >= 0:
            continue
        place = colon + 1
        while place < end and data[place] in (9, 0x20):
            place += 1
        last = end
        while last > place and data[last - 1] in (9, 0x20):
            last -= 1
        parts[FIRST + which] = (place, last)
        return FIRST + which
    return -1

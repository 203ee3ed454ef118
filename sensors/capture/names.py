r"""Compiled: names that are spoken in the clear, DNS questions and answers (RFC 1035) and TLS server names.

TLS: the client hello of RFC 8446, section 4.1.2, with the extensions server_name (RFC 6066) and ALPN
(RFC 7301).
Text goes to a byte buffer, one name a line; bytes that are no printable ASCII stand as `\ddd` (RFC 4343).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from sensors.capture.dissect import be16, be64

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Columns of the table of DNS messages, and of their answers.
DNS_FLOW, DNS_TIME, DNS_FRAME, DNS_ID, DNS_FLAGS, DNS_TYPE, DNS_CLASS, DNS_SIDE, DNS_COLUMNS = range(9)
ANSWER_MESSAGE, ANSWER_TYPE, ANSWER_TTL, ANSWER_HIGH, ANSWER_LOW, ANSWER_COLUMNS = range(6)
# Columns of the table of TLS hellos.
TLS_FLOW, TLS_TIME, TLS_FRAME, TLS_VERSION, TLS_SIDE, TLS_COLUMNS = range(6)

A, CNAME, AAAA = 1, 5, 28
MOST_ANSWERS = 32
# No message can write more text than this: a name has 255 bytes at most, each four characters when escaped.
TEXT_A_MESSAGE = (MOST_ANSWERS + 1) * 1024
_JUMPS = 16


@njit(cache=True, nogil=True)
def put(text: NDArray[np.uint8], used: int, byte: int) -> int:
    r"""Append a byte as itself or as `\ddd`; the new length."""
    if 0x21 <= byte <= 0x7E and byte != 0x5C:
        text[used] = byte
        return used + 1
    text[used] = 0x5C
    text[used + 1], text[used + 2], text[used + 3] = 48 + byte // 100, 48 + byte // 10 % 10, 48 + byte % 10
    return used + 4


@njit(cache=True, nogil=True)
def name(
    data: NDArray[np.uint8], start: int, end: int, at: int, text: NDArray[np.uint8], used: int
) -> tuple[int, int]:
    """Write the name at `at`, compressed or not; where it ends (-1: malformed) and the text's length."""
    after, jumps, length, first = -1, 0, 0, used
    while at < end:
        size = int(data[at])
        if size == 0:
            if used > first:
                used -= 1  # the dot after the last label
            return (at + 1 if after < 0 else after), used
        if size >= 0xC0:
            if at + 2 > end or jumps == _JUMPS:
                return -1, first
            after = at + 2 if after < 0 else after
            at, jumps = start + (be16(data, at) & 0x3FFF), jumps + 1
            continue
        length += size + 1
        if size > 63 or at + 1 + size > end or length > 255:
            return -1, first
        for index in range(size):
            used = put(text, used, int(data[at + 1 + index]))
        text[used] = 0x2E
        used, at = used + 1, at + 1 + size
    return -1, first


@njit(cache=True, nogil=True)
def dns(
    data: NDArray[np.uint8],
    at: int,
    size: int,
    row: NDArray[np.int64],
    number: int,
    answers: NDArray[np.int64],
    count: int,
    text: NDArray[np.uint8],
    used: int,
) -> tuple[int, int]:
    """Read one message into `row`, its answers into `answers` from `count` on; new count and text length.

    The count is -1 if this is no DNS message. Text: the question's name, then one line an answer.
    """
    end = at + size
    if size < 12 or be16(data, at + 4) == 0 or be16(data, at + 4) > 4:
        return -1, used
    flags = be16(data, at + 2)
    place, length = name(data, at, end, at + 12, text, used)
    if place < 0 or place + 4 > end:
        return -1, used
    row[DNS_ID], row[DNS_FLAGS] = be16(data, at), flags
    row[DNS_TYPE], row[DNS_CLASS] = be16(data, place), be16(data, place + 2) & 0x7FFF
    text[length] = 0x0A
    used, place = length + 1, place + 4
    for _ in range(be16(data, at + 4) - 1):  # further questions, which nobody asks
        place, length = name(data, at, end, place, text, used)
        if place < 0 or place + 4 > end:
            return count, used
        place += 4
    for _ in range(min(MOST_ANSWERS, be16(data, at + 6))):
        place, length = name(data, at, end, place, text, used)
        if place < 0 or place + 10 > end or count == answers.shape[0]:
            return count, used
        kind, size = be16(data, place), be16(data, place + 8)
        data_at = place + 10
        if data_at + size > end:
            return count, used
        answers[count, ANSWER_MESSAGE], answers[count, ANSWER_TYPE] = number, kind
        answers[count, ANSWER_TTL] = (be16(data, place + 4) << 16) | be16(data, place + 6)
        answers[count, ANSWER_HIGH], answers[count, ANSWER_LOW] = 0, 0
        length = used
        if kind == A and size == 4:
            answers[count, ANSWER_LOW] = (be16(data, data_at) << 16) | be16(data, data_at + 2)
        elif kind == AAAA and size == 16:
            answers[count, ANSWER_HIGH], answers[count, ANSWER_LOW] = (
                be64(data, data_at),
                be64(data, data_at + 8),
            )
        elif kind in (2, CNAME, 12):
            _, length = name(data, at, end, data_at, text, used)
        text[length] = 0x0A
        used, place, count = length + 1, data_at + size, count + 1
    return count, used


@njit(cache=True, nogil=True)
def hello(
    data: NDArray[np.uint8], at: int, end: int, text: NDArray[np.uint8], used: int
) -> tuple[int, int, int]:
    """Read the client hello whose record begins at `at`: version, text length, and 1 if it was read whole.

    Text: the server name, a tab, the application protocols with commas, a line end; the version is the
    highest offered, or 0 if there is no hello. What lies behind `end` comes in a later segment, or never.
    """
    whole = at + 5 + be16(data, at + 3) <= end
    place, version = at + 9, 0
    if place + 35 > end:
        return 0, used, 0
    version = be16(data, place)
    place += 34
    place += 1 + int(data[place])
    if place + 2 > end:
        return version, used, 0
    place += 2 + be16(data, place)
    if place + 1 > end:
        return version, used, 0
    place += 1 + int(data[place])
    if place + 2 > end:
        return version, used, 1 if whole else 0
    stop = place + 2 + be16(data, place)
    place += 2
    server, server_size, protocols, protocols_size = 0, 0, 0, 0
    while place + 4 <= min(stop, end):
        kind, size = be16(data, place), be16(data, place + 2)
        place += 4
        if place + size > end:
            break
        if kind == 0 and size > 5 and data[place + 2] == 0 and be16(data, place + 3) + 5 <= size:
            server, server_size = place + 5, be16(data, place + 3)
        elif kind == 16 and size > 2:
            protocols, protocols_size = place + 2, size - 2
        elif kind == 43 and size > 2:
            for index in range(place + 1, place + size - 1, 2):
                offered = be16(data, index)
                if offered & 0x0F0F != 0x0A0A and offered > version:  # RFC 8701: values that mean nothing
                    version = offered
        place += size
    used = _hello_text(data, server, server_size, protocols, protocols_size, text, used)
    return version, used, 1 if whole or place >= stop else 0


@njit(cache=True, nogil=True)
def _hello_text(
    data: NDArray[np.uint8],
    server: int,
    server_size: int,
    protocols: int,
    protocols_size: int,
    text: NDArray[np.uint8],
    used: int,
) -> int:
    for index in range(min(server_size, 255)):
        used = put(text, used, int(data[server + index]))
    text[used] = 0x09
    used += 1
    place, first = protocols, True
    while place < protocols + min(protocols_size, 255):
        size = int(data[place])
        if size == 0 or place + 1 + size > protocols + protocols_size:
            break
        if not first:
            text[used] = 0x2C
            used += 1
        for index in range(size):
            used = put(text, used, int(data[place + 1 + index]))
        place, first = place + 1 + size, False
    text[used] = 0x0A
    return used + 1

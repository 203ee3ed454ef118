"""Compiled: DNS messages (RFC 1035, 4) with all of their records, and what EDNS (RFC 6891) adds to them.

The same form serves mDNS, LLMNR and the NetBIOS name service. What a message says before the place where it
contradicts itself, or is cut off, is kept.
"""

# ruff: noqa: PLR2004, PLR0913, PLR0917, C901 - compiled: numbers are the format's own, tables come as arguments

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensors.capture.packet import be16
from sensors.capture.protocols.dns.names import MOST, put_name
from sensors.capture.protocols.dns.printable import HEX, IPV4, IPV6, TEXT, put_as, put_number
from sensors.capture.protocols.dns.record_data import put_record
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.protocols.dns.printable import Array

HEADER = 12
# Columns of messages. READ: whether it is a message; BROKEN: whether not all of it could be read; LEFT: bytes
# behind its last record. Spans are of the text.
READ, BROKEN, LEFT, ID, FLAGS, QUESTIONS, ANSWERS, AUTHORITIES, ADDITIONALS = range(9)
EDNS, EDNS_SIZE, EDNS_FLAGS, SUBNET, SUBNET_END, ERROR, ERROR_TEXT, ERROR_END, SERVER, SERVER_END = range(
    9, 19
)
COLUMNS = 19
# Columns of records. SECTION: 0 for questions, 1 to 3 for the others. AT and STOP: the data in the message.
MESSAGE, SECTION, TYPE, CLASS, TTL, NAME, NAME_END, DATA, DATA_END, MAIN, MAIN_END, AT, STOP = range(13)
RECORD_COLUMNS = 13

_OPT = 41
_SERVER, _SUBNET, _ERROR = 3, 8, 15  # options of EDNS: NSID, client subnet, extended errors
_ROOM = 4 * MOST
_MEMO = 64


@kernel
def read(data: Array, starts: Array, ends: Array, layouts: Array) -> tuple[Array, Array, Array]:
    """Read the messages from `starts` to `ends`.

    Args:
        data: bytes.
        starts: where each begins.
        ends: the place behind it.
        layouts: of the data of records, by type; the last one is for types that have no row.

    Returns:
        Messages, Int64, rows as `starts`; records, Int64, in order of the messages; and their text.
    """
    messages = np.zeros((len(starts), COLUMNS), np.int64)
    records = np.zeros((4 * len(starts) + 16, RECORD_COLUMNS), np.int64)
    text = np.empty(64 * len(starts) + 2 * _ROOM, np.uint8)
    memo = np.zeros((_MEMO, 4), np.int64)
    count, used = 0, 0
    for row in range(len(starts)):
        start, end = starts[row], ends[row]
        if end - start < HEADER:
            continue
        message, first, began = messages[row], count, used
        message[ID], message[FLAGS] = be16(data, start), be16(data, start + 2)
        for section in range(4):
            message[QUESTIONS + section] = be16(data, start + 4 + 2 * section)
        # A few bytes can name long names often: what a message may make of itself is bounded.
        most = began + 2 * MOST + 8 * (end - start)
        place = start + HEADER
        for section in range(4):
            for _ in range(message[QUESTIONS + section]):
                if count == len(records):
                    records = _longer(records)
                need = used + _ROOM + 4 * (end - place)
                if need > len(text):
                    text = _roomier(text, used, 2 * need)
                records[count, MESSAGE], records[count, SECTION] = row, section
                after, used = _record(
                    data, start, end, place, records[count], message, layouts, text, used, memo
                )
                if after < 0 or used > most:
                    message[BROKEN] = 1
                    break
                place = after
                if records[count, TYPE] != _OPT or section != 3:
                    count += 1
            if message[BROKEN]:
                break
        message[LEFT] = end - place
        message[READ] = 1 if count > first or (end - start == HEADER and not message[BROKEN]) else 0
        if message[READ] == 0 and message[EDNS] and not message[BROKEN]:
            message[READ] = 1
    return messages, records[:count], text[:used]


# Loops: what Numba makes of an assignment to a slice takes seconds to compile.
@kernel
def _longer(records: Array) -> Array:
    longer = np.zeros((2 * len(records), RECORD_COLUMNS), np.int64)
    for row in range(len(records)):
        for column in range(RECORD_COLUMNS):
            longer[row, column] = records[row, column]
    return longer


@kernel
def _roomier(text: Array, used: int, size: int) -> Array:
    roomier = np.empty(size, np.uint8)
    for at in range(used):
        roomier[at] = text[at]
    return roomier


@kernel
def _record(
    data: Array, start: int, end: int, at: int, record: Array, message: Array, layouts: Array,
    text: Array, used: int, memo: Array,
) -> tuple[int, int]:  # fmt: skip
    """Read a question or a record; where the next one begins (-1: there is none), and the text's length."""
    place, record[NAME], record[NAME_END], used = _owner(
        data, start, end, at, record[MESSAGE], text, used, memo
    )
    if place < 0 or place + 4 > end:
        return -1, used
    record[TYPE], record[CLASS] = be16(data, place), be16(data, place + 2)
    if record[SECTION] == 0:
        for cell in (TTL, DATA, DATA_END, MAIN, MAIN_END, AT, STOP):
            record[cell] = 0
        return place + 4, used
    if place + 10 > end:
        return -1, used
    record[TTL] = (be16(data, place + 4) << 16) | be16(data, place + 6)
    at = place + 10
    stop = at + be16(data, place + 8)
    if stop > end:
        return -1, used
    record[AT], record[STOP] = at, stop
    if record[TYPE] == _OPT and record[SECTION] == 3:
        message[EDNS], message[EDNS_SIZE], message[EDNS_FLAGS] = 1, record[CLASS], record[TTL]
        return stop, _options(data, at, stop, message, text, used)
    record[DATA], record[MAIN], record[MAIN_END] = used, used, used
    if stop > at:
        layout = layouts[min(record[TYPE], len(layouts) - 1)]
        used, record[MAIN], record[MAIN_END] = put_record(data, start, end, at, stop, layout, text, used)
    record[DATA_END] = used
    return stop, used


@kernel
def _owner(
    data: Array, start: int, end: int, at: int, row: int, text: Array, used: int, memo: Array
) -> tuple[int, int, int, int]:
    """The name at `at`: where it ends in the message, where it stands in the text, and the text's length.

    Most records point to a name that was written before.
    """
    is_pointer = at + 2 <= end and data[at] >= 0xC0
    target = start + (be16(data, at) & 0x3FFF) if is_pointer else at
    known = memo[target % _MEMO]
    if is_pointer and known[0] == row + 1 and known[1] == target:
        return at + 2, known[2], known[3], used
    place, length = put_name(data, start, end, at, text, used)
    if place >= 0:
        known[0], known[1], known[2], known[3] = row + 1, target, used, length
    return place, used, length, length


@kernel
def _options(data: Array, at: int, stop: int, message: Array, text: Array, used: int) -> int:
    """The options of EDNS that say where a question came from or what became of it; the text's length."""
    while at + 4 <= stop and at + 4 + be16(data, at + 2) <= stop:
        kind, begin = be16(data, at), at + 4
        at = begin + be16(data, at + 2)
        source, first, last, form, cell = data, begin, at, HEX, SERVER
        if kind == _SUBNET and at - begin >= 4:
            # As many bytes of the address as its prefix needs (RFC 7871, 6).
            form, size = (IPV4, 4) if be16(data, begin) == 1 else (IPV6, 16)
            if at - begin - 4 > size or data[begin + 2] > 8 * size:
                continue
            source, first, last, cell = np.zeros(16, np.uint8), 0, size, SUBNET
            for index in range(at - begin - 4):
                source[index] = data[begin + 4 + index]
        elif kind == _ERROR and at - begin >= 2 and message[ERROR] == 0:
            message[ERROR], first, form, cell = 1 + be16(data, begin), begin + 2, TEXT, ERROR_TEXT
        elif kind != _SERVER:
            continue
        message[cell] = used
        used = put_as(text, used, source, first, last, form)
        if cell == SUBNET:
            text[used] = 0x2F
            used = put_number(text, used + 1, int(data[begin + 2]))
        message[cell + 1] = used
    return used

"""Compiled: the options of DHCP (RFC 2132) and DHCPv6 (RFC 8415, 21) messages, as places."""

# ruff: noqa: PLR2004, C901, PLR0912 - compiled: numbers are the format's own, branches stand together

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensors.capture.packet import be16
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

ROW, CODE, START, END, COLUMNS = range(5)
OPTIONS_AT = 240
RELAY = 256  # codes from here on are those inside of option 82 (RFC 3046)
MESSAGE = (
    0  # of DHCPv6: where the message begins that the client said or is told, whatever relays wrapped it in
)
RELAYED = 65536  # of DHCPv6: where a relay's header begins
_PAD, _END, _OVERLOAD, _RELAY_AGENT = 0, 255, 52, 82
_FILE, _SERVER_NAME = (108, 236), (44, 108)
_RELAY_MESSAGE = 9
_DEEPEST = 32  # relays (RFC 8415, 7.6: HOP_COUNT_LIMIT is 8)


@kernel
def _wider(found: Array) -> Array:
    wider = np.zeros((2 * len(found), COLUMNS), np.int64)
    for row in range(len(found)):  # an assignment to a slice takes Numba seconds to compile
        for column in range(COLUMNS):
            wider[row, column] = found[row, column]
    return wider


@kernel
def of_v4(data: Array, starts: Array, ends: Array) -> Array:
    """Row, code, start and end of each option, those in the fields `file` and `sname` too; Int64."""
    found = np.zeros((16 * len(starts) + 16, COLUMNS), np.int64)
    count = 0
    for row in range(len(starts)):
        overload = 0
        for area in range(3):
            at, end = starts[row] + OPTIONS_AT, ends[row]
            if area == 1:
                at, end = starts[row] + _FILE[0], starts[row] + _FILE[1]
            elif area == 2:
                at, end = starts[row] + _SERVER_NAME[0], starts[row] + _SERVER_NAME[1]
            if area and not overload & area:
                continue
            while at < end and data[at] != _END:
                code = int(data[at])
                if code == _PAD:
                    at += 1
                    continue
                if at + 2 > end or at + 2 + int(data[at + 1]) > end:
                    break
                start, stop = at + 2, at + 2 + int(data[at + 1])
                at = stop
                if code == _OVERLOAD and stop - start == 1 and area == 0:
                    overload = int(data[start])
                place = stop
                if code == _RELAY_AGENT:
                    place = start
                while True:
                    if count == len(found):
                        found = _wider(found)
                    found[count, ROW], found[count, CODE] = row, code
                    found[count, START], found[count, END] = start, stop
                    count += 1
                    if place + 2 > at or place + 2 + int(data[place + 1]) > at:
                        break
                    code = RELAY + int(data[place])
                    start, stop = place + 2, place + 2 + int(data[place + 1])
                    place = stop
    return found[:count]


@kernel
def of_v6(data: Array, starts: Array, ends: Array) -> tuple[Array, Array]:
    """Row, code, start and end of each option, whatever it is in; and which rows are well formed.

    Options in options are listed behind what they are in.
    """
    found = np.zeros((12 * len(starts) + 16, COLUMNS), np.int64)
    fits = np.zeros(len(starts), np.bool_)
    count = 0
    for row in range(len(starts)):
        at, end, relays = starts[row], ends[row], 0
        begins, good = True, True
        while good and at < end:
            if count == len(found):
                found = _wider(found)
            found[count, ROW] = row
            if begins:
                relayed = data[at] in (12, 13)
                found[count, CODE] = RELAYED if relayed else MESSAGE
                size = 34 if relayed else 4
                relays += 1
                good = 1 <= data[at] <= 36 and at + size <= end and relays <= _DEEPEST
                found[count, START], found[count, END] = at, at + size
                begins = False
                at += size
                count += 1 if good else 0
                continue
            good = at + 4 <= end and at + 4 + be16(data, at + 2) <= end
            if not good:
                break
            code, size = be16(data, at), be16(data, at + 2)
            found[count, CODE], found[count, START], found[count, END] = code, at + 4, at + 4 + size
            count += 1
            if code == _RELAY_MESSAGE:
                begins, at = True, at + 4
            elif code in (3, 25):  # identity associations: who, two times, and options
                at += 4 + min(size, 12)
            elif code == 4:
                at += 4 + min(size, 4)
            else:
                at += 4 + size
        fits[row] = good and not begins
    return found[:count], fits

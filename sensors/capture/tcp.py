"""Compiled: the state of a TCP connection, packet by packet, as Zeek judges it.

States, sizes and histories are those of Zeek's conn.log
(https://docs.zeek.org/en/current/scripts/base/protocols/conn/main.zeek.html): a size is told by sequence
numbers, so that what is sent again counts once and what the capture missed counts too; a history has a letter
for each kind of packet as it is first seen, large for the originator; letters of what is only worth a count
(`t` sent again, `w` window of no byte, `g` gap) stand there the first, tenth, hundredth time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sensors.capture.cells import (
    ACK_AT,
    ACKED,
    AGAIN,
    CLOSED,
    FINS,
    GAPS,
    HISTORY,
    LAST,
    LAST_FIN,
    LAST_RST,
    LAST_SYN,
    LATER_FROM,
    LATER_TO,
    LETTERS,
    MISSED,
    OVER,
    PREVIOUS,
    SEEN,
    SENT,
    SIDE,
    START,
    STATE,
    SYN_AT,
    WHOLE,
    ZERO,
)
from sensors.compiled import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIN, SYN, RST, ACK = 1, 2, 4, 16
INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, SHUT, RESET = range(7)
_FAR: Final = 1 << 20  # a jump that no sender makes
_MOST_LETTERS: Final = 24
# Bits of SEEN, of the first side; those of the second are 8 further on.
_SAW_SYN, _SAW_FIN, _SAW_RST, _SAW_DATA, _SAW_ACK, _SAW_MANY, _SAW_ODD = 1, 2, 4, 8, 16, 32, 64


@kernel
def step(
    flow: NDArray[np.int64], side: int, flags: int, base: int, ack: int, window: int, size: int, moment: int
) -> int:
    """Take a packet into account; where its payload stands, in bytes behind the first (-1: nobody knows).

    Args:
        flow: a row of the table of flows.
        side: who sent it.
        flags: of TCP.
        base: its sequence number.
        ack: the number that it acknowledges, if its flags say that it does.
        window: as it stands there, not scaled.
        size: bytes of payload, captured or not.
        moment: microseconds since 1970.
    """
    peer = 1 - side
    length = (0 if flags & RST else size) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
    _begin(flow, side, flags, base, length)
    place = flow[SENT + side] + _ahead(base, flow[START + side] + flow[SENT + side])
    _note(flow, side, flags, place, size)
    state = flow[STATE + side]
    if window == 0 and not flags & RST and flow[STATE + peer] != SHUT and state != RESET:
        _count(flow, ZERO, side, 0x57)
    if not (flow[CLOSED] and flow[CLOSED + 1]):
        flow[LAST] = max(flow[LAST], moment)
    if flags & FIN:
        flow[FINS + side] += 1
    if flags & SYN and flow[SYN_AT + side] == 0:
        flow[SYN_AT + side] = moment
    acked = _acknowledge(flow, side, flags, ack, moment) if flags & ACK else 0
    _advance(flow, side, flags, place + length, size)
    _move(flow, side, flags, size)
    if flags & ACK:
        _miss(flow, peer, acked, flags)
    if size and not flags & RST and place >= 0:
        at = place + 1 if flags & SYN else place
        _fill(flow, side, at, at + size)
        return int(at - 1)
    return -1


@kernel
def _ahead(number: int, than: int) -> int:
    """How far a sequence number is ahead of another; half of the numbers are behind."""
    return ((number - than + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@kernel
def _begin(flow: NDArray[np.int64], side: int, flags: int, base: int, length: int) -> None:
    """Where a side's numbers begin: with its SYN, or as if it had sent one."""
    state = flow[STATE + side]
    if state == INACTIVE:
        flow[START + side] = base if flags & SYN else base - 1
        flow[SENT + side] = length if flags & SYN else 1
        flow[ACKED + side] = 0
        flow[WHOLE + side] = 1
        return
    anew = False
    if flags & SYN and base != flow[START + side]:
        anew = state != SHUT and (state != RESET or flow[PREVIOUS + side] == INACTIVE)
    if anew:
        flow[START + side] = base
        flow[SENT + side] = length
        flow[ACKED + side] = 0
        flow[WHOLE + side] = 1
        flow[LATER_TO + side] = 0


@kernel
def _letter(flow: NDArray[np.int64], side: int, letter: int) -> None:
    count = flow[LETTERS]
    if count >= _MOST_LETTERS:
        return
    if side != flow[SIDE]:
        letter |= 0x20
    flow[HISTORY + (count >> 3)] |= letter << (8 * (count & 7))
    flow[LETTERS] = count + 1


@kernel
def _once(flow: NDArray[np.int64], side: int, bit: int, letter: int) -> bool:
    """Write a letter if this is the first of its kind; whether it was not."""
    mask = bit << (8 * side)
    if flow[SEEN] & mask:
        return True
    flow[SEEN] |= mask
    _letter(flow, side, letter)
    return False


@kernel
def _count(flow: NDArray[np.int64], cell: int, side: int, letter: int) -> None:
    flow[cell + side] += 1
    number = flow[cell + side]
    while number % 10 == 0:
        number //= 10
    if number == 1:
        _letter(flow, side, letter)


@kernel
def _note(flow: NDArray[np.int64], side: int, flags: int, place: int, size: int) -> None:
    """The packet in the history; a SYN, FIN or RST once more if it stands at another place."""
    kinds = (1 if flags & SYN else 0) + (1 if flags & FIN else 0) + (1 if flags & RST else 0)
    if kinds > 1:
        if flags & FIN and flags & RST:
            _once(flow, side, _SAW_ODD, 0x49)
        else:
            _once(flow, side, _SAW_MANY, 0x51)
    elif flags & SYN:
        letter = 0x48 if flags & ACK else 0x53
        if _once(flow, side, _SAW_SYN, letter) and place != flow[LAST_SYN + side]:
            _letter(flow, side, letter)
        flow[LAST_SYN + side] = place
    elif flags & FIN:
        if _once(flow, side, _SAW_FIN, 0x46) and place + size != flow[LAST_FIN + side]:
            _letter(flow, side, 0x46)
        flow[LAST_FIN + side] = place + size
    elif flags & RST:
        if _once(flow, side, _SAW_RST, 0x52) and place != flow[LAST_RST + side]:
            _letter(flow, side, 0x52)
        flow[LAST_RST + side] = place
    elif size:
        _once(flow, side, _SAW_DATA, 0x44)
    elif flags & ACK:
        _once(flow, side, _SAW_ACK, 0x41)


@kernel
def _acknowledge(flow: NDArray[np.int64], side: int, flags: int, ack: int, moment: int) -> int:
    """What the packet acknowledges of the other side, in bytes."""
    peer = 1 - side
    if side == flow[SIDE] and flow[ACK_AT] == 0 and flow[SYN_AT + peer] and not flags & SYN:
        flow[ACK_AT] = moment
    if flow[STATE + peer] == INACTIVE:  # as if it had begun there
        flow[START + peer] = ack - 1
        flow[SENT + peer] = 0
        flow[ACKED + peer] = 0
        return 1
    acked = flow[ACKED + peer] + _ahead(ack, flow[START + peer] + flow[ACKED + peer])
    if acked < 0:
        return 0
    far = ack == 0 and acked - flow[ACKED + peer] > _FAR
    if not flags & RST and not far and acked > flow[ACKED + peer]:
        flow[ACKED + peer] = acked
    return int(acked)


@kernel
def _advance(flow: NDArray[np.int64], side: int, flags: int, behind: int, size: int) -> None:
    """How far a side has come; what it has sent before is sent again."""
    more = behind - flow[SENT + side]
    if flags & (SYN | RST) and (more > _FAR or more < -_FAR):
        return
    if flags & FIN and flow[SENT + side] == 1:
        flow[SENT + side] = behind
    elif flow[STATE + side] == RESET:
        return
    elif more > 0:
        flow[SENT + side] = behind
    elif size > 0:
        _count(flow, AGAIN, side, 0x54)


@kernel
def _set(flow: NDArray[np.int64], side: int, state: int) -> None:
    if state != flow[STATE + side]:
        flow[PREVIOUS + side] = flow[STATE + side]
        flow[STATE + side] = state


@kernel
def _move(flow: NDArray[np.int64], side: int, flags: int, size: int) -> None:
    """The states of both sides after a packet of one."""
    state, peer = flow[STATE + side], 1 - side
    closes = False
    if state == INACTIVE:
        closes = _first(flow, side, flags, size)
    elif state in (SYN_SENT, SYN_ACK_SENT):
        if flags & FIN:
            _set(flow, side, SHUT)
        if flags & RST:
            _set(flow, side, RESET)
        closes = flags & (FIN | RST) != 0
    elif state in (ESTABLISHED, PARTIAL):
        if flags & SYN and state == PARTIAL and flow[STATE + peer] == INACTIVE and not flags & ACK:
            _set(flow, side, SYN_SENT)
        if flags & FIN and not flags & RST:
            _set(flow, side, SHUT)
            if flow[STATE + peer] == RESET and flow[PREVIOUS + peer] == SHUT:
                _set(flow, peer, SHUT)  # it sent a FIN and then a RST, and that was the end
        if flags & RST:
            _set(flow, side, RESET)
        closes = flags & (FIN | RST) != 0
    elif state == SHUT and flags & RST and flow[STATE + peer] != SHUT:
        _set(flow, side, RESET)
        closes = True
    if closes and not flow[CLOSED + side]:
        flow[CLOSED + side] = 1
        if flow[STATE + side] == RESET or flow[CLOSED + peer] or flow[STATE + peer] == INACTIVE:
            flow[OVER] = max(flow[LAST], 1)


@kernel
def _first(flow: NDArray[np.int64], side: int, flags: int, size: int) -> bool:
    """The first packet of a side; whether it closes it."""
    peer = 1 - side
    if flags & SYN:
        if side == flow[SIDE]:
            _set(flow, side, SYN_ACK_SENT if flags & ACK else SYN_SENT)
        else:
            if flow[STATE + peer] == SYN_SENT or (flow[STATE + peer] == SYN_ACK_SENT and not flags & ACK):
                _set(flow, peer, ESTABLISHED)
            _set(flow, side, ESTABLISHED)
    if flags & FIN:
        _set(flow, side, SHUT)
    if flags & RST:
        _set(flow, side, RESET)
    if flow[STATE + side] == INACTIVE:
        early = side != flow[SIDE] and size == 0 and flow[STATE + peer] == SYN_SENT
        if flags & ACK and flow[STATE + peer] == ESTABLISHED:
            _set(flow, side, ESTABLISHED)
        elif not early:
            _set(flow, side, PARTIAL)
    return flags & (FIN | RST) != 0


@kernel
def _fill(flow: NDArray[np.int64], side: int, begin: int, end: int) -> None:
    """The bytes from `begin` to `end` were seen; one stretch behind a hole is remembered."""
    if begin <= flow[WHOLE + side]:
        flow[WHOLE + side] = max(flow[WHOLE + side], end)
        if flow[LATER_TO + side] and flow[LATER_FROM + side] <= flow[WHOLE + side]:
            flow[WHOLE + side] = max(flow[WHOLE + side], flow[LATER_TO + side])
            flow[LATER_TO + side] = 0
    elif flow[LATER_TO + side] == 0:
        flow[LATER_FROM + side], flow[LATER_TO + side] = begin, end
    else:
        flow[LATER_FROM + side] = min(flow[LATER_FROM + side], begin)
        flow[LATER_TO + side] = max(flow[LATER_TO + side], end)


@kernel
def _miss(flow: NDArray[np.int64], side: int, acked: int, flags: int) -> None:
    """A hole in what a side sent that the other has acknowledged will not be filled any more."""
    whole = flow[WHOLE + side]
    if acked <= whole or flow[STATE + side] == INACTIVE:
        return
    behind = acked - (1 if flow[FINS + side] and acked >= flow[SENT + side] else 0)
    if flow[LATER_TO + side]:
        behind = min(behind, flow[LATER_FROM + side])
    if behind <= whole:
        return
    flow[MISSED + side] += behind - whole
    flow[WHOLE + side] = behind
    if flow[LATER_TO + side] and flow[LATER_FROM + side] <= behind:
        flow[WHOLE + side] = flow[LATER_TO + side]
        flow[LATER_TO + side] = 0
    if not flags & (FIN | RST):
        _count(flow, GAPS, side, 0x47)

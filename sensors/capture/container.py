"""Where the packets of a capture lie: one compiled walk over the blocks of a pcap or pcapng file.

pcap is draft-ietf-opsawg-pcap, with the longer record headers that Kuznetzov's patched libpcap and Nokia's
machines wrote; pcapng is draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PCAP_MICRO: Final = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
PCAP_NANO: Final = (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
PCAP_MODIFIED: Final = (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34")
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
MAGICS: Final = frozenset({*PCAP_MICRO, *PCAP_NANO, *PCAP_MODIFIED, PCAPNG})

# Columns of the packet table.
TIME, OFFSET, CAPTURED, WIRE, LINK, PACKET_COLUMNS = range(6)
# Cells of the walk's state, kept between calls. SNAP, LINK_TYPE, TICKS and EXTRA (bytes that the header of a
# record has beyond sixteen) are pcap's; INTERFACES, SECTIONS, and BASE (the row of the section's first
# interface) are pcapng's.
POSITION, SWAPPED, TICKS, SNAP, LINK_TYPE, STATUS, INTERFACES, NEXT_GEN = range(8)
EXTRA, RESUME, BASE, SECTIONS = range(8, 12)
# Of the whole capture so far: packets, those of which not all was captured, first and last moment, packets
# earlier than the one before.
PACKETS, SHORTENED, EARLIEST, LATEST, PREVIOUS, BACKWARDS = range(12, 18)
# Places where the file contradicts itself, bytes passed over there; the first place, the packet behind it.
HOLES, SKIPPED, FIRST_HOLE, FIRST_HOLE_FRAME = range(18, 22)
COMMENTS, NOTES = 22, 23  # comments of packets; rows of notes that are filled
STATE_CELLS = 24
# What STATUS says.
GOING, ENDED, CUT, CORRUPT = range(4)

# Columns of the table: first a row an interface: link type, ticks a second, seconds to add, bytes at most,
# packets, and where its blocks begin (statistics: the last, or 0) and in which byte order they are.
I_LINK, I_TICKS, I_SHIFT, I_SNAP, I_PACKETS, I_BLOCK, I_STATISTICS, I_SWAPPED, TABLE_COLUMNS = range(9)
MAX_INTERFACES: Final = 4096
# Behind them a row a note: the block's type (or NOTE_COMMENT), where it (or the comment) begins, its bytes,
# the number of packets before it (of a comment: its packet's), and the byte order.
N_KIND, N_AT, N_BYTES, N_FRAME, N_SWAPPED = range(5)
MAX_NOTES: Final = 4096
NOTE_COMMENT: Final = -1

LARGEST_PACKET: Final = 1 << 18  # libpcap's own limit, unless the header says more
_HEADER: Final = 24
_WEEK: Final = 7 * 86_400
_UNANNOUNCED: Final = 3


def begin(data: NDArray[np.uint8], *, resume: bool = False) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The state of a walk that is about to begin, and an empty table of interfaces and notes.

    Args:
        data: the file's bytes, beginning with one of `MAGICS`.
        resume: where the file contradicts itself, go on with the next packet that can be one (HOLES, SKIPPED,
            FIRST_HOLE, FIRST_HOLE_FRAME); else STATUS is CORRUPT there.
    """
    state = np.zeros(STATE_CELLS, np.int64)
    state[EARLIEST], state[RESUME] = np.iinfo(np.int64).max, resume
    table = np.zeros((MAX_INTERFACES + MAX_NOTES, TABLE_COLUMNS), np.int64)
    magic = data[:4].tobytes()
    if magic == PCAPNG:
        state[NEXT_GEN] = 1
    elif data.size < _HEADER:
        state[STATUS] = CUT
    else:
        swapped = magic in {PCAP_MICRO[1], PCAP_NANO[1], PCAP_MODIFIED[1]}
        state[SWAPPED] = swapped
        state[TICKS] = 1_000_000_000 if magic in PCAP_NANO else 1_000_000
        state[SNAP] = _number(data, 16, swapped=swapped)
        # The upper bits say whether frames end in a check sequence (the draft, section 4).
        state[LINK_TYPE] = _number(data, 20, swapped=swapped) & 0x03FFFFFF
        state[EXTRA] = _extra(data, modified=magic in PCAP_MODIFIED, swapped=swapped)
        state[POSITION] = _HEADER
    return state, table


def _extra(data: NDArray[np.uint8], *, modified: bool, swapped: bool) -> int:
    """Bytes of a record's header beyond sixteen: those with which other records follow the first.

    What the magic number does not announce needs more records in a row: clocks jump.
    """
    likely = (8, 0) if modified else (0, 8, 4)
    near = _number(data, _HEADER, swapped=swapped) if data.size >= _HEADER + 4 else 0
    for extra in likely:
        place = _after(data, _HEADER, extra, 0, swapped=swapped)
        for _ in range(1 if extra == likely[0] else _UNANNOUNCED):
            place = _after(data, place, extra, near, swapped=swapped) if place >= 0 else place
        if place >= 0:
            return extra
    return likely[0]


def _after(data: NDArray[np.uint8], at: int, extra: int, near: int, *, swapped: bool) -> int:
    """The place behind a record of about that second, or the end of the file; -1: there is none."""
    if at >= data.size - 16:
        return data.size if at == data.size else -1
    seconds, captured, wire = (_number(data, at + place, swapped=swapped) for place in (0, 8, 12))
    behind = at + 16 + extra + captured
    fits = (
        seconds
        and (not near or abs(seconds - near) < _WEEK)
        and captured <= min(wire, LARGEST_PACKET)
        and behind <= data.size
    )
    return behind if fits else -1


def _number(data: NDArray[np.uint8], at: int, *, swapped: bool) -> int:
    return int.from_bytes(data[at : at + 4].tobytes(), "big" if swapped else "little")

"""Where the packets of a capture lie: one compiled walk over the blocks of a pcap or pcapng file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PCAP_MICRO: Final = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
PCAP_NANO: Final = (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
MAGICS: Final = frozenset({*PCAP_MICRO, *PCAP_NANO, PCAPNG})

# Columns of the packet table.
TIME, OFFSET, CAPTURED, WIRE, LINK, PACKET_COLUMNS = range(6)
# Cells of the walk's state, kept between calls.
POSITION, SWAPPED, TICKS, SNAP, LINK_TYPE, STATUS, INTERFACES, NEXT_GEN, STATE_CELLS = range(9)
# What STATUS says.
GOING, ENDED, CUT, CORRUPT = range(4)
_MAX_INTERFACES: Final = 4096  # rows of link type, ticks a second, offset in seconds


def begin(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The state of a walk that is about to begin, and an empty interface table.

    Args:
        data: the file's bytes, beginning with one of `MAGICS`.
    """
    state = np.zeros(STATE_CELLS, np.int64)
    interfaces = np.zeros((_MAX_INTERFACES, 3), np.int64)
    magic = data[:4].tobytes()
    if magic == PCAPNG:
        state[NEXT_GEN] = 1
    elif data.size < 24:  # noqa: PLR2004 - the length of a pcap file's header
        state[STATUS] = CUT
    else:
        order = ">" if magic in {PCAP_MICRO[1], PCAP_NANO[1]} else "<"
        state[SWAPPED] = order == ">"
        state[TICKS] = 1_000_000_000 if magic in PCAP_NANO else 1_000_000
        header = data[16:24].tobytes()
        state[SNAP] = int.from_bytes(header[:4], "big" if order == ">" else "little")
        # The upper bits say whether frames end in a check sequence (the draft, section 4).
        state[LINK_TYPE] = int.from_bytes(header[4:], "big" if order == ">" else "little") & 0x0FFFFFFF
        state[POSITION] = 24
    return state, interfaces

"""How fast packets are found and taken apart, beside reading and summing the file's bytes.

    python tests/bench/capture_packets.py [--megabytes 256]

A capture is made of packets of four sizes as they are met on a network (acknowledgements, DNS, full segments,
a VLAN and a VXLAN among them), repeated, as pcap and as pcapng. Rows are CPU seconds, the best of three: the
sum of the mapped file's bytes (which has to touch every page), the walk alone, and the walk with `dissect`
and fragments put together, by blocks of packets that stay in the processor's cache.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import packets as make
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from sensors.capture import container, fragments, walk
from sensors.capture.packet import PACKET_CELLS

BLOCK = 1024  # packets whose headers are still in the cache when they are taken apart


@njit(cache=True, nogil=True)
def taken(
    data: NDArray[np.uint8],
    table: NDArray[np.int64],
    count: int,
    packet: NDArray[np.int64],
    slots: NDArray[np.int64],
    pool: NDArray[np.uint8],
) -> int:
    """The sum of the payloads of `count` packets: something has to be done with them."""
    total = 0
    for row in range(count):
        place = table[row]
        if fragments.full(slots):
            fragments.empty(slots)
        if fragments.take(data, place[1], place[2], place[4], place[0], packet, slots, pool) == 0:
            total += packet[10]
    return total


def mixture() -> list[tuple[float, bytes]]:
    """About 500 bytes a packet."""
    ether = Ether(src="02:00:00:00:00:17", dst="02:00:00:00:00:01")
    to, back = IP(src="10.99.0.17", dst="203.0.113.77"), IP(src="203.0.113.77", dst="10.99.0.17")
    up, down = TCP(sport=50123, dport=443, flags="A"), TCP(sport=443, dport=50123, flags="PA")
    made = [
        *(ether / back / down / bytes(1400) for _ in range(6)),
        *(ether / to / up for _ in range(8)),
        *(ether / to / UDP(sport=50001, dport=53) / bytes(40) for _ in range(2)),
        ether / Dot1Q(vlan=20) / to / up / bytes(200),
        ether / to / UDP(sport=50002, dport=4789) / VXLAN(vni=7, flags=8) / ether / back / down / bytes(300),
    ]
    return [(make.START + number / 1000, bytes(each)) for number, each in enumerate(made)]


def grown(path: Path, form: Callable[[list[tuple[float, bytes]]], bytes], head: int, size: int) -> None:
    """A capture of about `size` bytes: its first `head` bytes, and then the rest again and again."""
    whole = form(mixture() * 50)
    rest = whole[head:]
    with path.open("wb") as file:
        file.write(whole)
        for _ in range(size // len(rest)):
            file.write(rest)


def passed(data: NDArray[np.uint8], *, dissected: bool) -> int:
    """Packets of a pass."""
    state, interfaces = container.begin(data, resume=True)
    table = np.empty((BLOCK, container.PACKET_COLUMNS), np.int64)
    packet = np.zeros(PACKET_CELLS, np.int64)
    slots, pool = fragments.begin()
    total = 0
    while count := walk.packets(data, state, interfaces, table):
        total += count
        if dissected:
            taken(data, table, count, packet, slots, pool)
    return total


def best(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what came of it."""
    found, said = float("inf"), None
    for _ in range(3):
        began = time.process_time()
        said = work()
        found = min(found, time.process_time() - began)
    return found, said


def measure(name: str, path: Path) -> None:
    def mapped() -> NDArray[np.uint8]:
        return np.memmap(path, np.uint8, mode="r")

    passed(mapped()[:100_000], dissected=True)  # compiles, or loads what was
    summed, _ = best(lambda: int(mapped().sum()))
    walked, count = best(lambda: passed(mapped(), dissected=False))
    whole, _ = best(lambda: passed(mapped(), dissected=True))
    size = path.stat().st_size
    print(f"{name:8} {size / 1e6:6.0f} MB {count / 1e6:6.2f} M packets", end="")
    print(f"  sum {summed:6.3f} s  walk {walked:6.3f} s  walk and dissect {whole:6.3f} s", end="")
    print(f"  = {whole / summed:4.2f} sums, {whole / count * 1e9:4.0f} ns a packet")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=256)
    size = parser.parse_args().megabytes << 20
    with tempfile.TemporaryDirectory() as folder:
        for name, form, head in (("pcap", make.pcap, 24), ("pcapng", make.pcapng, 0)):
            path = Path(folder) / f"grown.{name}"
            grown(path, form, head, size)
            measure(name, path)
            path.unlink()


if __name__ == "__main__":
    main()

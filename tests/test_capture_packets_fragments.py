"""Fragments of IP are put together, in any order and however hostile, in memory that does not grow."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import GRE
from scapy.packet import Packet, Raw
from test_capture_packets import ETHER, Told, one, plain, tell

from sensors.capture import fragments, packet
from sensors.capture.packet import HELD, IS_IP, PACKET_CELLS

__all__ = ["plain"]  # a fixture
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
TEXT = bytes(number % 251 for number in range(4000))
WHOLE = IP(src="192.0.2.1", dst="198.51.100.2", id=77) / UDP(sport=5000, dport=6000) / TEXT


def pieces(whole: Packet = WHOLE, size: int = 1480) -> list[bytes]:
    return [bytes(ETHER / each) for each in fragment(whole, size)]  # type: ignore[no-untyped-call]


def pieces6(size: int = 1000, front: Packet | None = None) -> list[bytes]:
    """IPv6: the unfragmentable part, then pieces of UDP."""
    base = IPv6(src="2001:db8::1", dst="2001:db8::2")
    upper = UDP(sport=5000, dport=6000, chksum=1, len=8 + len(TEXT)) / TEXT
    body, kind = (bytes(front / upper), 60) if front is not None else (bytes(upper), 17)
    made = []
    for at in range(0, len(body), size):
        head = IPv6ExtHdrFragment(nh=kind, offset=at // 8, m=int(at + size < len(body)), id=9)
        made.append(bytes(ETHER / base / head / Raw(body[at : at + size])))
    return made


def wholes(told: list[Told]) -> list[Told]:
    assert {each.said for each in told} <= {HELD, IS_IP}
    return [each for each in told if each.said == IS_IP]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 0, 2, 2, 1]])
def test_in_any_order(order: list[int]) -> None:
    made = pieces()
    told = list(tell([made[each] for each in order]))
    assert [each.said for each in told[:-1]] == [HELD] * (len(order) - 1)
    last = told[-1]
    assert last.ends == ("192.0.2.1", 5000, "198.51.100.2", 6000)
    assert (last.said, last.payload, last[packet.FRAGMENTS]) == (IS_IP, TEXT, len(order))
    assert (last[packet.IP_BYTES], last[packet.PAYLOAD_WIRE], last[packet.FRAGMENT]) == (4028, 4000, 0)


@pytest.mark.parametrize("front", [None, IPv6ExtHdrDestOpt(nh=17)])
def test_version_6(front: Packet | None) -> None:
    told = list(tell(pieces6(front=front)[::-1]))
    (last,) = wholes(told)
    assert last.ends == ("2001:db8::1", 5000, "2001:db8::2", 6000)
    assert (last.payload, last[packet.FRAGMENTS], last[packet.PROTOCOL]) == (TEXT, len(told), 17)


def test_a_fragment_alone_is_whole() -> None:
    base = IPv6(src="2001:db8::1", dst="2001:db8::2")
    told = one(ETHER / base / IPv6ExtHdrFragment(nh=17, offset=0, m=0, id=9) / UDP(sport=1, dport=2) / b"all")
    assert (told.said, told.payload, told[packet.FRAGMENT]) == (IS_IP, b"all", 0)


def test_datagrams_do_not_mix() -> None:
    other = IP(src="192.0.2.1", dst="198.51.100.2", id=78) / UDP(sport=5001, dport=6000) / TEXT[::-1]
    made = [each for pair in zip(pieces(), pieces(other), strict=True) for each in pair]
    assert [each.payload for each in wholes(list(tell(made)))] == [TEXT, TEXT[::-1]]


def test_the_first_bytes_are_kept() -> None:
    made = pieces()
    overlapping = bytes(
        ETHER / IP(src="192.0.2.1", dst="198.51.100.2", id=77, frag=100, flags=1, proto=17) / Raw(b"!" * 1480)
    )
    told = wholes(list(tell([made[0], overlapping, made[1], made[2]])))
    behind = TEXT[:1472] + b"!" * (800 + 1480 - 1480) + TEXT[1472 + 800 :]
    assert told[0].payload == behind
    longer = bytes(
        ETHER / IP(src="192.0.2.1", dst="198.51.100.2", id=77, frag=600, proto=17) / Raw(b"!" * 80)
    )
    assert wholes(list(tell([made[2], longer, made[0], made[1]])))[0].payload == TEXT


def test_what_was_not_captured_is_not_there() -> None:
    made = pieces()
    told = wholes(list(tell([made[0], made[1][:200], made[2]])))
    assert told[0].payload == TEXT[: 1472 + 200 - 34]
    assert (told[0][packet.PAYLOAD_WIRE], told[0][packet.IP_BYTES]) == (4000, 4028)


def test_tunnels_of_fragments_and_fragments_in_tunnels() -> None:
    outer = IP(src="203.0.113.1", dst="203.0.113.2", id=5)
    inside = [IP(bytes(each)[14:]) for each in pieces()]
    told = wholes(list(tell([bytes(ETHER / outer / GRE() / each) for each in inside])))
    assert (told[0].payload, told[0].outer[0], told[0][packet.TUNNELS]) == (TEXT, "203.0.113.1", 1)
    around = wholes(list(tell(pieces(outer / GRE() / WHOLE))))
    assert (around[0].payload, around[0].outer[0]) == (TEXT, "203.0.113.1")
    both = [each for inner in inside for each in pieces(outer.copy() / GRE() / inner, 800)]
    by_id = [
        pieces(IP(src="203.0.113.1", dst="203.0.113.2", id=n) / GRE() / x, 800) for n, x in enumerate(inside)
    ]
    assert len(both) == sum(map(len, by_id))
    told = wholes(list(tell([each for some in by_id for each in some])))
    assert [each.payload for each in told] == [TEXT]


def test_those_that_wait_too_long_are_given_up() -> None:
    made = pieces()
    late = list(tell(made, every=40_000_000))
    assert [each.said for each in late] == [HELD] * 3
    back = list(tell([*made[:2]], every=-1000))
    assert [each.said for each in back] == [HELD] * 2


def test_places_that_cannot_be() -> None:
    slots, pool = fragments.begin()
    for frag, size, flags in ((8191, 1000, 0), (0, 7, 1), (0, 0, 1)):
        made = bytes(
            ETHER / IP(src="192.0.2.1", dst="192.0.2.2", id=1, frag=frag, flags=flags) / Raw(bytes(size))
        )
        data = np.frombuffer(made, np.uint8)
        cells = np.zeros(PACKET_CELLS, np.int64)
        assert fragments.take(data, 0, len(made), 1, 1, cells, slots, pool) == HELD
    assert fragments.lost(slots) == (0, 0, 3)


def test_a_flood_of_first_fragments_takes_no_more_room() -> None:
    chance = random.Random(5)  # noqa: S311 - the same packets each time
    slots, pool = fragments.begin()
    cells = np.zeros(PACKET_CELLS, np.int64)
    made = bytearray(pieces()[0][:100])
    for number in range(20_000):
        made[18:20] = chance.randbytes(2)
        made[26:34] = chance.randbytes(8)
        data = np.frombuffer(bytes(made), np.uint8)
        assert fragments.take(data, 0, len(made), 1, number, cells, slots, pool) == HELD
    datagrams, parts, refused = fragments.lost(slots)
    assert (datagrams, parts, refused) == (20_000, 20_000, 0)
    good = [
        fragments.take(np.frombuffer(each, np.uint8), 0, len(each), 1, 20_000, cells, slots, pool)
        for each in pieces()
    ]
    assert good == [HELD, HELD, IS_IP]


def test_room_is_asked_for_and_made() -> None:
    slots, pool = fragments.begin()
    cells = np.zeros(PACKET_CELLS, np.int64)
    made = [np.frombuffer(each, np.uint8) for each in pieces(WHOLE.__class__(bytes(WHOLE)))]
    emptied = 0
    for _ in range(4000):
        if fragments.full(slots):
            fragments.empty(slots)
            emptied += 1
        said = [fragments.take(each, 0, each.size, 1, 1, cells, slots, pool) for each in made]
        assert said == [HELD, HELD, IS_IP]
    assert emptied == 1
    for _ in range(4000):  # who does not ask loses datagrams, and nothing else
        for each in made:
            fragments.take(each, 0, each.size, 1, 1, cells, slots, pool)


@pytest.mark.usefixtures("plain")
def test_in_python() -> None:
    assert wholes(list(tell(pieces()[::-1])))[0].payload == TEXT
    assert wholes(list(tell(pieces6())))[0].payload == TEXT


CUTS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)), min_size=0, max_size=12)


@QUIET
@given(CUTS, st.randoms(use_true_random=False))
@pytest.mark.usefixtures("plain")
def test_as_a_table_of_bytes_has_it(cuts: list[tuple[int, int]], chance: random.Random) -> None:
    """Against the plainest of all: a dictionary of bytes, the first one kept."""
    body = bytes(UDP(sport=5000, dport=6000, chksum=1, len=488)) + chance.randbytes(480)
    parts = [(at * 8, body[at * 8 : (at + size) * 8], at + size < 61) for at, size in cuts]
    parts = [
        (at, bytes(x ^ 1 for x in text) if chance.random() < 0.3 else text, more) for at, text, more in parts
    ]
    parts += [(at, body[at : at + 160], at + 160 < 488) for at in range(0, 488, 160)]
    chance.shuffle(parts)
    table: dict[int, int] = {}
    expected: list[bytes] = []
    for at, text, _ in parts:
        for offset, each in enumerate(text):
            table.setdefault(at + offset, each)
        if len(table) == 488:
            expected.append(bytes(table[place] for place in range(488)))
            table.clear()
    made = [
        bytes(
            ETHER
            / IP(src="192.0.2.1", dst="192.0.2.2", id=1, frag=at // 8, flags=int(more), proto=17)
            / Raw(text)
        )
        for at, text, more in parts
        if text
    ]
    slots, pool = fragments.begin()
    found = []
    for raw in made:
        data = np.frombuffer(raw, np.uint8)
        cells = np.zeros(PACKET_CELLS, np.int64)
        if fragments.take(data, 0, data.size, 1, 10**15, cells, slots, pool) == IS_IP:
            at = int(cells[packet.TRANSPORT_AT]) - data.size
            found.append(pool[at : at + 488].tobytes())
    assert found == expected


@QUIET
@given(st.data())
@pytest.mark.usefixtures("plain")
def test_nothing_is_read_or_written_outside(data: st.DataObject) -> None:
    made = [bytearray(each) for each in data.draw(st.permutations([*pieces(size=800), *pieces6()]))]
    for each in made:
        for _ in range(data.draw(st.integers(0, 3))):
            each[data.draw(st.integers(14, min(len(each), 70) - 1))] = data.draw(st.integers(0, 255))
        del each[data.draw(st.integers(14, len(each))) if data.draw(st.booleans()) else len(each) :]
    for told in tell([bytes(each) for each in made]):
        assert told.said in (IS_IP, HELD, packet.BROKEN, packet.NOT_IP)


def test_tcp_too() -> None:
    whole = IP(src="192.0.2.1", dst="198.51.100.2", id=3) / TCP(sport=1, dport=443, flags="PA", seq=9) / TEXT
    (told,) = wholes(list(tell(pieces(whole))))
    assert (told.payload, told[packet.FLAGS]) == (TEXT, 0x18)

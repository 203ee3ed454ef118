"""Containers: every packet of every kind of file, past what is broken; what a capture says of itself."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import packets as make
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scapy.layers.inet import IP, UDP
from test_capture_packets import ETHER, plain

from sensors.capture import SENSOR, container, facts, walk
from sensors.capture.container import CORRUPT, CUT, ENDED, HOLES, SKIPPED, STATUS

__all__ = ["plain"]  # a fixture
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
PACKETS = [
    (make.START + number / 8, bytes(ETHER / IP(src="192.0.2.1", dst="192.0.2.2") / UDP() / bytes(number * 9)))
    for number in range(30)
]
Walked = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]


def walked(content: bytes, *, resume: bool = True, block: int = 7) -> Walked:
    """Rows, state and table of a whole walk, by blocks."""
    data = np.frombuffer(content, np.uint8)
    state, table = container.begin(data, resume=resume)
    out = np.zeros((block, container.PACKET_COLUMNS), np.int64)
    found = [out[:0]]
    while state[STATUS] == container.GOING:
        found.append(out[: walk.packets(data, state, table, out)].copy())
    return np.concatenate(found), state, table, data


def frames(content: bytes, **more: Any) -> list[bytes]:  # noqa: ANN401 - what `walked` takes
    rows, _, _, data = walked(content, **more)
    return [data[at : at + size].tobytes() for at, size in rows[:, [container.OFFSET, container.CAPTURED]]]


def told(content: bytes) -> facts.Facts:
    _, state, table, data = walked(content)
    return facts.facts(data, state, table)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<", options: bytes = b"") -> bytes:
    return make._block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def interface(order: str = "<", link: int = 1, snap: int = 0, options: bytes = b"") -> bytes:
    return make._block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(
    raw: bytes, ticks: int, order: str = "<", number: int = 0, options: bytes = b"", wire: int = 0
) -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(raw), wire or len(raw))
    return make._block(6, head + raw + bytes(-len(raw) % 4) + options, order)


RAW = [raw for _, raw in PACKETS]


def longer(extra: int, magic: int, order: str = "<") -> bytes:
    """A pcap file whose records have a longer header."""
    plain_file = make.pcap(PACKETS, order=order)
    out, at = [struct.pack(order + "I", magic), plain_file[4:24]], 24
    for raw in RAW:
        out += [plain_file[at : at + 16], bytes(extra), raw]
        at += 16 + len(raw)
    return b"".join(out)


FORMS = {
    "pcap": make.pcap(PACKETS),
    "pcap, the other order": make.pcap(PACKETS, order=">"),
    "nanoseconds": make.pcap(PACKETS, nano=True),
    "pcapng": make.pcapng(PACKETS),
    "pcapng, the other order": make.pcapng(PACKETS, order=">", power=6),
    "Kuznetzov's": longer(8, 0xA1B2CD34),
    "Kuznetzov's, the other order": longer(8, 0xA1B2CD34, ">"),
    "his number without his header": longer(0, 0xA1B2CD34),
    "his header without his number": longer(8, 0xA1B2C3D4),
    "Nokia's": longer(4, 0xA1B2C3D4),
    "two sections, an order each": make.pcapng(PACKETS[:11]) + make.pcapng(PACKETS[11:], order=">"),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_every_packet_of_every_form(name: str, block: int) -> None:
    rows, state, table, data = walked(FORMS[name], block=block)
    assert SENSOR.sniff(FORMS[name][:4096], "x")
    assert [data[at : at + size].tobytes() for at, size in rows[:, 1:3]] == RAW
    times = rows[:, container.TIME] - [round(moment * 1_000_000) for moment, _ in PACKETS]
    assert abs(times).max() <= 1  # the maker's nanoseconds are rounded
    assert (state[STATUS], state[HOLES], state[container.PACKETS]) == (ENDED, 0, 30)
    said = facts.facts(data, state, table)
    assert (said.packets, said.first, said.backwards) == (30, rows[0, container.TIME], 0)
    assert sum(each.packets for each in said.interfaces) == 30


@pytest.mark.usefixtures("plain")
def test_in_python() -> None:
    for content in FORMS.values():
        assert frames(content) == RAW


def test_interfaces_have_their_own_clocks() -> None:
    second = 1_700_000_000
    made = section() + interface(options=option(9, b"\x03")) + interface(link=101, options=option(9, b"\x8a"))
    made += interface(options=option(14, struct.pack("<q", -3600)))
    made += enhanced(b"a", second * 1000 + 5) + enhanced(b"b", second * 1024 + 512, number=1)
    made += enhanced(b"c", second * 10**6, number=2) + enhanced(b"d", 2**64 - 1, number=2)
    rows, *_ = walked(made)
    assert rows[:, container.TIME].tolist() == [
        second * 10**6 + 5000, second * 10**6 + 500_000, (second - 3600) * 10**6, 0,
    ]  # fmt: skip
    assert rows[:, container.LINK].tolist() == [1, 101, 1, 1]


def test_simple_and_obsolete_packets() -> None:
    simple = make._block(3, struct.pack("<I", 100) + bytes(64), "<")
    old = make._block(2, struct.pack("<HHIIII", 0, 0, 0, 5, 3, 9) + b"abc\0", "<")
    rows, *_ = walked(section() + interface(snap=60) + simple + old)
    assert rows[:, 1:4].tolist()[0][1:] == [60, 100]
    assert rows[1, [container.TIME, container.CAPTURED, container.WIRE]].tolist() == [5, 3, 9]


def test_what_a_capture_says_of_itself() -> None:
    names = make._block(
        4, option(1, bytes([192, 0, 2, 1]) + b"one.example\0two.example\0") + option(0, b""), "<"
    )
    secrets = b"CLIENT_RANDOM 00 11\n\nSERVER_TRAFFIC_SECRET_0 22 33\n"
    keys = make._block(10, struct.pack("<II", 0x544C534B, len(secrets)) + secrets, "<")
    other = make._block(10, struct.pack("<II", 0x57474B4C, 4) + b"none", "<")
    counts = make._block(
        5,
        struct.pack("<III", 0, 0, 0) + option(4, struct.pack("<Q", 900)) + option(5, struct.pack("<Q", 7)),
        "<",
    )
    later = make._block(5, struct.pack("<III", 0, 0, 0) + option(5, struct.pack("<Q", 8)), "<")
    made = section(options=option(1, b"a case") + option(4, b"a program"))
    made += interface(snap=96, options=option(2, b"eth0") + option(3, b"the first") + option(11, b"\0udp"))
    made += names + keys + other + enhanced(b"x" * 20, 5_000_000, wire=200)
    made += (
        counts + enhanced(b"y", 4_000_000, options=option(1, b"look here") + option(1, b"and here")) + later
    )
    said = told(made)
    assert said == facts.Facts(
        packets=2, first=4_000_000, last=5_000_000, backwards=1, shortened=1,
        interfaces=(facts.Interface(1, 2, 96, "eth0", "the first", "udp", None, 8),),
        written_by=("a program",), comments=((0, "a case"), (2, "look here"), (2, "and here")), commented=2,
        names=(("192.0.2.1", "one.example"), ("192.0.2.1", "two.example")),
        secrets={"tls": 1, "wireguard": 1},
        holes=0, skipped=0, first_hole=None, first_hole_frame=None,
    )  # fmt: skip
    _, state, table, data = walked(made)
    assert facts.key_log(data, state, table) == ["CLIENT_RANDOM 00 11", "SERVER_TRAFFIC_SECRET_0 22 33"]


def test_a_pcap_says_little() -> None:
    said = told(make.pcap(PACKETS[::-1]))
    assert said.interfaces == (facts.Interface(1, 30, 262_144),)
    assert (said.backwards, said.last) == (29, round(PACKETS[-1][0] * 1_000_000))
    assert told(make.pcap([])).first is None


def spoilt(content: bytes, at: int, by: bytes) -> bytes:
    return content[:at] + by + content[at + len(by) :]


def test_a_record_whose_length_lies_is_passed_over() -> None:
    whole = make.pcap(PACKETS)
    place = whole.index(RAW[10]) - 16
    for length in (0xFFFFFFF0, 300_000):
        made = spoilt(whole, place + 8, struct.pack("<I", length))
        assert frames(made, resume=False) == RAW[:10]
        assert frames(made) == RAW[:10] + RAW[11:]
        said = told(made)
        assert (said.holes, said.first_hole, said.first_hole_frame) == (1, place, 11)
        assert said.skipped == 16 + len(RAW[10])
    longer_by_two = spoilt(whole, place + 8, struct.pack("<I", len(RAW[10]) + 16 + len(RAW[11]) + 5))
    assert frames(longer_by_two)[11:] == RAW[13:]


def test_rubbish_between_and_behind() -> None:
    for form in (make.pcap, make.pcapng):
        whole = form(PACKETS)
        place = whole.index(RAW[20]) - (16 if form is make.pcap else 28)
        made = whole[:place] + b"\xfe\xdc\xba\x98" * 250 + whole[place:]
        assert frames(made) == RAW
        assert told(made).skipped == 1000
        behind = walked(whole + b"\xfe\xdc\xba\x98" * 250)
        assert len(behind[0]) == 30
        assert (behind[1][STATUS], behind[1][SKIPPED]) == (CORRUPT, 1000)
        zeros = walked(whole + bytes(4096))
        assert (len(zeros[0]), zeros[1][STATUS]) == (30, CORRUPT)
        assert walked(whole[:-3])[1][STATUS] == CUT
        assert frames(whole[:-3]) == RAW[:-1]


def test_a_block_that_contradicts_itself_is_passed_over() -> None:
    blocks = [enhanced(raw, 5) for raw in RAW]
    blocks[3] = enhanced(RAW[3], 5, number=9)
    blocks[5] = blocks[5][:-4] + struct.pack("<I", 8)  # the next one is sound: it was only written badly
    blocks[8] = spoilt(blocks[8], 4, struct.pack("<I", len(blocks[8]) + 4))
    made = section() + interface() + b"".join(blocks)
    assert frames(made) == RAW[:3] + RAW[4:8] + RAW[9:]
    assert told(made).holes == 2


def test_a_block_that_lies_twice_is_one_hole() -> None:
    lies = enhanced(RAW[0], 5, number=9)[:-4] + struct.pack("<I", 8) + b"\xfe\xdc\xba\x98" * 3
    made = section() + interface() + lies + enhanced(RAW[1], 5)
    assert frames(made) == [RAW[1]]
    assert (told(made).holes, told(made).skipped) == (1, len(lies))


def test_thousands_of_sections() -> None:
    one = section() + interface() + enhanced(b"abc", 5)
    assert frames(one * 9000) == [b"abc"] * 9000
    assert len(told(one * 9000).interfaces) <= container.MAX_INTERFACES


@QUIET
@given(st.data())
@pytest.mark.usefixtures("plain")
def test_no_bytes_stop_it_or_lead_outside(data: st.DataObject) -> None:
    made = bytearray(FORMS[data.draw(st.sampled_from(sorted(FORMS)))][:1500])
    for _ in range(data.draw(st.integers(0, 8))):
        made[data.draw(st.integers(4, len(made) - 1))] = data.draw(
            st.sampled_from([0, 1, 2, 6, 10, 127, 128, 255])
        )
    content = bytes(made[: data.draw(st.integers(4, len(made)))])
    for resume in (False, True):
        rows, state, table, array = walked(content, resume=resume)
        ends = rows[:, container.OFFSET] + rows[:, container.CAPTURED]
        assert (ends <= len(content)).all()
        assert (rows[:, container.CAPTURED] >= 0).all()
        facts.facts(array, state, table)

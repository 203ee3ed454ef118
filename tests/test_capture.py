from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import packets as make
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from sensors.capture import SENSOR, container, reading
from sensors.schema import conform
from sensors.sensor import Source

Make = Callable[..., Source]
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "capture"
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def events(source: Source) -> pl.DataFrame:
    frames = [conform(frame) for frame in SENSOR.read(source)]
    return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()


def rows(frame: pl.DataFrame, dataset: str, *names: str) -> list[tuple[Any, ...]]:
    return frame.filter(pl.col("event.dataset") == dataset).select(names).rows()


CONVERSATION = make.raw(make.conversation())
# Addresses are given, or scapy would ask the network for them.
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


@pytest.mark.parametrize(
    "content",
    [
        make.pcap(CONVERSATION),
        make.pcap(CONVERSATION, order=">"),
        make.pcap(CONVERSATION, nano=True),
        make.pcap(CONVERSATION, nano=True, order=">"),
        make.pcapng(CONVERSATION),
        make.pcapng(CONVERSATION, order=">", power=6),
    ],
    ids=[
        "pcap",
        "pcap, big-endian",
        "nanoseconds",
        "nanoseconds, big-endian",
        "pcapng",
        "pcapng, big-endian",
    ],
)
def test_every_container_gives_the_same_events(source: Make, content: bytes) -> None:
    made = source(content, "x.pcap")
    assert SENSOR.sniff(made.head, "x")
    found = events(made)
    assert made.unread == []
    assert rows(
        found, "capture.flow", "molehunt.frame.number", "source.ip", "source.port", "destination.ip",
        "destination.port", "network.transport", "source.packets", "destination.packets",
    ) == [
        (1, "10.99.0.17", 40001, "10.1.0.53", 53, "udp", 1, 1),
        (3, "10.99.0.17", 50123, "203.0.113.77", 443, "tcp", 25, 3),
        (31, "10.99.0.17", 50123, "203.0.113.77", 443, "tcp", 1, 0),
        (32, "10.99.0.17", None, "10.1.0.53", None, "icmp", 1, 0),
        (33, "2001:db8::17", 50000, "2001:db8::1", 3478, "udp", 1, 0),
        (34, "10.99.0.17", 50001, "203.0.113.9", 21116, "udp", 1, 0),
        (36, "10.99.0.17", 50200, "203.0.113.50", 3389, "tcp", 1, 1),
    ]  # fmt: skip
    assert rows(
        found, "capture.dns", "dns.type", "dns.question.name", "dns.question.type", "dns.answers.data",
        "dns.resolved_ip", "dns.response_code", "source.ip",
    ) == [
        ("query", "relay-1a2b3c4d.net.anydesk.com", "A", None, None, None, "10.99.0.17"),
        ("answer", "relay-1a2b3c4d.net.anydesk.com", "A", ["relay.example.net", "203.0.113.77"],
         ["203.0.113.77"], "NOERROR", "10.1.0.53"),
    ]  # fmt: skip
    assert rows(
        found, "capture.tls", "tls.client.server_name", "capture.tls.client.next_protocols", "source.ip",
        "molehunt.frame.number",
    ) == [("relay-1a2b3c4d.net.anydesk.com", ["h2", "http/1.1"], "10.99.0.17", 6)]  # fmt: skip
    first = found.filter(pl.col("event.dataset") == "capture.flow")["event.start"].min()
    assert first.timestamp() == make.START  # type: ignore[union-attr]


def test_bytes_are_those_of_ip_each_way(source: Make) -> None:
    found = events(source(make.pcap(CONVERSATION), "x.pcap"))
    expected: dict[str, int] = {"up": 0, "down": 0}
    for packet in make.conversation()[2:30]:
        expected["up" if packet[IP].src == make.LAPTOP else "down"] += len(bytes(packet[IP]))
    flow = found.filter(pl.col("molehunt.frame.number") == 3)
    assert flow.select("source.bytes", "destination.bytes").row(0) == (expected["up"], expected["down"])
    assert flow["network.bytes"][0] == sum(expected.values())
    assert flow["event.duration"][0] == 27 * 250_000_000


def test_the_samples_are_what_the_maker_makes() -> None:
    assert (SAMPLES / "conversation.pcap").read_bytes() == make.pcap(CONVERSATION)
    assert (SAMPLES / "conversation.pcapng").read_bytes() == make.pcapng(CONVERSATION)


def test_a_compressed_capture_is_read(source: Make) -> None:
    made = source(gzip.compress(make.pcap(CONVERSATION)), "x.pcap.gz")
    assert events(made).height == events(source(make.pcap(CONVERSATION), "y.pcap")).height


@pytest.mark.parametrize("form", [make.pcap, make.pcapng])
def test_a_capture_cut_in_a_packet_is_kept_up_to_there(source: Make, form: Callable[..., bytes]) -> None:
    whole = form(CONVERSATION)
    made = source(whole[:-10], "x.pcap")
    found = events(made)
    assert (
        found["source.packets"].sum() + found["destination.packets"].sum() == len(CONVERSATION) - 2
    )  # ARP too
    (lost,) = made.unread
    assert "middle of a packet" in lost.reason
    assert lost.frame == len(CONVERSATION)


def test_a_length_that_cannot_be_is_named(source: Make) -> None:
    content = bytearray(make.pcap(CONVERSATION))
    content[24 + 8 : 24 + 12] = struct.pack("<I", 0xFFFFFFF0)
    made = source(bytes(content), "x.pcap")
    found = events(made)
    assert ["contradicts itself" in each.reason for each in made.unread] == [True]
    assert found["network.packets"].sum() == len(CONVERSATION) - 2, "all but it, and ARP"


def test_packets_of_an_unknown_link_and_broken_ones_are_counted(source: Make) -> None:
    odd = source(make.pcap(CONVERSATION, link=147), "x.pcap")
    assert events(odd).height == 0
    assert [each.count for each in odd.unread] == [len(CONVERSATION)]
    short = source(
        make.pcap(
            [(1.0, bytes(Ether(src=ETHER.src, dst=ETHER.dst, type=0x0800)) + b"\x45\x00"), *CONVERSATION]
        ),
        "y.pcap",
    )
    events(short)
    assert [(each.count, each.frame) for each in short.unread] == [(1, 1)]


@pytest.mark.parametrize(
    ("link", "front"),
    [
        (101, b""),
        (0, b"\x02\x00\x00\x00"),
        (113, b"\x00\x00\x00\x01\x00\x06" + bytes(8) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
        (9, b"\xff\x03\x00\x21"),
        (1, bytes(12) + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00"),
        (1, bytes(12) + b"\x88\x64\x11\x00\x00\x01\x00\x40\x00\x21"),
        (1, bytes(12) + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40"),
    ],
    ids=["raw", "null", "sll", "sll2", "ppp", "qinq", "pppoe", "mpls"],
)
def test_link_layers(source: Make, link: int, front: bytes) -> None:
    inner = bytes(IP(src="192.0.2.1", dst="198.51.100.2") / UDP(sport=5000, dport=6000) / b"x")
    found = events(source(make.pcap([(1.0, front + inner)], link=link), "x.pcap"))
    assert rows(found, "capture.flow", "source.ip", "destination.port") == [("192.0.2.1", 6000)]


def test_flows_end_by_idling_and_the_table_is_emptied(source: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FLOWS", 16)
    ends = IP(src="192.0.2.1", dst="198.51.100.2")
    packets = [
        (1000.0 + number * 10, bytes(ETHER / ends / UDP(sport=1024 + number % 50, dport=9)))
        for number in range(400)
    ]
    found = events(source(make.pcap(packets), "x.pcap"))
    # Each port comes again after 500 seconds, long after a minute without a packet.
    assert found.height == 400
    assert found["source.packets"].sum() == 400


def test_a_file_that_was_emptied_after_it_was_looked_at_is_named(source: Make) -> None:
    made = source(b"", "emptied.pcap")
    assert list(SENSOR.read(made)) == []
    assert [one.reason for one in made.unread] == ["nothing is in it any more"]


def test_packets_that_say_no_time_have_none(source: Make) -> None:
    whole = make.pcapng(CONVERSATION[:1])
    head = whole[
        : whole.index(struct.pack("<I", 6) + struct.pack("<I", 32 + (len(CONVERSATION[0][1]) + 3) // 4 * 4))
    ]
    data = CONVERSATION[0][1]
    body = struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)
    simple = struct.pack("<II", 3, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))
    found = events(source(head + simple, "x.pcapng"))
    assert found.filter(pl.col("event.dataset") == "capture.flow").height == 1
    assert "@timestamp" not in found.columns or found["@timestamp"].null_count() == found.height


ENDS = st.sampled_from(
    [
        (("192.0.2.1", one), (address, other))
        for address in ("192.0.2.2", "198.51.100.9")
        for one, other in ((5000, 443), (53, 443), (5000, 5001))
    ]
)
PACKET = st.tuples(
    ENDS, st.booleans(), st.booleans(), st.sampled_from([0, 0, 1, 4, 7, 59, 70, 290, 400]),
    st.sampled_from(["S", "SA", "A", "PA", "FA", "R"]), st.integers(0, 30),
)  # fmt: skip


class SlowFlow:
    """When a TCP flow is over, said plainly: Zeek's rules, without its states."""

    def __init__(self, number: int, moment: float, ends: tuple[int, int], flags: str) -> None:
        serve = [port in (53, 443) for port in ends]
        answers = serve[0] and (not serve[1] or (flags != "SA" and ends[0] < ends[1]))
        self.client = ends if flags == "S" or not answers else ends[::-1]
        self.first, self.last, self.over = moment, moment, 0.0
        self.told = [number, 0, 0]
        self.heard: set[tuple[int, int]] = set()
        self.known: set[tuple[int, int]] = set()  # whose sequence numbers are known
        self.closed: set[tuple[int, int]] = set()
        self.asked = False  # the client's state is that of who has sent a SYN

    def ends_before(self, moment: float, flags: str) -> bool:
        both = {self.client, self.client[::-1]}
        unanswered = self.asked and self.client[::-1] not in self.heard and not self.closed
        return (
            moment - self.last > 300
            or (self.over > 0 and moment - self.over > 5)
            or (unanswered and moment - self.first > 5)
            or (flags == "S" and (self.closed >= both or self.client not in self.known))
        )

    def add(self, moment: float, ends: tuple[int, int], flags: str, size: int, length: int) -> None:
        self.told[1:] = self.told[1] + 1, self.told[2] + length
        mine, other = ends == self.client, ends[::-1]
        if len(self.closed) < 2:
            self.last = max(self.last, moment)
        if (
            mine
            and flags in ("S", "SA")
            and (not self.heard & {ends} or (flags == "S" and not self.heard - {ends}))
        ):
            self.asked = ends not in self.heard or self.asked or flags == "S"
        early = not mine and flags == "A" and not size and self.asked and ends not in self.heard
        if not (early and self.client not in self.closed and other in self.heard):
            self.heard.add(ends)
        self.known |= {ends, *([other] if "A" in flags else [])}
        if set("FR") & set(flags) and ends not in self.closed:
            self.closed.add(ends)
            if "R" in flags or other in self.closed or other not in self.heard:
                self.over = self.last


def slow_flows(raw: list[tuple[float, bytes]]) -> list[tuple[int, ...]]:
    """First frame, packets and bytes of each flow, by scapy, one packet after another."""
    open_flows: dict[object, SlowFlow] = {}
    flows = []
    for number, (moment, data) in enumerate(raw, 1):
        packet = Ether(data)
        layer = packet[TCP] if TCP in packet else packet[UDP]
        key = (frozenset({(packet[IP].src, layer.sport), (packet[IP].dst, layer.dport)}), TCP in packet)
        flow = open_flows.get(key)
        ends, flags = (layer.sport, layer.dport), str(layer.flags) if TCP in packet else ""
        over = flow is None or (flow.ends_before(moment, flags) if TCP in packet else moment - flow.last > 60)
        if flow is None or over:
            flow = open_flows[key] = SlowFlow(number, moment, ends, flags)
            flows.append(flow)
        flow.add(moment, ends, flags, len(layer.payload), packet[IP].len)
    return sorted(tuple(flow.told) for flow in flows)


@QUIET
@given(st.lists(PACKET, max_size=40))
def test_flows_are_those_of_a_slow_reading(source: Make, drawn: list[tuple[Any, ...]]) -> None:
    moment, raw = 1000.0, []
    for ends, turned, tcp, gap, flags, size in drawn:
        moment += gap
        (src, sport), (dst, dport) = ends[::-1] if turned else ends
        number = 1000 if "S" in flags else 1001
        layer = (
            TCP(sport=sport, dport=dport, flags=flags, seq=number, ack=1001)
            if tcp
            else UDP(sport=sport, dport=dport)
        )
        raw.append((moment, bytes(ETHER / IP(src=src, dst=dst) / layer / bytes(size))))
    found = events(source(make.pcap(raw), "x.pcap"))
    got = (
        rows(found, "capture.flow", "molehunt.frame.number", "network.packets", "network.bytes")
        if found.height
        else []
    )
    assert sorted(got) == slow_flows(raw)


@QUIET
@given(st.data())
def test_no_bytes_stop_it_and_none_vanish(source: Make, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([make.pcap(CONVERSATION), make.pcapng(CONVERSATION)])))
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(24, len(content) - 1))] = data.draw(st.integers(0, 255))
    made = source(bytes(content[: data.draw(st.integers(4, len(content)))]), "x.pcap")
    found = events(made)
    stopped = [each for each in made.unread if "capture" in each.reason or "contradicts" in each.reason]
    assert found.height or made.unread or len(content) < 200 or made.head[:4] in container.MAGICS
    assert len(stopped) <= 2

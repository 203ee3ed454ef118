"""NetFlow and IPFIX, raw and in captures: every version, templates from anywhere, input of any kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import netflow_exports as exports
import numpy as np
import packets
import pytest
from hunted import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from text_sensors import source_of

from analysis import intake
from sensors import files, schema
from sensors.capture import SENSOR as CAPTURE
from sensors.netflow import SENSOR
from sensors.netflow.reading import stream
from sensors.netflow.templates import elements, snake
from sensors.sensor import Sensor, Source

SAMPLE = SAMPLES / "netflow" / "edge-routers.dat"
Row = dict[str, object]
Write = Callable[[str, bytes], Path]


def read(path: Path, sensor: Sensor = SENSOR) -> tuple[list[Row], Source]:
    (source,) = files.sources(path)
    assert isinstance(source, Source)
    rows = [
        {name: value for name, value in row.items() if value is not None}
        for frame in intake.events(source, sensor)
        for row in frame.iter_rows(named=True)
    ]
    return rows, source


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_the_sample_is_what_its_script_makes() -> None:
    assert SAMPLE.read_bytes() == exports.WHOLE


def test_all_versions_in_one_file_in_their_order() -> None:
    rows, source = read(SAMPLE)
    assert [row["netflow.exporter.version"] for row in rows] == ["5"] * 3 + ["9"] * 3 + ["5"] * 3 + ["10"] * 4
    offsets = [row["log.offset"] for row in rows]
    assert offsets == sorted(offsets)  # type: ignore[type-var]
    assert source.unread == []


def test_version_5() -> None:
    row = read(SAMPLE)[0][0]
    assert {
        "source.ip": "10.20.0.15",
        "source.port": 50_000,
        "destination.ip": "203.0.113.10",
    }.items() <= row.items()
    assert (row["source.bytes"], row["network.bytes"], row["source.packets"]) == (70_000, 70_000, 12)
    assert (row["event.duration"], row["network.transport"]) == (30_000_000_000, "tcp")
    assert str(row["event.start"]) == "2026-10-13 13:59:00.250000+00:00"
    assert row["netflow.sampling_interval"] == "100"
    assert row["source.as.number"] == 64_500
    assert row["event.type"] == ["connection"]


def test_version_9_with_options() -> None:
    rows = read(SAMPLE)[0]
    options, flow = rows[3], rows[4]
    assert options["event.action"] == "netflow_options"
    assert options["netflow.options.sampling_interval"] == "100"
    assert flow["source.mac"] == "00-50-56-9C-1A-2B"
    assert (flow["network.direction"], flow["source.bytes"]) == ("outbound", 918_273)
    assert flow["observer.ingress.interface.id"] == "3"
    assert str(flow["event.end"]) == "2026-10-13 13:59:55+00:00"


def test_biflows_texts_of_any_length_and_denials() -> None:
    rows = read(SAMPLE)[0]
    one, other = rows[9], rows[10]
    assert (one["user.name"], one["user.domain"], one["source.user.name"]) == (
        "mlindqvist",
        "CORP",
        "mlindqvist",
    )
    assert (one["network.application"], one["rule.name"]) == ("anydesk", "lan-to-internet")
    assert (one["source.bytes"], one["destination.bytes"], one["network.bytes"]) == (5_000, 90_000, 95_000)
    assert (one["client.bytes"], one["server.bytes"]) == (5_000, 90_000)
    assert one["event.category"] == ["network", "session"]
    assert other["source.ip"] == "2001:db8:99::7"  # the exporter had put the one who was asked first
    assert other["source.bytes"] == 90_000
    assert other["event.type"] == ["connection", "denied"]


def test_a_text_that_is_no_utf8_keeps_what_can_be_read_of_it(written: Write) -> None:
    content = SAMPLE.read_bytes()
    assert content.count(b"anydesk") == 1
    rows, source = read(written("broken.dat", content.replace(b"anydesk", b"any\xffesk")))
    assert rows[9]["network.application"] == "any\N{REPLACEMENT CHARACTER}esk"
    assert source.unread == []


def test_translations_and_numbers_of_odd_length() -> None:
    row = read(SAMPLE)[0][11]
    assert (row["source.nat.ip"], row["source.nat.port"]) == ("198.51.100.20", 51_000)
    assert row["source.bytes"] == 65_536  # three octets
    assert row["netflow.observation_time_milliseconds"] == "2026-10-13T13:58:30.000000Z"


def test_a_template_beside_the_data_does_its_work(written: Write) -> None:
    written("other_templates.dat", exports.v9(exports.cut(0, exports.template(256, (8, 4), (12, 4)))))
    written("router_templates.dat", exports.v9(exports.V9_TEMPLATE))
    rows, source = read(written("router_data.dat", exports.v9(exports.V9_FLOWS)))
    assert [row["destination.ip"] for row in rows] == ["203.0.113.77", "203.0.113.78"]
    assert source.unread == []


def test_data_before_its_template_is_read_and_without_any_is_named(written: Write) -> None:
    rows, _source = read(written("late.dat", exports.v9(exports.V9_FLOWS) + exports.v9(exports.V9_TEMPLATE)))
    assert len(rows) == 2
    rows, source = read(written("never.bin", exports.v9(exports.V9_FLOWS, domain=77)))
    assert not rows
    assert "template 256 of domain 77" in source.unread[0].reason


def test_octets_between_exports_are_named_and_cost_nothing_else(written: Write) -> None:
    rows, source = read(written("dirt.dat", exports.V5_PACKET + b"\xde\xad\xbe\xef" * 9 + exports.V5_PACKET))
    assert len(rows) == 6
    assert [lost.offset for lost in source.unread] == [len(exports.V5_PACKET)]


def captured(*payloads: tuple[int, bytes]) -> bytes:
    frames = [
        Ether() / IP(src="198.51.100.1", dst="10.1.0.9") / UDP(sport=52_000, dport=port) / payload
        for port, payload in payloads
    ]
    return packets.pcap([(float(exports.SECONDS) + at, bytes(frame)) for at, frame in enumerate(frames)])


def test_a_capture_of_exports_is_what_they_tell(written: Write) -> None:
    rows, source = read(
        written(
            "exports.pcap",
            captured((2055, exports.V5_PACKET), (7777, exports.v9(exports.V9_TEMPLATE, exports.V9_FLOWS))),
        ),
        CAPTURE,
    )
    assert [row["event.dataset"] for row in rows] == ["netflow.log"] * 5
    assert [row["molehunt.frame.number"] for row in rows] == [1, 1, 1, 2, 2]
    assert rows[0]["observer.ip"] == ["198.51.100.1"]
    assert rows[0]["netflow.exporter.address"] == "198.51.100.1:52000"
    assert source.unread == []


def test_in_any_other_capture_both_are_there(written: Write) -> None:
    both = captured((5_000, b"no export at all, but some other datagram"), (2055, exports.V5_PACKET))
    rows, _source = read(written("mixed.pcap", both), CAPTURE)
    assert sorted(str(row["event.dataset"]) for row in rows) == ["capture.flow"] * 2 + ["netflow.log"] * 3


def test_names_become_fields() -> None:
    assert snake("sourceIPv4Address") == "source_ipv4_address"
    assert snake("waasoptimizationSegment") == "waasoptimization_segment"
    assert elements()[0, 8] == ("sourceIPv4Address", "ip4")
    kinds = {kind for _name, kind in elements().values()}
    assert kinds == {"n", "ip4", "ip6", "mac", "text", "hex", "float", "s", "ms", "ntp"}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_broken_exports_never_fail(data: st.DataObject) -> None:
    content = bytearray(exports.WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    content = content[data.draw(st.sampled_from([0, 0, 1, 24])) : data.draw(st.integers(30, len(content)))]
    for sensor, raw in ((SENSOR, bytes(content)), (CAPTURE, captured((2055, bytes(content[:1400]))))):
        source = source_of(raw)
        rows = [row for frame in intake.events(source, sensor) for row in frame.iter_rows(named=True)]
        assert not [lost for lost in source.unread if "defect" in lost.reason], source.unread
        assert rows or source.unread or len(content) < 200
        for row in rows:
            for name in row:
                assert schema.dtype(name) is not None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_are_walked_to_their_end(content: bytes) -> None:
    for begin in (b"", b"\x00\x09\x00\x01", b"\x00\x0a\x00\x40", b"\x00\x05\x00\x02"):
        raw = np.frombuffer(begin + content, np.uint8)
        for sets, _faults in stream(raw):
            assert (sets[:, 0] + sets[:, 1] <= raw.size).all()

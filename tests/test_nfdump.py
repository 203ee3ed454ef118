"""nfdump's listings: every form says the same of a flow; its own files are named with what to do."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from text_sensors import SAMPLES, broken_lines, events, source_of

from sensors.nfdump import SENSOR
from sensors.sensor import claims

FOLDER = SAMPLES / "nfdump"
NAMES = sorted(path.name for path in FOLDER.iterdir())
QUIET = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def text(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_form_says_the_same(name: str) -> None:
    assert [sensor.name for sensor in claims(text(name).encode(), name)] == ["nfdump"]
    source = source_of(text(name), zone="America/Chicago", given=True)
    first = events(SENSOR, source)[0]
    assert source.unread == []
    assert (first["source.ip"], first["source.port"]) == ("10.20.0.15", 50_000)
    assert (first["destination.ip"], first["destination.port"]) == ("203.0.113.77", 443)
    assert (first["source.bytes"], first["source.packets"]) == (918_273, 700)
    assert first["event.duration"] == 30_500_000_000
    assert first["network.transport"] == "tcp"
    assert first["@timestamp"].strftime("%H:%M:%S") == "14:00:00"


def test_the_old_header_says_more() -> None:
    rows = events(SENSOR, text("old.csv"))
    assert len(rows) == 3
    assert (rows[0]["destination.bytes"], rows[0]["network.bytes"]) == (12_000, 930_273)
    assert (rows[0]["source.as.number"], rows[0]["network.vlan.id"]) == (64_500, "20")
    assert (rows[0]["observer.ip"], rows[0]["source.mac"]) == (["198.51.100.1"], "00-50-56-9C-1A-2B")
    assert rows[0]["network.direction"] == "outbound"
    assert "destination.port" not in rows[2]
    assert rows[2]["network.transport"] == "icmp"
    assert rows[0]["molehunt.guess"] == ["zone"]


def test_rounded_sizes_and_addresses_of_both_versions() -> None:
    rows = events(SENSOR, text("long.txt"))
    assert len(rows) == 4
    assert (rows[1]["source.ip"], rows[1]["source.port"]) == ("2001:db8:20::15", 49_200)
    assert (rows[2]["source.packets"], rows[2]["source.bytes"]) == (1_200_000, 1_500_000_000)


def test_its_own_files_are_named_with_what_to_do() -> None:
    source = source_of(b"\x0c\xa5\x02\x00" + bytes(100))
    assert SENSOR.sniff(source.head, "nfcapd.202610050900")
    assert events(SENSOR, source) == []
    assert "nfdump -r FILE -o csv" in source.unread[0].reason


@QUIET
@given(st.sampled_from(NAMES).flatmap(lambda name: broken_lines(text(name).splitlines())))
def test_broken_listings_raise_nothing(content: str) -> None:
    events(SENSOR, content)

"""Name servers and DHCP servers: samples, headers, hostile lines."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, source_of

from sensors.name_servers import SENSOR

LINES = [
    line
    for path in sorted((SAMPLES / "name_servers").glob("*.log"))
    for line in path.read_text("utf-8").splitlines()
]


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "name_servers")


def test_every_line_of_the_samples_is_an_event() -> None:
    assert len(events(SENSOR, "\n".join(LINES))) == len(LINES)


def test_a_lease_says_who_has_which_address() -> None:
    row = events(
        SENSOR, "Oct  5 09:00:01 gw dhcpd: DHCPACK on 10.0.0.9 to 00:00:5e:00:53:02 (pikvm) via eth1"
    )[0]
    assert (row["event.action"], row["source.ip"], row["host.name"]) == ("dhcp-ack", "10.0.0.9", "pikvm")
    assert row["host.mac"] == [row["source.mac"]] == ["00-00-5E-00-53-02"]


def test_unbounds_own_header() -> None:
    row = events(SENSOR, "[1791190800] unbound[7:0] info: 192.0.2.7 www.example. A IN NOERROR 0.001000 1 60")[
        0
    ]
    assert row["@timestamp"].timestamp() == 1791190800
    assert (row["dns.response_code"], row["event.duration"]) == ("NOERROR", 1_000_000)


@pytest.mark.parametrize("text", ["", "Oct  5 09:00:01 gw sshd[1]: x", "[INFO] hello", "client of ours: no"])
def test_other_logs_are_not_claimed(text: str) -> None:
    assert not SENSOR.sniff(text.encode(), "queries.log")


def test_other_lines_are_named() -> None:
    source = source_of("\n".join([LINES[0], "nonsense", LINES[-1]]))
    assert len(events(SENSOR, source)) == 2
    assert [entry.line for entry in source.unread] == [2]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)

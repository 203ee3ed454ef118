"""tcpdump's text and AdGuard Home's queries: samples, their meaning, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from text_sensors import SAMPLES, broken_lines, events, source_of

from sensors import adguard_home, tcpdump
from sensors.sensor import Sensor, claims

SENSORS: dict[str, Sensor] = {
    "tcpdump": tcpdump.SENSOR,
    "adguard_home": adguard_home.SENSOR,
}
FILES = [(name, path) for name in SENSORS for path in sorted((SAMPLES / name).iterdir())]
TEXTS = [(name, path.read_text("utf-8")) for name, path in FILES]
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_each_is_claimed_once_and_read_wholly(name: str, text: str) -> None:
    assert [sensor.name for sensor in claims(text.encode(), "x.log")] == [name]
    source = source_of(text)
    assert events(SENSORS[name], source)
    assert source.unread == []


def test_packets_in_all_their_forms() -> None:
    rows = events(tcpdump.SENSOR, dict(TEXTS)["tcpdump"])
    assert len(rows) == 9
    first = rows[0]
    assert (first["source.ip"], first["source.port"]) == ("203.0.113.9", 21803)
    assert (first["destination.port"], first["network.transport"]) == (22, "tcp")
    assert (rows[3]["source.ip"], rows[3]["source.port"]) == ("2001:db8:20::15", 49200)
    assert rows[4]["network.transport"] == "icmp"
    assert (rows[6]["source.domain"], rows[6]["source.port"]) == ("files.example.org", 443)
    assert (rows[7]["source.mac"], rows[7]["source.ip"]) == ("00-50-56-9C-1A-2B", "10.20.0.15")
    assert (rows[8]["network.direction"], rows[8]["destination.port"]) == ("inbound", 50001)


def test_a_clock_without_a_date_is_of_the_day_the_file_was_written() -> None:
    line = "{} IP 192.0.2.1.22 > 203.0.113.9.21803: Flags [.], ack 1, win 1, length 0"
    text = "\n".join(line.format(clock) for clock in ("11:31:20.553713", "23:59:59.000000"))
    early, late = events(tcpdump.SENSOR, source_of(text, modified=datetime(2026, 10, 5, 12, tzinfo=UTC)))
    assert str(early["@timestamp"]) == "2026-10-05 11:31:20.553713+00:00"
    assert str(late["@timestamp"]) == "2026-10-04 23:59:59+00:00"
    assert early["molehunt.guess"] == ["date"]


def test_adguard_home() -> None:
    seen, blocked = events(adguard_home.SENSOR, TEXTS[1][1])
    assert str(seen["@timestamp"]) == "2026-10-05 07:02:00.123456+00:00"
    assert (seen["dns.question.name"], seen["source.ip"]) == ("files.example.org", "10.20.0.15")
    assert (blocked["event.type"], blocked["rule.name"]) == (["protocol", "denied"], "||ads.example.com^")


@QUIET
@given(
    st.sampled_from(TEXTS).flatmap(lambda one: st.tuples(st.just(one[0]), broken_lines(one[1].splitlines())))
)
def test_broken_lines_raise_nothing(case: tuple[str, str]) -> None:
    name, content = case
    source = source_of(content)
    assert (
        events(SENSORS[name], source) or source.unread or not content.strip() or content.lstrip() != content
    )

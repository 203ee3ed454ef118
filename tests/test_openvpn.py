"""OpenVPN's server log and status list: samples, their meaning, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines, source_of

from sensors import openvpn, openvpn_status
from sensors.sensor import claims

LINES = sample_lines("openvpn")
SERVER = (SAMPLES / "openvpn" / "server.log").read_text("utf-8")
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_samples_are_claimed_by_one_sensor_each() -> None:
    for folder in ("openvpn", "openvpn_status"):
        for path in (SAMPLES / folder).iterdir():
            assert [s.name for s in claims(path.read_bytes(), "x.log")] == [folder], path


def test_every_wording_of_the_sample_is_known_but_the_banners() -> None:
    source = source_of(SERVER, given=True)
    rows = events(openvpn.SENSOR, source)
    assert len(rows) == len(SERVER.splitlines())
    assert not source.unread
    assert [row["log.file.line"] for row in rows if "event.original" in row] == [1, 2]


def test_a_session_says_who_from_where_and_which_address() -> None:
    rows = {row["log.file.line"]: row for row in events(openvpn.SENSOR, SERVER)}
    made, lent, over = rows[14], rows[15], rows[29]
    assert made["user.name"] == made["source.user.name"] == "ann.lee"
    assert (made["source.ip"], made["source.port"]) == ("198.51.100.23", 50122)
    assert (made["event.action"], made["event.outcome"]) == ("connected", "success")
    assert made["event.type"] == ["connection", "start"]
    assert lent["source.nat.ip"] == "10.8.0.6"
    assert over["event.type"] == ["connection", "end"]
    assert over["event.reason"] == "soft,ping-restart"
    assert rows[9]["source.mac"] == "00:53:00:aa:bb:cc"
    assert rows[30]["source.ip"] == "2001:db8::51"
    assert rows[30]["source.port"] == 42011
    assert rows[25]["source.ip"] == "203.0.113.79"
    assert rows[21]["user.name"] == "bob.ray"
    assert rows[21]["event.outcome"] == "failure"


def test_older_and_machine_readable_dates() -> None:
    said = "ann/192.0.2.4:1194 SIGTERM[soft,remote-exit] received, client-instance exiting"
    for head in ("Mon Oct  5 09:00:11 2026 ", "Mon Oct  5 09:00:11 2026 us=4711 ", "1791190811.000000 3 "):
        text = head + said
        assert [s.name for s in claims(text.encode(), "x.log")] == ["openvpn"], head
        (row,) = events(openvpn.SENSOR, text)
        assert row["@timestamp"] == datetime(2026, 10, 5, 9, 0, 11, tzinfo=UTC)
        assert row["user.name"] == "ann"


def test_status_lists_of_both_versions_say_the_same() -> None:
    old, new = (
        events(openvpn_status.SENSOR, (SAMPLES / "openvpn_status" / name).read_text("utf-8"))
        for name in ("v1.log", "v2.log")
    )
    for row in (old[0], new[0]):
        assert row["@timestamp"] == datetime(2026, 10, 5, 12, 12, 15, tzinfo=UTC)
        assert row["event.start"] == datetime(2026, 10, 5, 9, 0, 13, tzinfo=UTC)
        assert row["user.name"] == "ann.lee"
        assert (row["source.ip"], row["source.bytes"]) == ("198.51.100.23", 334948)
        assert row["event.duration"] == 11_522_000_000_000
    assert old[1]["source.ip"] == "2001:db8::51"
    assert old[2]["source.nat.ip"] == new[1]["source.nat.ip"] == new[0]["source.nat.ip"] == "10.8.0.6"


def test_a_strange_line_of_a_status_list_is_named() -> None:
    source = source_of((SAMPLES / "openvpn_status" / "v1.log").read_text("utf-8") + "nonsense\n")
    assert len(events(openvpn_status.SENSOR, source)) == 3
    assert [entry.sample for entry in source.unread] == ["nonsense"]


@QUIET
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(openvpn.SENSOR, content)


@QUIET
@given(broken_lines(sample_lines("openvpn_status")))
def test_broken_status_lists_raise_nothing(content: str) -> None:
    events(openvpn_status.SENSOR, content)

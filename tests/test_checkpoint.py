"""Check Point's Log Exporter: samples of its formats, what logs mean, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, events, golden, source_of

from sensors.checkpoint import SENSOR
from sensors.sensor import claims

FOLDER = SAMPLES / "checkpoint"
LINES = [line for path in sorted(FOLDER.iterdir()) for line in path.read_text("utf-8").splitlines()]
EXPORTED = (FOLDER / "exporter.log").read_text("utf-8").splitlines()


def syslog_rows() -> list[Row]:
    return events(SENSOR, source_of("\n".join(EXPORTED)))


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "checkpoint")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in FOLDER.iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["checkpoint"], path


def test_the_same_connection_in_three_formats() -> None:
    names = (
        "@timestamp", "event.action", "event.outcome", "event.type", "event.id", "source.ip", "source.port",
        "destination.ip", "destination.port", "network.transport", "network.direction", "rule.name",
        "observer.name", "observer.product",
    )  # fmt: skip
    firsts = [
        events(SENSOR, source_of((FOLDER / name).read_bytes()))[0]
        for name in ("exporter.log", "cef.log", "leef.log")
    ]
    told = [{name: row.get(name) for name in names} for row in firsts]
    assert told[0] == told[1] == told[2]
    assert None not in told[0].values()
    assert firsts[0]["source.nat.ip"] == firsts[1]["source.nat.ip"] == "192.0.2.1"
    assert "destination.nat.ip" not in firsts[0]


def test_a_remote_client_has_its_public_and_its_lent_address() -> None:
    row = syslog_rows()[1]
    wanted = {
        "event.action": "logged-in",
        "event.category": ["authentication"],
        "event.type": ["start"],
        "event.outcome": "success",
        "source.ip": "203.0.113.24",
        "source.nat.ip": "10.30.0.7",
        "user.name": "maya.lindqvist",
        "user.full_name": "Maya Lindqvist",
        "user.domain": "corp.example",
        "source.user.name": "Maya Lindqvist (maya.lindqvist)",
        "checkpoint.client_version": "E88.30",
    }
    assert {name: row.get(name) for name in wanted} == wanted


def test_logins_that_fail_and_ends() -> None:
    rows = syslog_rows()
    assert (rows[2]["event.action"], rows[2]["event.outcome"]) == ("logon-failed", "failure")
    assert (rows[3]["event.action"], rows[3]["event.type"]) == ("logged-out", ["end"])
    administrator = rows[4]
    assert administrator["event.reason"] == "Wrong Password"
    assert administrator["source.ip"] == "10.20.0.9"
    assert administrator["source.domain"] == "ROSA-PC"
    assert administrator["user.roles"] == ["administrator"]


def test_a_semicolon_in_a_value_ends_nothing() -> None:
    row = syslog_rows()[5]
    assert row["checkpoint.fieldschanges"].endswith("'CHG001; approved'")
    assert row["user.id"] == "169949b7-0000-4195-b7c8-a586fefc3b7c"


def test_what_was_prevented_is_an_alert() -> None:
    row = syslog_rows()[6]
    assert (row["event.kind"], row["event.severity"]) == ("alert", 3)
    assert row["event.category"] == ["network", "malware", "intrusion_detection"]
    assert row["url.original"] == "http://c2.example/a?b=1"
    assert (row["source.bytes"], row["destination.bytes"]) == (412, 60)


def test_what_the_gateway_took_in_from_the_client_is_the_sources() -> None:
    row = syslog_rows()[7]
    assert (row["source.bytes"], row["destination.bytes"], row["network.bytes"]) == (1312, 52, 1364)
    assert row["event.duration"] == 35_000_000_000
    assert row["event.type"] == ["connection", "denied"]
    assert row["checkpoint.sys_message"] == "Connection table full"


def test_a_zone_with_a_sign_too_many_and_fields_between_bars() -> None:
    rows = syslog_rows()
    assert rows[8]["@timestamp"].isoformat() == "2026-10-05T14:01:16+00:00"
    assert rows[8]["user.name"] == "dean.whitlock"
    assert rows[8]["source.port"] == 56530
    assert rows[9]["event.action"] == "Drop"
    assert rows[9]["destination.port"] == 22


def test_a_header_without_fields_is_named_as_unread() -> None:
    source = source_of(
        EXPORTED[0] + "\n<134>1 2026-10-05T14:00:01Z a CheckPoint 1 - [nothing]\n" + EXPORTED[1]
    )
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 3]
    assert [entry.line for entry in source.unread] == [2]


def test_other_products_of_the_same_formats_are_not_claimed() -> None:
    assert not SENSOR.sniff(b"CEF:0|Acme|Gate|1|x|Name|5|src=192.0.2.1\n", "x.log")
    assert not SENSOR.sniff(b'<134>1 2026-10-05T14:00:01Z a b 1 - [meta x="1"] origin loguid\n', "x.log")
    assert not SENSOR.sniff(b"", "x.log")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)

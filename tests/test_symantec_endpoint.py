"""Symantec Endpoint Protection: a line of every kind, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.sensor import claims
from sensors.symantec_endpoint import SENSOR

LINES = sample_lines("symantec_endpoint")


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "symantec_endpoint")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "symantec_endpoint").iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["symantec_endpoint"], path


def test_who_came_in_and_who_went_out() -> None:
    rows = events(SENSOR, "\n".join(LINES))
    blocked, allowed = rows[4:6]
    assert (blocked["source.ip"], blocked["destination.port"], blocked["event.type"]) == (
        "198.51.100.24",
        3389,
        ["connection", "denied"],
    )
    assert (allowed["source.ip"], allowed["network.direction"]) == ("10.20.31.7", "egress")
    assert (rows[1]["event.outcome"], rows[1]["user.name"]) == ("failure", "rosa.admin")
    assert rows[7]["process.pid"] == 9552
    assert rows[8]["event.action"] == "Quarantined"


def test_what_agents_did_has_no_names_for_its_values() -> None:
    row = events(SENSOR, "\n".join(LINES))[12]
    wanted = {
        "event.provider": "Agent Activity Log",
        "message": "The client has downloaded the content package, version 12",
        "host.hostname": "DESKTOP-7Q2LM0",
        "source.domain": "DESKTOP-7Q2LM0",
        "user.name": "dean.whitlock",
        "user.domain": "CORP",
    }
    assert {name: row.get(name) for name in wanted} == wanted


def test_where_a_risk_came_from_and_who_signed_it() -> None:
    row = events(SENSOR, "\n".join(LINES))[13]
    assert (row["source.ip"], row["source.domain"]) == ("192.0.2.77", "FILES-2")
    assert (row["host.hostname"], row["source.geo.name"]) == ("DESKTOP-7Q2LM0", "Home")
    assert row["file.hash.sha1"] == "ab6ef1497c6e1c8ccc12f06e945a4954fb41ad40"
    assert row["file.x509.not_before"].isoformat() == "2026-10-04T00:00:00+00:00"
    blocked = events(SENSOR, "\n".join(LINES))[4]
    assert blocked["destination.geo.name"] == "Default"


def test_scans_last_and_dumps_name_their_level() -> None:
    rows = events(SENSOR, "\n".join(LINES))
    assert rows[11]["event.duration"] == 60_000_000_000
    assert (rows[11]["event.action"], rows[11]["message"]) == ("completed", "Scan started on all drives")
    assert (rows[14]["host.hostname"], rows[14]["event.provider"]) == ("DESKTOP-7Q2LM0", "Agent System Log")
    assert (rows[14]["@timestamp"].isoformat(), rows[14]["log.level"]) == (
        "2026-10-05T14:02:59+00:00",
        "Info",
    )


def test_a_line_of_another_form_is_named_as_unread() -> None:
    source = source_of(LINES[0] + "\nnonsense\n" + LINES[1])
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 3]
    assert [entry.line for entry in source.unread] == [2]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)

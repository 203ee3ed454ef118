"""CyberArk's Vault: samples of its audit, who is who by the kind of record, hostile lines."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.cyberark import SENSOR
from sensors.sensor import claims

LINES = sample_lines("cyberark")


def rows() -> list[Row]:
    return events(SENSOR, source_of("\n".join(LINES)))


def has(got: Row, wanted: Row) -> None:
    assert {name: got.get(name) for name in wanted} == wanted


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "cyberark")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "cyberark").iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["cyberark"], path


def test_logons_that_succeed_and_fail() -> None:
    good, bad = rows()[:2]
    has(
        good,
        {"event.action": "authentication_success", "event.outcome": "success", "source.ip": "203.0.113.24"},
    )
    has(bad, {"event.outcome": "failure", "event.reason": "ITATS532E The user is suspended"})
    has(bad, {"destination.ip": "10.20.0.9", "event.severity": 7, "user.name": "dean.whitlock"})


def test_a_password_that_is_looked_at_names_the_account() -> None:
    row = rows()[3]
    has(row, {"user.name": "maya.lindqvist", "destination.user.name": "CORP\\svc-backup"})
    has(row, {"destination.ip": "192.0.2.31", "file.path": "Root\\svc-backup", "host.name": "VAULT"})
    assert row["cyberarkpas.audit.ca_properties.policy_id"] == "WinDomain"


def test_a_session_goes_from_the_person_to_the_machine() -> None:
    connect, keys, end = rows()[4:7]
    has(connect, {"source.ip": "203.0.113.24", "destination.domain": "dc1.corp.example"})
    has(connect, {"destination.user.name": "svc-backup", "network.application": "rdp", "session.id": "5f3a"})
    has(end, {"event.type": ["end"], "event.duration": 4_202_000_000_000})
    assert keys["cyberarkpas.audit.extra_details.command"] == 'ls "/var/tmp"; rm -rf a=b'


def test_targets_are_the_accounts_and_people_acted_on() -> None:
    got = rows()
    has(got[8], {"user.name": "PasswordManager", "user.target.name": "CORP\\svc-backup"})
    has(got[9], {"user.name": "rosa.admin", "user.target.name": "contractor7"})
    has(got[10], {"event.type": ["group", "change"], "user.target.name": "contractor7"})
    has(got[11], {"process.pid": 4312, "process.name": "mmc.exe"})


def test_an_unknown_kind_is_an_event_with_what_all_have() -> None:
    later, monitor = rows()[13:15]
    has(later, {"event.code": "999", "user.name": "Batch", "event.action": "a kind of a later version"})
    assert monitor["event.original"] == LINES[14]
    assert monitor["host.name"] == "VAULT"


def test_a_line_without_a_record_is_named_as_unread() -> None:
    source = source_of(LINES[0] + "\nnonsense\n" + LINES[1][:-1] + "\n" + LINES[2])
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 4]
    assert [entry.line for entry in source.unread] == [2, 3]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


def test_the_vaults_xml_says_the_same_as_its_json() -> None:
    logon, looked, refused = events(SENSOR, source_of((SAMPLES / "cyberark" / "audit_xml.log").read_bytes()))
    has(logon, {"event.action": "authentication_success", "source.ip": "203.0.113.24"})
    has(looked, {"destination.user.name": "CORP\\svc-backup", "destination.ip": "192.0.2.31"})
    has(looked, {"event.reason": 'he said "now" <today>', "cyberarkpas.audit.safe": "Windows & Linux"})
    has(refused, {"event.outcome": "failure", "user.name": "dean.whitlock"})


def test_xml_that_is_cut_off_is_named() -> None:
    source = source_of("<5>1 2026-10-05T14:03:00Z VAULT <syslog><audit_record><MessageID>4</MessageID>")
    assert events(SENSOR, source) == []
    assert source.unread

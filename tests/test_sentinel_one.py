from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, Row, events, source_of

from sensors import schema, sentinel_one

FOLDER = SAMPLES / "sentinel_one"
MANAGED = (FOLDER / "management.ndjson").read_bytes()
FUNNEL = (FOLDER / "cloud_funnel.ndjson").read_bytes()


def rows_of(content: bytes) -> list[Row]:
    source = source_of(content)
    rows = events(sentinel_one.SENSOR, source)
    assert source.unread == []
    return rows


def test_activities_agents_threats_and_alerts() -> None:
    login, failed, quarantine, agent, threat, alert = rows_of(MANAGED)[:6]
    assert (login["event.outcome"], login["source.ip"], login["user.full_name"]) == (
        "success",
        "203.0.113.5",
        "rosa",
    )
    assert login["event.category"] == ["authentication"]
    assert failed["event.outcome"] == "failure"
    assert (quarantine["event.category"], quarantine["file.path"]) == (["malware"], "/x/a.exe")
    assert (agent["host.ip"], agent["host.mac"]) == (["203.0.113.5"], ["00-00-5E-00-53-00"])
    assert agent["related.ip"] == ["203.0.113.5", "192.0.2.17", "2001:db8::17"]
    assert (threat["event.kind"], threat["event.action"]) == ("alert", "On-Write")
    assert (alert["process.name"], alert["process.pid"], alert["source.ip"]) == (
        "AnyDesk.exe",
        42,
        "198.51.100.77",
    )


def test_activities_are_told_by_every_word_and_by_the_threat_they_are_about() -> None:
    site, threat = rows_of(MANAGED)[6:]
    assert (site["event.category"], site["event.type"]) == (["configuration"], ["creation", "change"])
    assert (site["host.id"], site["group.id"], site["related.user"]) == ("77", "5", ["rosa"])
    assert (threat["event.kind"], threat["event.category"], threat["event.type"]) == (
        "alert",
        ["threat"],
        ["indicator"],
    )
    assert threat["process.hash.sha1"] == "ef" * 20


def test_what_agents_saw() -> None:
    process, connection, query, file, login, url = rows_of(FUNNEL)
    assert (process["process.name"], process["process.parent.name"]) == ("AnyDesk.exe", "explorer.exe")
    assert process["process.parent.command_line"] == "C:\\Windows\\explorer.exe"
    assert (process["user.domain"], process["user.name"]) == ("CORP", "dean")
    assert (connection["destination.ip"], connection["network.direction"]) == ("198.51.100.77", "egress")
    assert (query["dns.question.name"], query["dns.question.type"]) == ("relay.example", "A")
    assert (query["dns.answers.data"], query["dns.resolved_ip"]) == (["cdn.example"], ["198.51.100.77"])
    assert (file["file.name"], file["event.type"]) == ("payroll.zip", ["creation"])
    assert (login["user.name"], login["source.user.name"], login["source.ip"]) == (
        "maya",
        "maya",
        "198.51.100.77",
    )
    assert (login["event.outcome"], login["event.category"]) == ("success", ["authentication"])
    assert url["url.domain"] == "files.example"


def test_kinds_may_be_mixed() -> None:
    rows = rows_of(FUNNEL + MANAGED)
    assert [row["log.file.line"] for row in rows] == list(range(1, 15))


@pytest.mark.parametrize(
    "head", [b"", b'{"id":"1","createdAt":"x"}', b'{"computerName":"a"}', b'{"threatInfo":{}}']
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not sentinel_one.SENSOR.sniff(head, "x.json")


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(FUNNEL + MANAGED)))
def test_broken_input_never_stops_and_never_vanishes(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in sentinel_one.SENSOR.read(source))
    assert height + sum(unread.count for unread in source.unread) >= 1

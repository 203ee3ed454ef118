from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import atlassian

FILES = sorted((SAMPLES / "atlassian").iterdir())
JIRA, CONFLUENCE, BITBUCKET, ORGANISATION = (
    SAMPLES / "atlassian" / name
    for name in (
        "jira_events.ndjson",
        "confluence_events.ndjson",
        "bitbucket_events.ndjson",
        "organisation.json",
    )
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_samples_are_claimed_by_this_sensor_alone(path: Path) -> None:
    assert claimed(path) == ["atlassian"]


def test_jira_says_who_did_what_to_whom(source: MakeSource) -> None:
    rows = events(atlassian.SENSOR, source(JIRA.read_bytes()))
    assert frame_of(rows, "event.action", "event.outcome", "user.name", "user.target.name", "source.ip") == [
        ("jira.auditing.user.logged.in", "success", "dana.okafor", None, "203.0.113.24"),
        ("jira.auditing.user.login.failed", "failure", "Anonymous", None, "2001:db8::7"),
        ("jira.auditing.user.created", None, "dana.okafor", "milo.brandt", "203.0.113.24"),
        ("jira.auditing.user.added.to.group", None, "dana.okafor", "milo.brandt", "203.0.113.24"),
        ("jira.auditing.user.renamed", None, "dana.okafor", "milo.brandt", "203.0.113.24"),
        ("atlassian.audit.event.action.audit.search", None, "dana.okafor", None, "203.0.113.24"),
        ("User added to group", None, None, "ug:1a2b3c4d", "198.51.100.9"),
    ]
    assert {row["event.dataset"] for row in rows} == {"atlassian_jira.audit"}
    assert times(rows)[3] == "2026-03-02T08:16:40"
    assert rows[3]["@timestamp"].microsecond == 14_000
    assert rows[3]["user.target.group.name"] == "jira-administrators"
    assert rows[2]["user.changes.email"] == "milo.brandt@corp.example"
    assert rows[4]["user.changes.name"] == "m.brandt"
    assert rows[0]["related.hosts"] == ["jira.corp.example"]
    assert "event.original" in rows[5]
    assert "event.original" not in rows[0]
    assert rows[6]["user.id"] == "5f00c0ffee5f00c0ffee5f00"


def test_confluence_has_names_in_pages_and_full_names(source: MakeSource) -> None:
    granted, made, group = events(atlassian.SENSOR, source(CONFLUENCE.read_bytes()))
    wanted = {
        "event.dataset": "atlassian_confluence.audit",
        "event.category": ["iam", "configuration"],
        "event.type": ["creation"],
        "user.name": "dokafor",
        "user.full_name": "Dana Okafor",
    }
    assert shown(granted, wanted) == wanted
    wanted = {
        "user.full_name": "Milo Brandt",
        "user.target.full_name": "Ines Varga",
        "user.changes.email": "ines.varga@corp.example",
        "event.type": ["user", "creation"],
    }
    assert shown(made, wanted) == wanted
    assert (group["group.name"], group["group.id"]) == ("contractors", "0b5c8b0e-52c9-4d5a-8d3e-6a2a0a3b1c11")


def test_bitbucket_and_the_organisation(source: MakeSource) -> None:
    rows = events(atlassian.SENSOR, source(BITBUCKET.read_bytes()))
    assert frame_of(rows, "event.dataset", "event.category", "event.type") == [
        ("atlassian_bitbucket.audit", ["web"], ["access"]),
        ("atlassian_bitbucket.audit", ["iam"], ["creation"]),
    ]
    rows = events(atlassian.SENSOR, source(ORGANISATION.read_bytes(), "o.json"))
    assert frame_of(rows, "event.dataset", "event.action", "user.email", "source.ip") == [
        ("atlassian.audit", "user_granted_access", "dana.okafor@corp.example", "203.0.113.24"),
        ("atlassian.audit", "policy_updated", "dana.okafor@corp.example", "2001:db8::24"),
    ]


def test_what_is_no_audit_event_is_named(source: MakeSource) -> None:
    made = source("\n".join([*JIRA.read_text().splitlines(), '{"errorMessages":[]}', '{"id":']))
    assert len(events(atlassian.SENSOR, made)) == 7
    assert sum(unread.count for unread in made.unread) == 2


@pytest.mark.parametrize(
    "record", [{}, {"type": {"action": "x"}}, {"summary": "x", "category": "y"}, {"type": "events"}]
)
def test_other_logs_are_not_claimed(record: dict[str, object]) -> None:
    assert not atlassian.SENSOR.sniff(json.dumps(record).encode(), "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(FILES)).read_bytes()
    assert accounted(atlassian.SENSOR, source(data.draw(broken(sample))))

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, claimants, events, frame_of, times

from sensors import github, schema

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "github" / "audit.ndjson"


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimants(SAMPLE.read_bytes(), SAMPLE.name) == ["github"]


def test_who_did_what_to_which_repository(source: MakeSource) -> None:
    rows = events(github.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "user.name", "event.action", "github.repo", "event.type") == [
        ("dwhitlock-dev", "personal_access_token.access_granted", None, ["change"]),
        ("dwhitlock-dev", "git.clone", "corp-example/payments-core", ["access"]),
        ("dwhitlock-dev", "git.clone", "corp-example/fraud-models", ["access"]),
        ("dwhitlock-dev", "git.fetch", "corp-example/website", ["access"]),
        ("dwhitlock-dev", "repo.download_zip", "corp-example/infra", ["access"]),
        ("rosa-f", "org.add_member", None, ["group", "user", "creation"]),
        ("rosa-f", "team.add_member", None, ["group", "user", "creation"]),
        ("rosa-f", "repo.access", "corp-example/tools", ["change"]),
        ("rosa-f", "protected_branch.destroy", "corp-example/tools", ["change"]),
        ("github-actions[bot]", "workflows.completed_workflow_run", "corp-example/tools", ["change"]),
    ]
    assert times(rows)[:2] == ["2026-10-06T01:00:00", "2026-10-06T01:01:00"]


def test_a_clone_in_full(source: MakeSource) -> None:
    row = events(github.SENSOR, source(SAMPLE.read_bytes()))[1]
    wanted = {
        "event.dataset": "github.audit",
        "event.category": ["configuration", "web"],
        "github.category": "git",
        "user.id": "50002",
        "user.email": "dean.whitlock@corp.example",
        "source.ip": "203.0.113.77",
        "source.geo.country_iso_code": "US",
        "user_agent.original": "git/2.46.0.windows.1",
        "organization.name": "corp-example",
        "github.org": "corp-example",
        "github.repository_public": "false",
        "github.transport_protocol_name": "http",
        "github.programmatic_access_type": "Personal access token (classic)",
        "github.token_id": "770011",
        "related.ip": ["203.0.113.77"],
        "related.user": ["dwhitlock-dev"],
        "log.file.line": 2,
    }
    assert {name: row.get(name) for name in wanted} == wanted
    assert "user.target.name" not in row  # "user": "" names nobody


def test_members_are_targets_and_groups_have_names(source: MakeSource) -> None:
    rows = events(github.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows[5:8], "user.target.name", "group.name", "user.target.group.name", "source.ip") == [
        ("new-hand", "corp-example", "corp-example", "198.51.100.40"),
        ("new-hand", "corp-example/build", "corp-example/build", "2001:db8:40::7"),
        (None, None, None, None),
    ]
    assert rows[5]["event.category"] == ["configuration", "web", "iam"]
    assert (rows[7]["github.previous_visibility"], rows[7]["github.visibility"]) == ("private", "public")


@pytest.mark.parametrize(
    ("fields", "when"),
    [
        ({"created_at": 1583364251101}, "2020-03-04T23:24:11"),
        ({"created_at": 1583364251}, "2020-03-04T23:24:11"),
        ({"created_at": "2022-08-16 16:56:49.309"}, "2022-08-16T16:56:49"),
        ({"created_at": 1, "@timestamp": 1583364251101}, "2020-03-04T23:24:11"),
        ({"at_sign_timestamp": "2022-08-16 16:56:49.309"}, "2022-08-16T16:56:49"),
    ],
)
def test_times_in_every_spelling(source: MakeSource, fields: dict[str, object], when: str) -> None:
    rows = events(
        github.SENSOR, source(json.dumps({"actor": "a", "action": "repo.create", "org": "o"} | fields))
    )
    assert times(rows) == [when]


def test_the_export_as_one_array_is_the_same(source: MakeSource) -> None:
    records = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    plain = events(github.SENSOR, source(SAMPLE.read_bytes()))
    array = events(github.SENSOR, source(json.dumps(records, indent=2), "export.json"))
    fields = ("user.name", "event.action", "@timestamp", "github.repo", "source.ip")
    assert frame_of(array, *fields) == frame_of(plain, *fields)


def test_what_is_no_audit_event_is_named(source: MakeSource) -> None:
    lines = SAMPLE.read_text().splitlines()
    made = source("\n".join([lines[0], '{"message":"Bad credentials"}', "<html>", lines[1]]))
    assert len(events(github.SENSOR, made)) == 2
    assert sorted(unread.line or 0 for unread in made.unread) == [2, 3]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b'{"action":"login","actor":"x","created_at":1}',
        b'{"action":"repo.create","actor":{"id":1},"created_at":1}',
        b'{"action":"repo.create"}',
        b'{"event":"repo.create","actor":"x"}',
    ],
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not github.SENSOR.sniff(head, "audit.json")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in github.SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import cloudtrail, schema
from sensors.sensor import claims

FOLDER = Path(__file__).resolve().parents[1] / "samples" / "cloudtrail"
SAMPLE = FOLDER / "trail.json"


@pytest.mark.parametrize("name", ["trail.json", "digest.json"])
def test_the_samples_are_claimed_by_this_sensor_alone(name: str) -> None:
    assert [sensor.name for sensor in claims((FOLDER / name).read_bytes(), name)] == ["aws_cloudtrail"]


def test_who_did_what_and_how_it_ended(source: MakeSource) -> None:
    rows = events(cloudtrail.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(rows, "user.name", "event.action", "event.outcome", "event.type") == [
        ("maya", "ConsoleLogin", "success", ["info"]),
        ("root", "ConsoleLogin", "failure", ["info"]),
        ("AWSReservedSSO_Engineer", "GetObject", "success", ["access"]),
        ("AWSReservedSSO_Engineer", "GetSecretValue", "failure", ["access"]),
        ("maya", "CreateUser", "success", ["user", "creation"]),
        ("maya", "AddUserToGroup", "success", ["group", "change"]),
        (None, "TerminateInstances", "success", ["info"]),
        (None, None, "success", ["info"]),
        ("maya", "DoSomething", "success", ["info"]),
    ]
    assert times(rows)[0] == "2026-10-05T15:58:12"


def test_an_object_read_in_an_assumed_role(source: MakeSource) -> None:
    row = events(cloudtrail.SENSOR, source(SAMPLE.read_bytes()))[2]
    wanted = {
        "event.dataset": "aws.cloudtrail",
        "event.category": ["file"],
        "user.email": "dean.whitlock@corp.example",
        "aws.cloudtrail.user_identity.session_name": "dean.whitlock@corp.example",
        "aws.s3.bucket.name": "corp-payroll",
        "file.path": "2026/10/salaries.csv",
        "file.name": "salaries.csv",
        "source.ip": "203.0.113.77",
        "tls.version": "1.3",
        "tls.version_protocol": "tls",
        "cloud.account.id": "111122223333",
        "destination.bytes": 51_200,
    }
    assert {name: row.get(name) for name in wanted} == wanted
    assert "salaries.csv" in row["aws.cloudtrail.request_parameters"]


def test_people_made_and_services_that_act(source: MakeSource) -> None:
    rows = events(cloudtrail.SENSOR, source(SAMPLE.read_bytes()))
    assert (rows[4]["user.target.name"], rows[4]["user.target.id"]) == ("svc-backup", "AIDASVC")
    assert rows[5]["group.name"] == "admins"
    assert rows[6]["source.address"] == "autoscaling.amazonaws.com"
    assert "source.ip" not in rows[6]
    assert rows[7]["aws.cloudtrail.insight.event_name"] == "AttachUserPolicy"
    (digest,) = events(cloudtrail.SENSOR, source((FOLDER / "digest.json").read_bytes()))
    assert digest["file.name"] == "digest.json.gz"


def test_one_record_a_line_is_the_same(source: MakeSource) -> None:
    records = json.loads(SAMPLE.read_bytes())["Records"]
    lines = events(cloudtrail.SENSOR, source("\n".join(map(json.dumps, records))))
    pages = events(cloudtrail.SENSOR, source(SAMPLE.read_bytes()))
    assert frame_of(lines, "event.id", "user.id") == frame_of(pages, "event.id", "user.id")


def test_what_is_no_event_is_named(source: MakeSource) -> None:
    made = source('{"eventName":"A","awsRegion":"x","eventTime":"2026-10-05T15:58:12Z"}\n{"x":1}\n{"event')
    assert len(events(cloudtrail.SENSOR, made)) == 1
    assert sum(unread.count for unread in made.unread) == 2


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(SAMPLE.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in cloudtrail.SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1


_ODD = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.none()) | st.just({"a": {}})
)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_odd_values_never_stop_sniffing(data: st.DataObject) -> None:
    record = json.loads(SAMPLE.read_bytes())["Records"][0]
    for key in record:
        if data.draw(st.booleans()):
            record[key] = data.draw(_ODD)
    assert cloudtrail.SENSOR.sniff(json.dumps(record).encode(), "x.json") in (True, False)

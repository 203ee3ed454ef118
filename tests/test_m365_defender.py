from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, Row, events, source_of

from sensors import m365_defender, schema

FOLDER = SAMPLES / "m365_defender"
STREAM = (FOLDER / "stream.ndjson").read_bytes()


def rows_of(name: str) -> list[Row]:
    source = source_of((FOLDER / name).read_bytes())
    rows = events(m365_defender.SENSOR, source)
    assert source.unread == []
    return rows


def test_a_new_process_and_the_one_that_made_it() -> None:
    row = rows_of("stream.ndjson")[0]
    wanted = {
        "event.action": "start",
        "event.category": ["process"],
        "event.type": ["start"],
        "process.executable": "C:\\Users\\dean\\Downloads\\AnyDesk.exe",
        "process.args": ["AnyDesk.exe", "--plain"],
        "process.pid": 4242,
        "process.parent.executable": "c:\\windows\\explorer.exe",
        "process.parent.pid": 1040,
        "process.parent.args": ["explorer.exe", "/x", "a b"],
        "user.name": "dean",
        "host.name": "ws-117.corp.example",
        "host.os.type": "windows",
    }
    assert {name: row.get(name) for name in wanted} == wanted


def test_rarer_tables() -> None:
    person, listening, cloud = rows_of("stream.ndjson")[-3:]
    assert (person["event.kind"], person["event.category"], person["event.type"]) == (
        "asset",
        ["iam"],
        ["info", "user"],
    )
    assert (listening["event.type"], listening["source.port"]) == (["start"], 7070)
    assert (cloud["event.category"], cloud["event.action"]) == (["configuration"], "create-role-assignment")


def test_connections_out_and_in() -> None:
    _, out, dns, inward = rows_of("stream.ndjson")[:4]
    assert (out["destination.ip"], out["destination.port"]) == ("198.51.100.77", 7070)
    assert (out["source.ip"], out["destination.domain"]) == ("192.0.2.17", "relay-1.net.anydesk.example")
    assert (dns["dns.question.name"], dns["dns.answers.data"]) == ("relay.example", ["198.51.100.77"])
    assert (inward["source.ip"], inward["network.direction"]) == ("198.51.100.9", "inbound")
    assert inward["destination.port"] == 22


def test_logins_are_of_the_person_who_logged_in() -> None:
    good, bad = rows_of("stream.ndjson")[4:6]
    assert (good["user.name"], good["source.user.name"], good["source.ip"]) == (
        "maya",
        "maya",
        "198.51.100.77",
    )
    assert (good["event.outcome"], good["source.domain"]) == ("success", "desk-77")
    assert (bad["event.outcome"], bad["event.reason"]) == ("failure", "InvalidUserNameOrPassword")


def test_files_registry_devices_mails_and_alerts() -> None:
    file, registry, usb, module, host, mail, alert = rows_of("stream.ndjson")[6:13]
    assert (file["file.path"], file["event.type"], file["file.size"]) == (
        "C:\\Users\\dean\\payroll.zip",
        ["creation"],
        1024,
    )
    assert registry["registry.path"] == "HKLM\\SOFTWARE\\AnyDesk\\Run"
    assert usb["event.action"] == "pnpdeviceconnected"
    assert module["dll.path"] == "C:\\a.dll"
    assert host["host.ip"] == ["203.0.113.5"]
    assert mail["email.from.address"] == ["x@mail.example"]
    assert (alert["event.kind"], alert["event.severity"]) == ("alert", 3)


def test_exports_are_the_same_events() -> None:
    stream = rows_of("stream.ndjson")
    asked = rows_of("query.json")
    other = {"log.offset", "log.file.line", "event.original"}
    for one, two in zip(stream[:6], asked, strict=True):
        assert {k: v for k, v in one.items() if k not in other} == {
            k: v for k, v in two.items() if k not in other
        }
    table = rows_of("DeviceProcessEvents.csv")
    assert [row["process.name"] for row in table] == ["AnyDesk.exe", "rustdesk.exe"]
    assert table[1]["process.pid"] == 77


@pytest.mark.parametrize(
    "head", [b"", b'{"Timestamp":"x"}', b"Timestamp,Message\n1,2\n", b'{"category":"SignInLogs"}']
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not m365_defender.SENSOR.sniff(head, "x")


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(STREAM)))
def test_broken_input_never_stops_and_never_vanishes(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in m365_defender.SENSOR.read(source))
    assert height + sum(unread.count for unread in source.unread) >= 1

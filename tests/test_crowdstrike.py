from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, Row, events, source_of

from sensors import crowdstrike, schema
from sensors.crowdstrike import fdr

FOLDER = SAMPLES / "crowdstrike"
FDR = (FOLDER / "fdr.ndjson").read_bytes()


def rows_of(name: str) -> list[Row]:
    source = source_of((FOLDER / name).read_bytes())
    rows = events(crowdstrike.SENSOR, source)
    assert source.unread == []
    return rows


def test_processes_and_connections_of_the_sensor() -> None:
    process, out, inward, query = rows_of("fdr.ndjson")[:4]
    wanted = {
        "event.action": "ProcessRollup2",
        "event.category": ["process"],
        "event.type": ["start"],
        "process.name": "AnyDesk.exe",
        "process.args": ["C:\\Users\\dean\\AnyDesk.exe", "--plain"],
        "process.pid": 4242,
        "process.entity_id": "100",
        "process.parent.name": "explorer.exe",
        "process.hash.sha256": "ab" * 32,
        "user.id": "S-1-5-21-1-2-3-1001",
        "observer.ip": ["203.0.113.5"],
        "host.os.type": "windows",
    }
    assert {name: process.get(name) for name in wanted} == wanted
    assert "process.hash.md5" not in process  # the sensor writes noughts where it has none
    assert (out["destination.ip"], out["network.direction"]) == ("198.51.100.77", "outbound")
    assert (inward["source.ip"], inward["destination.port"]) == ("198.51.100.9", 3389)
    assert (query["dns.question.name"], query["dns.question.type"]) == ("relay.example", "AAAA")


def test_logons_files_devices_and_names_of_tomorrow() -> None:
    good, bad, file, usb, odd, host = rows_of("fdr.ndjson")[4:10]
    assert (good["user.email"], good["source.user.name"], good["source.ip"]) == (
        "maya@corp.example",
        "maya",
        "198.51.100.77",
    )
    assert (bad["event.outcome"], bad["event.category"]) == ("failure", ["authentication"])
    assert (file["file.name"], file["file.size"], file["file.hash.sha256"]) == (
        "payroll.zip",
        1024,
        "cd" * 32,
    )
    assert usb["device.manufacturer"] == "ATEN"
    assert (odd["event.action"], odd["event.type"]) == ("NewEventOfTomorrow", ["info"])
    assert host["host.name"] == "ws-117"


def test_names_of_the_dictionary_mean_what_it_says() -> None:
    task, share, download, group, master = rows_of("fdr.ndjson")[10:]
    assert (task["event.category"], task["event.type"]) == (["configuration"], ["creation"])
    assert (task["source.ip"], task["event.outcome"]) == ("203.0.113.5", "success")  # where the machine is
    assert (share["destination.domain"], share["event.type"]) == (
        "files.corp.example",
        ["connection", "start"],
    )
    assert "dns.question.name" not in share
    assert download["url.full"] == "https://downloads.example/lfo/rules.bin"
    assert (group["event.category"], group["user.id"]) == (["configuration", "iam"], "501")
    assert group["observer.ip"] == group["related.ip"] == ["203.0.113.5", "203.0.113.6"]
    assert (master["host.geo.city_name"], master["host.os.version"]) == ("Springfield", "Windows 11")


def test_every_name_has_one_meaning() -> None:
    table = fdr.names()
    assert len(table["category"]) > 700
    assert all(part.keys() == table["category"].keys() for part in table.values())
    assert set(table["outcome"].values()) == {"", "success", "failure", "unknown"}


def test_what_falcon_said() -> None:
    start, end, login, audit, detection, wall, ticks, identity = rows_of("falcon.json")[:8]
    assert (start["event.type"], end["event.type"]) == (["start"], ["end"])
    assert end["session.id"] == start["session.id"]
    assert (login["event.outcome"], login["source.ip"], login["event.category"]) == (
        "failure",
        "203.0.113.5",
        ["authentication"],
    )
    assert audit["event.category"] == ["iam"]
    assert (detection["event.kind"], detection["event.action"]) == ("alert", "Prevention, process killed.")
    assert (wall["source.ip"], wall["event.type"]) == ("198.51.100.9", ["start", "connection", "denied"])
    assert ticks["event.created"].year == 2026
    assert (identity["user.domain"], identity["user.name"]) == ("CORP", "dean")


def test_rarer_events_of_falcon() -> None:
    roles, api, xdr, leak, cloud = rows_of("falcon.json")[8:]
    assert (roles["event.type"], roles["event.outcome"]) == (["user", "change"], "unknown")
    assert (api["event.category"], api["event.type"], api["event.outcome"]) == (
        ["api"],
        ["denied"],
        "failure",
    )
    assert (
        api["event.action"],
        api["source.ip"],
        api["http.response.status_code"],
        api["event.duration"],
    ) == (
        "DownloadSensor",
        "203.0.113.9",
        403,
        1_500_000,
    )
    assert (xdr["event.action"], xdr["related.user"]) == ("xdr-detection", ["dean", "maya"])
    assert xdr["related.ip"] == ["192.0.2.17", "198.51.100.9"]
    assert (xdr["@timestamp"] - xdr["event.start"]).total_seconds() == 0
    assert (leak["event.kind"], leak["event.category"], leak["event.outcome"]) == (
        "alert",
        ["malware"],
        "failure",
    )
    assert (leak["event.action"], leak["file.name"], leak["file.size"], leak["rule.name"]) == (
        "Payroll to a private cloud",
        "payroll.xlsx",
        20480,
        "Payroll",
    )
    assert (cloud["event.action"], cloud["event.provider"], cloud["source.ip"], cloud["cloud.provider"]) == (
        "ConsoleLogin",
        "signin.amazonaws.com",
        "203.0.113.5",
        "aws",
    )
    assert cloud["@timestamp"].second == 19


@pytest.mark.parametrize("head", [b"", b'{"aid":"x"}', b'{"metadata":{},"event":{}}', b'{"event":{"a":1}}'])
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not crowdstrike.SENSOR.sniff(head, "x.json")


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.deferred(lambda: broken(FDR)))
def test_broken_input_never_stops_and_never_vanishes(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in crowdstrike.SENSOR.read(source))
    assert height + sum(unread.count for unread in source.unread) >= 1


def test_a_large_file_of_one_of_the_two_is_read_whole() -> None:
    source = source_of(FDR * 1200)
    count = sum(frame.height for frame in crowdstrike.SENSOR.read(source))
    assert (count, source.unread) == (1200 * len(rows_of("fdr.ndjson")), [])

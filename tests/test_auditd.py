from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from text_sensors import SAMPLES, Row, broken_lines, events, source_of

from sensors import auditd
from sensors.reading import framing

SAMPLE = (SAMPLES / "auditd" / "audit.log").read_text("utf-8")


def rows_of(content: str) -> list[Row]:
    source = source_of(content)
    rows = events(auditd.SENSOR, source)
    assert source.unread == []
    return rows


def test_a_system_call_says_what_its_other_records_say() -> None:
    call, execve, folder, path, title = rows_of(SAMPLE)[3:8]
    wanted = {
        "process.args": ["anydesk", "--get-id", "--a b c"],
        "process.command_line": "anydesk --get-id --a b c",
        "process.working_directory": "/home/dean",
        "file.path": "/usr/bin/anydesk",
        "process.executable": "/usr/bin/anydesk",
        "process.pid": 4242,
        "user.name": "dean",
        "user.audit.name": "dean",
        "host.name": "lab-3",
        "event.type": ["start"],
        "auditd.log.syscall_name": "execve",
    }
    assert {name: call.get(name) for name in wanted} == wanted
    assert execve["process.args_count"] == 3
    assert folder["process.working_directory"] == "/home/dean"
    assert path["file.name"] == "anydesk"
    assert title["auditd.log.proctitle"] == "anydesk --get-id"


def test_batches_do_not_tear_an_audit_event_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows_of(SAMPLE)
    monkeypatch.setattr(framing, "CHUNK_BYTES", 300)
    assert rows_of(SAMPLE) == whole


def test_where_a_call_connected_to_and_who_was_accepted() -> None:
    rows = rows_of(SAMPLE)
    out = next(row for row in rows if row.get("auditd.log.syscall") == "42")
    accepted = next(row for row in rows if row.get("auditd.log.syscall") == "288")
    assert (out["destination.ip"], out["destination.port"]) == ("198.51.100.77", 7070)
    assert accepted["source.ip"].startswith("2001:0db8:")
    assert accepted["source.port"] == 50000


def test_people() -> None:
    rows = rows_of(SAMPLE)
    login, failed = rows[1:3]
    assert (login["user.id"], login["source.ip"], login["event.type"]) == ("1000", "198.51.100.77", ["start"])
    assert (failed["event.outcome"], failed["user.name"], failed["source.user.name"]) == (
        "failure",
        "dean",
        "dean",
    )
    added = next(row for row in rows if row["auditd.log.record_type"] == "ADD_USER")
    assert (added["event.category"], added["user.target.id"]) == (["iam"], "1004")
    changed = next(row for row in rows if row["auditd.log.record_type"] == "USER_CHAUTHTOK")
    assert changed["user.target.name"] == "maya"


def test_types_that_are_rare() -> None:
    command, start, control, denied, gone, group, sent, forbidden = rows_of(SAMPLE)[-8:]
    assert (command["user.id"], command["user.audit.id"]) == ("1001", "1000")
    assert command["process.args"] == ["cat", "/etc/shadow"]
    assert (start["user.effective.id"], start["source.ip"]) == ("1000", "198.51.100.7")
    assert (control["event.type"], control["container.name"]) == (["end"], "lab-vm")
    assert denied["event.action"] == "violated-apparmor-policy"
    assert (gone["event.action"], gone["event.category"], gone["event.type"]) == (
        "deleted",
        ["file"],
        ["deletion"],
    )
    assert (group["group.name"], group["event.category"]) == ("payroll", ["iam"])
    assert (sent["event.action"], sent["network.direction"]) == ("syscall", "egress")
    assert (forbidden["event.action"], forbidden["event.outcome"]) == (
        "attempted-execution-of-forbidden-program",
        "unknown",
    )


def test_a_type_of_tomorrow_keeps_its_header() -> None:
    (row,) = (row for row in rows_of(SAMPLE) if row["auditd.log.sequence"] == "60")
    assert (row["event.action"], row["auditd.log.sequence"]) == ("unknown[1420]", "60")


@pytest.mark.parametrize(
    "head", [b"", b"type=x", b"Oct  5 h audit[592]: USER_AUTH pid=1", b'{"type":"SYSCALL"}']
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not auditd.SENSOR.sniff(head, "audit.log")


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_lines_never_stop_and_never_vanish(data: st.DataObject) -> None:
    content = data.draw(broken_lines(SAMPLE.splitlines()))
    source = source_of(content)
    told = [row["log.file.line"] for row in events(auditd.SENSOR, source)]
    assert told == sorted(set(told))
    lines = content.encode().decode("utf-8", "replace").split("\n")
    filled = {number for number, line in enumerate(lines, 1) if line.removesuffix("\r")}
    assert filled <= set(told) | {entry.line for entry in source.unread}

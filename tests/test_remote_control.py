"""The logs of remote-control tools: who came in, from where, for how long."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from text_sensors import SAMPLES, Row, broken_lines, events, source_of

from sensors import anydesk, chrome_remote_desktop, guacamole, logmein, rustdesk, splashtop, teamviewer, xrdp
from sensors.remote_control import ToolLog

TOOLS = {
    sensor.name: sensor
    for sensor in (
        anydesk.SENSOR,
        chrome_remote_desktop.SENSOR,
        guacamole.SENSOR,
        logmein.SENSOR,
        rustdesk.SENSOR,
        splashtop.SENSOR,
        teamviewer.SENSOR,
        xrdp.SENSOR,
    )
}
FILES = [path for name in TOOLS for path in sorted((SAMPLES / name).iterdir())]
HOUR = 3_600_000_000_000


def rows_of(name: str, file: str) -> list[Row]:
    return events(TOOLS[name], source_of((SAMPLES / name / file).read_bytes()))


def acts(rows: list[Row]) -> list[str]:
    return [row["event.action"] for row in rows if row["event.action"] != "log"]


def session_end(rows: list[Row]) -> Row:
    return next(row for row in rows if row["event.type"] == ["end"] and "event.duration" in row)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_sample_is_claimed_by_its_tool_alone_and_read_wholly(path: Path) -> None:
    head = path.read_bytes()
    assert [name for name, tool in TOOLS.items() if tool.sniff(head, path.name)] == [path.parent.name]
    source = source_of(head)
    assert events(TOOLS[path.parent.name], source)
    assert source.unread == []


def test_an_anydesk_session_from_request_to_end() -> None:
    rows = rows_of("anydesk", "ad_svc.trace")
    end = session_end(rows)
    assert end["source.ip"] == "198.51.100.77"
    assert end["source.user.id"] == "442226597"
    assert end["source.user.name"] == "Oleg R"
    assert end["event.duration"] == HOUR * 5 // 2
    assert end["event.start"].isoformat() == "2026-10-05T13:03:43.112000+00:00"
    assert acts(rows).count("authentication-failed") == 1
    stopped = [row for row in rows if row["event.action"] == "session-end"][1]
    assert stopped["source.user.id"] == "977000123"
    assert "source.ip" not in stopped  # that of the session before is not this one's


def test_anydesk_connections_that_were_let_in_and_turned_away() -> None:
    rows = rows_of("anydesk", "connection_trace.txt")
    told = [(row["source.user.id"], row["anydesk.authentication"], row.get("event.outcome")) for row in rows]
    assert told == [
        ("442226597", "Token", "success"),
        ("977000123", "REJECTED", "failure"),
        ("551000777", "Passwd", "success"),
        ("551000778", "User", None),
    ]
    assert rows[0]["source.user.name"] == "Oleg R"


def test_an_anydesk_id_is_no_name() -> None:
    line = "Incoming    2024-05-16, 09:41    User                             1108841617    1108841617"
    (row,) = events(anydesk.SENSOR, line)
    assert row["source.user.id"] == "1108841617"
    assert "source.user.name" not in row


def test_teamviewer_connections_in_and_out() -> None:
    row = rows_of("teamviewer", "Connections_incoming.txt")[0]
    wanted = {
        "source.user.id": "514162531",
        "source.user.full_name": "Oleg Remote",
        "user.name": "dean.whitlock",
        "event.duration": 962_000_000_000,
        "teamviewer.connection_type": "RemoteControl",
        "event.category": ["session"],
    }
    assert {name: row.get(name) for name in wanted} == wanted
    assert row["event.start"] == row["@timestamp"]
    (out,) = rows_of("teamviewer", "Connections.txt")
    assert (out["event.action"], out["teamviewer.remote.id"]) == ("outgoing-connection", "600100200")


def test_a_teamviewer_session_in_its_log() -> None:
    rows = rows_of("teamviewer", "TeamViewer15_Logfile.log")
    assert acts(rows) == [
        "remote-address",
        "authentication-attempt",
        "authentication",
        "authentication",
        "participant-added",
        "file-transfer",
        "file-transfer",
        "session-end",
    ]
    assert [row.get("event.outcome") for row in rows if row["event.action"] == "authentication"] == [
        "failure",
        "success",
    ]
    end = session_end(rows)
    assert (end["source.ip"], end["source.port"], end["source.user.id"]) == (
        "198.51.100.77",
        55408,
        "514162531",
    )
    assert end["event.duration"] == 962_000_000_000


def test_rustdesk_tells_its_sessions_apart_and_its_zone() -> None:
    rows = rows_of("rustdesk", "rustdesk.log")
    end = session_end(rows)
    assert (end["source.ip"], end["source.port"]) == ("2001:db8::77", 41022)
    assert end["event.duration"] == HOUR * 2 // 3
    assert rows[0]["@timestamp"].isoformat() == "2026-10-05T13:03:10.960809+00:00"
    assert "rustdesk.remote.id" in rows[-1]


def test_chrome_remote_desktop_in_syslog() -> None:
    rows = rows_of("chrome_remote_desktop", "syslog")
    end = session_end(rows)
    assert (end["source.ip"], end["user.email"]) == ("198.51.100.77", "oleg.remote@mail.example")
    assert end["source.user.email"] == end["user.email"]
    assert end["event.duration"] == HOUR * 5 // 2
    assert "access-denied" in acts(rows)


def test_chrome_remote_desktop_without_an_address_or_of_an_older_host() -> None:
    head = "Oct  5 12:11:24 h chromoting[1]: Channel IP for client: oleg@mail.example/ftl_1 "
    (relayed,) = events(
        chrome_remote_desktop.SENSOR,
        head + "ip='unknown' host_ip='10.2.0.5:22' channel='' connection='relay'",
    )
    assert "source.address" not in relayed
    (older,) = events(
        chrome_remote_desktop.SENSOR, head + "ip='198.51.100.7:5' host_ip='10.2.0.5:22' channel='x'"
    )
    assert (older["source.ip"], older["event.action"]) == ("198.51.100.7", "channel-address")


def test_guacamole_logins_and_sessions() -> None:
    rows = rows_of("guacamole", "catalina.log")
    failed, login = [row for row in rows if row["event.action"] == "login"]
    assert (failed["event.outcome"], failed["user.name"], failed["source.ip"]) == (
        "failure",
        "dean",
        "198.51.100.77",
    )
    assert (login["event.outcome"], login["user.email"]) == ("success", "dean@corp.example")
    assert session_end(rows)["event.duration"] == HOUR
    assert session_end(rows_of("guacamole", "guacd.log"))["event.duration"] == HOUR


def test_a_clock_without_a_date_is_of_the_day_of_the_file() -> None:
    (row,) = events(
        guacamole.SENSOR,
        '12:57:32.907 [x] WARN  o.a.g.r.A - Authentication attempt from 192.0.2.9 for user "a" failed.',
    )
    assert row["@timestamp"].isoformat() == "2027-01-02T12:57:32.907000+00:00"
    assert row["molehunt.guess"] == ["time"]


def test_xrdp_sessions_and_failed_logins() -> None:
    rows = rows_of("xrdp", "xrdp-sesman.log")
    end = session_end(rows)
    assert (end["user.name"], end["source.ip"], end["source.port"]) == ("dean", "198.51.100.77", 63906)
    assert end["event.duration"] == HOUR * 3 // 2
    failed = next(row for row in rows if row.get("event.outcome") == "failure")
    assert (failed["user.name"], failed["source.ip"]) == ("dean", "198.51.100.77")


def test_a_name_made_to_look_like_a_log_line_is_a_name() -> None:
    said = "x ip=192.0.2.4 time=1 ] AUTHFAIL: user=root"
    (row,) = events(xrdp.SENSOR, f"[20261005-12:11:24] [INFO ] AUTHFAIL: user={said} ip=203.0.113.9 time=2")
    assert (row["source.ip"], row["user.name"]) == ("203.0.113.9", said)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_other_logs_are_not_claimed(tool: ToolLog) -> None:
    for head in (b"", b"Oct  5 12:11:24 h sshd[1]: Accepted password", b'{"a":1}', b"a\tb\tc\n", b"\n\n"):
        assert not tool.sniff(head, "x.log")


@pytest.mark.parametrize("name", TOOLS)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_lines_never_stop_and_never_vanish(name: str, data: st.DataObject) -> None:
    files = [path for path in FILES if path.parent.name == name and path.name != "connection_trace.txt"]
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    content = data.draw(broken_lines(lines))
    source = source_of(content)
    rows = events(TOOLS[name], source)
    told = [row["log.file.line"] for row in rows]
    assert told == sorted(set(told))
    named = {entry.line for entry in source.unread}
    text = content.encode().decode("utf-8", "replace").split("\n")
    filled = {number for number, line in enumerate(text, 1) if line.removesuffix("\r")}
    assert filled <= set(told) | named


def test_a_logmein_session_and_a_refused_one() -> None:
    rows = rows_of("logmein", "LogMeIn.log")
    assert acts(rows)[:4] == ["login", "file-transfer", "session-end", "login-failed"]
    assert acts(rows)[4:] == [
        "login-attempted",
        "login",
        "file-transfer-client",
        "file-transfer",
        "file-transfer",
        "session-end",
    ]
    assert rows[8]["file.path"] == r"C:\payroll.xlsx"
    assert (rows[10]["source.ip"], rows[10]["user.name"]) == ("198.51.100.77", "oleg")
    assert rows[10]["event.duration"] == HOUR // 2
    end = session_end(rows)
    assert (end["source.ip"], end["user.name"], end["user.domain"]) == ("203.0.113.9", "rosa", "CORP")
    assert end["event.duration"] == HOUR // 6
    assert (rows[4]["event.outcome"], rows[4]["source.ip"]) == ("failure", "203.0.113.77")


def test_splashtop_sessions_with_their_client_its_address_and_its_files() -> None:
    rows = rows_of("splashtop", "SPLog.txt")
    first, second = [row for row in rows if row["event.action"] == "session-end"]
    assert (first["source.ip"], first["source.domain"], first["source.user.full_name"]) == (
        "198.51.100.77",
        "DESKTOP-OLEG77",
        "Oleg Remote",
    )
    assert (first["event.duration"], second["event.duration"]) == (HOUR, HOUR // 4)
    assert (second["source.ip"], second["source.domain"]) == ("2001:db8::77", "laptop-kim")
    assert "source.user.full_name" not in second  # of the session before
    assert rows[0]["@timestamp"].isoformat() == "2026-10-05T08:59:12.104000+00:00"
    assert rows[0]["molehunt.guess"] == ["zone", "year"]
    moved = [row for row in rows if row["event.category"][0] == "file"]
    assert [row.get("file.name") or row["file.path"].rsplit("\\", 1)[-1] for row in moved] == [
        "NOTE.txt",
        "NOTE.txt",
        "payroll.xlsx",
        "tool.7z",
    ]


def test_splashtop_file_transfers() -> None:
    done, stopped = rows_of("splashtop", "FTCLog.txt")
    assert (done["user.email"], done["source.ip"], done["event.outcome"]) == (
        "oleg.remote@mail.example",
        "198.51.100.77",
        "success",
    )
    assert (stopped["user.name"], stopped["file.path"], stopped["splashtop.transfer"]) == (
        "Oleg Remote",
        r"C:\Users\dean.whitlock\Documents\pay roll.xlsx",
        "Download",
    )

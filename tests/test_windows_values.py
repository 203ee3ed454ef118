"""How texts of Windows events become values, and whether the tables hold together."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_windows import AUDIT, in_memory, read

from sensors import schema
from sensors.windows import processes, tables, values


def one(how: Callable[[pl.Expr], pl.Expr], text: str | None) -> object:
    return pl.DataFrame({"x": [text]}, schema={"x": pl.String}).select(how(pl.col("x"))).item()


def event(code: int, provider: str = AUDIT, channel: str = "Security", **data: str) -> dict[str, Any]:
    """The one event that such a record gives."""
    record = {
        "@timestamp": "2026-10-13T08:00:00Z",
        "winlog": {
            "event_id": code,
            "provider_name": provider,
            "channel": channel,
            "computer_name": "WS-1",
            "user": {"identifier": "S-1-5-18", "name": "SYSTEM", "domain": "NT AUTHORITY"},
            "event_data": data,
        },
    }
    (row,) = read(in_memory(json.dumps(record)))
    return row


# ---- values


@pytest.mark.parametrize(
    ("text", "address", "port", "host"),
    [
        ("10.0.0.5", "10.0.0.5", None, None),
        ("10.0.0.5:3389", "10.0.0.5", 3389, None),
        ("[10.0.0.5]:65464", "10.0.0.5", 65464, None),
        ("[fe80::1%5]:3389", "fe80::1", 3389, None),
        ("fe80::1%12", "fe80::1", None, None),
        ("::ffff:203.0.113.7", "203.0.113.7", None, None),
        (r"\\10.1.10.20", "10.1.10.20", None, None),
        ("::1", "::1", None, None),
        ("LOCAL", None, None, "LOCAL"),
        ("gw.corp.example:443", None, None, "gw.corp.example"),
        (r"\\files\share", None, None, "files"),
        ("build01/wsman?PSVersion=5.1", None, None, "build01"),
        ("300.1.1.1", None, None, "300.1.1.1"),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_addresses(text: str | None, address: str | None, port: int | None, host: str | None) -> None:
    assert one(values.address, text) == address
    assert one(values.port, text) == port
    if address is None:
        assert one(values.host, text) == host


@pytest.mark.parametrize(
    ("text", "person", "realm"),
    [
        (r"CORP\mreyes", "mreyes", "CORP"),
        ("mreyes@corp.example", "mreyes", "corp.example"),
        ("mreyes", "mreyes", None),
        (r"NT AUTHORITY\NETWORK SERVICE", "NETWORK SERVICE", "NT AUTHORITY"),
        (r"CORP\mreyes@corp.example", "mreyes", "CORP"),
        ("WS-1$", "WS-1$", None),
        ("-", None, None),
        ("", None, None),
    ],
)
def test_people(text: str, person: str | None, realm: str | None) -> None:
    assert one(values.person, text) == person
    assert one(values.realm, text) == realm


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0x1f8", 504),
        ("0X1F8", 504),
        ("712", 712),
        ("-1", -1),
        ("", None),
        ("0x", None),
        ("http", None),
        ("0xzz", None),
    ],
)
def test_numbers(text: str, number: int | None) -> None:
    assert one(values.number, text) == number


def test_names_in_distinguished_names() -> None:
    name = r"CN=Reyes\, Maria (EXT),OU=Staff,DC=corp,DC=example"
    assert one(values.rdn, name) == "Reyes, Maria (EXT)"
    assert one(values.domain_component, name) == "corp"
    assert one(values.rdn, "mreyes") == "mreyes"
    assert one(values.rdn, "-") is None


def test_guids_of_different_tools_agree() -> None:
    for text in ("{6F1D2C30-93A2-68EC-4D01-000000001200}", "6f1d2c30-93a2-68ec-4d01-000000001200"):
        assert one(values.guid, text) == "{6f1d2c30-93a2-68ec-4d01-000000001200}"
    assert one(values.guid, "{00000000-0000-0000-0000-000000000000}") is None


def test_durations() -> None:
    assert one(values.seconds, "3471") == 3471 * 10**9
    assert one(values.clock, "01:00:07") == 3607 * 10**9
    assert one(values.clock, "7") is None


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-10-13T08:00:00.1234567Z", datetime(2026, 10, 13, 8, 0, 0, 123456, UTC)),
        ("2026-10-13 08:00:00.123", datetime(2026, 10, 13, 8, 0, 0, 123000, UTC)),
        ("2026-10-13T08:00:00Z", datetime(2026, 10, 13, 8, tzinfo=UTC)),
        ("2026-10-13T08:00:00+02:00", datetime(2026, 10, 13, 6, tzinfo=UTC)),
        ("2026-10-13T08:00:00.5-0330", datetime(2026, 10, 13, 11, 30, 0, 500000, UTC)),
        ("2026-10-13 08:00:00 UTC", datetime(2026, 10, 13, 8, tzinfo=UTC)),
        ("2026-13-13T08:00:00Z", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_times(text: str, when: datetime | None) -> None:
    # Beside a time of another form, so that none hides behind the first one that fits.
    column = pl.Series("t", ["2020-01-01T00:00:00Z", text, None, "2020-01-01 00:00:00"])
    first = datetime(2020, 1, 1, tzinfo=UTC)
    assert values.times(column).to_list() == [first, when, None, first]


# ---- command lines


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ('"abc" d e', ["abc", "d", "e"]),
        (r'a\\b d"e f"g h', [r"a\\b", "de fg", "h"]),
        (r"a\\\"b c d", [r"a\"b", "c", "d"]),
        (r'a\\\\"b c" d e', [r"a\\b c", "d", "e"]),
        ('a"b"" c d', ['ab" c d']),
        (r'"C:\Program Files\x.exe" --dir="C:\a b\" -v', ["C:\\Program Files\\x.exe", '--dir=C:\\a b" -v']),
        ("  x \t y  ", ["x", "y"]),
        ('x "" y', ["x", "", "y"]),
        ('x "unclosed and more', ["x", "unclosed and more"]),
        ("", []),
    ],
)
def test_command_lines_part_as_the_c_runtime_parts_them(line: str, arguments: list[str]) -> None:
    assert processes.split(line) == arguments
    assert processes.arguments(pl.Series([line, None])).to_list() == [arguments, None]


@given(st.lists(st.text(alphabet='ab "\\\t', max_size=12), min_size=1, max_size=5))
def test_the_fast_way_and_the_exact_way_agree(lines: list[str]) -> None:
    assert processes.arguments(pl.Series(lines, dtype=pl.String)).to_list() == [
        processes.split(line) for line in lines
    ]


# ---- tables


def test_every_field_of_the_tables_is_in_the_schema_and_every_way_is_known() -> None:
    for rule in tables.tables().rules:
        for field, (how, data) in rule.fields.items():
            assert schema.dtype(field) is not None
            assert how in values.HOW
            assert all(data)


def test_every_group_has_a_provider_and_a_meaning_or_a_rule() -> None:
    known = tables.tables()
    with_meaning = {key // tables.SPAN for key in known.events["key"]} | set(known.defaults["group"])
    with_rule = {rule.group for rule in known.rules}
    for name, number in known.groups.items():
        assert number in with_meaning | with_rule, name


def test_categories_and_types_are_those_of_ecs() -> None:
    # https://www.elastic.co/docs/reference/ecs/ecs-category-field-values-reference
    categories = {
        "api", "authentication", "configuration", "database", "driver", "email", "file", "host", "iam",
        "intrusion_detection", "library", "malware", "network", "package", "process", "registry", "session",
        "threat", "vulnerability", "web",
    }  # fmt: skip
    types = {
        "access", "admin", "allowed", "change", "connection", "creation", "deletion", "denied", "end",
        "error", "group", "indicator", "info", "installation", "protocol", "start", "user",
    }  # fmt: skip
    known = tables.tables()
    for frame in (known.events, known.defaults):
        assert set(frame["category"].explode().drop_nulls()) <= categories
        assert set(frame["type"].explode().drop_nulls()) <= types
        assert set(frame["outcome"].drop_nulls()) <= {"success", "failure"}


# ---- meanings


def test_the_user_of_a_failed_logon_is_never_mixed_with_who_asked_for_it() -> None:
    subject = {"SubjectUserSid": "S-1-5-18", "SubjectUserName": "WS-1$", "SubjectDomainName": "CORP"}
    row = event(4625, TargetUserSid="S-1-0-0", TargetUserName="ana@corp.example", **subject)
    assert row["user.name"] == "ana"
    assert "user.domain" not in row
    assert "user.id" not in row


def test_the_account_that_keeps_a_log_is_not_the_user_of_its_events() -> None:
    provider = "Microsoft-Windows-TerminalServices-LocalSessionManager"
    row = event(
        21, provider, f"{provider}/Operational", User=r"CORP\ana", Address="203.0.113.7", SessionID="2"
    )
    assert (row["user.name"], row["user.domain"], row["source.ip"]) == ("ana", "CORP", "203.0.113.7")
    assert "user.id" not in row
    assert row["event.dataset"] == "windows.terminalservices"
    silent = event(100, "Somebody", "Application")
    assert (silent["user.name"], silent["user.id"]) == ("SYSTEM", "S-1-5-18")


def test_a_local_session_has_no_remote_address() -> None:
    provider = "Microsoft-Windows-TerminalServices-LocalSessionManager"
    assert "source.ip" not in event(21, provider, f"{provider}/Operational", User="ana", Address="LOCAL")


@pytest.mark.parametrize(
    ("kind", "name"),
    [("2", "Interactive"), ("3", "Network"), ("10", "RemoteInteractive"), ("13", "CachedUnlock")],
)
def test_logon_types_have_names(kind: str, name: str) -> None:
    row = event(4624, TargetUserName="ana", LogonType=kind)
    assert row["winlog.logon.type"] == name
    assert row["winlog.event_data.LogonType"] == kind


@pytest.mark.parametrize(
    ("keywords", "outcome"),
    [
        ("0x8020000000000000", "success"),
        ("0x8010000000000000", "failure"),
        ("0x4020000000000000", "success"),
        ("0x80000000000000", None),
        ("0x0", None),
    ],
)
def test_audited_outcomes(keywords: str, outcome: str | None) -> None:
    record = {
        "winlog": {
            "event_id": "1",
            "provider_name": "Somebody",
            "time_created": "2026-10-13T08:00:00Z",
            "keywords": keywords,
        }
    }
    (row,) = read(in_memory(json.dumps(record)))
    assert row.get("event.outcome") == outcome


def test_an_unknown_event_is_described_by_its_own_words() -> None:
    row = event(777, "Contoso Agent", "Contoso/Operational", Answer="42", User=r"CORP\ana")
    assert row["event.code"] == "777"
    assert row["event.provider"] == "Contoso Agent"
    assert row["event.dataset"] == "windows.forwarded"
    assert row["winlog.event_data.Answer"] == "42"
    assert (row["user.name"], row["user.domain"]) == ("ana", "CORP")
    assert "event.category" not in row


def test_firewall_events_are_connections() -> None:
    row = event(
        5156,
        Application=r"\device\harddiskvolume2\tools\x.exe",
        Direction="%%14593",
        SourceAddress="10.0.0.5",
        SourcePort="50000",
        DestAddress="198.51.100.1",
        DestPort="443",
        Protocol="6",
        ProcessID="712",
    )
    assert row["network.transport"] == "tcp"
    assert row["network.direction"] == "outbound"
    assert (row["destination.ip"], row["destination.port"]) == ("198.51.100.1", 443)
    assert (row["process.name"], row["process.pid"]) == ("x.exe", 712)


def test_dns_answers_are_taken_apart() -> None:
    row = event(
        22,
        "Microsoft-Windows-Sysmon",
        "Microsoft-Windows-Sysmon/Operational",
        QueryName="www.corp.example",
        QueryStatus="0",
        QueryResults="::ffff:192.0.2.1;type:  5 cdn.example;type: 99 odd.example;2001:db8::1;;junk;",
    )
    assert row["dns.answers.data"] == ["cdn.example", "odd.example", "192.0.2.1", "2001:db8::1"]
    assert row["dns.answers.type"] == ["CNAME", "99", "A", "AAAA"]
    assert row["dns.resolved_ip"] == ["192.0.2.1", "2001:db8::1"]
    assert row["related.hosts"] == ["www.corp.example", "cdn.example", "odd.example"]
    assert row["dns.response_code"] == "NOERROR"


@pytest.mark.parametrize(
    ("code", "provider", "channel", "datum"),
    [
        (22, "Microsoft-Windows-Sysmon", "Microsoft-Windows-Sysmon/Operational", "QueryName"),
        (
            3008,
            "Microsoft-Windows-DNS-Client",
            "Microsoft-Windows-DNS Client Events/Operational",
            "QueryName",
        ),
        (256, "Microsoft-Windows-DNSServer", "Microsoft-Windows-DNSServer/Analytical", "QNAME"),
    ],
)
def test_a_name_asked_for_with_the_dot_of_the_root_is_that_name(
    code: int, provider: str, channel: str, datum: str
) -> None:
    assert (
        event(code, provider, channel, **{datum: "www.corp.example."})["dns.question.name"]
        == "www.corp.example"
    )
    assert event(code, provider, channel, **{datum: "."})["dns.question.name"] == "."


@pytest.mark.parametrize(
    ("details", "data", "kind"),
    [
        ("DWORD (0x00000001)", "1", "SZ_DWORD"),
        ("QWORD (0x00000001-0x00000002)", "4294967298", "SZ_QWORD"),
        ("Binary Data", "Binary Data", "REG_BINARY"),
        (r"C:\tools\x.exe", r"C:\tools\x.exe", "REG_SZ"),
    ],
)
def test_registry_values(details: str, data: str, kind: str) -> None:
    row = event(
        13,
        "Microsoft-Windows-Sysmon",
        "Microsoft-Windows-Sysmon/Operational",
        TargetObject=r"HKU\S-1-5-21-1\Software\Run\x",
        Details=details,
    )
    assert (row["registry.data.strings"], row["registry.data.type"]) == (data, kind)
    assert (row["registry.hive"], row["registry.value"]) == ("HKU", "x")
    assert row["registry.key"] == r"S-1-5-21-1\Software\Run\x"


@pytest.mark.parametrize(
    ("device", "maker", "model", "serial"),
    [
        (r"USBSTOR\Disk&Ven_JetFlash&Prod_T64&Rev_1\A1B2&0", "JetFlash", "Ven_JetFlash&Prod_T64", "A1B2"),
        (r"USB\VID_0557&PID_2419\NV39C0017", None, "VID_0557&PID_2419", "NV39C0017"),
        (r"USB\VID_1D6B&PID_0104&MI_00\6&549A665&0&0000", None, "VID_1D6B&PID_0104", None),
        (r"SWD\PRINTENUM\{32FB2173}", None, None, None),
    ],
)  # fmt: skip
def test_devices(device: str, maker: str | None, model: str | None, serial: str | None) -> None:
    row = event(6416, DeviceId=device, DeviceDescription="thing", ClassName="USB")
    assert row["device.id"] == device
    assert row.get("device.manufacturer") == maker
    assert row.get("device.model.identifier") == model
    assert row.get("device.serial_number") == serial


def test_data_without_names_leave_the_named_ones_of_other_events_alone() -> None:
    head = (
        '{"Event":{"System":{"Provider":{"#attributes":{"Name":"X"}},"EventID":1,"Channel":"X","TimeCreated":'
    )
    head += '{"#attributes":{"SystemTime":"2026-01-02T03:04:05Z"}}},"EventData":'
    named, unnamed = '{"param1":"a","param2":"b"}', '{"Data":{"#text":["c","d"]}}'
    rows = read(in_memory("\n".join(f"{head}{data}}}}}" for data in (named, unnamed, named))))
    found = [(row["winlog.event_data.param1"], row["winlog.event_data.param2"]) for row in rows]
    assert found == [("a", "b"), ("c", "d"), ("a", "b")]

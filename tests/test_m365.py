from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, claimants, events, frame_of, times

from sensors import m365, schema

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "m365"
API = SAMPLES / "audit.json"
SEARCH = SAMPLES / "search.csv"


@pytest.mark.parametrize("path", [API, SEARCH])
def test_the_samples_are_claimed_by_this_sensor_alone(path: Path) -> None:
    assert claimants(path.read_bytes(), path.name) == ["m365"]


def test_who_did_what_from_where(source: MakeSource) -> None:
    made = source(API.read_bytes())
    rows = events(m365.SENSOR, made)
    assert made.unread == []
    dean, maya, rosa = (f"{name}@corp.example" for name in ("dean.whitlock", "maya.lindqvist", "rosa.admin"))
    assert frame_of(rows, "event.action", "event.code", "user.email", "source.ip", "event.outcome") == [
        ("UserLoggedIn", "AzureActiveDirectoryStsLogon", dean, "203.0.113.77", "success"),
        ("UserLoginFailed", "AzureActiveDirectoryStsLogon", dean, "203.0.113.77", "failure"),
        ("FileDownloaded", "SharePointFileOperation", dean, "203.0.113.77", "success"),
        ("FileSyncDownloadedFull", "SharePointFileOperation", dean, "203.0.113.77", "success"),
        ("AnonymousLinkCreated", "SharePointSharingOperation", dean, "203.0.113.77", "success"),
        ("New-InboxRule", "ExchangeAdmin", dean, "2001:db8:77::5", "success"),
        ("Set-Mailbox", "ExchangeAdmin", dean, "203.0.113.77", "success"),
        ("MailItemsAccessed", "ExchangeItemAggregated", maya, "198.51.100.23", "success"),
        ("Create", "ExchangeItem", None, "::1", "success"),
        ("Reset user password.", "AzureActiveDirectory", rosa, "198.51.100.40", "success"),
        ("MemberAdded", "MicrosoftTeams", rosa, None, "success"),
        ("DLPRuleMatch", "ComplianceDLPSharePoint", None, None, "failure"),
    ]
    assert times(rows)[0] == "2026-10-06T01:20:02"  # CreationTime is UTC without saying so
    assert [row["log.file.line"] for row in rows] == list(range(2, 14))


def test_a_download_in_full(source: MakeSource) -> None:
    row = events(m365.SENSOR, source(API.read_bytes()))[3]
    url = "https://corpexample.sharepoint.com/sites/payroll/Shared Documents/2026/contracts.zip"
    wanted = {
        "event.dataset": "o365.audit",
        "event.provider": "SharePoint",
        "event.category": ["web", "file"],
        "event.type": ["info", "access"],
        "user.name": "dean.whitlock",
        "user.domain": "corp.example",
        "source.port": 51544,
        "file.name": "contracts.zip",
        "file.extension": "zip",
        "file.directory": "Shared Documents/2026",
        "file.size": 99_812_040,
        "file.path": url,
        "url.original": url,
        "url.domain": "corpexample.sharepoint.com",
        "session.id": "00310003",
        "o365.audit.SiteUrl": "https://corpexample.sharepoint.com/sites/payroll/",
        "o365.audit.IsManagedDevice": "false",
        "organization.id": "7e57ab1e-3333-4d0a-9c55-000000000000",
    }
    assert {name: row.get(name) for name in wanted} == wanted


def test_rules_that_forward_mail(source: MakeSource) -> None:
    rows = events(m365.SENSOR, source(API.read_bytes()))
    rule, mailbox = rows[5], rows[6]
    assert rule["o365.audit.Parameters.ForwardTo"] == "collector@mail.example"
    assert rule["o365.audit.Parameters.DeleteMessage"] == "True"
    assert (rule["source.port"], rule["network.type"]) == (33412, "ipv6")
    assert (rule["server.domain"], rule["server.ip"]) == ("BYAPR01MB0001", "192.0.2.225")
    assert mailbox["o365.audit.Parameters.ForwardingSmtpAddress"] == "smtp:collector@mail.example"


def test_logons_have_browser_and_device(source: MakeSource) -> None:
    row = events(m365.SENSOR, source(API.read_bytes()))[0]
    assert row["user_agent.original"].startswith("Mozilla/5.0 (Windows NT 10.0")
    assert row["device.id"] == "d3v1ce00-2222-4d0a-9c55-000000000009"
    assert row["o365.audit.DeviceProperties.DisplayName"] == "DESKTOP-7Q2LM0"
    assert row["event.category"] == ["web", "authentication"]


def test_a_service_in_a_mailbox_is_not_its_owner(source: MakeSource) -> None:
    row = events(m365.SENSOR, source(API.read_bytes()))[8]
    assert row["user.id"] == "S-1-5-18"
    assert "user.email" not in row
    assert row["user.target.email"] == "projects@corp.example"


def test_acts_on_others_name_them(source: MakeSource) -> None:
    rows = events(m365.SENSOR, source(API.read_bytes()))
    assert rows[4]["user.target.email"] == "drop.box@mail.example"
    assert rows[9]["user.target.name"] == "dean.whitlock"
    assert rows[10]["related.user"] == ["rosa.admin", "dean.whitlock", "dean.whitlock@corp.example"]
    assert rows[10]["group.name"] == "Build engineers"
    assert (rows[11]["event.kind"], rows[11]["rule.name"], rows[11]["event.severity"]) == (
        "alert",
        "High volume",
        4,
    )


@pytest.mark.parametrize(
    ("written", "ip", "port", "domain"),
    [
        ("192.0.2.1", "192.0.2.1", None, None),
        ("192.0.2.1:80", "192.0.2.1", 80, None),
        ("[2001:db8::1]:443", "2001:db8::1", 443, None),
        ("2001:db8::1", "2001:db8::1", None, None),
        ("[::ffff:192.0.2.1]:9", "192.0.2.1", 9, None),
        ("[HOST1 (192.0.2.1)]", "192.0.2.1", None, "HOST1"),
        ("HOST1 (192.0.2.1)", "192.0.2.1", None, "HOST1"),
        ("client.corp.example", None, None, "client.corp.example"),
        ("<null>", None, None, "<null>"),
        ("", None, None, None),
    ],
)
def test_addresses_in_every_spelling(
    source: MakeSource, written: str, ip: str | None, port: int | None, domain: str | None
) -> None:
    record = {
        "CreationTime": "2026-10-06T01:00:00",
        "RecordType": 6,
        "Operation": "FileAccessed",
        "ClientIP": written,
    }
    (row,) = events(m365.SENSOR, source(json.dumps(record)))
    assert (row.get("source.ip"), row.get("source.port"), row.get("client.domain")) == (ip, port, domain)


def test_the_csv_of_the_audit_search(source: MakeSource) -> None:
    made = source(SEARCH.read_bytes(), "search.csv")
    rows = events(m365.SENSOR, made)
    assert made.unread == []
    assert frame_of(rows, "event.action", "file.name", "log.file.line") == [
        ("FilePreviewed", 'plan "final", v2.docx', 2),
        ("FileDownloaded", 'plan "final", v2.docx', 3),
        ("UserLoggedIn", None, 4),
    ]
    assert SEARCH.read_bytes()[rows[1]["log.offset"] :].startswith(b"m3650000-0000-4000-8000-000000000022,")


def test_the_csv_with_broken_rows(source: MakeSource) -> None:
    lines = SEARCH.read_text("utf-8-sig").splitlines()
    made = source("\r\n".join([lines[0], "junk,row", lines[1], lines[2][:200]]), "search.csv")
    assert len(events(m365.SENSOR, made)) == 1
    assert [unread.line for unread in made.unread] == [2, 4]


@pytest.mark.parametrize("as_text", ["as text", "as object"])
def test_records_inside_audit_data(source: MakeSource, as_text: str) -> None:
    record = json.loads(API.read_text())[2]
    inner = json.dumps(record) if as_text == "as text" else record
    outer = {"RecordType": "SharePointFileOperation", "Operations": "FileDownloaded", "AuditData": inner}
    made = source(json.dumps([outer, outer], indent=1))
    assert claimants(made.head, made.name) == ["m365"]
    rows = events(m365.SENSOR, made)
    assert frame_of(rows, "event.action", "file.name") == [("FileDownloaded", "salaries.xlsx")] * 2


def test_what_a_shipper_wraps_is_read(source: MakeSource) -> None:
    record = json.loads(API.read_text())[2]
    made = source(json.dumps({"o365audit": record}))
    assert claimants(made.head, made.name) == ["m365"]
    assert events(m365.SENSOR, made)[0]["event.action"] == "FileDownloaded"


def test_what_is_no_audit_record_is_named(source: MakeSource) -> None:
    record = json.dumps(json.loads(API.read_text())[2])
    made = source("\n".join([record, '{"contentUri":"https://manage.office.com/x"}', record[:-5], record]))
    assert len(events(m365.SENSOR, made)) == 2
    assert sorted(unread.line or 0 for unread in made.unread) == [2, 3]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b'{"CreationTime":"2026-01-01","Operation":"x"}',
        b"time,user,AuditTrail\n1,2,3\n",
        b'{"Operation":"x","Workload":"Exchange"}',
    ],
)
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not m365.SENSOR.sniff(head, "audit.json")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.sampled_from([API, SEARCH]).flatmap(lambda path: broken(path.read_bytes())))
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, content: bytes) -> None:
    made = source(content)
    height = sum(schema.conform(frame).height for frame in m365.SENSOR.read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1


def test_settings_and_suspensions(source: MakeSource) -> None:
    head = '{"CreationTime":"2026-10-05T09:00:00","OrganizationId":"b86ab9d4","UserType":0,'
    setting = (
        f'{head}"Operation":"ComplianceSettingChanged","RecordType":14,"Workload":"SharePoint",'
        '"UserId":"a@b.example"}'
    )
    suspended = (
        f'{head}"Operation":"UserSuspension","RecordType":22,"Workload":"Yammer","UserId":"a@b.example"}}'
    )
    changed, iam = events(m365.SENSOR, source(f"{setting}\n{suspended}\n".encode()))
    assert (changed["event.category"], changed["event.type"]) == (
        ["web", "configuration"],
        ["info", "change"],
    )
    assert iam["event.category"] == ["web", "iam"]

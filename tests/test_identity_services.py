"""The audit logs of identity services and vaults, all JSON records of one kind a product."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of, times

from sensors import (
    auth0,
    gcp_audit,
    hashicorp_vault,
    jumpcloud,
    lastpass,
    onelogin,
    onepassword,
    ping_one,
    schema,
    teleport,
)
from sensors.sensor import claims
from sensors.shapes.audit_records import AuditRecords

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SENSORS: dict[str, AuditRecords] = {
    "auth0/tenant.ndjson": auth0.SENSOR,
    "onepassword/events.ndjson": onepassword.SENSOR,
    "jumpcloud/insights.ndjson": jumpcloud.SENSOR,
    "onelogin/events.ndjson": onelogin.SENSOR,
    "ping_one/audit.ndjson": ping_one.SENSOR,
    "lastpass/report.ndjson": lastpass.SENSOR,
    "gcp_audit/audit.ndjson": gcp_audit.SENSOR,
    "hashicorp_vault/audit.ndjson": hashicorp_vault.SENSOR,
    "teleport/audit.ndjson": teleport.SENSOR,
}
Rows = list[dict[str, Any]]


def of(name: str, source: MakeSource) -> Rows:
    made = source((SAMPLES / name).read_bytes(), Path(name).name)
    rows = events(SENSORS[name], made)
    assert made.unread == []
    assert [row["log.file.line"] for row in rows] == list(range(1, len(rows) + 1))
    return rows


def has(row: dict[str, Any], **wanted: object) -> None:
    """That a row has these values; `__` in a name stands for a dot."""
    named = {name.replace("__", "."): value for name, value in wanted.items()}
    assert {name: row.get(name) for name in named} == named


@pytest.mark.parametrize("name", SENSORS)
def test_a_sample_is_claimed_by_its_sensor_alone(name: str) -> None:
    path = SAMPLES / name
    assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == [SENSORS[name].name]


@pytest.mark.parametrize("name", SENSORS)
def test_what_is_no_record_is_named(name: str, source: MakeSource) -> None:
    first = (SAMPLES / name).read_text().splitlines()[0]
    made = source(f'{first}\n{{"errorCode":"x"}}\n{first[:60]}')
    assert len(events(SENSORS[name], made)) == 1
    assert sorted(unread.line or 0 for unread in made.unread) == [2, 3]


@settings(deadline=None, max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", SENSORS)
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(
    name: str, source: MakeSource, data: st.DataObject
) -> None:
    made = source(data.draw(broken((SAMPLES / name).read_bytes())))
    height = sum(schema.conform(frame).height for frame in SENSORS[name].read(made))
    assert height + sum(unread.count for unread in made.unread) >= 1


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.parametrize("name", SENSORS)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_odd_values_never_stop_sniffing(name: str, data: st.DataObject) -> None:
    record = json.loads((SAMPLES / name).read_text().splitlines()[0])
    for key in record:
        if data.draw(st.booleans()):
            record[key] = data.draw(_ODD)
    assert SENSORS[name].sniff(json.dumps(record).encode(), "x.json") in (True, False)


def test_auth0(source: MakeSource) -> None:
    rows = of("auth0/tenant.ndjson", source)
    assert frame_of(rows, "event.action", "event.outcome", "event.type") == [
        ("successful-login", "success", ["info", "start"]),
        ("incorrect-password", "failure", ["info"]),
        ("success-exchange-auth-code-for-access-token", "success", ["info", "protocol", "access"]),
        ("success-mgmt-api-op", "success", ["info", "access", "change"]),
        ("mfa-authentication-succeeded", "success", ["info"]),
        ("ten-failed-logins-ip-address-blocked", "unknown", ["indicator", "info"]),
        ("user-logout-successful", "success", ["info", "end"]),
        ("unknown-a_code_to_come", "unknown", ["info"]),
        ("success-signup", "success", ["info"]),
    ]
    has(rows[0], user__name="dean.whitlock@corp.example", source__ip="203.0.113.77", session__id="s1")
    has(rows[1], log__level="error", event__reason="Wrong email or password.")
    has(rows[3], user__name="rosa@corp.example", url__path="/api/v2/clients", http__request__method="post")
    has(rows[6], source__geo__city_name="Los Angeles", source__geo__location__lat=34.05)
    assert "a_code_to_come" in rows[7]["event.original"]
    has(rows[8], network__type="ipv6", user__id="auth0|3")
    assert times(rows)[0] == "2026-10-05T15:01:00"


def test_onepassword(source: MakeSource) -> None:
    rows = of("onepassword/events.ndjson", source)
    assert frame_of(rows, "event.dataset", "event.action", "event.outcome") == [
        ("1password.signin_attempts", "success", "success"),
        ("1password.signin_attempts", "mfa_failed", "failure"),
        ("1password.item_usages", "reveal", None),
        ("1password.audit_events", "suspend", None),
        ("1password.audit_events", "join", None),
    ]
    has(rows[4], related__user=["U2", "U1"])
    has(
        rows[0],
        user__full_name="Dean Whitlock",
        host__os__name="Windows",
        source__geo__city_name="Los Angeles",
    )
    has(rows[2], onepassword__item_uuid="I1", event__category=["file"], source__ip="203.0.113.77")
    has(rows[3], user__name="Rosa Admin", user__target__id="U1", source__ip="2001:db8::5", device__id="D1")


def test_jumpcloud(source: MakeSource) -> None:
    rows = of("jumpcloud/insights.ndjson", source)
    assert frame_of(rows, "event.action", "event.category", "event.outcome", "user.name") == [
        ("user_login_attempt", ["authentication"], "success", "dean.whitlock"),
        ("sso_auth", ["authentication"], "success", "dean.whitlock"),
        ("radius_auth_attempt", ["authentication"], "failure", "dean.whitlock"),
        ("login_attempt", ["authentication"], "success", "dean"),
        ("user_create", ["iam"], "unknown", "rosa@corp.example"),
        ("something_new", None, "unknown", "dean.whitlock"),
        ("user_unlocked", ["iam"], "unknown", "dean.other"),
    ]
    has(rows[6], source__user__name="dean.whitlock", source__ip="198.51.100.7", client__ip="203.0.113.77")
    has(rows[0], user_agent__name="Chrome", source__geo__country_iso_code="US")
    has(rows[1], service__name="Payroll")
    has(rows[3], host__hostname="DESKTOP-7Q2LM0", process__name="sshd", source__ip="203.0.113.77")
    has(rows[4], user__target__name="maya", event__type=["user", "creation"])
    assert "something_new" in rows[5]["event.original"]


def test_onelogin(source: MakeSource) -> None:
    rows = of("onelogin/events.ndjson", source)
    assert frame_of(rows, "event.action", "event.outcome", "user.name", "user.target.name") == [
        ("user-logged-into-onelogin", "success", "Dean Whitlock", None),
        ("user-failed-onelogin-login", "failure", "Dean Whitlock", None),
        ("user-logged-into-app", "success", "Dean Whitlock", None),
        ("user-removed-otp-device", None, "Dean Whitlock", None),
        ("user-assumed-user", None, "Rosa Admin", "Dean Whitlock"),
        ("privilege-granted-to-user", None, "Rosa Admin", "Dean Whitlock"),
        ("user-deleted", None, "Rosa Admin", "Dean Whitlock"),
        (None, None, "Dean Whitlock", None),
    ]
    has(rows[0], event__risk_score=62.0, source__ip="203.0.113.77", user__id="1")
    has(rows[7], event__code="9999")
    assert "9999" in rows[7]["event.original"]


def test_ping_one(source: MakeSource) -> None:
    rows = of("ping_one/audit.ndjson", source)
    assert frame_of(rows, "event.action", "event.type", "event.outcome") == [
        ("user.created", ["creation", "user"], "success"),
        ("user.access_allowed", ["user", "info", "access"], "success"),
        ("password.check_failed", ["info"], "failure"),
        ("group.deleted", ["deletion", "group"], "success"),
        ("mfa_settings.updated", ["change"], "success"),
        ("flow.started", ["start"], "success"),
        ("novel.thing", ["info"], "success"),
    ]
    has(rows[0], user__email="rosa@corp.example", user__target__name="dean.whitlock@corp.example")
    has(rows[0], client__user__id="adminui", url__domain="api.pingone.example")
    assert rows[2]["event.category"] == ["iam", "authentication"]


def test_lastpass_writes_the_time_of_its_east_coast(source: MakeSource) -> None:
    rows = of("lastpass/report.ndjson", source)
    assert times(rows)[0] == "2026-10-05T15:01:12"
    assert frame_of(rows, "event.action", "event.type", "event.outcome")[:4] == [
        ("log in", ["start"], "success"),
        ("failed login attempt", ["start"], "failure"),
        ("make admin", ["admin"], "success"),
        ("adding user to group", ["group", "creation"], "success"),
    ]
    has(rows[3], user__target__email="maya@corp.example", group__name="Finance")
    has(rows[4], group__name="Finance", event__category=["iam"])
    has(rows[5], user__target__email="maya@corp.example", user__email="dean.whitlock@corp.example")
    assert rows[8]["event.type"] == ["info"]
    has(rows[9], event__kind="state", event__dataset="lastpass.user", user__full_name="Maya Lindqvist")


def test_gcp_audit(source: MakeSource) -> None:
    rows = of("gcp_audit/audit.ndjson", source)
    assert frame_of(rows, "event.outcome", "event.category", "event.type") == [
        ("success", ["network", "configuration", "file"], ["access", "allowed"]),
        ("success", ["network", "configuration", "iam"], ["access", "allowed"]),
        ("failure", ["network", "configuration", "iam"], ["access", "denied"]),
        ("success", ["session", "network", "configuration"], ["start", "access", "allowed"]),
        ("success", ["session", "network", "configuration"], ["end", "access", "allowed"]),
        ("unknown", None, None),
    ]
    has(rows[0], file__name="salaries.csv", user__name="dean.whitlock", event__provider="data_access")
    has(rows[2], event__reason="PERMISSION_DENIED", source__ip="203.0.113.77", cloud__project__id="corp")


def test_hashicorp_vault(source: MakeSource) -> None:
    rows = of("hashicorp_vault/audit.ndjson", source)
    assert frame_of(rows, "event.action", "event.outcome", "hashicorp_vault.audit.type") == [
        ("read", "success", "request"),
        ("read", "success", "response"),
        ("update", "success", "request"),
        ("delete", "failure", "response"),
    ]
    has(rows[0], user__email="dean.whitlock@corp.example", source__ip="203.0.113.77", source__port=51234)
    has(rows[0], hashicorp_vault__audit__request__path="secret/data/payroll")


def test_teleport(source: MakeSource) -> None:
    rows = of("teleport/audit.ndjson", source)
    assert frame_of(rows, "event.action", "event.category", "event.type") == [
        ("user.login", ["authentication"], ["start"]),
        ("user.login", ["authentication"], ["start"]),
        ("session.start", ["session"], ["start"]),
        ("session.command", ["session"], ["info"]),
        ("sftp", ["file", "network"], None),
        ("session.data", ["session"], ["info"]),
        ("session.network", ["session"], ["info"]),
        ("session.end", ["session"], ["end"]),
        ("db.session.query", ["database"], ["info"]),
        ("windows.desktop.session.start", ["host", "session"], ["start"]),
        ("desktop.clipboard.receive", ["host", "file"], ["change"]),
        ("access_request.create", ["session", "iam"], ["creation"]),
        ("cert.create", ["configuration", "iam"], ["creation"]),
        ("user.create", ["iam"], ["creation", "user"]),
        ("a.new.event", None, None),
        ("kube.request", ["process", "host"], ["info"]),
        ("desktop.clipboard.send", ["host", "file"], ["change"]),
        ("session.command", ["session"], ["info"]),
        ("cert.create", ["configuration", "iam"], ["creation"]),
    ]
    assert frame_of(rows[:2], "event.outcome", "event.reason") == [
        ("success", None),
        ("failure", "invalid password"),
    ]
    has(rows[2], source__ip="203.0.113.77", source__port=50339, server__ip="198.51.100.4", server__port=3022)
    has(rows[2], host__hostname="build-1", process__user__name="ubuntu", network__protocol="ssh")
    has(rows[4], file__name="payroll.xlsx", server__ip="2001:db8::", server__port=3022)
    has(rows[5], client__ip="2001:db8::5", client__port=46992, source__bytes=4730, destination__bytes=3974)
    has(rows[6], source__ip="198.51.100.4", destination__ip="192.0.2.9", destination__port=443)
    has(
        rows[15],
        server__ip="198.51.100.7",
        destination__ip="192.0.2.30",
        url__path="/api/v1/namespaces/pay/pods",
    )
    has(rows[15], http__request__method="GET", http__response__status_code=200)
    has(rows[16], client__bytes=512, server__ip="192.0.2.40", server__bytes=None)
    has(rows[17], process__executable="/usr/bin/tar", process__parent__pid=12)
    has(rows[17], process__args=["-czf", "/tmp/p.tgz", "/srv"])  # noqa: S108 - a sample's path
    has(rows[18], related__user=["dean.whitlock@corp.example", "bot-ci", "root", "ubuntu"])
    assert (rows[7]["event.end"] - rows[7]["event.start"]).total_seconds() == 300
    has(rows[8], service__name="pg", url__port=5432, related__hosts=["db.corp.example"])
    has(rows[9], server__user__name="Administrator", server__ip="198.51.100.9")
    has(rows[10], server__bytes=512)
    has(rows[12], client__ip="203.0.113.77")
    has(rows[13], user__target__name="contractor7")
    assert "a.new.event" in rows[14]["event.original"]


def test_lastpass_names_who_acted_without_an_address_too(source: MakeSource) -> None:
    said = (
        '{"Time":"2026-10-05 11:05:00","Username":"API","IP_Address":"203.0.113.7",'
        '"Action":"Employee Account Created","Data":"maya@corp.example,dean@corp.example"}'
    )
    (row,) = events(lastpass.SENSOR, source(said))
    assert sorted(row["related.user"]) == ["API", "dean@corp.example", "maya@corp.example"]
    assert (row["event.type"], row["user.target.email"]) == (["creation"], "maya@corp.example")

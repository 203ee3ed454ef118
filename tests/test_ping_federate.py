"""PingFederate: audit.log and admin.log, and broken lines."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from text_sensors import SAMPLES, Row, broken_lines, events, golden, sample_lines, source_of

from sensors.ping_federate import SENSOR

LINES = sample_lines("ping_federate")


def rows(name: str) -> list[Row]:
    return events(SENSOR, source_of((SAMPLES / "ping_federate" / name).read_bytes()))


def test_samples_are_claimed_and_give_the_golden_events() -> None:
    for path in (SAMPLES / "ping_federate").iterdir():
        assert SENSOR.sniff(path.read_bytes(), path.name)
    golden(SENSOR, "ping_federate")


def test_who_signed_in_to_what_from_where() -> None:
    failed, attempt, session, sso = rows("audit.log")[:4]
    assert (failed["event.outcome"], failed["event.reason"]) == ("failure", "Invalid credentials")
    assert (attempt["event.outcome"], attempt["source.ip"]) == ("success", "203.0.113.44")
    assert (session["event.category"], session["event.type"]) == (["session"], ["start"])
    wanted = {
        "user.email": "mreyes@corp.example",
        "source.user.name": "mreyes",
        "url.domain": "crm.corp.example",
        "ping_federate.audit.connection_id": "sp:crm:saml2",
        "event.duration": 412_000_000,
        "event.action": "sso",
    }
    assert {name: sso.get(name) for name in wanted} == wanted


def test_a_transactions_id_and_more_fields_shift_nothing() -> None:
    grant, used = rows("audit.log")[4:6]
    assert (grant["event.action"], grant["transaction.id"], grant["user.name"]) == (
        "oauth",
        "9f3c77aa01",
        "oleg",
    )
    assert (used["source.ip"], used["event.outcome"]) == ("2001:db8::5", "success")


def test_what_administrators_did() -> None:
    told = [
        (
            row["event.action"],
            row.get("event.outcome"),
            row["ping_federate.admin.component"],
            row.get("event.id"),
        )
        for row in rows("admin.log")
    ]
    assert told == [
        ("login_attempt", "success", "USER", None),
        ("login_attempt", "failure", "USER", None),
        ("modify", None, "SP_CONNECTION", "4f3a"),
        ("create", None, "USER", "4f3b"),
        ("role_change", None, "USER", None),
        ("session_timeout", None, "USER", None),
    ]
    assert rows("admin.log")[0]["user.roles"] == ["CryptoAdmin", "UserAdmin"]


def test_other_logs_are_not_claimed() -> None:
    for head in (b"", b"2026-10-05 08:00:00,100 INFO [x] a | b | c", b"a|b|c|d|e|f|g|h\n", b'{"a":1}'):
        assert not SENSOR.sniff(head, "audit.log")


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_broken_lines_never_stop_and_never_vanish(data: st.DataObject) -> None:
    source = source_of(content := data.draw(broken_lines(LINES)))
    told = [row["log.file.line"] for row in events(SENSOR, source)]
    assert told == sorted(set(told))
    text = content.encode().decode("utf-8", "replace").split("\n")
    filled = {number for number, line in enumerate(text, 1) if line.removesuffix("\r")}
    assert filled <= set(told) | {entry.line for entry in source.unread}

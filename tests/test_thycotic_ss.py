"""Secret Server: its kinds of events by name, who did what to which secret, hostile lines."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors.sensor import claims
from sensors.thycotic_ss import SENSOR, tables

LINES = sample_lines("thycotic_ss")


def one(name: str, keys: str = "suser=ann") -> Row:
    (row,) = events(SENSOR, f"CEF:0|Thycotic Software|Secret Server|11.6|7|{name}|2|{keys}")
    return row


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "thycotic_ss")


def test_samples_are_claimed_by_this_sensor_alone() -> None:
    for path in (SAMPLES / "thycotic_ss").iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == ["thycotic_ss"], path


def test_every_kind_of_the_table_is_told_by_its_name() -> None:
    for kind in tables()["kinds"]:
        for name in kind["names"]:
            row = one("System Log" if name == "system - log" else name.upper())
            assert (row["event.category"], row["event.type"]) == (kind["category"], kind["type"]), name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("SECRET - VIEW", ("secret", "view")),
        ("SECRET - SESSION RECORDING VIEW", ("secret", "session recording view")),
        ("USER \u2013 LOCKOUT", ("user", "lockout")),
        ("System Log", ("system", "log")),
        ("Heartbeat", (None, "heartbeat")),
    ],
)
def test_names_are_a_provider_and_an_action(name: str, wanted: tuple[str | None, str]) -> None:
    row = one(name)
    assert (row.get("event.provider"), row["event.action"]) == wanted


@pytest.mark.parametrize(
    ("said", "name", "domain"),
    [
        (r"CORP\rosa", "rosa", "CORP"),
        (r"CORP\\ann", "ann", "CORP"),
        ("ann@corp.example", "ann", "corp.example"),
        (r"SITE\nora@corp.example", "nora", "corp.example"),
        ("ann", "ann", None),
    ],
)
def test_people_have_their_domains(said: str, name: str, domain: str | None) -> None:
    row = one("USER - LOGIN", f"suser={said}")
    assert (row["user.name"], row.get("user.domain")) == (name, domain)
    assert row["related.user"] == [name]


def test_what_is_done_to_oneself_has_no_second_person() -> None:
    row = one("USER - PASSWORDCHANGE", "suid=4 suser=ann duid=4 duser=ann")
    assert "thycotic_ss.event.user.name" not in row
    other = one("USER - DISABLE", "suid=4 suser=ann duid=5 duser=bob")
    assert (other["thycotic_ss.event.user.id"], other["user.target.name"]) == ("5", "bob")
    assert other["related.user"] == ["ann", "bob"]


def test_a_line_of_another_form_is_named_as_unread() -> None:
    source = source_of(LINES[0] + "\nnonsense\n" + LINES[1])
    assert [row["log.file.line"] for row in events(SENSOR, source)] == [1, 3]
    assert [entry.line for entry in source.unread] == [2]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)

"""CEF and LEEF: samples, keys and values as vendors write them, hostile lines."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, Row, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors import cyberark_pta
from sensors.cef import SENSOR
from sensors.sensor import claims

LINES = sample_lines("cef")
HEAD = "CEF:0|Acme|Gate|1|x|Name|5|"


def row(line: str) -> Row:
    (only,) = events(SENSOR, line)
    return only


def has(got: Row, **wanted: object) -> None:
    named = {name.replace("_", "."): value for name, value in wanted.items()}
    assert {name: got.get(name) for name in named} == named


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "cef")


@pytest.mark.parametrize("folder", ["cef", "cyberark_pta"])
def test_samples_are_claimed_by_one_sensor_alone(folder: str) -> None:
    for path in (SAMPLES / folder).iterdir():
        assert [sensor.name for sensor in claims(path.read_bytes(), path.name)] == [folder], path


def test_values_have_blanks_and_escapes() -> None:
    got = row(HEAD + r"msg=a \= b, c\\d\|e\nf  suser=x y fname=Q3 (1).pdf request=http://a.example/?p=1&q=2 ")
    assert got["message"] == "a = b, c\\d|e\nf"
    assert got["source.user.name"] == "x y"
    assert got["file.name"] == "Q3 (1).pdf"
    assert got["url.original"] == "http://a.example/?p=1&q=2"


def test_values_in_quotes_are_bare() -> None:
    got = row(HEAD + 'act="Logon now" suser="" fname="a" b')
    assert (got["event.action"], got["file.name"]) == ("Logon now", '"a" b')
    assert "source.user.name" not in got


def test_an_empty_value_is_none_and_the_first_of_two_counts() -> None:
    got = row(HEAD + "act= src=192.0.2.1 spt=1 spt=2")
    assert "event.action" not in got
    assert got["source.port"] == 1


def test_keys_that_are_called_as_our_own_columns() -> None:
    got = row(HEAD + "severity=9 name=n host=h text=t version=2 extension=e leef=l partial=p rest=r")
    has(got, event_severity=5, message="Name")
    assert got["cef.extensions.severity"] == "9"
    assert got["cef.extensions.text"] == "t"


@pytest.mark.parametrize(
    ("word", "number"),
    [("Low", 0), ("medium", 4), ("High", 7), ("Very-High", 9), ("10", 10), ("Unknown", None), ("", None)],
)
def test_severity_in_words_and_numbers(word: str, number: int | None) -> None:
    assert row(f"CEF:0|Acme|Gate|1|x|Name|{word}|src=192.0.2.1").get("event.severity") == number


@pytest.mark.parametrize(
    "stamp",
    [
        "1791208930000",
        "1791208930",
        "Oct 05 2026 14:02:10",
        "Oct 5 2026 10:02:10.000 EDT",
        "2026-10-05T14:02:10Z",
        "2026-10-05T16:02:10.000+02:00",
        "2026/10/05 14:02:10",
    ],
)
def test_times_of_every_form(stamp: str) -> None:
    assert row(f"{HEAD}rt={stamp}")["@timestamp"].isoformat() == "2026-10-05T14:02:10+00:00"


def test_without_any_time_the_event_before_gives_it() -> None:
    rows = events(SENSOR, f"{HEAD}rt=1791208930000\n{HEAD}src=192.0.2.1")
    assert rows[1]["@timestamp"] == rows[0]["@timestamp"]
    assert "time" in rows[1]["molehunt.guess"]


def test_labels_say_what_custom_fields_are() -> None:
    got = row(
        HEAD
        + "c6a2=2001:db8::1 c6a2Label=Source IPv6 Address cs1=r7 cs1Label=RuleID cs3=odd cs3Label=Odd thing"
    )
    has(got, source_ip="2001:db8::1", rule_id="r7")
    assert got["cef.extensions.deviceCustomString3"] == "odd"
    assert got["cef.extensions.deviceCustomString3Label"] == "Odd thing"


def test_a_name_where_an_address_belongs_is_a_name() -> None:
    got = row(HEAD + "src=gate.example dst=0.0.0.0")
    assert "source.ip" not in got
    assert got["source.domain"] == "gate.example"
    assert "destination.ip" not in got


@pytest.mark.parametrize(
    "line",
    [
        "LEEF:1.0|Acme|P|1|e|src=192.0.2.1\tusrName=ann lee\tdstPort=53",
        "LEEF:1.0|Acme|P|1|e|src=192.0.2.1#011usrName=ann lee#011dstPort=53",
        "LEEF:1.0|Acme|P|1|e|src=192.0.2.1|usrName=ann lee|dstPort=53",
        "LEEF:1.0|Acme|P|1|e|src=192.0.2.1 usrName=ann lee dstPort=53",
        "LEEF:2.0|Acme|P|1|e|^|src=192.0.2.1^usrName=ann lee^dstPort=53",
        "LEEF:2.0|Acme|P|1|e|x5E|src=192.0.2.1^usrName=ann lee^dstPort=53",
        "LEEF:2.0|Acme|P|1|e|0x09|src=192.0.2.1\tusrName=ann lee\tdstPort=53",
        "LEEF:2.0|Acme|P|1|e||src=192.0.2.1\tusrName=ann lee\tdstPort=53",
        "LEEF:2.0|Acme|P|1|e|src=192.0.2.1\tusrName=ann lee\tdstPort=53",
    ],
)
def test_every_separator_of_leef(line: str) -> None:
    got = row(line)
    assert (got["source.ip"], got["user.name"], got["destination.port"]) == ("192.0.2.1", "ann lee", 53)


def test_keys_by_their_full_names_are_the_same() -> None:
    assert row(HEAD + "sourceAddress=192.0.2.1 destinationPort=53")["source.ip"] == "192.0.2.1"


def test_a_thousand_unknown_keys_are_kept_in_the_line() -> None:
    line = HEAD + " ".join(f"k{n}=v{n}" for n in range(1000))
    got = row(line)
    assert sum(name.startswith("cef.extensions.k") for name in got) == 200
    assert got["event.original"] == line


def test_a_line_of_another_form_is_named_as_unread() -> None:
    source = source_of(LINES[0] + "\nnonsense\nCEF:0|too|short\n" + LINES[1])
    assert [got["log.file.line"] for got in events(SENSOR, source)] == [1, 4]
    assert [entry.line for entry in source.unread] == [2, 3]


@pytest.mark.parametrize("head", [b"", b"CEF:0|x", b"CEF is a format\nCEF:0|a|b|", b"\x00CEF:0|", b"{}\n"])
def test_other_files_are_not_claimed(head: bytes) -> None:
    assert not SENSOR.sniff(head, "x.log")


def test_alerts_of_pta_in_both_formats() -> None:
    rows = events(cyberark_pta.SENSOR, source_of((SAMPLES / "cyberark_pta" / "alerts.log").read_bytes()))
    assert [got["event.id"][-2:] for got in rows] == ["1e", "1f", "20"]
    assert [got["@timestamp"].isoformat() for got in rows] == [
        "2026-10-05T09:00:00+00:00", "2026-10-05T09:05:00+00:00", "2026-10-05T09:10:00+00:00"
    ]  # fmt: skip
    has(rows[0], event_kind="alert", event_reason="Suspected credentials theft", destination_ip="192.0.2.2")
    assert rows[1]["source.user.name"] == "rosa.admin(Vault user)"
    assert "destination.domain" not in rows[1]
    assert "event.url" not in rows[1]
    has(rows[2], source_ip="198.51.100.77", event_severity=6)
    assert rows[2]["event.reference"].endswith("52b06814")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(sample_lines("cyberark_pta")))
def test_broken_alerts_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(cyberark_pta.SENSOR, content)


def test_netscaler_says_the_year_of_its_header_in_a_field() -> None:
    line = (
        "Jun 13 00:21:28 <local0.info> 192.0.2.144 CEF:0|Citrix|NetScaler|NS11.0|APPFW|APPFW_STARTURL|6|"
        "src=198.51.100.1 spt=761 method=GET request=http://a.example/x.php?p=1 cs5=2025 act=blocked"
    )
    got = row(line)
    assert got["@timestamp"].isoformat() == "2025-06-13T00:21:28+00:00"
    assert (got["url.domain"], got["url.query"], got["http.request.method"]) == ("a.example", "p=1", "GET")
    assert got["log.syslog.hostname"] == "192.0.2.144"
    assert got["molehunt.guess"] == ["zone"]

"""Mapping files: what they read, what they refuse, and the page that teaches them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hunted import REPO, SAMPLES, hunt, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from test_rules_readme import FENCE, is_shown, steps, typed
from text_sensors import events, source_of

from sensors.mapped import MappingError, mapped
from sensors.reading import delimited

FOLDER = SAMPLES / "mapped"
GATE = (FOLDER / "acme_gate.yaml", (FOLDER / "acme_gate.csv").read_bytes())
BEACON = (FOLDER / "beacon.yaml", (FOLDER / "beacon.ndjson").read_bytes())


def test_sessions_out_of_csv() -> None:
    source = source_of(GATE[1])
    rows = events(mapped(GATE[0]), source)
    assert [(row["log.file.line"], row.get("event.action"), row["event.outcome"]) for row in rows] == [
        (2, "connected", "success"),
        (3, "connected", "failure"),
        (5, "connected", "success"),
        (6, "disconnected", "success"),
        (7, "disconnected", "success"),
        (9, None, "success"),
    ]
    assert rows[1]["event.reason"] == "second factor missing,\nasked again"
    assert rows[2]["source.nat.ip"] == "2001:db8::14"
    assert rows[3]["event.duration"] == 31_431_000_000_000
    assert rows[3]["event.category"] == ["session"]
    assert rows[4]["destination.bytes"] == 1200
    assert rows[3]["related.ip"] == ["203.0.113.20", "10.8.0.14"]
    assert [row["@timestamp"].isoformat() for row in (rows[0], rows[-1])] == [
        "2026-10-05T06:01:12+00:00",
        "2026-10-25T00:30:00+00:00",  # the hour that comes twice: its first coming
    ]
    (lost,) = source.unread
    assert (lost.line, lost.sample[:16]) == (8, "yesterday,CORP\\n")


@pytest.mark.parametrize(
    "wrapping",
    [
        "{}",
        "[{}]",
        '{{"items": [{}]}}',
        '{{"data": {{"items": [{}]}}}}',
        '{{"cursor": "a", "has_more": true, "items": [{}]}}',
        '{{"_embedded": {{"activities": [{}]}}, "_links": {{"next": 1}}}}',
        '{{"alerts": [{}], "nextPageToken": "x"}}',
    ],
)
def test_json_in_any_wrapping(wrapping: str) -> None:
    records = BEACON[1].decode().splitlines()
    text = "\n".join(records) if wrapping == "{}" else wrapping.format(",".join(records))
    sensor = mapped(BEACON[0])
    assert sensor.sniff(text.encode(), "x.json")
    rows = events(sensor, source_of(text))
    assert [row["@timestamp"].isoformat() for row in rows] == [
        "2026-10-05T08:01:12+00:00",
        "2026-10-05T08:02:00+00:00",
    ]
    assert [row["user.email"] for row in rows] == ["rosa.admin@corp.example"] * 2
    assert [row["event.outcome"] for row in rows] == ["success", "failure"]
    assert rows[0]["event.type"] == ["user", "creation"]
    assert rows[0]["event.action"] == "user_invite"


@pytest.mark.parametrize(("one", "other"), [(GATE, BEACON), (BEACON, GATE)])
def test_a_mapping_claims_its_own_alone(one: tuple[Path, bytes], other: tuple[Path, bytes]) -> None:
    sensor = mapped(one[0])
    assert sensor.sniff(one[1], "x")
    assert not sensor.sniff(other[1], "x")
    assert not sensor.sniff(b"", "x")
    assert not sensor.sniff(b"\x00\xff\xfe", "x")


def edited(tmp_path: Path, old: str, new: str, path: Path = GATE[0]) -> Path:
    text = path.read_text("utf-8")
    assert old in text
    place = tmp_path / "edited.yaml"
    place.write_text(text.replace(old, new, 1), "utf-8")
    return place


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: acme_gate", "name: Acme Gate", "small letters"),
        ("format: csv", "format: xml", "json or csv"),
        ("format: csv", "format: csv\ndelimiter: ', '", "one character"),
        ("format: csv", "format: json\ndelimiter: comma", "for csv alone"),
        ("claims:\n  has: [When, Login, Client, Action]\n", "", "which records are of this format"),
        ("  from: When\n", "", "which field the time comes"),
        ("zone: Europe/Berlin", "zone: Mars/Base", "no time zone"),
        ("source.ip: Client", "source.pi: Client", "did you mean 'source.ip'"),
        ("source.ip: Client", "source.ip: {from: Client, regexp: x}", "unknown key 'regexp'"),
        ("source.ip: Client", "source.ip: {value: a, from: b}", "either `from:` or `value:`"),
        ("source.ip: Client", "source.ip: {from: Client, match: '('}", "no regular expression"),
        ("source.ip: Client", "source.ip: {from: Client, match: 'a'}", "needs a group"),
        (
            "source.ip: Client",
            "source.ip: {from: Client, match: '(?<=a)(b)'}",
            "regular expression that can run",
        ),
        ("source.ip: Client", "source.ip: {from: Client, split: ','}", "is for lists"),
        ("event.category: [session]", "event.category: [sesion]", "'sesion' is no event.category of ECS"),
        ("failure}, else: unknown", "failed}, else: unknown", "'failed' is no event.outcome"),
        ("format: csv", "format: csv\nheader: [a, b, a]", "a name twice"),
        ("times: 1000000000", "times: many", "must be a number"),
        ("events:\n", "events: 5\nfield:\n", "unknown key 'field'; did you mean 'fields'"),
        ("name: acme_gate", "name: [", "while parsing"),
    ],
)
def test_what_is_said_of_a_mapping_that_cannot_be_used(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(MappingError, match=r"edited\.yaml") as error:
        mapped(path)
    assert said in str(error.value)
    failed = run("events", FOLDER / "acme_gate.csv", "--mapping", path)
    assert failed.exit_code == 1
    assert said in failed.stderr


def test_a_header_of_ones_own_and_another_delimiter(tmp_path: Path) -> None:
    path = edited(
        tmp_path,
        "format: csv",
        "format: csv\ndelimiter: semicolon\n"
        "header: [When, Login, Client, Lent address, Lent IPv6, Action, Result, Seconds, Sent, Received, T]",
    )
    rows = list(csv.reader(io.StringIO(GATE[1].decode())))[1:]
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\n").writerows(rows)
    sensor = mapped(path)
    assert sensor.sniff(out.getvalue().encode(), "x.csv")
    assert len(events(sensor, source_of(out.getvalue()))) == 6
    assert not sensor.sniff(GATE[1], "x.csv")


def test_names_of_mappings_are_their_own(tmp_path: Path) -> None:
    one = edited(tmp_path, "name: acme_gate", "name: okta")
    shown = run("events", FOLDER / "acme_gate.csv", "--mapping", one)
    assert (shown.exit_code, "okta' is a sensor of molehunt's own already" in shown.stderr) == (1, True)
    twice = tmp_path / "twice.yaml"
    twice.write_bytes(GATE[0].read_bytes())
    shown = run("events", FOLDER / "acme_gate.csv", "--mapping", GATE[0], "--mapping", twice)
    assert (shown.exit_code, "choose another name" in shown.stderr) == (1, True)
    assert run("events", FOLDER / "acme_gate.csv", "--mapping", GATE[0], "--mapping", GATE[0]).exit_code == 3


def test_paths_through_arrays_and_numbers_with_a_comma(tmp_path: Path) -> None:
    path = tmp_path / "remote.yaml"
    path.write_text(
        "name: remote_tool\nformat: json\nclaims: {has: [peers, when]}\ntime: {from: when}\n"
        "fields:\n  source.ip: peers.addr\n  destination.ip: peers.1.addr\n  user.name: peers.0.user.name\n"
        "  source.bytes: {from: sent, decimal: comma}\n  destination.bytes: got\n"
        "  network.bytes: {from: all, times: 1000, decimal: comma}\n",
        "utf-8",
    )
    peers = [{"addr": "198.51.100.2", "user": {"name": "ann"}}, {"addr": "203.0.113.5"}]
    records = [
        {"when": 1791187272000, "peers": peers, "sent": "1.234.101", "got": "12.500", "all": "1.234,5"},
        {"when": 1791187273000, "peers": peers[:1], "sent": "12.500", "got": "1,234", "all": "7"},
        {"when": 1791187274000, "peers": "none", "sent": "x", "got": "12.0"},
    ]
    rows = events(mapped(path), source_of("\n".join(json.dumps(record) for record in records)))
    names = ("source.ip", "destination.ip", "user.name", "source.bytes", "destination.bytes", "network.bytes")
    assert [tuple(row.get(name) for name in names) for row in rows] == [
        ("198.51.100.2", "203.0.113.5", "ann", 1_234_101, None, 1_234_500),
        ("198.51.100.2", None, "ann", 12_500, 1_234, 7_000),
        (None, None, None, None, 12, None),
    ]


def test_awkward_values(tmp_path: Path) -> None:
    path = tmp_path / "awkward.yaml"
    path.write_text(
        "name: awkward\nformat: json\nclaims: {has: [actor, when]}\ntime: {from: when}\n"
        "fields:\n  source.ip: ips\n  user.name: {from: actor.name, values: {'-': null}}\n"
        "  source.bytes: sent\n  user.email: actor.mial\n",
        "utf-8",
    )
    records = [
        {
            "when": 1791187272000,
            "actor": {"name": "ann"},
            "ips": ["198.51.100.2", "10.0.0.9"],
            "sent": "1,234",
        },
        {"when": 1791187273000, "actor": {"name": "-"}, "ips": "n/a"},
        {"when": 1791187274000, "actor": {"name": "bob"}, "ips": []},
        {"when": 1791187275000, "ips": "198.51.100.3"},
    ]
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"meta": {"page": 1}, "data": {"items": records}}), "utf-8")
    source = source_of(log.read_text("utf-8"))
    sensor = mapped(path)
    rows = events(sensor, source)
    assert [(row.get("source.ip"), row.get("user.name")) for row in rows] == [
        ("198.51.100.2", "ann"), (None, None), (None, "bob"),
    ]  # fmt: skip
    assert rows[0]["source.bytes"] == 1234
    assert [lost.reason for lost in source.unread] == ["not a record that awkward.yaml claims"]
    assert sensor.sniff(log.read_bytes(), "x")  # as most of its records are of this format
    assert not sensor.sniff(json.dumps(records[2:]).encode(), "x")
    log.write_text(json.dumps(records[:3]), "utf-8")
    assert "in none   user.email" in run("events", log, "--explain", "--mapping", path).stdout


def test_files_put_together_repeat_their_header() -> None:
    source = source_of(GATE[1] + GATE[1])
    assert len(events(mapped(GATE[0]), source)) == 12
    assert len(source.unread) == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_broken_input_is_read_or_named(data: st.DataObject) -> None:
    path, content = data.draw(st.sampled_from([GATE, BEACON]))
    damaged = data.draw(broken(content))
    source = source_of(damaged)
    rows = events(mapped(path), source)
    if path is BEACON[0] and b"{" in damaged and not rows:
        assert source.unread


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff", exclude_categories=["Cs"]))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(FIELDS, FIELDS, FIELDS), min_size=1, max_size=8))
def test_delimited_text_is_what_the_standard_library_reads(rows: list[tuple[str, str, str]]) -> None:
    kept = [tuple(" ".join(field.splitlines()) if "\r" in field else field for field in row) for row in rows]
    kept = [
        tuple("".join(c for c in field if c not in "\v\f\x1c\x1d\x1e\x85\u2028\u2029") for field in row)
        for row in kept
    ]
    kept = [row for row in kept if any(field.strip() for field in row) and not any("\n\n" in f for f in row)]
    kept = [tuple("\n".join(part for part in f.split("\n") if part.strip()) for f in row) for row in kept]
    kept = [row for row in kept if any(row)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(kept)
    source = source_of(out.getvalue())
    names = ["a", "b", "c"]
    found = [
        row
        for frame in delimited.records(source)
        for row in delimited.table(frame, names, ",", source).select(names).rows()
    ]
    assert source.unread == []
    assert [tuple(field or "" for field in row) for row in found] == kept


def test_what_is_no_delimited_text_is_named_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a,b\n1,2\n1,2,3\n4\n5,6\n"
    source = source_of(text)
    (frame,) = delimited.records(source)
    table = delimited.table(frame, ["a", "b"], ",", source)
    assert table.select("log.file.line", "a", "b").rows() == [
        (1, "a", "b"), (2, "1", "2"), (4, "4", None), (5, "5", "6"),
    ]  # fmt: skip
    assert [(lost.line, lost.sample) for lost in source.unread] == [(3, "1,2,3")]
    monkeypatch.setattr(delimited, "_LONGEST", 30)
    source = source_of('a,b\n1,"2\n' + "3,4\n" * 20 + "5,6\n")
    frames = list(delimited.records(source))
    assert pl.concat(frames).height == 22
    assert [(lost.line, lost.sample) for lost in source.unread] == [(2, '1,"2')]


def test_a_hunt_reads_it_and_a_changed_mapping_reads_anew(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "gate.csv").write_bytes(GATE[1])
    (logs / "gate.yaml").write_bytes(GATE[0].read_bytes())
    first = hunt(tmp_path / "out", logs, "--no-bundled-rules", "--mapping", logs / "gate.yaml", status=3)
    assert first.report["events"] == 6
    assert [lost["line"] for lost in first.unread] == [8]
    changed = (logs / "gate.yaml").read_text("utf-8").replace("Europe/Berlin", "UTC")
    (logs / "gate.yaml").write_text(changed, "utf-8")
    hunt(tmp_path / "out", logs, "--no-bundled-rules", "--mapping", logs / "gate.yaml", status=3)
    shown = run("events", logs / "gate.csv", "--mapping", logs / "gate.yaml")
    assert json.loads(shown.stdout.splitlines()[0])["@timestamp"] == "2026-10-05T08:01:12.000000Z"


def test_the_page_that_teaches_it_shows_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (REPO / "sensors" / "mapped" / "README.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    blocks = dict(FENCE.findall(page))
    (tmp_path / "gate.csv").write_text(blocks["csv"], "utf-8")
    (tmp_path / "gate.yaml").write_text(blocks["yaml"], "utf-8")
    ran = list(steps(blocks["console"]))
    assert len(ran) == 3
    for command, shown in ran:
        real = typed(command, tmp_path)
        assert is_shown(shown, real), f"$ {command}\n" + "\n".join(real)


def test_the_formats_are_listed() -> None:
    shown = run("sensors")
    assert shown.exit_code == 0
    found = json.loads(run("sensors", "--json").stdout)
    assert {"okta", "cisco_asa", "windows", "zeek"} <= set(found)
    assert all(found.values())
    assert all(name in shown.stdout for name in found)


def test_how_well_files_are_understood(tmp_path: Path) -> None:
    strange = tmp_path / "notes.txt"
    strange.write_text("nothing that anyone reads\n", "utf-8")
    asked = ("events", "--explain", FOLDER / "acme_gate.csv", strange, "--mapping", GATE[0])
    shown = run(*asked)
    assert shown.exit_code == 3
    assert "read by   acme_gate: " in shown.stdout
    assert "6, 85.71 % of 7 records, 2026-10-05 06:01:12 to 2026-10-25 00:30:00 UTC" in shown.stdout
    assert "line 8: no time in When that can be read (begins 'yesterday," in shown.stdout
    assert "event.duration 2" in shown.stdout
    assert "read by   no sensor" in shown.stdout
    first, second = map(json.loads, run(*asked, "--json").stdout.splitlines())
    assert (first["sensor"], first["events"], first["unread"]) == ("acme_gate", 6, 1)
    assert first["fields"]["user.name"] == 6
    assert (second["sensor"], second["unread"]) == ("", 1)
    alone = run("events", "--explain", FOLDER / "beacon.ndjson", "--mapping", BEACON[0])
    assert alone.exit_code == 0

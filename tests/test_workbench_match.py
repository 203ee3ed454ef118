"""`molehunt rules match`: rules against JSON lines as they are."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_cases import TRUTH

from analysis.sigma import RulePack
from analysis.sigma.explain import NULL_FIELDS, explain
from analysis.sigma.taxonomy import AsWritten
from analysis.workbench.match import command
from analysis.workbench.match.as_written import Asked, Names, tables
from analysis.workbench.match.moments import moments
from sensors import files
from sensors.sensor import Source

BATTERY = TRUTH / "battery.json"
CASES: list[dict[str, Any]] = json.loads(BATTERY.read_bytes()) if BATTERY.is_file() else []

RULE = """title: t
id: {id}
status: test
logsource: {{product: test}}
detection:
{detection}
level: low
"""
FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def match(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments], input=stdin, catch_exceptions=False)


def found(result: Result) -> list[tuple[str, int]]:
    return [(line["rule.id"], line["event"]) for line in map(json.loads, result.stdout.splitlines())]


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rule.yml"
    path.write_text(RULE.format(id=FIRST, detection="  s: {actor.id: '7'}\n  condition: s"))
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_text(
        '{"actor": {"id": 7}}\n{"actor.id": "7"}\n\n{"actor": {"id": 8}}\n{"actor": [{"id": "7"}]}\n'
    )
    return path


@pytest.mark.skipif(not CASES, reason=f"{BATTERY} is not here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_battery(case: dict[str, Any], tmp_path: Path) -> None:
    rules, events = tmp_path / "rule.yml", tmp_path / "events.ndjson"
    rules.write_text(case["yaml"], "utf-8")
    events.write_text("".join(json.dumps(event) + "\n" for event in case["events"]), "utf-8")
    result = match(rules, "--events", events, "--time-field", "SystemTime")
    if case["expect"] == "REJECT":
        assert result.exit_code == 1
        assert "%admins%" in result.stderr
        assert result.stdout == ""
        return
    assert result.exit_code == 0
    if case["kind"] == "correlation":
        asked = next(
            one for one in RulePack.load([rules], taxonomy=AsWritten()).correlations if not one.silent
        )
        assert (asked.id in {name for name, _ in found(result)}) == case["expect"]
    else:
        numbers = [case["events"][event - 1]["EventRecordID"] for _, event in found(result)]
        assert numbers == case["expect"]


def test_events_are_numbered_by_their_line(rule: Path, events: Path) -> None:
    result = match(rule, "--events", events)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f'{{"rule.id": "{FIRST}", "event": 1}}'
    assert found(result) == [(FIRST, 1), (FIRST, 2), (FIRST, 5)]


def test_lines_are_in_order_of_event_then_rule(rule: Path, events: Path) -> None:
    (rule.parent / "second.yml").write_text(
        RULE.format(id=SECOND, detection="  s: {actor.id: 7}\n  condition: s")
    )
    folder = match(rule.parent, "--events", events)
    assert found(folder) == [(each, event) for event in (1, 2, 5) for each in (FIRST, SECOND)]
    assert found(match(rule, rule.parent / "second.yml", "--events", events)) == found(folder)


def test_compressed_events_and_standard_input(rule: Path, events: Path, tmp_path: Path) -> None:
    packed = tmp_path / "events.ndjson.gz"
    packed.write_bytes(gzip.compress(events.read_bytes()))
    assert found(match(rule, "--events", packed)) == found(match(rule, "--events", events))
    assert found(match(rule, "--events", "-", stdin=events.read_bytes())) == found(
        match(rule, "--events", events)
    )


def test_a_line_that_is_no_event_is_named_and_the_others_are_matched(rule: Path, events: Path) -> None:
    events.write_bytes(events.read_bytes() + b'{"actor":\n[1]\n{"actor.id": "7"}\n')
    result = match(rule, "--events", events)
    assert result.exit_code == 3
    assert [event for _, event in found(result)] == [1, 2, 5, 8]
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [f"{events}:6", f"{events}:7"]


def test_a_rule_that_cannot_be_loaded_is_named_and_the_others_are_matched(rule: Path, events: Path) -> None:
    bad = rule.parent / "bad.yml"
    bad.write_text(RULE.format(id=SECOND, detection="  s: {user|expand: '%admins%'}\n  condition: s"))
    result = match(rule.parent, "--events", events)
    assert result.exit_code == 1
    assert f"{bad}:6: placeholder %admins% has no value" in result.stderr
    assert len(found(result)) == 3


def test_a_mistake_that_harms_nothing_is_named_and_no_more(rule: Path, events: Path) -> None:
    rule.write_text(rule.read_text().replace("status: test", "status: tested"))
    result = match(rule, "--events", events)
    assert result.exit_code == 0
    assert f"{rule}:3: " in result.stderr
    assert len(found(result)) == 3


def test_placeholders_come_from_the_site_file(rule: Path, events: Path, tmp_path: Path) -> None:
    rule.write_text(RULE.format(id=FIRST, detection="  s: {actor.id|expand: '%admins%'}\n  condition: s"))
    site = tmp_path / "site.toml"
    site.write_text('[placeholders]\nadmins = ["8", "9"]\n')
    assert found(match(rule, "--events", events, "--site", site)) == [(FIRST, 4)]


def test_an_anomaly_rule_is_not_silently_left_out(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "learned.yml"
    path.write_text("title: Learned\nid: x\nanomaly: {measure: count}\n")
    result = match(path, "--events", events)
    assert result.exit_code == 1
    assert f"{path}: an anomaly rule learns" in result.stderr


@pytest.mark.parametrize(
    ("detection", "lines"),
    [
        ("  s: {f: ''}\n  condition: s", [1]),
        ("  s: {f: null}\n  condition: s", [2, 3, 4, 5]),
        ("  s: {f|exists: true}\n  condition: s", [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        ("  s: {f|exists: false}\n  condition: s", [3]),
        ("  s: {f: 5}\n  condition: s", [6, 7, 8, 10, 12]),
        ("  s: {f: '5'}\n  condition: s", [6, 7, 8, 10, 12]),
        ("  s: {f|gte: 6}\n  condition: s", [9, 12]),
        ("  s: {f: true}\n  condition: s", [11]),
        ("  s: {f.g: x}\n  condition: s", [13]),
        ("  s: {f|contains: '\"g\"'}\n  condition: s", [13]),
        ("  s: [5]\n  condition: s", [6, 7, 8, 9, 10, 12]),
        ("  s: ['g']\n  condition: s", []),
        ("  s: ['other']\n  condition: s", [1]),
    ],
)
def test_values_are_compared_as_each_event_has_them(
    detection: str, lines: list[int], rule: Path, events: Path
) -> None:
    rule.write_text(RULE.format(id=FIRST, detection=detection))
    events.write_text(
        '{"f": "", "z": [["an"], {"q": "other"}]}\n{"f": null}\n{"e": 1}\n{"f": []}\n{"f": {}}\n'
        '{"f": 5}\n{"f": "5"}\n{"f": 5.0}\n{"f": 6.5}\n{"f": ["a", 5]}\n{"f": true}\n{"f": [5, 7]}\n'
        '{"f": [{"g": "x"}, {"g": "y"}]}\n'
    )
    assert [event for _, event in found(match(rule, "--events", events))] == lines


def test_names_that_mean_something_to_molehunt_are_fields_like_any_other(rule: Path, events: Path) -> None:
    events.write_text(
        '{"account": "needle"}\n{"log.file.path": "needle"}\n{"source": {"geo": {"name": "needle"}}}\n'
        '{"@timestamp": "needle"}\n{"event.dataset": "needle"}\n{"a{b}": "needle"}\n'
    )
    rule.write_text(RULE.format(id=FIRST, detection="  s: [needle]\n  condition: s"))
    assert [event for _, event in found(match(rule, "--events", events))] == [1, 2, 3, 4, 5, 6]
    rule.write_text(RULE.format(id=FIRST, detection="  s: {'a{b}': needle}\n  condition: s"))
    assert [event for _, event in found(match(rule, "--events", events))] == [6]


STORY = """title: Again
id: 33333333-3333-4333-8333-333333333333
level: low
correlation: {type: event_count, rules: [%s], group-by: [user], timespan: 1m, condition: {gte: 2}%s}
"""
THIRD = "33333333-3333-4333-8333-333333333333"


@pytest.mark.parametrize("time", ["@timestamp", "ts", "deep.when"])
@pytest.mark.parametrize("generate", [False, True])
def test_a_correlation_prints_the_events_at_which_it_holds(
    rule: Path, events: Path, time: str, *, generate: bool
) -> None:
    (rule.parent / "story.yml").write_text(STORY % (FIRST, ", generate: true" if generate else ""))
    # Of the same user: a minute between the first two, then more, and out of order.
    told = [("a", "10:00:00"), ("b", "10:00:10"), ("a", "10:01:00"), ("a", "10:05:00"), ("a", "10:04:59.5")]
    events.write_text(
        "".join(
            json.dumps({"actor.id": 7, "user": user, time: f"2026-01-05T{clock}Z"}) + "\n"
            for user, clock in told
        )
    )
    options = ["--time-field", time] if time == "deep.when" else []
    rules = [(FIRST, number) for number in range(1, 6)] if generate else []
    wanted = sorted([*rules, (THIRD, 3), (THIRD, 4)], key=lambda pair: (pair[1], pair[0]))
    assert found(match(rule.parent, "--events", events, *options)) == wanted


def test_an_event_without_a_time_is_named_and_not_counted(rule: Path, events: Path) -> None:
    (rule.parent / "story.yml").write_text(STORY % (FIRST, ""))
    line = '{"actor.id": 7, "user": "a", "@timestamp": %s}\n'
    events.write_text(
        line % '"2026-01-05T10:00:00Z"' + line % '"soon"' + line % '"2026-01-05T10:00:01Z"' + line % 1
    )
    result = match(rule.parent, "--events", events)
    assert result.exit_code == 3
    assert found(result) == [(THIRD, 3)]
    assert f"{events}:2: the event says no time that can be read" in result.stderr
    assert result.stderr.count("says no time") == 1


def test_batches_do_not_show(rule: Path, events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (rule.parent / "story.yml").write_text(STORY % (FIRST, ", generate: true"))
    (rule.parent / "second.yml").write_text(
        RULE.format(id=SECOND, detection="  s: {user: b}\n  condition: s")
    )
    events.write_text(
        "".join(json.dumps({"actor.id": 7, "user": "ab"[n % 3 == 0], "ts": n * 7}) + "\n" for n in range(200))
    )
    whole = found(match(rule.parent, "--events", events))
    assert {name for name, _ in whole} == {FIRST, SECOND, THIRD}
    assert whole == sorted(whole, key=lambda pair: (pair[1], pair[0]))
    monkeypatch.setattr("analysis.workbench.match.as_written._ROWS", 7)
    assert found(match(rule.parent, "--events", events)) == whole


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 20),
    st.sampled_from(["", "a", "b", "ab", "5", "5.0", "true", "é", 0.5, 5.0, -2.0, 1e3]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pq"), inner, max_size=2),
    max_leaves=4,
)
EVENTS = st.lists(
    st.dictionaries(st.sampled_from(["p", "q", "r"]), VALUES, max_size=4), min_size=1, max_size=6
)
FIELDS = ("p", "q", "p.q", "p.p.q", "r.p")
DETECTIONS = st.one_of(
    st.builds(
        "  s: {{'{}{}': {}}}\n  condition: s".format,
        st.sampled_from(FIELDS),
        st.sampled_from(["", "|contains", "|startswith", "|all", "|cased"]),
        st.sampled_from(["a", "''", "'5'", "'true'", "'*b'", "[a, '5']"]),
    ),
    st.builds(
        "  s: {{{}: {}}}\n  condition: s".format,
        st.sampled_from(FIELDS),
        st.sampled_from(["5", "true", "-2"]),
    ),
    st.builds("  s: {{{}|gte: 5}}\n  condition: not s".format, st.sampled_from(FIELDS)),
    st.builds("  s: {{{}: null}}\n  condition: s".format, st.sampled_from(FIELDS)),
    st.builds(
        "  s: {{{}|exists: {}}}\n  condition: s".format,
        st.sampled_from(FIELDS),
        st.sampled_from(["true", "false"]),
    ),
    st.builds("  s: ['{}']\n  condition: s".format, st.sampled_from(["a", "5", "tru"])),
    st.builds("  s: {{p|fieldref: {}}}\n  condition: s".format, st.sampled_from(FIELDS)),
)


def plainly(event: dict[str, Any], asked: tuple[str, ...]) -> dict[str, list[Any]]:
    """The fields of an event and their values, one after the other; objects as values where asked for."""
    values: dict[str, list[Any]] = {}
    there: set[str] = set()

    def walk(name: str, value: object) -> None:
        there.add(name)
        if isinstance(value, list):
            for one in value:
                walk(name, one)
        elif isinstance(value, dict):
            if value and name in asked:
                values.setdefault(name, []).append(
                    json.dumps(value, separators=(",", ":"), ensure_ascii=False)
                )
            for key, one in value.items():
                walk(f"{name}.{key}", one)
        elif value is not None:
            values.setdefault(name, []).append(value)

    for key, value in event.items():
        walk(key, value)
    return {**values, NULL_FIELDS: sorted(there - values.keys())}


@settings(max_examples=200, deadline=None)
@given(EVENTS, DETECTIONS)
def test_tables_mean_what_the_events_mean(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]], detection: str
) -> None:
    folder = tmp_path_factory.mktemp("match")
    (folder / "rule.yml").write_text(RULE.format(id=FIRST, detection=detection), "utf-8")
    lines = folder / "events.ndjson"
    lines.write_text(
        "".join(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in events)
    )
    (plain,) = RulePack.load([folder / "rule.yml"], taxonomy=AsWritten()).rules
    pack = RulePack.load([folder / "rule.yml"], taxonomy=Names())
    asked = Asked.by(pack)
    wanted = [
        number
        for number, event in enumerate(events, 1)
        if explain(plain, plainly(event, asked.fields)).matched
    ]
    (source,) = files.sources(lines)
    assert isinstance(source, Source)
    (table,) = tables(source, asked)
    assert table["log.file.line"].gather(pack.match(table, "")["row"]).to_list() == wanted


def test_memory_does_not_grow_with_fields_that_no_rule_asks_for(rule: Path, events: Path) -> None:
    events.write_text("".join(json.dumps({f"k{n}-{m}": 1 for m in range(50)}) + "\n" for n in range(500)))
    (source,) = files.sources(events)
    assert isinstance(source, Source)
    asked = Asked.by(RulePack.load([rule], taxonomy=Names()))
    assert {table.width for table in tables(source, asked)} == {1}
    assert sum(table.height for table in tables(source, asked)) == 500
    asked = Asked(("k499-49",), keywords=True)
    assert max(table.width for table in tables(source, asked)) == 3


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-05T10:00:00.123456Z", "2026-01-05T10:00:00.123456"),
        ("2026-01-05T10:00:00.1234567+02:00", "2026-01-05T08:00:00.123456"),
        ("2026-01-05 10:00:00,5", "2026-01-05T10:00:00.5"),
        ("2026-01-05 10:00", "2026-01-05T10:00:00"),
        ("2026-01-05T10:00:00-0330", "2026-01-05T13:30:00"),
        ("2026/01/05 10:00:00 UTC", "2026-01-05T10:00:00"),
        ("2026-01-05", "2026-01-05T00:00:00"),
        ("1767607200", "2026-01-05T10:00:00"),
        ("1767607200.25", "2026-01-05T10:00:00.25"),
        ("1767607200123", "2026-01-05T10:00:00.123"),
        ("1767607200123456", "2026-01-05T10:00:00.123456"),
        ("1767607200123456789", "2026-01-05T10:00:00.123456"),
        ("60", "1970-01-01T00:01:00"),
        ("-0.5", "1969-12-31T23:59:59.5"),
        ("2026-13-05T10:00:00Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times(text: str, moment: str | None) -> None:
    (read,) = moments([pl.Series([None], dtype=pl.String), pl.Series([text])], 1)
    assert read == (None if moment is None else datetime.fromisoformat(moment).replace(tzinfo=UTC))

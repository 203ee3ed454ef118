"""SigmaHQ's Windows rules over real attack events, beside another engine: every difference has a reason.

The reasons stand in `golden/sigma_attack_differences.toml`, rule by rule; what of them can be proved on the
events and the rules is proved here. A difference that is not in the file fails, and so does a row that no
longer differs.
"""

from __future__ import annotations

import gzip
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from sigma_cases import TRUTH

from analysis import intake
from analysis.sigma import RulePack, tree
from analysis.sigma.reading.rule import Rule
from sensors import files
from sensors.sensor import Source
from sensors.windows import SENSOR

EVENTS = TRUTH / "events" / "windows_attacks.ndjson.gz"
OTHER = TRUTH / "events" / "windows_attacks.zircolite.json"
WINDOWS = re.compile(r"^\s+product:\s*windows\s*$", re.MULTILINE)
FOLDERS = ("rules", "rules-emerging-threats", "rules-threat-hunting")
FILE = tomllib.loads((Path(__file__).parent / "golden" / "sigma_attack_differences.toml").read_text("utf-8"))
ROWS: dict[str, dict[str, Any]] = {row["id"]: row for row in FILE["rules"]}
KINDS: dict[str, str] = FILE["kinds"]

pytestmark = pytest.mark.skipif(not EVENTS.is_file(), reason=f"{EVENTS} is not here")


@dataclass
class Case:
    """A rule, and the events (as they were written) that it matches here."""

    rule: Rule
    row: dict[str, Any]
    matched: list[dict[str, Any]]

    def data(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event's own data."""
        found = event.get("EventData") or event.get("UserData") or {}
        return found if isinstance(found, dict) else {}


@dataclass
class Run:
    """All rules over all events."""

    pack: RulePack
    parts: list[tuple[str, pl.DataFrame]]
    raw: list[dict[str, Any]]
    counts: Counter[str]
    lines: dict[str, list[int]]

    def case(self, identity: str) -> Case:
        (rule,) = (rule for rule in self.pack.rules if rule.id == identity)
        return Case(rule, ROWS[identity], [self.raw[line - 1] for line in self.lines.get(identity, [])])


@cache
def run() -> Run:
    paths = [
        path
        for folder in FOLDERS
        for path in sorted((TRUTH / "sigmahq" / folder).rglob("*.yml"))
        if WINDOWS.search(path.read_text("utf-8"))
    ]
    pack = RulePack.load(paths)
    raw = [orjson.loads(line)["Event"] for line in gzip.decompress(EVENTS.read_bytes()).splitlines()]
    parts = [
        (str(name), part[[column.name for column in part if column.null_count() < part.height]])
        for (name,), part in _events().partition_by("event.dataset", as_dict=True).items()
    ]
    lines: dict[str, list[int]] = {}
    for name, part in parts:
        for number, row in pack.match(part, name).iter_rows():
            lines.setdefault(pack.rules[number].id, []).append(part["log.file.line"][row])
    return Run(pack, parts, raw, Counter({rule: len(found) for rule, found in lines.items()}), lines)


def _events() -> pl.DataFrame:
    (source,) = files.sources(EVENTS)
    assert isinstance(source, Source)
    frames = list(intake.events(source, SENSOR))
    assert source.unread == []
    return pl.concat(frames, how="diagonal")


def theirs() -> Counter[str]:
    return Counter(orjson.loads(OTHER.read_bytes())["counts"])


def test_every_difference_is_told_and_none_that_is_none() -> None:
    assert sum(part.height for _, part in run().parts) == len(run().raw) == 32_916
    ours, other = run().counts, theirs()
    differences = {key: (ours[key], other[key]) for key in {*ours, *other} if ours[key] != other[key]}
    assert differences == {key: (row["ours"], row["theirs"]) for key, row in ROWS.items()}


@pytest.mark.parametrize("identity", ROWS)
def test_a_row_adds_up(identity: str) -> None:
    row = ROWS[identity]
    assert sum(row["kinds"].values()) == row["ours"] - row["theirs"]
    assert set(row["kinds"]) <= KINDS.keys()
    assert row["because"]
    assert row["title"] == run().case(identity).rule.title


@pytest.mark.parametrize("kind", KINDS)
def test_the_reason_is_proved_on_rules_and_events(kind: str) -> None:
    cases = [(run().case(key), row["kinds"][kind]) for key, row in ROWS.items() if kind in row["kinds"]]
    assert cases, "no row is of this kind: take it out"
    wrong = [case.row["title"] for case, count in cases if not PROOFS[kind](case, count)]
    assert wrong == []


def in_security_log(case: Case, count: int) -> bool:
    """So many of the matches are Security's own events; the category's other events are Sysmon's."""
    events = [event["System"] for event in case.matched]
    found = [e for e in events if e["Channel"] == "Security" and e["EventID"] in {4688, 5156}]
    return case.rule.logsource.category in {"process_creation", "network_connection"} and len(found) == count


def names_a_field_that_is_nowhere(case: Case, count: int) -> bool:
    """No event has the field, under any name that a table could take for it; the query failed as a whole."""
    field = case.row["field"]
    nowhere = field.lower() not in {name.lower() for name in names()}
    return nowhere and field in fields(case.rule) and case.row["theirs"] == 0 and len(case.matched) == count


def reads_data_without_names(case: Case, count: int) -> bool:
    """The rule reads `Data`, and the matched events have data without a name."""
    unnamed = [event for event in case.matched if "#text" in (case.data(event).get("Data") or {})]
    return "Data" in fields(case.rule) and case.row["theirs"] == 0 and len(unnamed) == count


def has_keywords(case: Case, count: int) -> bool:
    """The rule looks for words anywhere in the event."""
    anywhere = any(item.field is None for item in tree.items(case.rule.condition))
    return anywhere and case.row["theirs"] == 0 and len(case.matched) == count


def asks_text_of_a_truth(case: Case, count: int) -> bool:
    """The rule asks for the word, and the events have JSON's own true or false."""
    asked = {
        item.field.name
        for item in tree.items(case.rule.condition)
        if item.field and any(str(value) in {"'true'", "'false'"} for value in item.values)
    }
    written = [e for e in case.matched if any(isinstance(case.data(e).get(name), bool) for name in asked)]
    return case.row["theirs"] == 0 and len(written) == count


def asks_for_empty_text(case: Case, count: int) -> bool:
    """The rule asks for `''`, and the events have just that."""
    asked = {
        item.field.name
        for item in tree.items(case.rule.condition)
        if item.field and tree.Text(()) in item.values
    }
    empty = [event for event in case.matched if any(case.data(event).get(name) == "" for name in asked)]
    return case.row["theirs"] == 0 and len(empty) == count


def names_what_the_event_has_twice(case: Case, count: int) -> bool:
    """Without the event's own field of that name, the rule finds what theirs found."""
    column = f"winlog.event_data.{case.row['field']}"
    found = sum(
        run().pack.only({case.rule.id}).match(part.drop(column, strict=False), name).height
        for name, part in run().parts
    )
    return found == case.row["theirs"] == case.row["ours"] - count


def is_spelled_in_two_ways(case: Case, count: int) -> bool:
    """The events have names that differ from the field's in case alone."""
    field = case.row["field"]
    spellings = {name for name in names() if name.lower() == field.lower()}
    return field in fields(case.rule) and len(spellings) > 1 and count > 0


PROOFS: dict[str, Callable[[Case, int], bool]] = {
    "security_log": in_security_log,
    "no_such_field": names_a_field_that_is_nowhere,
    "unnamed_data": reads_data_without_names,
    "keywords": has_keywords,
    "truth": asks_text_of_a_truth,
    "empty_text": asks_for_empty_text,
    "two_values": names_what_the_event_has_twice,
    "spelling": is_spelled_in_two_ways,
}


def fields(rule: Rule) -> set[str]:
    return {field.name for field in tree.fields(rule.condition)}


@cache
def names() -> frozenset[str]:
    """Every last part of a name in any event."""

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from walk(inner)

    return frozenset(name for event in run().raw for name in walk(event))

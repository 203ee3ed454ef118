"""The sample company: the three embedded workers lead the list, nobody else does, and all can be followed."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hunted import SAMPLES, Hunted

TRUTH = json.loads((SAMPLES / "scenario_truth.json").read_text("utf-8"))
USERNAMES = {each["account"]: each["username"] for each in TRUTH["embedded"]}
EMBEDDED = set(USERNAMES)


def test_the_embedded_workers_are_the_first_three_and_high(scenario_hunt: Hunted) -> None:
    assert scenario_hunt.result.exit_code == 0
    ranked = scenario_hunt.accounts
    assert {row["account"] for row in ranked[:3]} == EMBEDDED
    assert [row["rank"] for row in ranked[:3]] == ["1", "2", "3"]
    assert {row["account"] for row in ranked if row["band"] == "high"} == EMBEDDED


def test_each_story_has_what_the_scenario_gave_it(scenario_hunt: Hunted) -> None:
    names = {
        "remote control": "remote_control",
        "access": "access",
        "exfiltration": "exfiltration",
        "identity": "identity",
        "payment": "payment",
    }
    of = {row["account"]: set(row["categories"].split(";")) for row in scenario_hunt.accounts}
    for person in TRUTH["embedded"]:
        assert {names[shown] for shown in person["shows"]} <= of[person["account"]], person["account"]


def test_each_story_tells_of_every_category(scenario_hunt: Hunted) -> None:
    report = scenario_hunt.report
    for account in report["accounts"][:3]:
        story = " ".join(account["story"])
        for category in account["categories"]:
            own = (report["findings"][index] for index in account["findings"])
            whys = [each["why"].rstrip(".") for each in own if each["category"] == category]
            assert any(why in story for why in whys), (account["account"], category)


def test_every_person_is_one_account(scenario_hunt: Hunted) -> None:
    rows = {row["account"]: row for row in scenario_hunt.accounts}
    for person in (*TRUTH["embedded"], *TRUTH["benign_lookalikes"]):
        names = rows[person["account"]]["identifiers"].split(";")
        assert {person["username"], person["account"], f"CORP\\{person['username']}"} <= set(names)
        assert person["username"] not in rows


def test_everything_was_read(scenario_hunt: Hunted) -> None:
    report = scenario_hunt.report
    assert scenario_hunt.unread == report["unread"] == []
    logs = {path for path in (SAMPLES / "scenario").rglob("*") if path.is_file()}
    context = {
        SAMPLES / "scenario" / name for name in ("roster.csv", "site.toml", "geo-city.mmdb", "geo-asn.mmdb")
    }
    assert {Path(each["path"].partition("!")[0]) for each in report["sources"]} == logs - context


def test_what_did_not_run_found_nothing(scenario_hunt: Hunted) -> None:
    idle = {each["detection"] for each in scenario_hunt.report["not_run"]}
    assert idle.isdisjoint({each["rule.id"] for each in scenario_hunt.findings})
    assert all(each["reason"] for each in scenario_hunt.report["not_run"])


@cache
def content(path: str) -> bytes:
    """What a person sees who opens the file that evidence names, a member of an archive after `!`."""
    file, _, member = path.partition("!")
    if member:
        with zipfile.ZipFile(file) as archive:
            return archive.read(member)
    raw = Path(file).read_bytes()
    return gzip.decompress(raw) if file.endswith(".gz") else raw


@cache
def digest(path: str) -> str:
    return hashlib.sha256(Path(path.partition("!")[0]).read_bytes()).hexdigest()


def record(raw: bytes, offset: int) -> tuple[str, list[str]]:
    """The record that begins at a byte: its text, and the values in it that a reader sees."""
    rest = raw[offset : offset + (1 << 20)].decode("utf-8", "ignore")
    if rest.startswith("{"):
        value, end = json.JSONDecoder().raw_decode(rest)
        return rest[:end], [str(leaf) for leaf in leaves(value)]
    line = rest.partition("\n")[0]
    return line, [line]


def leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON has no better type
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


@pytest.mark.parametrize("person", sorted(EMBEDDED))
def test_every_piece_of_evidence_leads_to_its_raw_record(scenario_hunt: Hunted, person: str) -> None:
    pieces = [
        (finding["rule.name"], piece)
        for finding in scenario_hunt.findings
        if finding["account"] == person
        for piece in finding["evidence"]
    ]
    assert len(pieces) > 20
    (account,) = (each for each in scenario_hunt.report["accounts"] if each["account"] == person)
    laptop = dict(account["facts"])["Laptop"]
    files = set()
    for rule, piece in pieces:
        where = f"{rule}: {piece['path']} line {piece['line']}, byte {piece['offset']}"
        raw = content(piece["path"])
        assert piece["sha256"] == digest(piece["path"]), where
        assert raw[: piece["offset"]].count(b"\n") + 1 == piece["line"], where
        text, values = record(raw, piece["offset"])
        assert text, where
        if piece["record"] is not None:
            assert any(value == piece["record"] for value in values), where
        # What the roster says and our words for what happened stand in no log; the person or the laptop does.
        told = [
            value for name, value in piece["fields"].items() if not name.startswith(("roster.", "event."))
        ]
        told = told or [person, USERNAMES[person], laptop]
        assert any(value in each for value in told for each in values), (
            f"{where} says {told}, but: {text[:999]}"
        )
        files.add(piece["path"])
    assert len(files) > 5

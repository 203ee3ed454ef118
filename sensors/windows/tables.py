"""The tables of `events.toml` and `fields.toml`, read once and made ready for columns."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

# An event is told by its provider's group and its id in one number: group * SPAN + id.
SPAN: Final = 1_000_000
_PARTS: Final = 4
EVENT_DATA: Final = "winlog.event_data."


@dataclass(frozen=True, slots=True)
class Rule:
    """Where fields of some events come from.

    Attributes:
        group: number of the providers' group; None for every event.
        keys: numbers of the events; empty for all of the group.
        fields: field → (how, data) as `fields.toml` explains it.
    """

    group: int | None
    keys: tuple[int, ...]
    fields: dict[str, tuple[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Tables:
    """All that is known of providers, channels and events.

    Attributes:
        groups: group's name → its number, from 1.
        providers: provider → number of its group.
        beginnings: how providers begin whose names go on with a number of their own → number of their group.
        datasets: channel → `event.dataset`.
        events: one row an event: `key`, `category`, `type` (lists), `action`, `outcome`.
        defaults: the same by `group`, for events without a row.
        levels: System/Level → `log.level`.
        logon_types: number → name.
        protocols: IANA protocol number → name.
        directions: the firewall's message numbers → direction.
        records: DNS record type number → name.
        rcodes: DNS response code or Win32 error → name.
        rules: in the order in which they are tried.
    """

    groups: dict[str, int]
    providers: dict[str, int]
    beginnings: dict[str, int]
    datasets: dict[str, str]
    events: pl.DataFrame
    defaults: pl.DataFrame
    levels: dict[str, str]
    logon_types: dict[str, str]
    protocols: dict[str, str]
    directions: dict[str, str]
    records: dict[str, str]
    rcodes: dict[str, str]
    rules: tuple[Rule, ...]


@cache
def tables() -> Tables:
    """The tables; the same object each time."""
    folder = files("sensors") / "windows"
    raw = tomllib.loads((folder / "events.toml").read_text("utf-8"))
    fields = tomllib.loads((folder / "fields.toml").read_text("utf-8"))
    names = sorted(set(raw["providers"].values()))
    groups = {name: number for number, name in enumerate(names, 1)}
    return Tables(
        groups=groups,
        providers={provider: groups[name] for provider, name in raw["providers"].items()},
        beginnings={begin: groups[name] for begin, name in raw["beginnings"].items()},
        datasets=raw["datasets"],
        events=_meanings(
            "key",
            {
                groups[name] * SPAN + int(code): text
                for name, events in raw["events"].items()
                for code, text in events.items()
            },
        ),
        defaults=_meanings("group", {groups[name]: text for name, text in raw["default"].items()}),
        levels=raw["levels"],
        logon_types=raw["logon_types"],
        protocols=raw["protocols"],
        directions=raw["directions"],
        records=raw["records"],
        rcodes=raw["rcodes"],
        rules=tuple(_rule(rule, groups) for rule in fields["rules"]),
    )


def _meanings(key: str, texts: dict[int, str]) -> pl.DataFrame:
    """Rows of `key`, `category`, `type`, `action`, `outcome` from "category | type | action | outcome"."""
    rows = []
    for number, text in texts.items():
        category, kind, action, outcome = ([part.strip() for part in text.split("|")] + [""] * 3)[:_PARTS]
        rows.append((number, category.split() or None, kind.split() or None, action or None, outcome or None))
    schema = {
        key: pl.Int64(),
        "category": pl.List(pl.String),
        "type": pl.List(pl.String),
        "action": pl.String(),
        "outcome": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _rule(rule: dict[str, Any], groups: dict[str, int]) -> Rule:
    group = groups[rule["group"]] if "group" in rule else None
    fields = {}
    for field, source in rule["map"].items():
        how, colon, data = source.partition(":")
        fields[field] = (how, tuple(data.split("|"))) if colon else ("text", tuple(source.split("|")))
    return Rule(group, tuple((group or 0) * SPAN + code for code in rule.get("codes", ())), fields)

"""The report: everything a renderer may show, frozen, versioned, JSON in and out.

An old report re-renders: `Report.from_json` reads every version up to its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import IntEnum
from itertools import repeat
from types import UnionType
from typing import Any, Final, TextIO, get_args, get_origin, get_type_hints

import orjson

# Needed when running: `from_json` builds by the types that the dataclasses name.
from analysis.finding import Finding, HeldBack, NotRun  # noqa: TC001
from sensors.sensor import Unread  # noqa: TC001

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class SourceRead:
    """One source that was read: its sensor, how many events, over what time.

    `known` says that the lake had it already, so that nothing was added.
    """

    path: str
    sha256: str
    sensor: str
    events: int
    first: datetime | None
    last: datetime | None
    unread: int
    known: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """An address that an account came from."""

    ip: str
    country: str
    region: str
    city: str
    organization: str
    events: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Outbound:
    """What left on one day: bytes, and where most of them went."""

    day: date
    bytes: int
    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """One account: rank, score, and all that the page tells of it.

    Attributes:
        score: 0 to 100, an order of urgency and no probability.
        band: "high", "elevated", "watch" or "none".
        kind: "person", "service" or "machine".
        identifiers: every name that was seen to be this account.
        why: one sentence; `story` the sentences of the page, in the order of time.
        facts: what the roster has on file, as label and value.
        hours: activity by hour of the day, 24 counts in UTC; `local_hours` the same in the claimed zone.
        workday: the claimed working day as [start, end) hours of `timezone`.
        days: events by day.
        findings: indexes into `Report.findings`.
    """

    rank: int
    account: str
    label: str
    kind: str
    score: float
    band: str
    identifiers: tuple[str, ...]
    categories: tuple[str, ...]
    first_seen: datetime | None
    last_seen: datetime | None
    why: str
    events: int = 0
    story: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    timezone: str = ""
    hours: tuple[int, ...] = ()
    local_hours: tuple[int, ...] = ()
    workday: tuple[int, int] = (9, 17)
    days: tuple[tuple[date, int], ...] = ()
    places: tuple[Place, ...] = ()
    outbound: tuple[Outbound, ...] = ()
    hosts: tuple[str, ...] = ()
    findings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer of one hunt.

    Attributes:
        accounts: every account seen, ranked; those without a finding carry no details.
        findings: every finding, those of no account too.
        notes: what was missing and what it switched off.
        attribution: events by how their account was known; "unattributed" among them.
        detections: how many detections ran.
        held_back: matches that filters suppressed, by rule and filter.
    """

    version: int
    molehunt: str
    created: datetime
    inputs: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    events: int
    datasets: tuple[tuple[str, int], ...]
    accounts: tuple[Account, ...]
    findings: tuple[Finding, ...]
    sources: tuple[SourceRead, ...]
    unread: tuple[Unread, ...]
    not_run: tuple[NotRun, ...]
    detections: int
    notes: tuple[str, ...]
    attribution: tuple[tuple[str, int], ...]
    held_back: tuple[HeldBack, ...] = ()

    def to_json(self) -> bytes:
        """The report as one JSON object, readable, keys in the order of the fields."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)

    @classmethod
    def from_json(cls, data: bytes) -> Report:
        """The report that `to_json` wrote.

        Raises:
            ValueError: it is no report, or one of a newer molehunt.
        """
        raw = orjson.loads(data)
        if not isinstance(raw, dict) or not isinstance(raw.get("version"), int):
            raise ValueError(  # noqa: TRY004 - the text is wrong, not the type
                "this is no molehunt report; give the report.json that `molehunt hunt` wrote"
            )
        if raw["version"] > VERSION:
            raise ValueError(
                f"the report has version {raw['version']}, this molehunt reads up to {VERSION}; update it"
            )
        try:
            report = _build(cls, raw)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ValueError(
                f"the report is damaged ({error}); give a report.json as `molehunt hunt` wrote it"
            ) from error
        assert isinstance(report, Report)  # noqa: S101 - tells the type checker what _build returns
        return report


def _build(kind: Any, value: Any) -> object:  # noqa: ANN401 - types as values have no better name
    """`value` from JSON as the type `kind` that the dataclasses above name."""
    origin, kinds = get_origin(kind), get_args(kind)
    if origin is UnionType:
        inner = next(option for option in kinds if option is not type(None))
        return None if value is None else _build(inner, value)
    if origin is tuple:
        each = repeat(kinds[0], len(value)) if kinds[-1] is Ellipsis else kinds
        return tuple(_build(one, item) for one, item in zip(each, value, strict=True))
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        known = {item.name for item in fields(kind)} & value.keys()
        return kind(**{name: _build(hints[name], value[name]) for name in known})
    if kind is datetime or kind is date:
        return kind.fromisoformat(value)
    return kind(value) if isinstance(kind, type) and issubclass(kind, IntEnum) else value


def write_json(report: Report, out: TextIO) -> None:
    """Renderer: the whole report as JSON."""
    out.write(report.to_json().decode())
    out.write("\n")

"""What a detection says: one account, one reason, the evidence behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

CATEGORIES: Final = ("access", "remote_control", "exfiltration", "identity", "payment")


class Level(IntEnum):
    """How bad it is if true; Sigma's words."""

    INFORMATIONAL = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """One event, so that a person can open the raw log at the right place.

    Attributes:
        path: the source file, archive members after `!`.
        sha256: of the source file on disk.
        dataset: `event.dataset`.
        at: `@timestamp`, UTC.
        line: 1-based line number, where the source has lines.
        offset: byte offset of the record in the (decompressed) source.
        record: `winlog.record_id`.
        frame: 1-based number of the packet that begins the flow.
        fields: the ECS fields that matched or that tell the story, as text.
    """

    path: str
    sha256: str
    dataset: str
    at: datetime
    line: int | None = None
    offset: int | None = None
    record: str | None = None
    frame: int | None = None
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detection found of one account.

    Attributes:
        detection: the rule's id; `title` its title.
        level: how bad; `confidence` (0 to 1): how sure.
        category: one of `CATEGORIES`; risk counts the strongest finding of each once.
        decisive: whether this alone may raise an account to "high" (the catalogue's strong signals).
        durable: whether it decays slowly (hardware, identity, sanctions) or as behaviour does.
        account: canonical account, or "" where the events could not be attributed.
        count: events behind it, of which `evidence` shows the first few.
        why: one sentence for the analyst, without the account's name.
        benign: explanations that would make it harmless.
    """

    detection: str
    title: str
    level: Level
    confidence: float
    category: str
    account: str
    first_seen: datetime
    last_seen: datetime
    why: str
    evidence: tuple[Evidence, ...]
    benign: tuple[str, ...]
    techniques: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    host: str = ""
    count: int = 1
    decisive: bool = False
    durable: bool = False


@dataclass(frozen=True, slots=True)
class NotRun:
    """A detection that could not run, and why; silence would look like innocence."""

    detection: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What a filter held back of one detection: not silent, or a suppression would look like innocence.

    Attributes:
        detection: the rule's id; `title` its title.
        filter: the filter's title; `path` its file.
        owner, reason: who answers for it, and why; "" if it does not say.
        expires: the last day on which it applies; None if it does not end.
        count: matches held back.
    """

    detection: str
    title: str
    filter: str
    path: str
    owner: str
    reason: str
    expires: date | None
    count: int


LOCATORS: Final = (
    "log.file.path",
    "molehunt.source.sha256",
    "event.dataset",
    "@timestamp",
    "log.file.line",
    "log.offset",
    "winlog.record_id",
    "molehunt.frame.number",
)


def evidence(rows: pl.DataFrame, fields: tuple[str, ...] = ()) -> tuple[Evidence, ...]:
    """Evidence from the few rows that a finding shows (not for hot paths).

    Args:
        rows: events with the `LOCATORS` they have, and `fields`.
        fields: further columns whose values are quoted, nulls left out.
    """
    quoted = [name for name in fields if name in rows.columns]
    return tuple(
        Evidence(
            path=row.get("log.file.path") or "",
            sha256=row.get("molehunt.source.sha256") or "",
            dataset=row.get("event.dataset") or "",
            at=row["@timestamp"],
            line=row.get("log.file.line"),
            offset=row.get("log.offset"),
            record=row.get("winlog.record_id"),
            frame=row.get("molehunt.frame.number"),
            fields={name: _text(row[name]) for name in quoted if row[name] is not None},
        )
        for row in rows.iter_rows(named=True)
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return value.isoformat() if isinstance(value, datetime) else str(value)

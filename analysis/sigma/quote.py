"""What findings keep of an event: its place in the raw log, the fields worth quoting, the words of `why`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.finding import LOCATORS, Evidence, Finding, evidence
from analysis.sigma.matching.column import series_of
from analysis.sigma.written import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from analysis.sigma.reading.rule import Header
    from analysis.sigma.taxonomy import Logsource, Taxonomy
    from analysis.sigma.tree import Field

SHOWN: Final = 5  # events of a finding that are quoted
NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)  # plainly wrong, rather than an event that vanishes
UNKNOWN: Final = "unknown"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
_WHY: Final = "why:"
ACCOUNT: Final = "_account"
HOST: Final = "_host"
AT: Final = "_at"


def text_of(field: Field, frame: pl.DataFrame) -> pl.Series:
    """A field's values as text, several joined by commas; null where there is none."""
    series = series_of(field, frame)
    if series is None:
        return pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    return joined(series)


def who_and_when(frame: pl.DataFrame) -> pl.DataFrame:
    """Account ("" if not attributed), host ("" if not said) and time of each event."""

    def text(name: str) -> pl.Expr:
        return (pl.col(name).cast(pl.String) if name in frame.columns else pl.lit(None)).fill_null("")

    return frame.select(
        text("account").cast(pl.String).alias(ACCOUNT),
        text("host.name").cast(pl.String).alias(HOST),
        pl.col("@timestamp").fill_null(NO_TIME).alias(AT),
    )


class Quoting:
    """What to keep of the events of one rule.

    Args:
        fields: columns worth quoting.
        why: the rule's sentence.
    """

    def __init__(self, fields: Iterable[str], why: str, taxonomy: Taxonomy, source: Logsource) -> None:
        self.fields = tuple(dict.fromkeys(fields))
        self._words = {name: taxonomy.field(name, source) for name in _PLACEHOLDER.findall(why)}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `keep` reads, besides the `LOCATORS`."""
        return (*self.fields, *(name for field in self._words.values() for name in field.sources))

    def keep(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The `LOCATORS` that the events have, the quoted fields and the words of `why` as text."""
        kept = frame.select(name for name in LOCATORS if name in frame.columns)
        if "@timestamp" in kept.columns:
            kept = kept.with_columns(pl.col("@timestamp").fill_null(NO_TIME))
        quoted = [frame[name] for name in self.fields if name in frame.columns and name not in LOCATORS]
        kept = kept.with_columns(joined(series).alias(series.name) for series in quoted)
        return kept.with_columns(
            text_of(field, frame).alias(_WHY + name) for name, field in self._words.items()
        )


def quoted(kept: pl.DataFrame, fields: tuple[str, ...]) -> tuple[Evidence, ...]:
    """Evidence of the few events that a finding shows."""
    return evidence(kept.head(SHOWN), fields)


def said(why: str, title: str, kept: pl.DataFrame, numbers: Mapping[str, object]) -> str:
    """The rule's sentence about the first event, or its title.

    Args:
        why: the sentence; "" if the rule has none.
        title: the rule's.
        kept: events as `Quoting.keep` left them, the first first.
        numbers: further words, such as `count`.
    """
    if not why:
        return title
    first = kept.row(0, named=True) if kept.height else {}

    def word(found: re.Match[str]) -> str:
        value = numbers.get(found[1], first.get(_WHY + found[1]))
        return UNKNOWN if value is None else str(value)

    return _PLACEHOLDER.sub(word, why)


@dataclass(frozen=True, slots=True)
class Total:
    """Whom a finding is about, how many events are behind it, and from when to when."""

    account: str
    host: str
    count: int
    first: datetime
    last: datetime


def finding(
    header: Header,
    total: Total,
    kept: pl.DataFrame,
    fields: tuple[str, ...],
    words: Mapping[str, object] | None = None,
) -> Finding:
    """A finding of the rule `header`.

    Args:
        header: the rule or correlation.
        total: all of its events.
        kept: the first of them, in order of time.
        fields: the columns to quote.
        words: what `{name}` stands for in `why`, besides the fields of the first event and `count`.
    """
    return Finding(
        detection=header.id,
        title=header.title,
        level=header.level,
        confidence=header.confidence,
        category=header.category,
        account=total.account,
        host=total.host,
        count=total.count,
        first_seen=total.first,
        last_seen=total.last,
        why=said(header.why, header.title, kept, {"count": total.count, **(words or {})}),
        evidence=quoted(kept, fields),
        benign=header.falsepositives,
        techniques=header.techniques,
        signals=header.signals,
        decisive=header.decisive,
        durable=header.durable,
    )

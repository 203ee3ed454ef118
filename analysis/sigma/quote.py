"""What findings keep of an event: its place in the raw log, the fields worth quoting, the words of `why`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.finding import LOCATORS, Evidence, Finding, evidence
from analysis.sigma.column import series_of
from analysis.sigma.distinct import NOTHING_WANTED, Distinct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from analysis.sigma.rule import Header
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
        return pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    if isinstance(series.dtype, pl.List):
        joined = series.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
        return joined.to_frame("v").select(pl.when(pl.col("v") != "").then("v"))["v"]
    values = series.drop_nulls()
    if len(values) == len(series):
        return Distinct(series, NOTHING_WANTED, {}).text
    texts = pl.DataFrame({"v": Distinct(values, NOTHING_WANTED, {}).text}).with_row_index("i")
    at = (
        series.is_not_null()
        .to_frame("is")
        .select(pl.when("is").then(pl.col("is").cast(pl.UInt32).cum_sum() - 1).alias("i"))
    )
    return at.join(texts, on="i", how="left", maintain_order="left")["v"]


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

    def keep(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The `LOCATORS` that the events have, the quoted fields and the words of `why` as text."""
        kept = frame.select(name for name in LOCATORS if name in frame.columns)
        if "@timestamp" in kept.columns:
            kept = kept.with_columns(pl.col("@timestamp").fill_null(NO_TIME))
        quoted = [
            frame[name].alias(name) for name in self.fields if name in frame.columns and name not in LOCATORS
        ]
        kept = kept.with_columns(_as_text(series) for series in quoted)
        return kept.with_columns(
            text_of(field, frame).alias(_WHY + name) for name, field in self._words.items()
        )


def _as_text(series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, pl.List):
        return series.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
    return series.cast(pl.String, strict=False)


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


def finding(header: Header, kept: pl.DataFrame, fields: tuple[str, ...], **said_of: object) -> Finding:
    """A finding of the rule `header`.

    Args:
        header: the rule or correlation.
        kept: its first events, in order of time.
        fields: the columns to quote.
        said_of: account, host, count, first_seen, last_seen and further words for `why`.
    """
    first, last = said_of["first_seen"], said_of["last_seen"]
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise TypeError("a finding has two times")
    return Finding(
        detection=header.id,
        title=header.title,
        level=header.level,
        confidence=header.confidence,
        category=header.category,
        account=str(said_of["account"]),
        host=str(said_of["host"]),
        count=int(str(said_of["count"])),
        first_seen=first,
        last_seen=last,
        why=said(header.why, header.title, kept, said_of),
        evidence=quoted(kept, fields),
        benign=header.falsepositives,
        techniques=header.techniques,
        signals=header.signals,
        decisive=header.decisive,
        durable=header.durable,
    )

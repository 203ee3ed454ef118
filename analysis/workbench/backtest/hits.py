"""Matches counted by rule, day and account, and the loudest values of the fields that a rule reads.

Memory is bounded by rules, accounts, days and `VALUES`, not by events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.detach import detached
from analysis.sigma import tree
from analysis.sigma.quote import ACCOUNT, AT, HOST, NO_TIME, text_of, who_and_when

if TYPE_CHECKING:
    from collections.abc import Collection

    from analysis.sigma.pack import RulePack

VALUES: Final = 1_000  # distinct values of one field of one rule that are told apart
_LETTERS: Final = 1_000  # of a value; a longer one is told apart by these alone
_MERGE_ROWS: Final = 200_000
_KEY: Final = ["rule", "day", "account", "host", "verdict"]
_COUNTS: Final = {"rule": pl.UInt32(), "field": pl.UInt32(), "value": pl.String(), "hits": pl.Int64()}
_LOST: Final = {"rule": pl.UInt32(), "field": pl.UInt32(), "most": pl.Int64()}
SCHEMA: Final = {
    "rule": pl.UInt32(),  # its number in the pack
    "day": pl.Date(),  # UTC; null for events without a time
    "account": pl.String(),  # "" if nobody is known
    "host": pl.String(),  # where no account is known, and for nothing else; "" if the event does not say
    "verdict": pl.Boolean(),  # null where nobody judged
    "hits": pl.Int64(),
    "first": pl.Datetime("us", "UTC"),
    "last": pl.Datetime("us", "UTC"),
}


class Hits:
    """Counts the matches of a pack."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame, verdicts: pl.Series) -> None:
        """Take in one batch.

        Args:
            frame: enriched events.
            matches: `rule` and `row`, as `RulePack.match` has them.
            verdicts: whether each match was right, by whoever judged it; null where nobody did.
        """
        if matches.is_empty():
            return
        who = who_and_when(frame)[matches["row"]]
        timed = pl.when(pl.col(AT) != NO_TIME).then(AT)
        found = (
            pl.concat([matches.select("rule"), who], how="horizontal")
            .with_columns(verdicts.alias("verdict"), at=timed, account=ACCOUNT)
            .with_columns(
                day=pl.col("at").dt.date(),
                host=pl.when(pl.col(ACCOUNT) == "").then(HOST).otherwise(pl.lit("")),
            )
            .group_by(_KEY)
            .agg(hits=pl.len().cast(pl.Int64), first=pl.col("at").min(), last=pl.col("at").max())
        )
        self._parts.append(detached(found.select(*SCHEMA)))
        if sum(part.height for part in self._parts) > _MERGE_ROWS:
            self._parts = [self.table()]

    def table(self) -> pl.DataFrame:
        """All of it: the columns of `SCHEMA`."""
        return (
            pl.concat([pl.DataFrame(schema=SCHEMA), *self._parts])
            .group_by(_KEY)
            .agg(pl.col("hits").sum(), pl.col("first").min(), pl.col("last").max())
            .select(*SCHEMA)
            .sort(_KEY)
        )


@dataclass(frozen=True, slots=True)
class Loud:
    """The values of one field in the events that a rule matched.

    Attributes:
        field: as the rule names it.
        columns: those that held it.
        distinct: how many values there were; `VALUES` may stand for more.
        top: the most frequent ones and their events, most first.
        off: by how much the counts may be too low; 0 where there were never more than `VALUES` values.
    """

    field: str
    columns: tuple[str, ...]
    distinct: int
    top: dict[str, int]
    off: int


class Loudest:
    """Counts the values that the fields of rules had in the events that matched.

    Args:
        pack: whose matches are counted.
        rules: the numbers of those whose values are wanted.
    """

    def __init__(self, pack: RulePack, rules: Collection[int]) -> None:
        self._fields = {number: _fields(pack, number) for number in rules}
        self._parts: list[pl.DataFrame] = []
        self._held: dict[tuple[int, int], dict[str, None]] = {}
        self._lost = pl.DataFrame(schema=_LOST)
        self._ranked = False

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame) -> None:
        """Take in one batch; arguments as of `Hits.add`."""
        self._ranked = False
        for (number,), rows in matches.partition_by("rule", as_dict=True).items():
            for place, field in enumerate(self._fields.get(int(number), ())):
                columns = [name for name in field.sources if name in frame.columns]
                if columns:
                    held = self._held.setdefault((int(number), place), {})
                    held.update(dict.fromkeys(columns))
                    counted = _counted(text_of(field, frame.select(columns)[rows["row"]]))
                    who = (
                        pl.lit(int(number), pl.UInt32).alias("rule"),
                        pl.lit(place, pl.UInt32).alias("field"),
                    )
                    self._parts.append(detached(counted.select(*who, "value", "hits")))
        if sum(part.height for part in self._parts) > _MERGE_ROWS:
            self._merge()

    def _merge(self) -> pl.DataFrame:
        """Keep the loudest values of each field, and how loud those that were let go may have been."""
        by = ["rule", "field"]
        every = pl.concat([pl.DataFrame(schema=_COUNTS), *self._parts])
        ranked = (
            every.group_by(*by, "value")
            .agg(pl.col("hits").sum())
            .sort(*by, "hits", "value", descending=[False, False, True, False])
            .with_columns(place=pl.int_range(pl.len()).over(by))
        )
        gone = ranked.filter(pl.col("place") >= VALUES).group_by(by).agg(most=pl.col("hits").max())
        self._lost = pl.concat([self._lost, gone]).group_by(by).agg(pl.col("most").sum())
        self._parts = [detached(ranked.filter(pl.col("place") < VALUES).drop("place"))]
        self._ranked = True
        return self._parts[0]

    def of(self, number: int, most: int) -> list[Loud]:
        """The fields of a rule that had values in its hits, in the order of writing.

        Args:
            number: the rule's, in the pack.
            most: values of each field to tell.
        """
        kept = self._parts[0] if self._ranked else self._merge()
        found: list[Loud] = []
        if not any((number, place) in self._held for place in range(len(self._fields[number]))):
            return found
        for place, field in enumerate(self._fields[number]):
            asked = (pl.col("rule") == number) & (pl.col("field") == place)
            mine = kept.filter(asked)
            if mine.height:
                off = self._lost.filter(asked)["most"].sum()
                top = dict(mine.select("value", "hits").head(most).iter_rows())
                columns = tuple(self._held[number, place])
                found.append(Loud(field.name, columns, mine.height, top, int(off)))
        return found


def _fields(pack: RulePack, number: int) -> tuple[tree.Field, ...]:
    """What a rule reads, then what its `fields:` names; a name that the condition has too comes once."""
    rule = pack.rules[number]
    read = tree.fields(rule.unfiltered)
    known = {column for field in read for column in field.sources}
    return (*read, *(tree.Field(name, (name,)) for name in rule.shown if name not in known))


def _counted(values: pl.Series) -> pl.DataFrame:
    """The distinct values, and how many events had each."""
    cut = values.str.head(_LETTERS).alias("value").to_frame().drop_nulls()
    return cut.group_by("value").agg(hits=pl.len().cast(pl.Int64))

"""Matches into findings of correlations: gathered batch by batch, counted at the end, exactly.

Where the specification is silent: an event that lacks a group-by field is left out; null is not a value to
count; a correlation counted by another passes on each event at which its condition holds, or, where it is
counted or measured, the first of each run of such events. A finding is made for each group and each account
in its windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.detach import detached
from analysis.sigma.column import series_of
from analysis.sigma.correlation import TEMPORAL, VALUES, Correlation
from analysis.sigma.quote import ACCOUNT, AT, HOST, SHOWN, Quoting, Total, finding, text_of, who_and_when
from analysis.sigma.windows import HOLDS, KEY, MEASURED, REF, VALUE, holding
from analysis.sigma.written import texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.finding import Finding
    from analysis.sigma.pack import RulePack
    from analysis.sigma.rule import Rule

_GROUP: Final = "_group{}"
_SEPARATOR: Final = "\x1f"  # between the parts of a key; no log has it in a name
_ORDER: Final = "_order"


class Correlations:
    """Gathers the matched events that the correlations of a pack count.

    Args:
        pack: whose `match` made the matches.
    """

    def __init__(self, pack: RulePack) -> None:
        self._pack = pack
        numbers = {key: index for index, rule in enumerate(pack.rules) for key in (rule.id, rule.name) if key}
        self._parts = {correlation.id: list[pl.DataFrame]() for correlation in pack.correlations}
        self._feeds: list[tuple[Correlation, int, int, Quoting]] = []
        for correlation in pack.correlations:
            for reference, name in enumerate(correlation.rules):
                if name in numbers:
                    rule = pack.rules[numbers[name]]
                    self._feeds.append(
                        (correlation, reference, numbers[name], self._quoting(correlation, rule))
                    )

    def _quoting(self, correlation: Correlation, rule: Rule) -> Quoting:
        def columns(name: str) -> tuple[str, ...]:
            return self._pack.taxonomy.field(name, rule.logsource).sources

        named = (*correlation.group_by, *correlation.counted, *correlation.shown)
        fields = [column for name in named for column in columns(name)]
        return Quoting((*fields, *rule.evidence_fields), correlation.why, self._pack.taxonomy, rule.logsource)

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame) -> None:
        """Take in the matches of one batch.

        Args:
            frame: the batch, with `account` where attribution knows it.
            matches: what `RulePack.match` said of it.
        """
        present = set(matches["rule"].unique())
        for correlation, reference, number, quoting in self._feeds:
            if number in present:
                rows = matches.filter(pl.col("rule") == number)["row"]
                rule = self._pack.rules[number]
                gathered = self._gather(frame[rows], correlation, reference, rule, quoting)
                if gathered.height:
                    self._parts[correlation.id].append(detached(gathered))

    def _gather(
        self, events: pl.DataFrame, correlation: Correlation, reference: int, rule: Rule, quoting: Quoting
    ) -> pl.DataFrame:
        name = correlation.rules[reference]
        keep = who_and_when(events).with_columns(pl.lit(reference, pl.UInt16).alias(REF))
        counted = [self._pack.taxonomy.field(field, rule.logsource) for field in correlation.counted]
        if correlation.kind in VALUES:
            keep = keep.with_columns(_numbers(series_of(counted[0], events), events.height).alias(VALUE))
        elif counted:
            keep = keep.with_columns(_combined([text_of(field, events) for field in counted]).alias(VALUE))
        lists = []
        for index, field in enumerate(correlation.group_by):
            own = correlation.aliases.get(field, {}).get(name, field)
            series = series_of(self._pack.taxonomy.field(own, rule.logsource), events)
            if series is not None and isinstance(series.dtype, pl.List):
                lists.append(_GROUP.format(index))
                values = texts(series)
            else:
                values = text_of(self._pack.taxonomy.field(own, rule.logsource), events)
            keep = keep.with_columns(values.alias(_GROUP.format(index)))
        keep = pl.concat([keep, quoting.keep(events)], how="horizontal")
        for column in lists:
            keep = keep.explode(column)
        groups = [_GROUP.format(index) for index in range(len(correlation.group_by))]
        return keep.drop_nulls(groups)

    def find(self) -> Iterator[Finding]:
        """The findings, in order of correlation, group and account."""
        fired: dict[str, tuple[Correlation, pl.DataFrame]] = {}
        for correlation in self._pack.correlations:
            events = self._events(correlation, fired)
            if events is None:
                continue
            events = holding(events, correlation)
            fired |= {key: (correlation, events) for key in (correlation.id, correlation.name) if key}
            if not correlation.silent:
                yield from self._findings(correlation, events)

    def _events(
        self, correlation: Correlation, fired: dict[str, tuple[Correlation, pl.DataFrame]]
    ) -> pl.DataFrame | None:
        """What a correlation counts, sorted by group and time; None if nothing."""
        parts = list(self._parts[correlation.id])
        parts += [
            _passed_on(correlation, reference, *fired[name])
            for reference, name in enumerate(correlation.rules)
            if name in fired
        ]
        parts = [part for part in parts if part.height]
        if not parts:
            return None
        groups = [_GROUP.format(index) for index in range(len(correlation.group_by))]
        key = pl.concat_str(groups, separator=_SEPARATOR) if groups else pl.lit("")
        together = pl.concat(parts, how="diagonal_relaxed").with_columns(key.alias(KEY))
        return together.with_row_index(_ORDER).sort(KEY, AT, _ORDER).drop(_ORDER)

    def _findings(self, correlation: Correlation, events: pl.DataFrame) -> Iterator[Finding]:
        events = _involved(events, correlation)
        if events.is_empty():
            return
        fields = tuple(
            dict.fromkeys(
                column
                for feed, _, _, quoting in self._feeds
                if feed.id == correlation.id
                for column in quoting.fields
            )
        )
        for (_, account), group in events.partition_by(
            KEY, ACCOUNT, as_dict=True, maintain_order=True
        ).items():
            hosts = group.filter(pl.col(HOST) != "")[HOST]
            host = hosts[0] if len(hosts) else ""
            words = {name: group[_GROUP.format(index)][0] for index, name in enumerate(correlation.group_by)}
            yield finding(
                correlation,
                Total(account, host, group.height, group[AT][0], group[AT][-1]),
                group.head(SHOWN),
                fields,
                {"value": _plain_number(group["_most"][0]), **words},
            )


def _numbers(series: pl.Series | None, height: int) -> pl.Series:
    """Values as floating-point numbers; null where they are none."""
    if series is None or isinstance(series.dtype, pl.List):
        return pl.repeat(None, height, dtype=pl.Float64, eager=True)
    if series.dtype.is_numeric():
        return series.cast(pl.Float64)
    return texts(series).str.strip_prefix("+").cast(pl.Float64, strict=False)


def _combined(texts: list[pl.Series]) -> pl.Series:
    """Several fields as one value; null where none has a value."""
    if len(texts) == 1:
        return texts[0]
    frame = pl.DataFrame({str(index): text for index, text in enumerate(texts)})
    joined = pl.concat_str(pl.all().fill_null(""), separator=_SEPARATOR)
    some = pl.any_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(some).then(joined).alias("v"))["v"]


def _passed_on(
    correlation: Correlation, reference: int, child: Correlation, events: pl.DataFrame
) -> pl.DataFrame:
    """The events at which `child` fired, as events of `correlation`, grouped by what both group by."""
    name = correlation.rules[reference]
    holds = pl.col(HOLDS)
    if correlation.kind not in TEMPORAL:
        holds &= ~pl.col(HOLDS).shift(1).over(KEY).fill_null(value=False)
    fired = events.filter(holds)
    groups = []
    for index, field in enumerate(correlation.group_by):
        own = correlation.aliases.get(field, {}).get(name, field)
        if own in child.group_by:
            group = pl.col(_GROUP.format(child.group_by.index(own)))
        elif own == "account":
            group = pl.when(pl.col(ACCOUNT) != "").then(ACCOUNT)
        else:
            group = pl.lit(None, pl.String)
        groups.append(group.alias(_GROUP.format(index)))
    value = pl.lit(None, pl.String if correlation.kind == "value_count" else pl.Float64)
    if correlation.kind == "value_count" and correlation.counted[0] in child.group_by:
        value = pl.col(_GROUP.format(child.group_by.index(correlation.counted[0])))
    internal = [
        column for column in fired.columns if column.startswith("_") and column not in (ACCOUNT, AT, HOST)
    ]
    kept = fired.drop(internal)
    own_columns = fired.select(*groups, pl.lit(reference, pl.UInt16).alias(REF), value.alias(VALUE))
    return pl.concat([kept, own_columns], how="horizontal").drop_nulls(
        [_GROUP.format(index) for index in range(len(correlation.group_by))]
    )


def _involved(events: pl.DataFrame, correlation: Correlation) -> pl.DataFrame:
    """The events inside a window in which the condition holds, with the largest number measured there."""
    events = events.with_columns(pl.col(HOLDS).any().over(KEY, AT))
    at = pl.when(HOLDS).then(AT).backward_fill().over(KEY)
    events = events.filter((at - pl.col(AT) <= correlation.timespan).fill_null(value=False))
    most = pl.col(MEASURED).filter(HOLDS).max().over(KEY)
    return events.with_columns(most.alias("_most"))


def _plain_number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else f"{value:.2f}"

"""From a batch and its matches to what a correlation counts: an item an event and group, numbers only.

A group is known by 128 bits of a hash whose seeds are drawn anew in every process, so that no log can be made
to confuse two: with a thousand million groups the chance that any two are taken for one is 10^-21. Its name,
and all else that a finding says of an event, is looked up at the end, for the few events that are shown.

Values are compared without case, as all text in Sigma.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analysis.sigma.correlations.correlation import VALUES, Correlation
from analysis.sigma.correlations.items import EVENT, HIGH
from analysis.sigma.fold import fold_values
from analysis.sigma.matching.column import series_of
from analysis.sigma.written import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.sigma.correlations.items import Columns
    from analysis.sigma.correlations.paths import Path
    from analysis.sigma.correlations.sliding import Array
    from analysis.sigma.tree import Field

LOW: Final = "_low"  # the other half of the group's key
AT: Final = "_at"  # microseconds since 1970
PATH: Final = "_path"  # index in the paths of the correlation
VALUE: Final = "_value"
OF_HIGH: Final = "_of_high"  # key of the value to tell apart
OF_LOW: Final = "_of_low"  # both are 0 where there is no value
_SEEDS: Final = (secrets.randbits(64), secrets.randbits(64))
_HOST: Final = np.uint64(1)
_NOBODY: Final = np.uint64(0)
_SOME: Final = 1000
_MANY: Final = 50_000
_MIX: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))  # any two odd numbers


@dataclass(frozen=True, slots=True)
class Values:
    """A field of a batch.

    Attributes:
        high: one half of a key of each value, UInt64; `low` the other. Or, of a number, the number itself.
        there: whether it is one.
        every: whether all of them are.
        begins: where the field has lists, the place of each event's first value, and how many values there
            are; without it, each event has one.
    """

    high: Array
    low: Array
    there: Array
    every: bool
    begins: Array | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Events of a batch, each as often as it has combinations of values.

    Attributes:
        place: which of the events that were asked for; None if each of them once.
        event: its row in the batch.
        values: of each field asked for, in their order: `high`, `low` and `there`.
        whole: whether they are all events of the batch, in their order.
    """

    place: Array | None
    event: Array
    values: tuple[tuple[Array, Array, Array], ...] = ()
    whole: bool = False

    @classmethod
    def of(cls, events: Array, batch: int) -> Rows:
        """These events, once each, of a batch of so many."""
        return cls(None, events, whole=len(events) == batch and bool((events == np.arange(batch)).all()))

    def having(self, field: Values | None) -> Rows:
        """With the values of one field more; events that lack it are left out."""
        if field is None:
            nothing = np.zeros(0, np.uint64)
            return self._taken(np.zeros(0, np.int64), (nothing, nothing, np.zeros(0, bool)))
        row, at = self._values(field, at_least=0)
        there = field.there[at]
        if not field.every and not there.all():
            chosen = np.flatnonzero(there)
            at = self.event[chosen] if row is None else at[chosen]
            row, there = chosen if row is None else row[chosen], there[chosen]
        return self._taken(row, (field.high[at], field.low[at], there))

    def perhaps(self, field: Values | None) -> Rows:
        """With the values of one field more; events that lack it stay."""
        if field is None or not len(field.there):
            nothing = np.zeros(len(self.event), np.uint64)
            return self._taken(None, (nothing, nothing, np.zeros(len(nothing), bool)))
        row, at = self._values(field, at_least=1)
        if field.every and field.begins is None:
            return self._taken(row, (field.high[at], field.low[at], field.there[at]))
        at = np.minimum(self.event if row is None else at, len(field.there) - 1)
        there = field.there[at]
        if field.begins is not None:
            there &= (field.begins[1:] > field.begins[:-1])[self.event if row is None else self.event[row]]
        return self._taken(
            row, (np.where(there, field.high[at], 0), np.where(there, field.low[at], 0), there)
        )

    def _values(self, field: Values, at_least: int) -> tuple[Array | None, Any]:
        """Row of each value (None if each row has one), and its place in the field, or a slice of that."""
        if field.begins is None:
            return None, slice(None) if self.whole else self.event
        first = field.begins[self.event]
        number = np.maximum(field.begins[self.event + 1] - first, at_least)
        row = np.repeat(np.arange(len(self.event)), number)
        return row, np.arange(len(row)) + np.repeat(first - np.cumsum(number) + number, number)

    def _taken(self, row: Array | None, more: tuple[Array, Array, Array]) -> Rows:
        if row is None:
            return Rows(self.place, self.event, (*self.values, more), self.whole)
        values = tuple((high[row], low[row], there[row]) for high, low, there in self.values)
        place = row if self.place is None else self.place[row]
        return Rows(place, self.event[row], (*values, more))

    def key(self, fields: Sequence[int]) -> tuple[Array, Array]:
        """Both halves of a key of these of the fields."""
        return _key([self.values[one][:2] for one in fields], len(self.event))


def _key(halves: Sequence[tuple[Array, Array]], height: int) -> tuple[Array, Array]:
    if len(halves) == 1:
        return halves[0]
    keys = []
    for half, mix in enumerate(_MIX):
        key = np.zeros(height, np.uint64)
        for one in halves:
            key = key * mix + one[half]
        keys.append(key)
    return keys[0], keys[1]


class Batch:
    """Some events of a batch.

    Args:
        events: any columns.
    """

    def __init__(self, events: pl.DataFrame) -> None:
        self.events = events
        self._keys: dict[Field, Values | None] = {}
        self._numbers: dict[Field, Values | None] = {}

    def keys(self, field: Field) -> Values | None:
        """A field's values by their keys; None if no event has it."""
        if field not in self._keys:
            series = series_of(field, self.events)
            self._keys[field] = None if series is None else _keys_of(series)
        return self._keys[field]

    def numbers(self, field: Field) -> Values | None:
        """A field's values as numbers; None if no event has it."""
        if field not in self._numbers:
            series = series_of(field, self.events)
            self._numbers[field] = None if series is None else _numbers_of(series)
        return self._numbers[field]

    def items(self, events: Array, path: Path, number: int, correlation: Correlation) -> Columns:
        """What a correlation counts of events of one of its rules.

        Args:
            events: rows of the batch.
            path: from the rule to the correlation.
            number: its index.
            correlation: whose items are wanted.

        Returns:
            `EVENT` (the row in the batch), `PATH`, `HIGH`, `LOW` and what `measured` says, an item an event,
            group and value.
        """
        rows = Rows.of(events, self.events.height)
        for field in path.groups:
            rows = rows.having(self.keys(field))
        high, low = rows.key(range(len(path.groups)))
        place, measured = self.measured(rows.event, path, correlation)
        if place is not None:
            high, low = high[place], low[place]
        event = rows.event if place is None else rows.event[place]
        return {EVENT: event, PATH: np.full(len(event), number, np.uint16), HIGH: high, LOW: low, **measured}

    def measured(self, events: Array, path: Path, correlation: Correlation) -> tuple[Array | None, Columns]:
        """What is measured of events; one that has several values is there as often.

        Args:
            events: rows of the batch.
            path: from their rule to the correlation.
            correlation: what it measures.

        Returns:
            Which of `events`, None if each once; and `VALUE` (Float64, NaN where there is none), or `OF_HIGH`
            and `OF_LOW`, or nothing.
        """
        rows = Rows.of(events, self.events.height)
        if correlation.tells_values_apart:
            for field in path.counted:
                rows = rows.perhaps(self.keys(field))
            high, low = rows.key(range(len(path.counted)))
            return rows.place, {OF_HIGH: high, OF_LOW: low}
        if correlation.kind not in VALUES:
            return None, {}
        rows = rows.perhaps(self.numbers(path.counted[0]))
        number, _, there = rows.values[0]
        return rows.place, {VALUE: np.where(there, number, np.nan)}


def who(events: pl.DataFrame) -> Array:
    """A number of 64 bits for each event: the account's, and in the last bit whether its host is known.

    Accounts of one group are told apart by them; see `same_account` and `has_host`.
    """
    account, host = _text("account", events), _text("host.name", events)
    if account is None:
        known = np.zeros(events.height, np.uint64)
    else:
        known = account.hash(_SEEDS[0]).to_numpy() & ~_HOST
        if account.null_count() or (account.str.len_bytes() == 0).any():
            known = np.where(account.is_in(["", None], nulls_equal=True).to_numpy(), _NOBODY, known)
    if host is None:
        return known
    there = (host.str.len_bytes() > 0).fill_null(value=False)
    return np.asarray(known | there.to_numpy())


def same_account(who: Array) -> Array:
    """What is equal where the account is."""
    return who & ~_HOST


def has_host(who: Array) -> Array:
    """Whether the host is known."""
    return np.asarray(who & _HOST, bool)


def _text(name: str, events: pl.DataFrame) -> pl.Series | None:
    return events[name].cast(pl.String) if name in events.columns else None


def key_of(columns: Sequence[pl.Series], height: int) -> tuple[Array, Array]:
    """Both halves of the key of texts, a row each."""
    return _key([_halves(_folded(column)) for column in columns], height)


def _folded(text: pl.Series) -> pl.Series:
    """Text without its case, as `fold_values` has it.

    Of ASCII, which most is, lower-casing is all there is to it, and the text just written, which is still at
    hand, tells that it was. (No letter that is folded in another way becomes ASCII in lower case.)
    """
    lower = text.str.to_lowercase()
    if lower.str.len_bytes().sum() == lower.str.len_chars().sum():
        return lower
    return fold_values(text)


def _halves(folded: pl.Series) -> tuple[Array, Array]:
    return folded.hash(_SEEDS[0]).to_numpy(), folded.hash(_SEEDS[1]).to_numpy()


def _keys_of(series: pl.Series) -> Values:
    flat, begins = _flat(series)
    if begins is None and _repeats(flat):
        different, codes = _encoded(flat)
        each = _keys_of(different)
        return Values(each.high[codes], each.low[codes], each.there[codes], each.every)
    text = _folded(texts(flat))
    if begins is not None:  # what a list has twice is one value
        height = len(series)
        owner = pl.Series("owner", np.repeat(np.arange(height), np.diff(begins)))
        once = pl.DataFrame([owner, text.alias("text")]).unique(maintain_order=True)
        text = once["text"]
        begins = _begins(np.bincount(once["owner"].to_numpy(), minlength=height))
    high, low = _halves(text)
    if not text.null_count():
        return Values(high, low, np.ones(len(text), bool), every=True, begins=begins)
    return Values(high, low, text.is_not_null().to_numpy(), every=False, begins=begins)


def _repeats(series: pl.Series) -> bool:
    """Whether most values of a long column are there several times, by its first thousand."""
    return len(series) > _MANY and series.dtype == pl.String and series.head(_SOME).n_unique() < _SOME // 2


def _encoded(series: pl.Series) -> tuple[pl.Series, Array]:
    """The different values of a column, and which each row has."""
    codes = series.cast(pl.Categorical(pl.Categories.random())).to_physical().cast(pl.Int64)
    count = int(codes.max()) + 1 if codes.null_count() < len(codes) else 0  # type: ignore[arg-type]  # a number
    numbers = codes.fill_null(count).to_numpy()
    row = np.zeros(count + 1, np.int64)
    row[numbers] = np.arange(len(numbers))
    return series.gather(row), numbers


def _numbers_of(series: pl.Series) -> Values:
    flat, begins = _flat(series)
    if flat.dtype == pl.String:
        flat = flat.str.strip_prefix("+").cast(pl.Float64, strict=False)
    elif flat.dtype.is_numeric():
        flat = flat.cast(pl.Float64)
    else:
        flat = pl.repeat(None, len(flat), dtype=pl.Float64, eager=True)
    number = flat.to_numpy()  # null is NaN
    there = np.isfinite(number)
    return Values(number, number, there, bool(there.all()), begins)


def _flat(series: pl.Series) -> tuple[pl.Series, Array | None]:
    """The values of lists one after the other, and where each row's begin; of what is no list, None."""
    if not isinstance(series.dtype, pl.List):
        return series, None
    flat = series.explode(empty_as_null=False, keep_nulls=False)
    return flat, _begins(series.list.len().fill_null(0).to_numpy())


def _begins(numbers: Array) -> Array:
    return np.concatenate(([0], np.cumsum(numbers, dtype=np.int64)))

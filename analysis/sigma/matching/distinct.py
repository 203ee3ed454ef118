"""The distinct values of a column, and which of them a value of a rule matches.

A predicate sees each distinct value once, however many rows have it, and a pattern or regular expression only
those that hold a literal which it cannot match without.
"""

from __future__ import annotations

import math
import operator
import re
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl

from analysis.sigma import regex, tree
from analysis.sigma.fold import fold, fold_values
from analysis.sigma.matching.views import Texts
from analysis.sigma.matching.wild import contains, like
from analysis.sigma.written import texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.sigma.matching.asked import Asked, Possible
    from analysis.sigma.matching.literals import Hits

    Mask: TypeAlias = NDArray[np.bool_]
    # Numbers of values, in order, each once.
    Values: TypeAlias = NDArray[np.uint32]

INTEGER: Final = r"^[+-]?[0-9]{1,18}$"
DECIMAL: Final = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_INTEGER: Final = re.compile(INTEGER)
_DECIMAL: Final = re.compile(DECIMAL)
_COMPARE: Final = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
_IPV4: Final = r"^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$"
_DAY: Final = r"^(\d{4}-\d\d-\d\d)$"
_TIME: Final = r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::[0-5]\d)?)(?:[.,]\d+)?\s*(Z|z|[+-]\d\d:?\d\d)?$"
NONE: Final = np.zeros(0, np.uint32)
_FEW: Final = 16  # values
_FEW_NUMBERS: Final = 256  # Polars takes longer to begin than Python to read so few


class Distinct:
    """Distinct values, none of them null, and what can be asked of them.

    Args:
        values: of one type; order is free.
        asked: the items that will be asked.
        late: where regular expressions that run out of time are booked.
    """

    def __init__(self, values: pl.Series | Texts, asked: Asked, late: regex.Late) -> None:
        self._distinct = values
        self._asked = asked
        self._late = late
        self._known: dict[int, Values] = {}

    @cached_property
    def _hits(self) -> Hits | None:
        literals = self._asked.literals
        if not literals:
            return None
        return literals.find(self._distinct if isinstance(self._distinct, Texts) else self._text)

    @cached_property
    def _possible(self) -> Possible | None:
        return self._asked.possible(self._hits) if self._hits is not None else None

    @property
    def likely(self) -> Mask | None:
        """For each item that is asked, by its place, whether it may be true of any value; None if all may."""
        return None if self._possible is None else self._possible.items

    def possible(self, item: tree.Item) -> tuple[tree.Value, ...]:
        """The values that `item` asks for and that may be here; none if it is false of every value."""
        if self._possible is None:
            return self._asked.values(item)
        return self._asked.chosen(item, self._possible)

    def matching(self, value: tree.Value) -> Values:
        """The numbers of the values that `value` matches.

        Args:
            value: one of `Asked.values`.
        """
        found = self._known.get(id(value))
        if found is None:
            found = self._known[id(value)] = self._evaluate(value)
        return found

    def _evaluate(self, value: tree.Value) -> Values:  # noqa: PLR0911 - one case a type
        match value:
            case tree.Text():
                return self._like(value)
            case tree.AnyOf():
                return either([self.matching(inner) for inner in self._asked.inside(value)])
            case tree.Number(number):
                return _true(self._number("eq", number))
            case tree.Compare(how, number):
                return _true(self._number(how, number))
            case tree.Truth(truth):
                if self._values.dtype == pl.Boolean:
                    return _true((self._values == truth).to_numpy())
                return _true((self._folded == ("true" if truth else "false")).to_numpy())
            case tree.Regex():
                return self._searched(value)
            case tree.Network(network):
                return _true(self._inside(network.version, int(network[0]), int(network[-1])))
            case tree.TimePart(part, number, how):
                return _true(self._time_part(part, how, number))
        raise TypeError(f"{value!r} is not asked of values")

    # --- text ---------------------------------------------------------------------------------------------

    @cached_property
    def _values(self) -> pl.Series:
        return self._distinct.series if isinstance(self._distinct, Texts) else self._distinct

    @cached_property
    def _text(self) -> pl.Series:
        """The values as text: numbers as they are written, true and false, times in ISO 8601."""
        return self._values if self._values.dtype == pl.String else texts(self._values)

    @cached_property
    def _folded(self) -> pl.Series:
        """The values as text without case."""
        return fold_values(self._text)

    @cached_property
    def _all(self) -> Values:
        return np.arange(len(self._distinct), dtype=np.uint32)

    def _near(self, value: tree.Value) -> Values | None:
        """The values that hold one of the literals without which `value` is false; None if it needs none."""
        needs = self._asked.needs(value)
        if needs is None:
            return None
        return NONE if self._hits is None else either([self._hits.of(number) for number in needs])

    def _like(self, text: tree.Text) -> Values:
        asked = self._asked.shape(text)
        near = self._near(text)
        if not asked.regex:
            return self._all if near is None else near
        if near is not None and len(near) <= _FEW:
            return near[self._stand(near, text)]
        values = self._text if asked.cased else self._folded
        if near is None:
            return _true(contains(values, asked.regex, text))
        return near[contains(values[near], asked.regex, text)] if len(near) else near

    def _stand(self, near: Values, text: tree.Text) -> Mask:
        """Which of a few values match a pattern: Polars takes longer to begin than Python to do so few."""
        groups = self._asked.groups(text)
        texts = self._distinct if isinstance(self._distinct, Texts) else self._text
        values = [texts[place] for place in near.tolist()]
        return np.array([like(one if text.cased else fold(one), groups) for one in values], bool)

    def _searched(self, value: tree.Regex) -> Values:
        pattern = regex.compiled(value.pattern, value.flags)
        near = self._near(value)
        if near is None:
            return _true(pattern.search(self._text, self._late))
        if isinstance(self._distinct, Texts):
            near = near[self._distinct.lengths[near] >= pattern.least]
        return near[pattern.search(self._text[near], self._late)] if len(near) else NONE

    # --- numbers, times, addresses --------------------------------------------------------------------------

    @cached_property
    def _numbers(self) -> tuple[NDArray[Any], Mask, NDArray[np.float64]]:
        """The values as integers and which of them are exact; as floating-point numbers, NaN if none."""
        kind = self._values.dtype
        if kind.is_integer():
            wide = kind in {pl.Int128, pl.UInt128}  # NumPy has none
            whole = np.array(self._values.to_list(), object) if wide else self._values.to_numpy()
            return whole, np.ones(len(self._values), bool), self._values.cast(pl.Float64).to_numpy()
        if kind.is_float():
            return *_exact(self._nothing(pl.Int64())), self._values.cast(pl.Float64).to_numpy()
        if kind != pl.String:
            return *_exact(self._nothing(pl.Int64())), np.full(len(self._values), np.nan)
        if len(self._distinct) <= _FEW_NUMBERS:
            return _read(self._values.to_list())
        frame = self._values.alias("").to_frame()
        text = pl.col("").str.strip_prefix("+")
        numbers = frame.select(
            whole=pl.when(pl.col("").str.contains(INTEGER)).then(text).cast(pl.Int64, strict=False),
            decimal=pl.when(pl.col("").str.contains(DECIMAL)).then(text).cast(pl.Float64, strict=False),
        )
        return *_exact(numbers["whole"]), numbers["decimal"].fill_null(np.nan).to_numpy()

    def _nothing(self, kind: pl.DataType) -> pl.Series:
        return pl.repeat(None, len(self._values), dtype=kind, eager=True)

    def _number(self, how: str, number: float) -> Mask:
        whole, exact, decimal = self._numbers
        compare = _COMPARE.get(how, operator.eq)
        close = np.asarray(compare(decimal, as_float(number)))
        if isinstance(number, float) and not number.is_integer():
            return close
        return np.where(exact, compare(whole, int(number)), close).astype(bool, copy=False)

    @cached_property
    def _times(self) -> tuple[pl.Series, pl.Series]:
        """Points in time, and days (also where no time of the day is said); null where it is neither."""
        kind = self._values.dtype
        if isinstance(kind, pl.Datetime):
            times = self._values.dt.convert_time_zone("UTC") if kind.time_zone else self._values
            return times, times.dt.date()
        if kind == pl.Date:
            return self._nothing(pl.Datetime("us")), self._values
        if kind != pl.String:
            return self._nothing(pl.Datetime("us")), self._nothing(pl.Date())
        times = _points(self._values)
        days = self._values.str.extract(_DAY).str.to_date("%Y-%m-%d", strict=False)
        return times, times.dt.date().zip_with(times.is_not_null(), days)

    def _time_part(self, part: str, how: str, number: int) -> Mask:
        times, days = self._times
        parts = {
            "minute": times.dt.minute, "hour": times.dt.hour, "day": days.dt.day,
            "week": days.dt.week, "month": days.dt.month, "year": days.dt.year,
        }  # fmt: skip
        compare = _COMPARE.get(how, operator.eq)
        asked: pl.Series = compare(parts[part]().cast(pl.Int64), number)
        return asked.fill_null(value=False).to_numpy()

    @cached_property
    def _addresses(self) -> tuple[NDArray[np.int64], Mask, NDArray[np.uint64], NDArray[np.uint64]]:
        """IPv4 addresses as numbers (-1 if none); whether it is IPv6, its upper and its lower half.

        An IPv4 address written in IPv6 (`::ffff:10.0.0.1`, RFC 4291 2.5.5.2) is the IPv4 address.
        """
        text = self._text
        octets = text.alias("").to_frame().select(pl.col("").str.extract_groups(_IPV4)).unnest("")
        number = pl.lit(0, dtype=pl.Int64)
        valid = pl.lit(value=True)
        for column in octets.columns:
            octet = pl.col(column).cast(pl.Int64, strict=False)
            number = number * 256 + octet
            valid &= octet <= 255  # noqa: PLR2004 - an octet
        four = octets.select(pl.when(valid).then(number).fill_null(-1).alias("n"))["n"].to_numpy().copy()
        is_six = np.zeros(len(text), bool)
        upper = np.zeros(len(text), np.uint64)
        lower = np.zeros(len(text), np.uint64)
        for place in np.flatnonzero(text.str.contains(":", literal=True).to_numpy()):
            address = _ipv6(text[int(place)])
            if isinstance(address, IPv4Address):
                four[place] = int(address)
            elif address is not None:
                is_six[place] = True
                upper[place], lower[place] = divmod(int(address), 1 << 64)
        return four, is_six, upper, lower

    def _inside(self, version: int, first: int, last: int) -> Mask:
        """Addresses of the IP version from `first` to `last`."""
        four, is_six, upper, lower = self._addresses
        if version == 4:  # noqa: PLR2004 - the version
            return np.asarray((four >= first) & (four <= last))
        first_up, first_low = (np.uint64(part) for part in divmod(first, 1 << 64))
        last_up, last_low = (np.uint64(part) for part in divmod(last, 1 << 64))
        above = (upper > first_up) | ((upper == first_up) & (lower >= first_low))
        below = (upper < last_up) | ((upper == last_up) & (lower <= last_low))
        return np.asarray(is_six & above & below)


def as_float(number: float) -> float:
    """The nearest floating-point number; of integers beyond them all, infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _exact(numbers: pl.Series) -> tuple[NDArray[np.int64], Mask]:
    """Integers, 0 where there is none, and where there is one."""
    return numbers.fill_null(0).to_numpy(), numbers.is_not_null().to_numpy()


def _read(values: list[str]) -> tuple[NDArray[np.int64], Mask, NDArray[np.float64]]:
    """Texts as integers and which of them are exact; as floating-point numbers, NaN if none."""
    exact = [_INTEGER.fullmatch(value) is not None for value in values]
    whole = [int(value) if is_whole else 0 for value, is_whole in zip(values, exact, strict=True)]
    decimal = [float(value) if _DECIMAL.fullmatch(value) else math.nan for value in values]
    return np.array(whole, np.int64), np.array(exact, bool), np.array(decimal, np.float64)


def _points(texts: pl.Series) -> pl.Series:
    """Points in time written as text, in UTC."""
    parts = texts.alias("").to_frame().select(pl.col("").str.extract_groups(_TIME)).unnest("")
    clock = pl.col("2").str.pad_end(8, "x").str.replace("xxx", ":00", literal=True)
    local = pl.concat_str(pl.col("1"), pl.lit("T"), clock).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us"
    )
    digits = pl.col("3").str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False)
    ahead = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1) * (hours * 60 + minutes)
    return parts.select(local - pl.duration(minutes=ahead.fill_null(0)))["1"]


def _true(mask: Mask) -> Values:
    return np.flatnonzero(mask).astype(np.uint32)


def either(parts: list[Values]) -> Values:
    """The values that are in any of `parts`."""
    some = [part for part in parts if len(part)]
    if not some:
        return NONE
    if len(some) == 1:
        return some[0]
    together = np.sort(np.concatenate(some))  # NumPy's `unique` takes several times as long over so few
    once = np.ones(len(together), bool)
    np.not_equal(together[1:], together[:-1], out=once[1:])
    return together[once]


def _ipv6(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address

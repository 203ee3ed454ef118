"""What is usual: the account's own other days, its peers', everyone's.

Numbers are compared on a robust scale: median and MAD (median absolute deviation, times 1.4826 as is
usual for comparison with a standard deviation), with two floors. The first is the rule's `floor`, so that
a person who does the very same every day is not "anomalous" at the slightest change. The second is the
spread of the upper half, (90th percentile - median) / 1.2816: work comes in bursts (a release, a backup
every Friday), and a day that is busy like other busy days is usual. Bytes and counts of many things grow
by factors, so they may be compared by their logarithm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.anomaly.language import Baseline

_MAD_TO_SIGMA: Final = 1.4826
_Q90_TO_SIGMA: Final = 1.2816
Values = NDArray[np.float64]
# A sample of so many other accounts describes a population well enough, and bounds the cost of a company
# of 100,000.
_SAMPLE: Final = 1_000
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Usual:
    """A value against one comparison group.

    Attributes:
        z: robust z, in scales above the median.
        percentile: percentage of the group that is lower (ties count half).
        ratio: value / median on the plain scale, infinite over a median of 0.
        median: of the group, on the plain scale.
        n: values in the group.
        widened: whether a peer group that was too small was widened to the population.
    """

    z: float
    percentile: float
    ratio: float
    median: float
    n: int
    widened: bool = False


def usual(value: float, history: Sequence[float] | Values, floor: float, *, log: bool) -> Usual:
    """Compare one value with a group of at least one value.

    Args:
        value: not negative.
        history: the group, not negative.
        floor: least scale; on the logarithmic scale in natural logarithms, else in units, 0 for the
            square root of the median (what counts of independent things vary by).
        log: compare log(1 + x).
    """
    group = np.asarray(history, dtype=np.float64)
    scaled, x = (np.log1p(group), math.log1p(value)) if log else (group, value)
    median = float(np.median(scaled))
    mad = float(np.median(np.abs(scaled - median))) * _MAD_TO_SIGMA
    upper = (float(np.quantile(scaled, 0.9)) - median) / _Q90_TO_SIGMA
    least = floor or math.sqrt(max(median, 1.0))
    below = float(np.mean(scaled < x) + np.mean(scaled == x) / 2)
    plain = float(np.median(group))
    return Usual(
        z=(x - median) / max(mad, upper, least),
        percentile=100 * below,
        ratio=value / plain if plain else math.inf,
        median=plain,
        n=len(group),
    )


class History:
    """Values per account and bucket, sorted so that any comparison group is a slice.

    Args:
        points: `account`, the group columns, `bucket`, `amount`, and the `peer_by` columns.
        group: columns whose combination is one series (`account` and more).
        baseline: what to compare with.
        floor: see `usual`.
        log: see `usual`.
    """

    def __init__(
        self, points: pl.DataFrame, group: Sequence[str], baseline: Baseline, floor: float, *, log: bool
    ) -> None:
        self._baseline = baseline
        self._floor = floor
        self._log = log
        self._span = int(baseline.span.total_seconds() * 1_000_000)
        peers = [name for name in baseline.peer_by if name in points.columns]
        coded = points.with_columns(
            at=pl.col("bucket").dt.epoch("us"),
            account_code=pl.col("account").rank("dense"),
            series_code=pl.struct(group).rank("dense"),
            peer_code=pl.when(pl.all_horizontal(pl.col(name).is_not_null() for name in peers)).then(
                pl.struct(peers).rank("dense")
            )
            if peers
            else pl.lit(None, dtype=pl.UInt32),
            sampled=pl.col("account").hash(seed=0).rank("dense") <= _SAMPLE,
        )
        self.coded = coded
        self._series = _Slices(coded, "series_code")
        self._peers = _Slices(coded.filter(pl.col("peer_code").is_not_null()), "peer_code")
        self._all = _Slices(coded.filter("sampled").with_columns(everyone=pl.lit(0)), "everyone")

    def compare(self, kind: str, point: dict[str, float]) -> Usual | None:
        """One point of `coded` against its `self`, `peer` or `population` group; None: too little history."""
        if kind == "self":
            group, widened = self._own(point), False
        else:
            group, widened = self._others(kind, point)
        if len(group) < self._baseline.minimum:
            return None
        result = usual(point["amount"], group, self._floor, log=self._log)
        return Usual(result.z, result.percentile, result.ratio, result.median, result.n, widened)

    def _own(self, point: dict[str, float]) -> Values:
        """The series' earlier values, or where they are too few, all its other values."""
        code, at = point["series_code"], int(point["at"])
        earlier = self._series.between(code, at - self._span, at)
        if len(earlier.amount) >= self._baseline.minimum:
            return earlier.amount
        around = self._series.between(code, at - self._span, at + self._span)
        others: Values = around.amount[around.at != at]
        return others

    def _others(self, kind: str, point: dict[str, float]) -> tuple[Values, bool]:
        at = int(point["at"])
        begin, end = at - self._span, at + _DAY_US
        if kind == "peer" and point["peer_code"] is not None:
            peers = self._peers.between(point["peer_code"], begin, end)
            others = peers.account != point["account_code"]
            if len(np.unique(peers.account[others])) >= self._baseline.people:
                return peers.amount[others], False
        everyone = self._all.between(0, begin, end)
        return everyone.amount[everyone.account != point["account_code"]], kind == "peer"


@dataclass(frozen=True, slots=True)
class _Slice:
    at: Values
    account: Values
    amount: Values


class _Slices:
    """Points sorted by a code and time; a time window of one code is found by bisection."""

    def __init__(self, coded: pl.DataFrame, code: str) -> None:
        ordered = coded.sort(code, "at")
        self._code = ordered[code].to_numpy()
        self._at = ordered["at"].to_numpy()
        self._account = ordered["account_code"].to_numpy()
        self._amount = ordered["amount"].cast(pl.Float64).to_numpy()

    def between(self, code: float, begin: int, end: int) -> _Slice:
        """The points of `code` with begin <= at < end."""
        low, high = np.searchsorted(self._code, [code, code + 1])
        first, last = low + np.searchsorted(self._at[low:high], [begin, end])
        rows = slice(int(first), int(last))
        return _Slice(self._at[rows], self._account[rows], self._amount[rows])

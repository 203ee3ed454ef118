"""What a measure is: how it summarises the events that a rule picked, and how it judges the summary."""

from __future__ import annotations

from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from analysis.anomaly.partials import RANK, column, located
from analysis.finding import LOCATORS
from sensors.schema import dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from analysis.anomaly.activity import Activity
    from analysis.anomaly.language import AnomalyRule, Bound
    from analysis.anomaly.partials import Partial, Shape
    from analysis.anomaly.reading import Option
    from analysis.context import Site

OPERATORS: Final[Mapping[str, Callable[[pl.Expr, float], pl.Expr]]] = {
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
    "eq": eq,
    "neq": ne,
}
# The pseudo-column that holds the name of the Sigma rule that picked the event.
RULE: Final = "rule"


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a measure may know beside its own summary."""

    activity: Activity
    site: Site


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a measure found.

    Attributes:
        hits: one row per finding: `hit` (number), `account`, `first`, `last`, `n` (events), the group
            columns, and the quantities and words that `why` may name.
        shown: evidence, `hit` and the columns of the shape's `shown`; the most telling first.
        judged: groups that could be compared.
        learning: groups that could not, because their history is too short.
    """

    hits: pl.DataFrame
    shown: pl.DataFrame
    judged: int
    learning: int = 0


class Measure(Protocol):
    """One kind of anomaly."""

    @property
    def quantities(self) -> frozenset[str]:
        """What its condition may bound."""

    @property
    def learned(self) -> frozenset[str]:
        """Those of the quantities that need a baseline."""

    @property
    def options(self) -> Mapping[str, Option]:
        """Keys of `anomaly:` that only it knows."""

    @property
    def field(self) -> bool:
        """Whether `field:` must be given."""

    @property
    def why(self) -> str:
        """The sentence used where a rule has none of its own."""

    def needs(self, rule: AnomalyRule) -> tuple[str, ...]:
        """Columns without which an event says nothing to it."""

    def shape(self, rule: AnomalyRule) -> Shape:
        """How events are summarised."""

    def prepare(self, rule: AnomalyRule, events: pl.DataFrame) -> pl.DataFrame:
        """The columns that `shape` folds, from the events that the rule picked (`needs` are not null)."""

    def judge(self, rule: AnomalyRule, whole: Partial, scene: Scene) -> Verdict:
        """Compare the merged summary with the rule's baseline and condition."""


def measured(rule: AnomalyRule, events: pl.DataFrame) -> pl.Expr:
    """The measured column: the first of the rule's fields that has a value."""
    return pl.coalesce(column(events, name) if name != RULE else pl.col(RULE) for name in rule.fields)


def shared_columns(rule: AnomalyRule, events: pl.DataFrame, rank: pl.Expr) -> list[pl.Expr]:
    """Group columns, `rank`, locators and quoted columns: what every measure's `prepare` begins with."""
    names = [name for name in rule.group_by if name not in (*rule.show, *LOCATORS)]
    return [
        *(pl.col(name) for name in names),
        rank.cast(pl.Float64).alias(RANK),
        *located(events, rule.show),
    ]


def holds(bounds: Iterable[Bound]) -> pl.Expr:
    """Whether every bound holds for the columns named as the quantities are; an unknown value holds none."""
    return pl.all_horizontal(
        pl.lit(value=True),
        *(OPERATORS[b.operator](pl.col(b.quantity), b.number).fill_null(value=False) for b in bounds),
    )


def with_person(hits: pl.DataFrame, scene: Scene) -> pl.DataFrame:
    """`hits` with what the roster says of their account (columns of `activity.PERSON`)."""
    people = scene.activity.people().drop("first", "last", "days")
    return hits.join(people, on="account", how="left", maintain_order="left")


def with_tenure(hits: pl.DataFrame, scene: Scene) -> pl.DataFrame:
    """`hits` with the days since start and end of employment as of the day of `last`."""
    columns = ["roster.days_since_start", "roster.days_since_end"]
    days = scene.activity.days.select("account", "bucket", *columns)
    return (
        hits.drop(columns, strict=False)
        .with_columns(pl.col("last").dt.truncate("1d").alias("bucket_of_last"))
        .join(
            days, left_on=["account", "bucket_of_last"], right_on=["account", "bucket"], how="left",
            maintain_order="left",
        )
        .drop("bucket_of_last")
    )  # fmt: skip


def in_order(shown: pl.DataFrame, *by: str | pl.Expr) -> pl.DataFrame:
    """Evidence sorted by `by`, and by place in the sources where that is equal: the same each time."""
    return shown.sort(*by, *LOCATORS, nulls_last=True)


def empty_verdict(judged: int = 0, learning: int = 0) -> Verdict:
    """No hit."""
    time = dtype("@timestamp")
    schema = {"hit": pl.UInt32(), "account": pl.String(), "first": time, "last": time, "n": pl.Int64()}
    return Verdict(pl.DataFrame(schema=schema), pl.DataFrame(schema={"hit": pl.UInt32()}), judged, learning)

"""Who or what held a key (an address, a computer) at which time, from begins, signs of life and ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from sensors.schema import TIME

SCHEMA: Final[dict[str, pl.DataType]] = {
    "key": pl.String(), "start": TIME, "holder": pl.String(), "basis": pl.String(), "until": TIME,
}  # fmt: skip
_SAME_SESSION: Final = timedelta(minutes=5)  # between a session's start by its length and the sign of it


def changes(signs: pl.DataFrame) -> pl.DataFrame:
    """The moments at which a key changes hands, each with who holds it from then on and for how long.

    At any time a key is held by the last who showed a sign of holding it, until their end is logged, somebody
    else's sign comes, or their last sign is too old (`until`); an end that is logged shows that there was a
    holder up to it, however old the sign. Of records of one time the last in its file counts; where two files
    name two holders at one time, nobody is taken, until the next sign.

    Args:
        signs: `key`, `at`, `file`, `order`, `ends`, `holder` (null in an end: whoever it is), `basis`, and
            `until` (how long the sign counts if nothing else comes).

    Returns:
        Columns of `SCHEMA`, one row for each key and `start`, sorted by `start`; intervals are half-open.
    """
    ordered = signs.sort("key", "at", "file", "order", nulls_last=False, maintain_order=True)
    before = pl.when(~pl.col("ends")).then("holder").forward_fill().shift(1).over("key")
    closes = pl.col("ends") & (pl.col("holder").is_null() | (pl.col("holder") == pl.col("before")))
    points = (
        ordered.with_columns(before=before)
        .filter(~pl.col("ends") | (closes & pl.col("before").is_not_null()))
        .with_columns(
            next_ends=pl.col("ends").shift(-1).over("key"), next_at=pl.col("at").shift(-1).over("key")
        )
        .with_columns(
            until=pl.when("next_ends").then(pl.max_horizontal("until", "next_at")).otherwise("until")
        )
    )
    several = (pl.col("holder").filter(~pl.col("ends")).n_unique() > 1) & (pl.col("file").n_unique() > 1)
    return (
        points.group_by("key", "at", maintain_order=True)
        .agg(
            holder=pl.when(several | pl.col("ends").last()).then(None).otherwise(pl.col("holder").last()),
            basis=pl.col("basis").last(),
            until=pl.col("until").last(),
        )
        .select("key", pl.col("at").alias("start"), "holder", "basis", "until")
        .cast(SCHEMA)  # type: ignore[arg-type] # polars' stubs do not take a dict of instances
        .sort("start", maintain_order=True)
    )


def at(points: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Who held a key at a time.

    Args:
        points: what `changes` gave.
        asked: sorted by `at`; `key` and `at`.

    Returns:
        `holder` and `basis`, one row for each asked, in order; null where nobody is known.
    """
    found = asked.join_asof(
        points, left_on="at", right_on="start", by="key", strategy="backward", check_sortedness=False
    )
    held = pl.col("at") < pl.col("until")
    return found.select(
        pl.when(held).then("holder").alias("holder"),
        pl.when(held & pl.col("holder").is_not_null()).then("basis").alias("basis"),
    )


def find_addresses(ends: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """The address of each VPN session whose end was logged without it.

    It is the address that the same product gave to the same account from the same public address when the
    session began (its length says when, to five minutes); else the last one given before the end. Where one
    side lacks the public address, the account alone must do.

    Args:
        ends: `product`, `holder`, `public`, `at`, `length` (null if the log does not say it), and more.
        begins: `product`, `holder`, `public`, `at`, `key`.

    Returns:
        The rows of `ends` whose address was found, with `key`.
    """
    left = ends.drop("key").with_row_index("#")
    outside, nowhere = (
        begins.filter(pl.col("public").is_not_null()),
        begins.filter(pl.col("public").is_null()),
    )
    exact = _match(left.filter(pl.col("public").is_not_null()), outside, ["product", "holder", "public"])
    vague = _match(left.filter(pl.col("public").is_null()), begins, ["product", "holder"])
    rest = left.filter(pl.col("public").is_not_null()).join(exact, on="#", how="anti")
    found = pl.concat([exact, vague, _match(rest, nowhere, ["product", "holder"])])
    return left.join(found, on="#", how="inner").select(ends.columns)


def _match(ends: pl.DataFrame, begins: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """The row number (`#`) of each end that fits a begin, and that begin's `key`."""
    table = begins.select(*by, "key", given="at").sort("given")
    timed = ends.filter(pl.col("length").is_not_null()).with_columns(began=pl.col("at") - pl.col("length"))
    near = timed.sort("began").join_asof(
        table,
        left_on="began",
        right_on="given",
        by=by,
        strategy="nearest",
        tolerance=_SAME_SESSION,
        check_sortedness=False,
    )
    found = [near.filter(pl.col("key").is_not_null() & (pl.col("given") <= pl.col("at"))).select("#", "key")]
    for same_second in (False, True):  # an end in the second of a begin is rather the former session's
        rest = ends.join(pl.concat(found), on="#", how="anti").sort("at")
        last = rest.join_asof(
            table,
            left_on="at",
            right_on="given",
            by=by,
            strategy="backward",
            allow_exact_matches=same_second,
            check_sortedness=False,
        )
        found.append(last.filter(pl.col("key").is_not_null()).select("#", "key"))
    return pl.concat(found)

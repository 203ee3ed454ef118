"""From findings to a score per account: how urgently to look at it, no probability.

Per account and day the strongest finding of each category counts once; the days of a category combine by
noisy-OR (1 - product of 1 - weight) up to a cap, and so do the categories. Evidence decays. The weights and
the reasons for them are in `risk.toml` beside this file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.finding import CATEGORIES, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from analysis.finding import Finding

BANDS: Final = ("high", "elevated", "watch", "none")
_TABLES: Final = frozenset(
    {"level", "category_cap", "decisive", "half_life_days", "tenure", "role", "band", "not_a_person"}
)
_ENTRIES: Final = {
    "account": pl.String(),
    "category": pl.String(),
    "day": pl.Date(),
    "at": pl.Datetime("us", "UTC"),
    "level": pl.Int64(),
    "confidence": pl.Float64(),
    "decisive": pl.Boolean(),
    "durable": pl.Boolean(),
    "detection": pl.String(),
    "title": pl.String(),
}


class RiskError(ValueError):
    """The file of weights cannot be used; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The tables of `risk.toml`."""

    level: Mapping[str, float]
    category_cap: Mapping[str, float]
    decisive: Mapping[str, float]
    half_life_days: Mapping[str, float]
    tenure: Sequence[Mapping[str, float]]
    role: Sequence[Mapping[str, Any]]
    band: Mapping[str, float]
    not_a_person: Mapping[str, float]


def load_weights(path: Path) -> Weights:
    """The weights of a file.

    Raises:
        RiskError: the file cannot be read, or a table or level is missing or unknown.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RiskError(f"{path}: cannot be read as TOML: {error}") from error
    return _weights(raw, str(path))


@cache
def standard_weights() -> Weights:
    """The weights that molehunt comes with."""
    return _weights(tomllib.loads((files("analysis") / "risk.toml").read_text("utf-8")), "risk.toml")


def _weights(raw: dict[str, Any], name: str) -> Weights:
    odd = sorted(_TABLES ^ raw.keys())
    if odd:
        raise RiskError(f"{name}: tables missing or unknown: {', '.join(odd)}")
    for table in ("level", "category_cap"):
        missing = sorted({level.name.lower() for level in Level} ^ raw[table].keys())
        if missing:
            raise RiskError(f"{name}: [{table}] must give a number for each level; see {', '.join(missing)}")
    for role in raw["role"]:
        try:
            pl.Series([""]).str.contains(role["pattern"])
        except pl.exceptions.ComputeError as error:
            raise RiskError(
                f"{name}: [[role]] pattern {role['pattern']!r} is no regular expression"
            ) from error
    return Weights(**raw)


def ledger(
    findings: Sequence[Finding], accounts: pl.DataFrame, now: datetime, weights: Weights | None = None
) -> pl.DataFrame:
    """What counts: one row per account, category and day, with the strongest finding and its weight.

    Args:
        findings: those of no account ("") are left out.
        accounts: see `assess`.
        now: the time at which the score holds; evidence decays towards it.
        weights: `standard_weights` if None.

    Returns:
        `account`, `category`, `day`, `detection`, `title`, `level` (a number of `Level`), `confidence`,
        `decisive`, the factors `tenure`, `role` and `decay`, and `weight` (0 to 1), strongest first.
    """
    said = weights or standard_weights()
    entries = pl.DataFrame([_entry(one) for one in findings if one.account], schema=_ENTRIES, orient="row")
    people = _people(accounts, said)
    decay_days = (
        pl.when("durable").then(said.half_life_days["durable"]).otherwise(said.half_life_days["behaviour"])
    )
    age = (pl.lit(now).dt.convert_time_zone("UTC") - pl.col("at")).dt.total_seconds().clip(
        lower_bound=0
    ) / 86_400
    levels = {level.value: said.level[level.name.lower()] for level in Level}
    known = entries.join(people, on="account", how="left").with_columns(
        role=_role_factor(said),
        tenure=_tenure_factor(said, pl.col("tenure_days") - age.floor().cast(pl.Int64)),
        decay=pl.lit(0.5) ** (age / decay_days),
        decisive=pl.col("decisive") & (_role_factor(said) == 1),
        plain=pl.col("level").replace_strict(levels, return_dtype=pl.Float64) * pl.col("confidence"),
    )
    boosted = pl.when("decisive").then(
        pl.max_horizontal("plain", said.decisive["weight"] * pl.col("confidence"))
    )
    weight = boosted.otherwise("plain") * pl.col("role") * pl.col("tenure") * pl.col("decay")
    weighed = known.with_columns(weight.clip(upper_bound=said.decisive["category_cap"]).alias("weight"))
    strongest = weighed.sort("weight", "level", "detection", descending=[True, True, False])
    return strongest.unique(["account", "category", "day"], keep="first", maintain_order=True).select(
        "account", "category", "day", "detection", "title", "level", "confidence", "decisive", "tenure",
        "role", "decay", "weight",
    )  # fmt: skip


def people(accounts: pl.DataFrame, roster: pl.DataFrame | None, now: datetime) -> pl.DataFrame:
    """The accounts as `assess` and `ledger` want them.

    Args:
        accounts: `account`, `kind` (as `analysis.identity` has them).
        roster: `account`, `start_date`, `title`, `department` (as `analysis.context` has them), or None.
        now: the time at which the score holds.
    """
    known = accounts.select("account", pl.col("kind").alias("account.kind"))
    if roster is None:
        return known
    since = (pl.lit(now).dt.convert_time_zone("UTC").dt.date() - pl.col("start_date")).dt.total_days()
    hired = roster.select(
        "account",
        since.alias("roster.days_since_start"),
        pl.col("title").alias("roster.title"),
        pl.col("department").alias("roster.department"),
    ).unique("account", keep="first", maintain_order=True)
    return known.join(hired, on="account", how="left", maintain_order="left")


def assess(
    findings: Sequence[Finding], accounts: pl.DataFrame, now: datetime, weights: Weights | None = None
) -> pl.DataFrame:
    """The score of every account, those without a finding too.

    Args:
        findings: of all detections.
        accounts: `account` (one row each) and, where known, `account.kind` ("person", "service", "machine"),
            `roster.days_since_start` (as of `now`), `roster.title`, `roster.department`; see `people`.
        now: the time at which the score holds, usually that of the last event.
        weights: `standard_weights` if None.

    Returns:
        `account`, `score` (0 to 100, one decimal), `band`, `categories` and `reasons` (lists of text, the
        strongest first), highest score first, then by name.
    """
    said = weights or standard_weights()
    rows = ledger(findings, accounts, now, said)
    strength = _categories(rows, said)
    scored = strength.group_by("account", maintain_order=True).agg(
        (1 - (1 - pl.col("strength")).product()).alias("sum"),
        (pl.col("strength") >= said.band["independent_weight"]).sum().alias("independent"),
        pl.col("decisive").any(),
        pl.col("category").alias("categories"),
        pl.col("reason").alias("reasons"),
    )
    everyone = pl.concat([accounts.select("account"), rows.select("account")]).unique()
    joined = everyone.join(scored, on="account", how="left").join(
        _people(accounts, said), on="account", how="left"
    )
    return _banded(joined, said).sort("score", "account", descending=[True, False])


def _entry(finding: Finding) -> tuple[object, ...]:
    at = finding.last_seen
    return (
        finding.account, finding.category, at.date(), at, int(finding.level), finding.confidence,
        finding.decisive, finding.durable, finding.detection, finding.title,
    )  # fmt: skip


def _people(accounts: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """`account`, `kind`, `tenure_days` and, per role of the weights, whether it is the account's."""

    def text(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.String) if name in accounts.columns else pl.lit(None, dtype=pl.String)

    start = "roster.days_since_start"
    tenure = pl.col(start).cast(pl.Int64) if start in accounts.columns else pl.lit(None, dtype=pl.Int64)
    roles = (
        pl.any_horizontal(
            text(column).str.contains(f"(?i){role['pattern']}").fill_null(value=False)
            for column in ("roster.title", "roster.department")
        ).alias(f"role_{number}")
        for number, role in enumerate(weights.role)
    )
    return accounts.select(
        "account", text("account.kind").fill_null("person").alias("kind"), tenure.alias("tenure_days"), *roles
    ).unique("account", keep="first", maintain_order=True)


def _role_factor(weights: Weights) -> pl.Expr:
    factor = pl.lit(1.0)
    for number, role in enumerate(weights.role):
        theirs = pl.col(f"role_{number}").fill_null(value=False) & (pl.col("category") == role["category"])
        factor = pl.when(theirs).then(factor * role["factor"]).otherwise(factor)
    return factor


def _tenure_factor(weights: Weights, days: pl.Expr) -> pl.Expr:
    """The factor on the day of the finding; before the first day of employment there is none."""
    factor = pl.lit(1.0)
    for step in sorted(weights.tenure, key=lambda step: -step["until"]):
        factor = pl.when(days.is_between(0, step["until"])).then(step["factor"]).otherwise(factor)
    return factor


def _categories(rows: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Strength of each category of each account, with the reason in words; the strongest first."""
    caps = {level.value: weights.category_cap[level.name.lower()] for level in Level}
    cap = (
        pl.when("decisive")
        .then(weights.decisive["category_cap"])
        .otherwise(pl.col("highest").replace_strict(caps, return_dtype=pl.Float64))
    )
    grouped = rows.filter(pl.col("weight") > 0).group_by("account", "category", maintain_order=True)
    known = grouped.agg(
        (1 - (1 - pl.col("weight")).product()).alias("together"),
        pl.col("level").max().alias("highest"),
        pl.col("decisive").any(),
        pl.len().alias("days"),
        pl.col("title", "day", "level", "confidence", "tenure", "role").first(),
    )
    known = known.with_columns(pl.min_horizontal("together", cap * pl.col("role")).alias("strength"))
    # Of equally strong ones, in the order of CATEGORIES, so that a report is the same each time.
    place = pl.col("category").replace_strict(
        {name: n for n, name in enumerate(CATEGORIES)}, default=len(CATEGORIES)
    )
    return known.with_columns(_reason().alias("reason")).sort("account", -pl.col("strength"), place)


def _reason() -> pl.Expr:
    """One category's strongest finding as a line: what, when, how sure, what raised or lowered it."""
    level = pl.col("level").replace_strict(
        {level.value: level.name.lower() for level in Level}, return_dtype=pl.String
    )
    more = pl.when(pl.col("days") > 1).then(pl.format("; on {} days", "days")).otherwise(pl.lit(""))
    decisive = pl.when("decisive").then(pl.lit("; decisive")).otherwise(pl.lit(""))
    tenure = (
        pl.when(pl.col("tenure") > 1).then(pl.format("; new hire, times {}", "tenure")).otherwise(pl.lit(""))
    )
    role = pl.when(pl.col("role") < 1).then(pl.format("; by role, times {}", "role")).otherwise(pl.lit(""))
    return pl.format(
        "{} {}: {} ({}, {}, confidence {}{}{}{}{})",
        pl.col("category").str.replace("_", " "),
        pl.col("strength").round(2),
        "title",
        "day",
        level,
        pl.col("confidence").round(2),
        more,
        decisive,
        tenure,
        role,
    )


def _banded(scored: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """`scored` with score and band, held where "high" lacks a second category or the account is no person."""
    band = weights.band
    raw = (100 * pl.col("sum").fill_null(0.0)).round(1)
    backed = (pl.col("independent") >= band["independent_categories"]) | pl.col("decisive")
    person = pl.col("kind").fill_null("person") == "person"
    held = (raw >= band["high"]) & ~backed.fill_null(value=False) & person
    capped = ~person & (raw > weights.not_a_person["most"])
    below = round(band["high"] - 0.1, 1)
    score = pl.when(held).then(below).when(capped).then(weights.not_a_person["most"]).otherwise(raw)
    notes = pl.concat_list(
        pl.when(held).then(pl.lit("held below high: one kind of evidence only, and none of it decisive")),
        pl.when(~person & (raw > 0)).then(pl.format("a {} account, held at {} at most", "kind", pl.lit(
            f"{weights.not_a_person['most']:g}"))),
    ).list.drop_nulls()  # fmt: skip
    name = (
        pl.when(pl.col("score") >= band["high"]).then(pl.lit("high"))
        .when(pl.col("score") >= band["elevated"]).then(pl.lit("elevated"))
        .when(pl.col("score") >= band["watch"]).then(pl.lit("watch"))
        .otherwise(pl.lit("none"))
    )  # fmt: skip
    empty = pl.lit([], dtype=pl.List(pl.String))
    return (
        scored.with_columns(score.cast(pl.Float64).alias("score"))
        .with_columns(
            name.alias("band"), pl.concat_list(pl.col("reasons").fill_null(empty), notes).alias("reasons")
        )
        .select("account", "score", "band", pl.col("categories").fill_null(empty), "reasons")
    )

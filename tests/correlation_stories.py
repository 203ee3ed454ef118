"""What the tests of correlations share: a frame of events, and the YAML of what the reference is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
from correlation_reference import Asked
from sigma_cases import pack_of, rule_text

from analysis.sigma import Correlations

if TYPE_CHECKING:
    from pathlib import Path

    from correlation_reference import Event

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
_KINDS = {
    "at": pl.Int64, "act": pl.String, "user": pl.String, "host": pl.String, "size": pl.String,
    "who": pl.List(pl.String), "account": pl.String,
}  # fmt: skip


def frame(events: list[Event]) -> pl.DataFrame:
    rows = pl.DataFrame([{name: event.get(name) for name in _KINDS} for event in events], schema=_KINDS)
    return rows.with_columns(
        (pl.lit(START) + pl.duration(seconds=pl.col("at"))).alias("@timestamp"),
        pl.lit("x.log").alias("log.file.path"),
        pl.int_range(1, pl.len() + 1).alias("log.file.line"),
        pl.int_range(pl.len()).alias("molehunt.row"),
    ).drop("at")


def yaml_of(asked: Asked) -> str:
    """The correlation and the rules that it counts, in one file."""
    return "---\n".join(_documents(asked, {}).values())


def _documents(asked: Asked, done: dict[str, str]) -> dict[str, str]:
    for rule in asked.rules:
        if isinstance(rule, Asked):
            _documents(rule, done)
        elif rule not in done:
            detection = f"  s: {{act|contains: {rule.removeprefix('r')}}}\n  condition: s"
            done[rule] = rule_text(detection, name=rule)
    body: dict[str, Any] = {
        "type": asked.kind,
        "rules": f"[{', '.join(asked.names)}]",
        "group-by": f"[{', '.join(asked.groups)}]",
        "timespan": f"{asked.span}s",
        "aliases": flow(asked.aliases),
        "condition": condition(asked),
    }
    why = "|".join(["told", *(f"{{{name}}}" for name in asked.groups)])
    head = f"title: {asked.name}\nname: {asked.name}\nwhy: '{why}'\nlevel: high\ncorrelation:\n"
    done[asked.name] = head + "".join(f"  {key}: {value}\n" for key, value in body.items())
    return done


def flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    return str(value)


def condition(asked: Asked) -> str:
    if asked.condition is not None:
        return written(asked.condition, asked.names)
    parts: dict[str, Any] = dict(asked.bounds)
    if asked.fields:
        parts["field"] = f"[{', '.join(asked.fields)}]" if len(asked.fields) > 1 else asked.fields[0]
    if asked.percentile is not None:
        parts["percentile"] = asked.percentile
    return flow(parts)


def written(part: tuple[Any, ...], names: tuple[str, ...]) -> str:
    word, *parts = part
    if word == "rule":
        return names[parts[0]]
    if word == "not":
        return f"not ({written(parts[0], names)})"
    return "(" + f" {word} ".join(written(one, names) for one in parts) + ")"


def correlated(
    one: Asked, events: list[dict[str, Any]], batch: int, folder: Path, memory: int = 1 << 28
) -> tuple[list[int], list[tuple[Any, ...]]]:
    """The events at which a correlation holds, and its findings."""
    pack = pack_of(folder, yaml_of(one))
    assert pack.errors == []
    gathered = Correlations(pack, memory)
    for part in frame(events).iter_slices(batch):
        gathered.add(part, pack.match(part, ""))
    rows = gathered.holding(one.name)["molehunt.row"].to_list()
    told = []
    for finding in gathered.find():
        times = [round((time - START).total_seconds()) for time in (finding.first_seen, finding.last_seen)]
        group = tuple(part.casefold() for part in finding.why.split("|")[1:])
        told.append((group, finding.account, finding.count, *times))
    return rows, sorted(told)

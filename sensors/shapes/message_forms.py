"""Messages in words with what they mean: forms of a product's messages, each with its ECS categories.

A form is an entry of a TOML file beside its sensor: a regular expression whose groups carry names of columns
(ECS names, or `person`, who acts), and the action, category, type and outcome that such a message stands for.
Shared by the sensors of gateways; this module defines no sensor.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

from sensors.reading import syslog
from sensors.values import ecs
from sensors.values.wording import expanded

_LIST: Final = pl.List(pl.String)
_SIDES: Final = ("source", "destination", "client", "server")
_WHOLE: Final = (
    "source.port", "source.nat.port", "source.bytes", "source.packets", "destination.port",
    "destination.bytes",
    "destination.packets", "destination.nat.port", "client.port", "server.port", "network.bytes",
    "network.packets", "http.response.status_code", "http.response.bytes", "process.pid", "file.size",
)  # fmt: skip


@dataclass(frozen=True)
class Forms:
    """The forms of one product.

    Attributes:
        of: by the name of their group, each with its number.
        meanings: `form` and the columns that it stands for.
    """

    of: dict[str, tuple[tuple[int, str], ...]]
    meanings: pl.DataFrame


@cache
def forms(name: str) -> Forms:
    """The forms of `sensors/<name>.toml`: arrays of tables, a group each, and `parts` that they may use."""
    raw: dict[str, Any] = tomllib.loads((files("sensors") / f"{name}.toml").read_text("utf-8"))
    parts = raw.pop("parts", {})
    of: dict[str, tuple[tuple[int, str], ...]] = {}
    rows: list[dict[str, Any]] = []
    for group, entries in raw.items():
        numbered = []
        patterns = expanded(parts, (entry["form"] for entry in entries))
        for entry, pattern in zip(entries, patterns, strict=True):
            numbered.append((len(rows), pattern))
            rows.append(
                {
                    "form": len(rows),
                    "event.kind": entry.get("kind", "event"),
                    "event.category": entry.get("category"),
                    "event.type": entry.get("type"),
                    "event.action": entry.get("action"),
                    "event.outcome": entry.get("outcome"),
                    **entry.get("set", {}),
                }
            )
        of[group] = tuple(numbered)
    types = {"form": pl.Int64(), "event.category": _LIST, "event.type": _LIST}
    names = {name: types.get(name, pl.String()) for row in rows for name in row}
    return Forms(of, pl.DataFrame(rows, schema=names))


def told(frame: pl.DataFrame, known: Forms) -> pl.DataFrame:
    """The rows in input order with the parts of the first form of their `group` that fits their `body`.

    Adds `form` (null where none fits), the groups of the forms, and the columns that the forms stand for.
    """
    parts: list[pl.DataFrame] = []
    for (group,), part in frame.partition_by("group", as_dict=True).items():
        left = part
        for number, pattern in known.of.get(str(group), ()):
            fits = left["body"].str.contains(pattern)
            if not fits.any():
                continue
            some = left.filter(fits).with_columns(pl.lit(number, pl.Int64).alias("form"))
            if "(?P<" in pattern:
                some = some.hstack(some["body"].str.extract_groups(pattern).struct.unnest())
            parts.append(some)
            left = left.filter(~fits)
            if not left.height:
                break
        parts.append(left.with_columns(pl.lit(None, pl.Int64).alias("form")))
    whole = pl.concat(parts, how="diagonal").sort("log.offset")
    joined = whole.join(known.meanings, on="form", how="left", maintain_order="left", suffix="|meant")
    both = [name for name in known.meanings.columns if f"{name}|meant" in joined.columns]
    return joined.with_columns(pl.coalesce(name, f"{name}|meant").alias(name) for name in both)


def with_columns_for(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """The same with a text column of nulls for every name that it does not have."""
    missing = [name for name in names if name not in frame.columns]
    return frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)


def settled(frame: pl.DataFrame, vendor: str, **constants: str) -> pl.DataFrame:
    """The ECS columns that follow from the parts: addresses, people, relations, and the header's.

    Args:
        frame: has `body` and `text`; of `person`, `<side>.address`, `also.ip` (is related) what there is.
        vendor: root of the product's own fields.
        constants: columns of one value, `_` for `.`.
    """
    blank = [
        name for name, kind in frame.schema.items() if kind == pl.String and name not in ("text", "body")
    ]
    frame = frame.with_columns(pl.when(pl.col(name) != "").then(name) for name in blank)
    for side in _SIDES:
        name = f"{side}.address"
        if name in frame.columns:
            plain = pl.col(name).str.strip_chars("[]").str.strip_prefix("::ffff:")
            domain = f"{side}.domain"
            before = frame[domain] if domain in frame.columns else None
            frame = frame.with_columns(ecs.address(side, plain))
            if before is not None:  # a message may name the host beside its address
                frame = frame.with_columns(before.fill_null(frame[domain]))
    for name in ("source.nat.ip", "destination.nat.ip"):
        if name in frame.columns:
            given = pl.col(name)
            frame = frame.with_columns(pl.when(ecs.is_ip(given) & ~given.is_in(ecs.NOWHERE)).then(given))
    if "person" in frame.columns:
        frame = ecs.person(frame, "person", "user", "source.user")
    numbers = [name for name in _WHOLE if name in frame.columns and frame.schema[name] == pl.String]
    frame = frame.with_columns(pl.col(name).cast(pl.Int64, strict=False) for name in numbers)
    said = "event.kind" in frame.columns
    kind = pl.coalesce("event.kind", pl.lit("event")) if said else pl.lit("event")
    frame = frame.with_columns(
        *(pl.lit(value).alias(name.replace("_", ".")) for name, value in constants.items()),
        *(syslog.common(frame) if "priority" in frame.columns else ()),
        kind.alias("event.kind"),
        pl.col("body").str.strip_chars(" ").alias("message"),
        *(
            [pl.when(pl.col("form").is_null()).then("text").alias("event.original")]
            if "form" in frame
            else []
        ),
    )
    frame = ecs.relations(
        frame,
        ip=(
            "source.ip",
            "source.nat.ip",
            "destination.ip",
            "destination.nat.ip",
            "client.ip",
            "server.ip",
            "also.ip",
        ),
        user=("user.name", "source.user.name", "user.target.name", "destination.user.name"),
        hosts=("host.name", "observer.name", "source.domain", "destination.domain", "url.domain"),
    )
    return ecs.only(frame, vendor)

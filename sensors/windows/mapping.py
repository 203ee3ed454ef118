"""From Winlogbeat's words to ECS: what an event means, who did it, from where, with what.

The facts are in `events.toml` and `fields.toml`; here they meet columns. Events come with all of Windows'
facts in `winlog.*` and keep them.
"""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading.losses import name_lost
from sensors.values import ecs
from sensors.windows import (
    audited,
    devices,
    dns,
    meaning,
    powershell,
    processes,
    remote_access,
    remote_tools,
    sysmon,
    values,
)
from sensors.windows.tables import EVENT_DATA, SPAN, tables

if TYPE_CHECKING:
    from sensors.sensor import Source
    from sensors.windows.tables import Rule

_USER: Final = ("user.name", "user.domain", "user.id")
_SYSMON: Final = r"^(Linux-Sysmon|Microsoft-Windows-Sysmon)/Operational$"


def mapped(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Events as `event_json.columns` and `event_xml.columns` give them, with their ECS fields.

    Fields that are there already are kept. Events whose time cannot be read are named in `source.unread`.
    """
    frame = _grouped(_provided(frame)).with_columns(
        (pl.col("_group") * SPAN + values.number(pl.col("winlog.event_id")).fill_null(0)).alias("_key"),
    )
    frame = remote_tools.unpacked(_data(_timed(frame, source)))
    frame = meaning.described(frame)
    frame = remote_access.unpacked(powershell.unpacked(frame))
    frame = _writer(_fields(frame))
    for step in (sysmon.detailed, audited.detailed, dns.detailed, devices.detailed, processes.detailed):
        frame = step(frame)
    frame = _related(frame)
    return frame.drop(
        name
        for name in frame.columns
        if name.startswith(("_", "rendered.", "winlog.level", "winlog.time_created"))
    )


def _provided(frame: pl.DataFrame) -> pl.DataFrame:
    """Sysmon's provider by its channel, where a shipper left it out or put it among the data."""
    if frame["winlog.provider_name"].null_count() == 0 or "winlog.channel" not in frame.columns:
        return frame
    product = pl.col("winlog.channel").str.extract(
        r"^(Linux-Sysmon|Microsoft-Windows-Sysmon)/Operational$", 1
    )
    return frame.with_columns(pl.coalesce("winlog.provider_name", product).alias("winlog.provider_name"))


def _grouped(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `_group`, the number of the provider's group; 0 for those that are not listed."""
    known = tables()
    groups = dict(known.providers)
    for provider in frame["winlog.provider_name"].unique():
        for begin, number in known.beginnings.items():
            if provider is not None and provider.startswith(begin):
                groups[provider] = number
    group = pl.col("winlog.provider_name").replace_strict(groups, default=0, return_dtype=pl.Int64)
    return frame.with_columns(group.alias("_group"))


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Sets `@timestamp`: Windows' time, or Sysmon's own (Windows' is its `event.created` then)."""
    created = values.times(frame["winlog.time_created"])
    when = created
    is_sysmon = frame["_group"] == tables().groups["sysmon"]
    if "winlog.event_data.UtcTime" in frame.columns and is_sysmon.any():
        own = frame["winlog.event_data.UtcTime"]
        when = values.times(own.set(~is_sysmon, None)).fill_null(created)
        written = created.set(~is_sysmon, None)
        if "event.created" in frame.columns:
            written = written.fill_null(frame["event.created"])
        frame = frame.with_columns(written.alias("event.created"))
    frame = frame.with_columns(when.alias("@timestamp"))
    timed = frame["@timestamp"].is_not_null()
    lost = frame.filter(~timed).rename({"winlog.time_created": "sample"})
    name_lost(lost, "an event whose time is no time", source)
    return frame.filter(timed)


def _data(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `winlog.event_data.Data`, all data without names together, which is what rules call `Data`."""
    params = [name for at in range(1, 100) if (name := f"{EVENT_DATA}param{at}") in frame.columns]
    if not params or f"{EVENT_DATA}Data" in frame.columns:
        return frame
    whole = pl.concat_str(params, separator=", ", ignore_nulls=True)
    return frame.with_columns(
        pl.when(pl.any_horizontal(pl.col(name).is_not_null() for name in params))
        .then(whole)
        .alias(f"{EVENT_DATA}Data")
    )


def _writer(frame: pl.DataFrame) -> pl.DataFrame:
    """Where an event names nobody, its user is the account that wrote it.

    Where it does, that account is most often the service that keeps the log, and says nothing of the user.
    """
    names = {"name": "name", "domain": "domain", "id": "identifier"}
    given = {
        f"user.{field}": values.text(pl.col(f"winlog.user.{name}"))
        for field, name in names.items()
        if f"winlog.user.{name}" in frame.columns
    }
    said = [pl.col(field).is_not_null() for field in ("user.name", "user.id") if field in frame.columns]
    return values.added(frame, given, ~pl.any_horizontal(said) if said else None)


def _fields(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the fields of `fields.toml`."""
    groups = set(frame["_group"].unique())
    rules = [rule for rule in tables().rules if rule.group is None or rule.group in groups]
    present = frozenset(frame.columns)
    # Field → how its text is read and where it may stand, in the order in which that is tried.
    ways: dict[str, list[tuple[str, list[pl.Expr]]]] = defaultdict(list)
    masks: dict[str, pl.Expr] = {}
    used: set[str] = set()
    taken: list[pl.Expr] = []  # events whose user is told by a rule that was tried before
    for number, rule in enumerate(rules):
        places = {
            field: (how, columns)
            for field, (how, data) in rule.fields.items()
            if (columns := [name for name in (_column(datum) for datum in data) if name in present])
        }
        used.update(name for _, columns in places.values() for name in columns)
        mask = _mask(rule)
        if mask is not None:
            masks[f"_rule{number}"] = mask
            mask = pl.col(f"_rule{number}")
        users = mask
        if "user.name" in rule.fields and (mask is not None or "user.name" in places):
            named = mask if mask is not None else _raw(places["user.name"][1]).is_not_null()
            users = functools.reduce(operator.and_, (~other for other in taken), named)
            taken.append(named)
        for field, (how, columns) in places.items():
            when = users if field in _USER else mask
            raw = _raw(columns) if when is None else pl.when(when).then(_raw(columns))
            tried = ways[field]
            if tried and tried[-1][0] == how:
                tried[-1][1].append(raw)  # read once, whichever of the places it stands in
            else:
                tried.append((how, [raw]))
    cleaned = {f"_{name}": values.text(pl.col(name)) for name in used}
    frame = frame.with_columns(expr.alias(name) for name, expr in (masks | cleaned).items())
    return values.added(
        frame,
        {
            field: pl.coalesce(values.HOW[how](pl.coalesce(raws)) for how, raws in tried)
            for field, tried in ways.items()
        },
    )


def _mask(rule: Rule) -> pl.Expr | None:
    """The events of a rule; None for all."""
    if rule.keys:
        return pl.col("_key").is_in(rule.keys)
    return None if rule.group is None else pl.col("_group") == rule.group


def _raw(columns: list[str]) -> pl.Expr:
    """The first text there is in columns, once `_fields` has cleaned them."""
    return pl.coalesce(f"_{name}" for name in columns)


def _column(datum: str) -> str:
    return datum if datum.startswith(("winlog.", "_")) else f"{EVENT_DATA}{datum}"


def _related(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `related.*` from what the event says, with the lists that it came with."""
    subject = f"{EVENT_DATA}SubjectUserName"
    if subject in frame.columns:
        # Who asked for a logon is not its user, but belongs to it.
        asked = pl.col("_key") == tables().groups["security"] * SPAN + 4624
        frame = frame.with_columns(pl.when(asked).then(values.text(pl.col(subject))).alias("_asked"))
    scalars = {
        "related.user": (
            "user.name", "user.target.name", "user.effective.name", "user.changes.name", "source.user.name",
            "destination.user.name", "_asked",
        ),
        "related.ip": ("source.ip", "source.nat.ip", "destination.ip"),
        "related.hosts": ("dns.question.name",),
    }  # fmt: skip
    lists = {"related.ip": ("dns.resolved_ip",), "related.hosts": ("_answered",)}
    for name, columns in scalars.items():
        present = [column for column in columns if column in frame.columns]
        found = [ecs.related(present)] if present else []
        found += [pl.col(column) for column in (*lists.get(name, ()), name) if column in frame.columns]
        if len(found) > 1:
            joined = pl.concat_list(value.fill_null([]) for value in found).list.unique(maintain_order=True)
            found = [pl.when(joined.list.len() > 0).then(joined)]
        frame = frame.with_columns(value.alias(name) for value in found)
    return frame

"""From Winlogbeat's words to ECS: what an event means, who did it, from where, with what.

The facts are in `events.toml` and `fields.toml`; here they meet columns. Events come with all of Windows' facts
in `winlog.*` and keep them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import ecs
from sensors.windows import devices, powershell, processes, sysmon, values
from sensors.windows.event_json import EVENT_DATA
from sensors.windows.tables import SPAN, tables

if TYPE_CHECKING:
    from sensors.sensor import Source

_FAILED: Final = ["1", "5", "9", "d", "D"]
_SUCCEEDED: Final = ["2", "3", "6", "7", "a", "b", "e", "f", "A", "B", "E", "F"]


def mapped(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Events as `event_json.columns` and `event_xml.columns` give them, with their ECS fields.

    Fields that are there already are kept. Events whose time cannot be read are named in `source.unread`.
    """
    given = frozenset(frame.columns)
    frame = frame.with_columns(
        pl.col("winlog.provider_name").replace_strict(tables().providers, default=0, return_dtype=pl.Int64).alias("_group"),
    ).with_columns(
        (pl.col("_group") * SPAN + values.number(pl.col("winlog.event_id")).fill_null(0)).alias("_key"),
    )
    frame = _timed(frame, source)
    frame = powershell.unpacked(frame)
    frame = _fields(frame)
    frame = _meaning(frame, given)
    for step in (sysmon.detailed, devices.detailed, processes.detailed):
        frame = step(frame)
    frame = _related(frame)
    return frame.drop(name for name in frame.columns if name.startswith(("_", "rendered.", "winlog.level", "winlog.time_created")))


def _timed(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Sets `@timestamp`: when it happened; Sysmon says that itself, and Windows' own time is `event.created`."""
    created = values.time(pl.col("winlog.time_created"))
    when = created
    if "winlog.event_data.UtcTime" in frame.columns:
        is_sysmon = pl.col("_group") == tables().groups["sysmon"]
        when = pl.coalesce(pl.when(is_sysmon).then(values.time(pl.col("winlog.event_data.UtcTime"))), created)
        given = pl.col("event.created") if "event.created" in frame.columns else pl.lit(None)
        frame = frame.with_columns(pl.coalesce(pl.when(is_sysmon).then(created), given).alias("event.created"))
    frame = frame.with_columns(when.alias("@timestamp"))
    timed = frame["@timestamp"].is_not_null()
    if timed.all():
        return frame
    for row in frame.filter(~timed).iter_rows(named=True):
        source.lost(
            f"the time of event {row['winlog.record_id'] or 'without a number'} is no time",
            line=row["log.file.line"],
            offset=row["log.offset"],
            sample=row["winlog.time_created"],
        )
    return frame.filter(timed)


def _fields(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the fields of `fields.toml`."""
    groups = set(frame["_group"].unique())
    masks: dict[tuple[int | None, tuple[int, ...]], str] = {}
    ways: dict[str, list[pl.Expr]] = defaultdict(list)
    for rule in tables().rules:
        if rule.group is not None and rule.group not in groups:
            continue
        mask = masks.setdefault((rule.group, rule.keys), f"_mask{len(masks)}")
        for field, (how, data) in rule.fields.items():
            columns = [name for name in (_column(datum) for datum in data) if name in frame.columns]
            if not columns:
                continue
            raw = values.text(pl.col(columns[0]))
            for name in columns[1:]:
                raw = raw.fill_null(values.text(pl.col(name)))
            value = raw if how == "text" else values.HOW[how](raw)
            ways[field].append(value if rule.group is None else pl.when(pl.col(mask)).then(value))
    frame = frame.with_columns(
        (pl.col("_key").is_in(keys) if keys else pl.col("_group") == group).alias(mask)
        for (group, keys), mask in masks.items()
        if group is not None
    )
    return frame.with_columns(
        pl.coalesce(([pl.col(field)] if field in frame.columns else []) + exprs).alias(field)
        for field, exprs in ways.items()
    )


def _column(datum: str) -> str:
    return datum if datum.startswith("winlog.") else f"{EVENT_DATA}{datum}"


def _meaning(frame: pl.DataFrame, given: frozenset[str]) -> pl.DataFrame:
    """Adds what kind of event each is, its outcome, its host, its level, its kind of logon."""
    frame = frame.join(tables().events.rename({"key": "_key"}), on="_key", how="left", maintain_order="left").join(
        tables().defaults.rename({"group": "_group"}),
        on="_group",
        how="left",
        maintain_order="left",
        suffix="_default",
    )
    said = {name: pl.col(name) if name in given else pl.lit(None) for name in ("event.category", "event.type", "event.action", "event.outcome", "event.dataset", "event.kind", "event.provider", "event.code", "host.name", "log.level")}
    named_task = pl.col("rendered.task") if "rendered.task" in frame.columns else pl.lit(None, pl.String)
    action = pl.coalesce("action", pl.when(named_task.str.contains(r"\D")).then(named_task))
    # Whoever set a category has mapped the event; a mere action is Winlogbeat's name of the task.
    action = pl.coalesce(
        pl.when(said["event.category"].is_not_null()).then(said["event.action"]),
        pl.col("action"),
        said["event.action"],
        action,
    )
    level = pl.col("rendered.level") if "rendered.level" in frame.columns else pl.lit(None, pl.String)
    columns = [
        pl.coalesce(said["event.kind"], pl.lit("event")).alias("event.kind"),
        pl.coalesce(said["event.code"], "winlog.event_id").alias("event.code"),
        pl.coalesce(said["event.provider"], "winlog.provider_name").alias("event.provider"),
        pl.coalesce(
            said["event.dataset"],
            pl.col("winlog.channel").replace_strict(tables().datasets, default="windows.forwarded"),
        ).alias("event.dataset"),
        pl.coalesce(said["event.category"], "category", "category_default").alias("event.category"),
        pl.coalesce(said["event.type"], "type", "type_default").alias("event.type"),
        action.alias("event.action"),
        pl.coalesce(said["event.outcome"], "outcome", _audited()).alias("event.outcome"),
        pl.coalesce(said["host.name"], "winlog.computer_name").alias("host.name"),
        pl.coalesce(
            said["log.level"],
            level.str.to_lowercase(),
            pl.col("winlog.level").replace_strict(tables().levels, default=None, return_dtype=pl.String),
        ).alias("log.level"),
    ]
    if f"{EVENT_DATA}LogonType" in frame.columns:
        columns.append(
            pl.col(f"{EVENT_DATA}LogonType")
            .replace_strict(tables().logon_types, default=None, return_dtype=pl.String)
            .alias("winlog.logon.type")
        )
    helpers = [f"{name}{suffix}" for suffix in ("", "_default") for name in ("category", "type", "action", "outcome")]
    return frame.with_columns(columns).drop(helpers)


def _audited() -> pl.Expr:
    """Success or failure by System/Keywords: bits 53 and 52, or Winlogbeat's names of them."""
    keywords = pl.col("winlog.keywords")
    digit = keywords.str.extract(r"^0[xX][0-9A-Fa-f]{0,2}([0-9A-Fa-f])[0-9A-Fa-f]{13}$")
    return (
        pl.when(digit.is_in(_SUCCEEDED) | keywords.str.contains("Audit Success", literal=True))
        .then(pl.lit("success"))
        .when(digit.is_in(_FAILED) | keywords.str.contains("Audit Failure", literal=True))
        .then(pl.lit("failure"))
    )


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
        "related.ip": ("source.ip", "destination.ip"),
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

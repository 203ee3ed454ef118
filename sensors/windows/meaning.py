"""What kind of event each is: category, type, action, outcome, dataset, level, host, kind of logon."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.windows import values
from sensors.windows.tables import EVENT_DATA, tables

_FAILED: Final = ["1", "5", "9", "d", "D"]
_SUCCEEDED: Final = ["2", "3", "6", "7", "a", "b", "e", "f", "A", "B", "E", "F"]
_PARTS: Final = ("category", "type", "action", "outcome")


def described(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds those fields to events with `_group` and `_key`; what was there before stays.

    One exception: an action is replaced where no category came with it, for then it is the name that Windows
    gives to the task ("Logon"), which Winlogbeat passes on.
    """
    known = tables()
    frame = frame.join(known.events.rename({"key": "_key"}), on="_key", how="left", maintain_order="left")
    frame = frame.join(
        known.defaults.rename({"group": "_group"}),
        on="_group",
        how="left",
        maintain_order="left",
        suffix="_default",
    )
    frame = _acted(frame)
    linux = pl.col("winlog.provider_name") == "Linux-Sysmon"
    system = pl.when(linux).then(pl.lit("linux")).otherwise(pl.lit("windows"))
    level = pl.col("winlog.level").replace_strict(known.levels, default=None, return_dtype=pl.String)
    if "rendered.level" in frame.columns:
        level = pl.coalesce(pl.col("rendered.level").str.to_lowercase(), level)
    fields = {
        "event.kind": pl.lit("event"),
        "event.code": pl.col("winlog.event_id"),
        "event.provider": pl.col("winlog.provider_name"),
        "event.dataset": pl.col("winlog.channel").replace_strict(known.datasets, default="windows.forwarded"),
        "event.category": pl.coalesce("category", "category_default"),
        "event.type": pl.coalesce("type", "type_default"),
        "event.outcome": pl.coalesce("outcome", _audited()),
        "host.name": pl.col("winlog.computer_name"),
        "host.os.type": system,
        "host.os.family": system,
        "log.level": level,
    }
    if (kind := f"{EVENT_DATA}LogonType") in frame.columns:
        name = pl.col(kind).replace_strict(known.logon_types, default=None, return_dtype=pl.String)
        fields["winlog.logon.type"] = name
    return values.added(frame, fields).drop(*_PARTS, *(f"{part}_default" for part in _PARTS))


def _acted(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `event.action`."""
    nothing = pl.lit(None, pl.String)
    said = pl.col("event.action") if "event.action" in frame.columns else nothing
    whole = (
        pl.col("event.category").is_not_null() if "event.category" in frame.columns else pl.lit(value=False)
    )
    task = pl.col("rendered.task") if "rendered.task" in frame.columns else nothing
    named = pl.when(task.str.contains(r"\D")).then(task)
    action = pl.coalesce(pl.when(whole).then(said), pl.col("action"), said, named)
    return frame.with_columns(action.alias("event.action"))


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

"""What remote-control tools write into Windows' event logs: who came in, from where, for how long.

Their texts, as `remote_tools.toml` describes them, after the event's id: tools give one text to several ids,
and one id to several texts.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.shapes import message_forms
from sensors.values import ecs
from sensors.windows import values
from sensors.windows.tables import EVENT_DATA, tables

_TEXTS: Final = (f"{EVENT_DATA}Data", "message")
_PLACE: Final = "log.offset"  # by which the shared piece orders; here the number of the row


def unpacked(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds what those texts say; what was there before stays."""
    known = message_forms.forms("windows/remote_tools")
    groups = {number: name for name, number in tables().groups.items() if name in known.of}
    chosen = frame["_group"].is_in(list(groups))
    texts = [name for name in _TEXTS if name in frame.columns]
    if not texts or not chosen.any():
        return frame
    said = (
        frame.select(
            pl.int_range(pl.len()).alias(_PLACE),
            pl.col("_group").replace_strict(groups, default=None, return_dtype=pl.String).alias("group"),
            *(
                pl.concat_str(pl.col("winlog.event_id"), pl.lit(" "), pl.col(name)).alias(f"~{name}")
                for name in texts
            ),
        )
        .filter(chosen)
        .with_columns(pl.coalesce(f"~{name}" for name in texts).fill_null("").alias("body"))
    )
    found = message_forms.told(said, known)
    if "person" in found.columns:
        found = ecs.person(found, "person", "user", "source.user")
    if "owner" in found.columns:
        owners = ecs.person(found.select(_PLACE, "owner"), "owner", "user").drop("owner")
        found = found.join(owners, on=_PLACE, how="left", suffix="~", maintain_order="left")
    fields = _fields(found)
    rows = frame.select(pl.int_range(pl.len()).alias(_PLACE)).join(
        fields, on=_PLACE, how="left", maintain_order="left"
    )
    return values.added(frame, {name: pl.lit(rows[name]) for name in fields.columns if name != _PLACE})


def _fields(found: pl.DataFrame) -> pl.DataFrame:
    """The columns of the schema, with address and port of `from` and of `to`."""
    made: dict[str, pl.Expr] = {}
    for group, side in (("from", "source"), ("to", "destination")):
        if group in found.columns:
            made[f"{side}.ip"] = values.address(pl.col(group))
            made[f"{side}.port"] = values.port(pl.col(group))
    for name in ("user.name", "user.domain", "user.email"):
        if f"{name}~" in found.columns:
            made[name] = pl.coalesce(name, f"{name}~")
    left = {_PLACE, "group", "body", "form", "person", "owner", "from", "to", "event.kind"}
    kept = [name for name in found.columns if name not in left | made.keys() and "~" not in name]
    return found.select(_PLACE, *kept, *(value.alias(name) for name, value in made.items()))

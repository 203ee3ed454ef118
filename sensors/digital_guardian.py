"""Digital Guardian ARC: what its export profiles hand out: incidents, alarms, events of data in motion.

Fields after Digital Guardian's ARC export guide, mapping after Elastic's integration `digital_guardian`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import text
from sensors.shapes.endpoint_records import EndpointRecords, column, kinds

_NOTHING: Final = ("", "{}", "NA", "None", "null", "-")


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    kind_of, state = text(frame, "dg_utype"), text(frame, "inc_state")
    # Exports of some profiles have clocks of twelve hours.
    half = text(frame, "dg_time").str.to_datetime("%Y-%m-%d %I:%M:%S %p", strict=False, time_unit="us")
    whole = column(frame, "@timestamp", list(kinds("digital_guardian.toml")["arc"]["time"]))
    return [
        pl.coalesce(half.dt.replace_time_zone("UTC"), whole).alias("@timestamp"),
        pl.concat_str(kind_of, state, separator="-").str.to_lowercase().alias("event.action"),
    ]


def _after(frame: pl.DataFrame, kind: str) -> pl.DataFrame:  # noqa: ARG001 - there is one kind
    """Events without what says that there is no value."""
    text_columns = pl.col(pl.String)
    return frame.with_columns(pl.when(~text_columns.is_in(_NOTHING)).then(text_columns).name.keep())


SENSOR: Final = EndpointRecords(
    "digital_guardian", "digital_guardian.toml", "digital_guardian", _more, _after
)

"""Digital Guardian ARC: what its export profiles hand out: incidents, alarms, events of data in motion.

Fields after Digital Guardian's ARC export guide, mapping after Elastic's integration `digital_guardian`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.endpoint_records import EndpointRecords
from sensors.json_table import text


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    kind_of, state = text(frame, "dg_utype"), text(frame, "inc_state")
    return [pl.concat_str(kind_of, state, separator="-").str.to_lowercase().alias("event.action")]


SENSOR: Final = EndpointRecords("digital_guardian", "digital_guardian.toml", "digital_guardian", _more)

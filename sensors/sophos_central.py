r"""Sophos Central: events and alerts of its SIEM integration API.

Fields after https://developer.sophos.com/docs/siem-v1/1/overview, mapping after Elastic's integration
`sophos_central`. Of who is the `source` of a record, `DOMAIN\name` or a mere name is said.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import text
from sensors.shapes.endpoint_records import EndpointRecords


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - both kinds say it alike
    who = text(frame, "source", "person.name")
    named = pl.when(who != "n/a")
    return [
        named.then(who.str.extract(r"([^\\]+)$", 1)).alias("user.name"),
        named.then(who.str.extract(r"^(.+)\\", 1)).alias("user.domain"),
    ]


SENSOR: Final = EndpointRecords("sophos_central", "sophos_central.toml", "sophos_central", _more)

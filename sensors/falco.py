"""Falco: alerts of its rules, as JSON.

Fields after https://falco.org/docs/reference/rules/supported-fields and .../outputs/formatting; mapping after
Elastic's integration `falco`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.endpoint_records import EndpointRecords
from sensors.json_table import text, texts


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    """The techniques of MITRE ATT&CK that a rule is tagged with; arguments, if they are told apart."""
    words = text(frame, "output_fields.proc.args").str.split(" ")
    executable = text(frame, "output_fields.proc.exepath", "output_fields.proc.name")
    techniques = texts(frame, "tags").list.eval(pl.element().filter(pl.element().str.contains(r"^T\d{4}")))
    return [
        pl.when(techniques.list.len() > 0).then(techniques).alias("threat.technique.id"),
        pl.when(words.is_not_null()).then(pl.concat_list(executable, words)).alias("process.args"),
    ]


SENSOR: Final = EndpointRecords("falco", "falco.toml", "falco", _more)

"""Falco: alerts of its rules, as JSON.

Fields after https://falco.org/docs/reference/rules/supported-fields and .../outputs/formatting; mapping after
Elastic's integration `falco`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import text, texts
from sensors.shapes.endpoint_records import EndpointRecords


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    """Techniques of MITRE ATT&CK that a rule is tagged with; arguments and files, if they are told apart."""
    words = text(frame, "output_fields.proc.args").str.split(" ")
    executable = text(frame, "output_fields.proc.exepath", "output_fields.proc.name")
    opened = text(frame, "output_fields.fd.type")
    is_file = opened.is_in(["file", "directory"])
    pod = text(frame, "output_fields.k8s.pod.name").is_not_null()
    return [
        _tagged(frame, r"^T\d{4}\b").alias("threat.technique.id"),
        _tagged(frame, r"^T\d{4}\.\d{3}$").alias("threat.technique.subtechnique.id"),
        pl.when(is_file).then(text(frame, "output_fields.fd.name")).alias("file.path"),
        pl.when(is_file).then(opened).alias("file.type"),
        pl.when(pod).then(pl.lit("pod")).alias("orchestrator.resource.type"),
        pl.when(pod).then(pl.lit("kubernetes")).alias("orchestrator.type"),
        pl.when(words.is_not_null()).then(pl.concat_list(executable, words)).alias("process.args"),
    ]


def _tagged(frame: pl.DataFrame, pattern: str) -> pl.Expr:
    """What of the tags fits, each once; a subtechnique names its technique as well."""
    found = texts(frame, "tags").list.eval(pl.element().str.extract(f"({pattern})", 1).drop_nulls())
    distinct = found.list.unique(maintain_order=True)
    return pl.when(distinct.list.len() > 0).then(distinct)


SENSOR: Final = EndpointRecords("falco", "falco.toml", "falco", _more)

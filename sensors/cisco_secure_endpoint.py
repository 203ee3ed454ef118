"""Cisco Secure Endpoint (AMP for Endpoints): events of its API.

Fields after https://developer.cisco.com/docs/secure-endpoint (v1 `/events`), mapping after Elastic's
integration `cisco_secure_endpoint`. A record is an event as it is, or with its page around it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.reading.json_table import text
from sensors.shapes.endpoint_records import EndpointRecords
from sensors.shapes.mapping import first_rule, mail_domain, mailbox
from sensors.values.url import url_columns

_OUTCOME: Final = {
    r"(?i)\bfail(?:ure|ed)?\b": "failure",
    r"(?i)quarantined|\bcompleted\b|^Retrospective Quarantine$|isolat\w+ \w*success": "success",
}


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    user = text(frame, "data.computer.user", "computer.user")
    host = text(frame, "data.computer.hostname", "data.hostname", "computer.hostname", "hostname")
    line = text(frame, "data.command_line.arguments", "command_line.arguments").str.strip_chars()
    malicious = text(frame, "data.file.disposition", "file.disposition") == "Malicious"
    named = text(frame, "data.file.file_name", "file.file_name").is_not_null()
    words = pl.concat_str(
        pl.when(named).then(pl.lit("file")),
        pl.when(malicious).then(pl.lit("malware")),
        separator=",",
        ignore_nulls=True,
    )
    return [
        mailbox(user).alias("user.name"),
        mail_domain(user).alias("user.domain"),
        pl.when(user.str.contains("@")).then(user).alias("user.email"),
        host.str.extract(r"^([^.]+)", 1).alias("host.hostname"),
        host.str.extract(r"\.(.+)$", 1).alias("host.domain"),
        line.alias("process.command_line"),
        line.str.extract(r"^(\S+)", 1).alias("process.executable"),
        pl.when(words != "").then(words.str.split(",")).alias("event.category"),
        first_rule(text(frame, "data.event_type", "event_type"), _OUTCOME).alias("event.outcome"),
    ]


def _after(made: pl.DataFrame, kind: str) -> pl.DataFrame:  # noqa: ARG001 - there is one kind
    words = pl.col("process.command_line").str.extract_all(r"\S+")
    made = made.with_columns(words.alias("process.args"), words.list.len().alias("process.args_count"))
    return url_columns(made)


SENSOR: Final = EndpointRecords(
    "cisco_secure_endpoint", "cisco_secure_endpoint.toml", "cisco", _more, _after, pages="data"
)

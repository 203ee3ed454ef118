"""Jamf: Compliance Reporter's audit log, Jamf Protect's alerts and its telemetry, old and new.

Fields after https://learn.jamf.com/en-US/bundle/jamf-protect-documentation (alerts, telemetry) and the
Compliance Reporter guide; mapping after Elastic's integrations `jamf_protect` and `jamf_compliance_reporter`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.jamf import telemetry
from sensors.reading.json_table import integer, objects, text, texts
from sensors.shapes.endpoint_records import EndpointRecords
from sensors.shapes.mapping import address
from sensors.values import command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GROUP: Final = ("name", "path", "pid", "uuid", "uid", "ruid", "rgid", "startTimestamp", "args")
# Kinds of changes to files, and to processes, that alerts are about.
_OF_FILES: Final = {"0": "creation", "1": "deletion", "3": "change", "4": "change", "7": "creation"}
_OF_PROCESSES: Final = {"1": "start", "2": "end"}


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:
    return _MORE[kind](frame)


def _audit(frame: pl.DataFrame) -> list[pl.Expr]:
    """Of the audit log: milliseconds, arguments one by one, and which of two products wrote it."""
    moment = integer(frame, "header.time_seconds_epoch") * 1000 + integer(
        frame, "header.time_milliseconds_offset"
    ).fill_null(0)
    numbered = [name for name in frame.columns if re.fullmatch(r"exec_args\.args\.\d+", name)]
    args = sorted(numbered, key=lambda name: int(name.rpartition(".")[2]))
    listed = pl.concat_list(args).list.drop_nulls() if args else pl.lit(None, pl.List(pl.String))
    legacy = text(frame, "key").is_not_null()
    ip = address(text(frame, "subject.terminal_id.ip_address"))
    executable = text(frame, "subject.process_name")
    return [
        text(frame, "header.event_name").str.to_lowercase().alias("event.action"),
        pl.when(moment > 0).then(pl.from_epoch(moment, "ms").dt.replace_time_zone("UTC")).alias("@timestamp"),
        pl.when(listed.list.len() > 0).then(listed).alias("process.args"),
        pl.when(legacy)
        .then(pl.lit("jamf_protect.telemetry_legacy"))
        .otherwise(pl.lit("jamf_compliance_reporter.log"))
        .alias("event.dataset"),
        pl.when(legacy)
        .then(pl.lit("Jamf Protect"))
        .otherwise(pl.lit("Jamf Compliance Reporter"))
        .alias("observer.product"),
        # An address of a terminal is that of the person at it, unless it says "here".
        pl.when(ip != "0.0.0.0").then(ip).alias("source.ip"),  # noqa: S104 - nothing is bound here
        command_line.base_name(executable).alias("process.name"),
    ]


def _alert(frame: pl.DataFrame) -> list[pl.Expr]:
    """Of alerts: the parent of the process, the leader of its group, what was done."""
    chain = objects(frame, "input.related.processes", *_GROUP, "responsiblePID")
    several = chain.list.len() > 1

    def of(place: pl.Expr, key: str) -> pl.Expr:
        return place.struct.field(key)

    parent = pl.when(several).then(chain.list.get(1, null_on_oob=True))
    arguments = chain.list.first().struct.field("args")
    args = frame.select("log.offset", arguments.alias("args"))
    about = text(frame, "input.eventType")
    change = text(frame, "input.match.event.type")
    done = (
        pl.when(about == "GPFSEvent")
        .then(change.replace_strict(_OF_FILES, default=None, return_dtype=pl.String))
        .when(about == "GPProcessEvent")
        .then(change.replace_strict(_OF_PROCESSES, default=None, return_dtype=pl.String))
    )
    acted = objects(frame, "input.match.actions", "name").list.first().struct.field("name")
    return [
        pl.lit(args.with_columns(texts(args, "args"))["args"]).alias("process.args"),
        pl.coalesce(of(parent, "pid"), of(chain.list.first(), "responsiblePID"))
        .cast(pl.Int64, strict=False)
        .alias("process.parent.pid"),
        *(
            of(parent, key).alias(f"process.parent.{field}")
            for field, key in (
                ("name", "name"),
                ("executable", "path"),
                ("entity_id", "uuid"),
                ("user.id", "uid"),
            )
        ),
        pl.when(done.is_not_null()).then(pl.concat_list(done)).alias("event.type"),
        pl.when(acted == "Prevented")
        .then(pl.lit("failure"))
        .when(acted == "Report")
        .then(pl.lit("success"))
        .when(acted.is_null())
        .then(pl.lit("unknown"))
        .alias("event.outcome"),
    ]


_MORE: Final[Mapping[str, Callable[[pl.DataFrame], list[pl.Expr]]]] = {
    "audit": _audit,
    "alerts": _alert,
    "telemetry": telemetry.columns,
}

SENSOR: Final = EndpointRecords("jamf", "jamf/jamf.toml", "jamf_protect jamf_compliance_reporter", _more)

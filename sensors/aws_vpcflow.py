"""Flow logs of Amazon VPC: text in the order of fields that the account chose, and JSON.

Fields and the documented orders after https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
(versions 2 to 10) and its page of examples. A file in S3 begins with a line of the fields' names; what comes
out of CloudWatch has none, and then each line is read by the first documented order that fits it. A flow is
what one interface saw in one direction; the bytes are those of the source. Mapping after Elastic's
`aws.vpcflow`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import framing, json_table
from sensors.reading.losses import name_lost
from sensors.schema import TIME
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

_ADDRESS: Final = r"-|[0-9a-fA-F:.]*[.:][0-9a-fA-F:.]*"
_WORD: Final = r"\S+"
_NUMBER: Final = r"-|[0-9]+"
# What a field may hold; of the others anything without a blank.
_SHAPES: Final = {
    "version": r"[2-9]|10", "account-id": r"[0-9]{6,12}|unknown|amazon-[a-z]+|-",
    "interface-id": r"eni-\S+|-",
    "srcaddr": _ADDRESS, "dstaddr": _ADDRESS, "pkt-srcaddr": _ADDRESS, "pkt-dstaddr": _ADDRESS,
    "srcport": _NUMBER, "dstport": _NUMBER, "protocol": _NUMBER, "packets": _NUMBER, "bytes": _NUMBER,
    "start": r"[0-9]{9,11}", "end": r"[0-9]{9,11}", "action": r"ACCEPT|REJECT|-", "tcp-flags": _NUMBER,
    "log-status": r"OK|NODATA|SKIPDATA", "vpc-id": r"vpc-\S+|-", "subnet-id": r"subnet-\S+|-",
    "instance-id": r"i-\S+|-",
    "type": r"IPv4|IPv6|EFA|-", "flow-direction": r"ingress|egress|-",
    "traffic-path": r"[0-9]|-", "az-id": r"[a-z0-9]+-az[0-9]+|-", "region": r"[a-z]+-[a-z-]+-[0-9]+|-",
}  # fmt: skip
_NAMES: Final = frozenset(_SHAPES) | {
    "sublocation-type", "sublocation-id", "pkt-src-aws-service", "pkt-dst-aws-service", "ecs-cluster-arn",
    "ecs-cluster-name", "ecs-container-instance-arn", "ecs-container-instance-id", "ecs-container-id",
    "ecs-second-container-id", "ecs-service-name", "ecs-task-definition-arn", "ecs-task-arn", "ecs-task-id",
    "reject-reason", "resource-id", "encryption-status",
}  # fmt: skip
_VERSION_2: Final = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
    "log-status"
)
_VERSION_3: Final = f"{_VERSION_2} vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr"
_VERSION_4: Final = f"{_VERSION_3} region az-id sublocation-type sublocation-id"
_EXAMPLE_3: Final = (
    "version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport "
    "pkt-srcaddr pkt-dstaddr protocol bytes packets start end action tcp-flags log-status"
)
_EXAMPLE_5: Final = (
    "version srcaddr dstaddr srcport dstport protocol start end type packets bytes account-id vpc-id "
    "subnet-id instance-id interface-id region az-id sublocation-type sublocation-id action tcp-flags "
    "pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service traffic-path flow-direction log-status"
)
# Version 2's and then all others as the console lists them; and the orders of the manual's examples.
ORDERS: Final = (
    _VERSION_2,
    _VERSION_3,
    _VERSION_4,
    f"{_VERSION_4} pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path",
    _EXAMPLE_3,
    _EXAMPLE_5,
    "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr",
    "interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr",
)
_NAMED: Final = {
    "account-id": "cloud.account.id", "instance-id": "cloud.instance.id", "region": "cloud.region",
}  # fmt: skip
_HEADER: Final = re.compile(r"^(?:[a-z][a-z-]*[ ,]+){3,}[a-z][a-z-]*\s*$")


class VpcFlow:
    """The sensor."""

    name = "aws_vpcflow"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether a line names the fields, or the first lines have them in a documented order."""
        if json_table.peek(head):
            return json_table.mostly(head, _is_json)
        lines = [line.rstrip("\r") for line in framing.text_head(head).split("\n")[:20] if line.strip()]
        if len(head) > 1 and not head.endswith(b"\n") and len(lines) > 1:
            lines = lines[:-1]
        if not lines:
            return False
        if _fields(lines[0]):
            return True
        documented = [re.compile(_pattern(order.split())) for order in ORDERS]
        fits = [any(form.match(line) for form in documented) for line in lines]
        return 2 * sum(fits) > len(fits)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per flow record; the line of names is no record."""
        if json_table.peek(source.head):
            for table in json_table.tables(source):
                fits = json_table.text(table, "srcaddr", "src_addr").is_not_null()
                kept = json_table.kept(table, fits, source, "no flow record: no source address")
                if kept.height:
                    yield _mapped(_from_json(kept), source)
            return
        order: list[str] = []
        for lines in framing.lines(source):
            parts, order = _parted(lines, order)
            lost = parts["~fits"].is_null()
            if lost.any():
                name_lost(
                    parts.filter(lost), "not a flow record in a documented or named order of fields", source
                )
            if not lost.all():
                yield _mapped(parts.filter(~lost), source)


SENSOR: Final = VpcFlow()


def _is_json(record: dict[str, object]) -> bool:
    keys = {key.lower().replace("_", "") for key in record}
    known = {"interfaceid", "subnetid", "vpcid", "logstatus", "instanceid", "flowdirection"}
    return {"srcaddr", "dstaddr", "dstport"} <= keys and bool(known & keys) and "queryname" not in keys


def _fields(line: str) -> list[str]:
    """The fields' names, if the line is of names."""
    line = line.replace("_", "-")
    names = re.split(r"[ ,]+", line.strip())
    known = sum(name in _NAMES for name in names)
    return names if _HEADER.match(line) and 2 * known > len(names) and "srcaddr" in names else []


def _pattern(names: list[str], *, strict: bool = True) -> str:
    shapes = [_SHAPES.get(name, _WORD) if strict else _WORD for name in names]
    parts = [f"(?P<f{at}>{shape})" for at, shape in enumerate(shapes)]
    return "^" + " ".join(parts) + "$"


def _parted(lines: pl.DataFrame, order: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """The lines' fields, by the line of names before them or a documented order; `~fits` where one did."""
    heads = lines["text"].str.contains(_HEADER.pattern)
    heads &= lines["text"].is_in([text for text in lines["text"].filter(heads).unique() if _fields(text)])
    pieces: list[pl.DataFrame] = []
    if heads.any():
        starts = [*heads.arg_true().to_list(), lines.height]
        if starts[0]:
            pieces.append(_by(lines.head(starts[0]), order))
        for first, end in pairwise(starts):
            order = _fields(lines["text"][first]) or order
            pieces.append(_by(lines.slice(first + 1, end - first - 1), order))
    else:
        pieces.append(_by(lines, order))
    whole = pl.concat(pieces, how="diagonal").sort("log.offset")
    if "~fits" not in whole.columns:
        whole = whole.with_columns(pl.lit(None, pl.Boolean).alias("~fits"))
    return whole, order


def _by(lines: pl.DataFrame, order: list[str]) -> pl.DataFrame:
    done: list[pl.DataFrame] = []
    left = lines
    orders = [order] if order else [known.split() for known in ORDERS]
    for names in orders:
        if not left.height:
            break
        plain = left["text"].str.strip_chars().str.replace_all(r"\s*,\s*|\s+", " ")
        parts = plain.str.extract_groups(_pattern(names, strict=not order)).struct.unnest()
        fits = parts["f0"].is_not_null()
        named = parts.rename({f"f{at}": name for at, name in enumerate(names)}).with_columns(
            pl.lit(value=True).alias("~fits")
        )
        done.append(left.filter(fits).hstack(named.filter(fits)))
        left = left.filter(~fits)
    return pl.concat([*done, left], how="diagonal")


def _from_json(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of any spelling (`srcAddr`, `src_addr`) under the fields' own names."""
    return frame.select(
        "text",
        "log.offset",
        "log.file.line",
        *(
            json_table.text(frame, name.replace("-", ""), name.replace("-", "_"), name).alias(name)
            for name in sorted(_NAMES)
        ),
    )


def _mapped(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    told = {name for name in _NAMES if name in frame.columns}
    frame = frame.with_columns(pl.when(pl.col(name) != "-").then(name).alias(name) for name in told)
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in sorted(_NAMES - told))
    action = pl.col("action")
    start, end = (_moment(name) for name in ("start", "end"))
    path = {name: f"aws.vpcflow.{name.replace('-', '_')}" for name in sorted(_NAMES)}
    events = frame.select(
        "log.offset",
        "log.file.line",
        pl.coalesce(end, start, pl.lit(source.modified, TIME)).alias("@timestamp"),
        pl.when(pl.coalesce(end, start).is_null())
        .then(pl.lit(["time"], pl.List(pl.String)))
        .alias("molehunt.guess"),
        start.alias("event.start"),
        end.alias("event.end"),
        (end - start).dt.total_microseconds().mul(1000).alias("event.duration"),
        pl.lit("aws.vpcflow").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"], pl.List(pl.String)).alias("event.category"),
        pl.lit(["connection"], pl.List(pl.String)).alias("event.type"),
        action.str.to_lowercase().alias("event.action"),
        action.replace_strict(
            {"ACCEPT": "success", "REJECT": "failure"}, default=None, return_dtype=pl.String
        ).alias("event.outcome"),
        pl.lit("aws").alias("cloud.provider"),
        *(pl.col(name).alias(field) for name, field in _NAMED.items()),
        *ecs.address("source", pl.col("srcaddr")),
        *ecs.address("destination", pl.col("dstaddr")),
        pl.col("srcport").cast(pl.Int64, strict=False).alias("source.port"),
        pl.col("dstport").cast(pl.Int64, strict=False).alias("destination.port"),
        *(
            pl.col(what).cast(pl.Int64, strict=False).alias(f"{side}.{what}")
            for what in ("bytes", "packets")
            for side in ("source", "network")
        ),
        connection.transport(pl.col("protocol")).alias("network.transport"),
        pl.col("flow-direction")
        .replace_strict({"ingress": "inbound", "egress": "outbound"}, default=None, return_dtype=pl.String)
        .alias("network.direction"),
        *(pl.col(name).alias(field) for name, field in path.items() if name not in _PLAIN),
    )
    return ecs.relations(connection.described(events), ip=("source.ip", "destination.ip"))


_PLAIN: Final = {
    "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "region",
}  # fmt: skip


def _moment(name: str) -> pl.Expr:
    seconds = pl.col(name).cast(pl.Int64, strict=False)
    written = pl.col(name).str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    counted = pl.when(seconds.is_between(0, 10**11)).then(seconds * 1_000_000).cast(TIME)
    return pl.coalesce(counted, written)

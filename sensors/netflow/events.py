"""Columns of information elements to events in ECS, after the netflow input of Filebeat.

`source` is who the exporter says sent the octets; of a biflow (RFC 5103) the one who began. What an element
says and ECS has no field for stays under `netflow.`, unless all of it is zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.netflow import walk
from sensors.netflow.templates import snake
from sensors.values import connection, ecs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_US: Final = pl.Datetime("us", "UTC")
_UPTIME: Final = "~uptime"
# ECS fields and the elements that say them, the first that is there.
_NAMED: Final = {
    "source.port": ("sourceTransportPort",),
    "destination.port": ("destinationTransportPort",),
    "source.bytes": ("octetDeltaCount", "octetTotalCount", "initiatorOctets"),
    "source.packets": ("packetDeltaCount", "packetTotalCount", "initiatorPackets"),
    "destination.bytes": ("reverseOctetDeltaCount", "reverseOctetTotalCount", "responderOctets"),
    "destination.packets": ("reversePacketDeltaCount", "reversePacketTotalCount", "responderPackets"),
    "source.nat.port": ("postNAPTSourceTransportPort", "asaXlateSrcPort"),
    "destination.nat.port": ("postNAPTDestinationTransportPort", "asaXlateDstPort"),
    "source.as.number": ("bgpSourceAsNumber",),
    "destination.as.number": ("bgpDestinationAsNumber",),
    "network.vlan.id": ("vlanId", "dot1qVlanId"),
    "network.name": ("wlanSSID",),
    "network.application": ("applicationName", "l7ProtoName"),
    "observer.ingress.interface.id": ("ingressInterface",),
    "observer.egress.interface.id": ("egressInterface",),
    "rule.name": ("fwRule",),
    "http.request.method": ("httpRequestMethod", "httpMethod", "netscalerHttpReqMethod"),
    "http.response.status_code": ("httpStatusCode", "netscalerHttpRspStatus", "httpRetCode"),
    "http.request.referrer": ("netscalerHttpReqReferer", "httpReferer"),
    "url.domain": ("httpRequestHost", "netscalerHttpReqHost", "httpHost", "httpSite", "ixiaHttpHostName"),
    "url.original": ("httpRequestTarget", "netscalerHttpReqUrl", "httpUrl", "ixiaHttpUri", "proceraHttpUrl"),
    "user_agent.original": ("httpUserAgent", "netscalerHttpReqUserAgent", "ixiaHttpUserAgent"),
    "tls.client.server_name": ("sslServerName",),
    "dns.question.name": ("dnsQName", "dnsQuery", "ixiaDnsQuery"),
}  # fmt: skip
# Zero means that there is none.
_NOT_ZERO: Final = frozenset(
    {"source.nat.port", "destination.nat.port", "source.as.number", "destination.as.number",
     "network.vlan.id", "http.response.status_code"}
)  # fmt: skip
_ADDRESSES: Final = {
    "source.ip": ("sourceIPv4Address", "sourceIPv6Address"),
    "destination.ip": ("destinationIPv4Address", "destinationIPv6Address"),
    "source.nat.ip": ("postNATSourceIPv4Address", "postNATSourceIPv6Address", "asaXlateSrcAddrIPv4"),
    "destination.nat.ip": (
        "postNATDestinationIPv4Address", "postNATDestinationIPv6Address", "asaXlateDstAddrIPv4",
    ),
}  # fmt: skip
_USER: Final = (
    "userName",
    "asaUsername",
    "netscalerAaaUsername",
    "netscalerIcaUsername",
    "netscalerDbUserName",
)
_MAC: Final = {"source.mac": "sourceMacAddress", "destination.mac": "destinationMacAddress"}
_BETWEEN: Final = (
    ("flowStartMilliseconds", "flowStartSeconds", "flowStartMicroseconds", "flowStartNanoseconds"),
    ("flowEndMilliseconds", "flowEndSeconds", "flowEndMicroseconds", "flowEndNanoseconds"),
)
_ICMP: Final = ("icmpTypeIPv4", "icmpCodeIPv4")
_TAKEN: Final = frozenset(
    {name for names in (*_NAMED.values(), *_ADDRESSES.values(), _USER, *_BETWEEN) for name in names}
    | set(_MAC.values())
    | {"paddingOctets", "flowStartSysUpTime", "flowEndSysUpTime", "protocolIdentifier"}
)
_MOST_AGO: Final = 86_400_000  # milliseconds: uptimes that wrapped are told by flows no older than a day
_WRAP: Final = 1 << 32
_DENIED: Final = 3  # firewallEvent of RFC 8158's registry: flow denied
_REVERSED: Final = 2  # biflowDirection: the one who was asked comes first


def made(
    frame: pl.DataFrame,
    sets: NDArray[np.int64],
    starts: NDArray[np.int64],
    data: NDArray[np.uint8],
    exporters: list[tuple[str, int]] | None,
    *,
    options: bool,
) -> pl.DataFrame:
    """The events of one template's records; `~at` is where each stands.

    Args:
        frame: a column for each element; its rows are those of `sets` and `starts`.
        sets: for each record the row of its set.
        starts: the place of each record.
        data: the whole source.
        exporters: addresses and ports by number, if the source has them.
        options: whether the records say something of the exporter.
    """
    kind = "netflow_options" if options else "netflow_flow"
    header = {
        "~at": pl.Series(starts),
        "@timestamp": pl.Series(sets[:, walk.TIME]).cast(_US),
        _UPTIME: pl.Series(sets[:, walk.UPTIME]),
        "netflow.exporter.version": pl.Series(sets[:, walk.VERSION]),
        "netflow.exporter.source_id": pl.Series(sets[:, walk.SOURCE]),
        "netflow.exporter.uptime_millis": pl.Series(sets[:, walk.UPTIME]),
    }
    if exporters is None:
        header["log.offset"] = header["~at"]
    else:
        number = sets[:, walk.EXPORTER]
        header["molehunt.frame.number"] = pl.Series(sets[:, walk.FRAME])
        header["observer.ip"] = pl.Series([ip for ip, _port in exporters]).gather(number)
        header["netflow.exporter.address"] = pl.Series([_joined(*each) for each in exporters]).gather(number)
    if (sets[:, walk.VERSION] == walk.V5).all():
        sampled = sets[:, walk.PACKET] + 22
        header["netflow.sampling_interval"] = _some(
            pl.Series((data[sampled] & 0x3F).astype(np.int64) << 8 | data[sampled + 1])
        )
    base = pl.DataFrame(header)
    named = base.with_columns(pl.lit(kind).alias("event.action"), pl.lit(kind).alias("netflow.type"))
    rest = [column.alias(_vendors(column.name)) for column in _left(frame)]
    if options:
        return named.hstack(rest)
    flow = frame.select(*_flow(frame)).hstack(_between(frame, base))
    return named.hstack(flow).hstack([each for each in rest if each.name not in named.columns])


def _joined(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _vendors(name: str) -> str:
    group, dot, element = name.rpartition(".")
    return f"netflow.{group}{dot}{snake(element)}"


def _some(column: pl.Series) -> pl.Series:
    return column.set(column == 0, None)


def _left(frame: pl.DataFrame) -> Iterator[pl.Series]:
    """What has no field of ECS, as text, without columns that are zero all through."""
    for column in frame.iter_columns():
        if column.name in _TAKEN or column.name.startswith("~"):
            continue
        if isinstance(column.dtype, pl.Datetime):
            yield column.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
        elif column.dtype != pl.UInt64 or (column != 0).any() or "." in column.name:
            yield column.cast(pl.String)


def _there(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in frame.columns]


def _flow(frame: pl.DataFrame) -> Iterator[pl.Expr]:
    for name, elements in _NAMED.items():
        if present := _there(frame, elements):
            value = pl.coalesce(present)
            yield (pl.when(value != 0).then(value) if name in _NOT_ZERO else value).alias(name)
    for name, elements in _ADDRESSES.items():
        if present := _there(frame, elements):
            real = [pl.when(~pl.col(each).is_in(ecs.NOWHERE)).then(each) for each in present]
            yield pl.coalesce(*real, *(present[:1] if "nat" not in name else ())).alias(name)
    if "protocolIdentifier" in frame.columns:
        yield connection.transport(pl.col("protocolIdentifier")).alias("network.transport")
    if present := _there(frame, _USER):
        yield pl.coalesce(present).alias("~user")
    if "firewallEvent" in frame.columns:
        yield (pl.col("firewallEvent") == _DENIED).alias("~denied")
    if "biflowDirection" in frame.columns:
        yield pl.col("biflowDirection").alias("~biflow")
    yield from _directed(frame)
    yield from _icmp(frame)


def _directed(frame: pl.DataFrame) -> Iterator[pl.Expr]:
    """Direction, and the stations of a wireless controller's flows, whose order the direction gives."""
    for name, element in _MAC.items():
        if element in frame.columns:
            yield pl.col(element).alias(name)
    if "flowDirection" not in frame.columns:
        yield pl.lit("unknown").alias("network.direction")
        return
    out = pl.col("flowDirection") == 1
    said = pl.col("flowDirection").replace_strict({0: "inbound", 1: "outbound"}, default="unknown")
    yield said.alias("network.direction")
    if {"staMacAddress", "wtpMacAddress"} <= set(frame.columns) and not _there(frame, tuple(_MAC.values())):
        yield pl.when(out).then("wtpMacAddress").otherwise("staMacAddress").alias("source.mac")
        yield pl.when(out).then("staMacAddress").otherwise("wtpMacAddress").alias("destination.mac")
        if "staIPv4Address" in frame.columns and not _there(frame, _ADDRESSES["source.ip"]):
            yield pl.when(~out).then("staIPv4Address").alias("source.ip")
            yield pl.when(out).then("staIPv4Address").alias("destination.ip")


def _icmp(frame: pl.DataFrame) -> Iterator[pl.Expr]:
    kind, code = _ICMP
    if kind in frame.columns and code in frame.columns:
        yield pl.col(kind).alias("~icmp_type")
        yield pl.col(code).alias("~icmp_code")
    elif "icmpTypeCodeIPv4" in frame.columns:
        yield (pl.col("icmpTypeCodeIPv4") // 256).alias("~icmp_type")
        yield (pl.col("icmpTypeCodeIPv4") % 256).alias("~icmp_code")


def _between(frame: pl.DataFrame, base: pl.DataFrame) -> list[pl.Series]:
    """`event.start`, `event.end` and `event.duration`."""
    ends = []
    for absolute, relative in zip(_BETWEEN, ("flowStartSysUpTime", "flowEndSysUpTime"), strict=True):
        found = [frame[name] for name in _there(frame, absolute)]
        if relative in frame.columns:
            found.insert(0, _at_uptime(frame[relative], base))
        merged = found[0] if found else pl.Series([None], dtype=_US).new_from_index(0, frame.height)
        for other in found[1:]:
            merged = merged.fill_null(other)
        ends.append(merged)
    start, end = ends
    lasted = (end - start).cast(pl.Duration("us")).cast(pl.Int64)
    for name, scale in (("flowDurationMilliseconds", 1000), ("flowDurationMicroseconds", 1)):
        if name in frame.columns:
            said = frame[name].cast(pl.Int64, strict=False)
            said = said.set(said > _WRAP * 1000, None) * scale
            lasted = lasted.fill_null(said)
            start, end = (
                start.fill_null(end - said.cast(pl.Duration("us"))),
                end.fill_null(start + said.cast(pl.Duration("us"))),
            )
    lasted = lasted.set(lasted < 0, None)
    return [start.alias("event.start"), end.alias("event.end"), (lasted * 1000).alias("event.duration")]


def _at_uptime(uptimes: pl.Series, base: pl.DataFrame) -> pl.Series:
    """When the exporter had been up for so long; null where that is later than the export itself."""
    now = base[_UPTIME]
    ago = now - uptimes.cast(pl.Int64, strict=False)
    wrapped = ago + _WRAP
    ago = pl.select(
        pl.when(now == 0).then(None).when(ago >= 0).then(ago).when(wrapped <= _MOST_AGO).then(wrapped)
    ).to_series()
    return base["@timestamp"] - (ago * 1000).cast(pl.Duration("us"))


def completed(frame: pl.DataFrame) -> pl.DataFrame:
    """What all templates have in common, once for a batch: totals, the ends of biflows, what is related."""
    for name in ("source.ip", "destination.ip", "network.transport", "~denied", "~biflow", "~user"):
        if name not in frame.columns:
            kind = pl.Boolean if name == "~denied" else pl.UInt64 if name == "~biflow" else pl.String
            frame = frame.with_columns(pl.lit(None, kind).alias(name))
    flow = pl.col("netflow.type") == "netflow_flow"
    biflow = pl.col("~biflow").is_not_null()
    frame = _turned(frame)
    frame = connection.described(
        frame, ("~icmp_type", "~icmp_code") if "~icmp_type" in frame.columns else None
    )
    totals = [
        (pl.col(f"source.{what}") + pl.col(f"destination.{what}").fill_null(0)).alias(f"network.{what}")
        if f"destination.{what}" in frame.columns
        else pl.col(f"source.{what}").alias(f"network.{what}")
        for what in ("bytes", "packets")
        if f"source.{what}" in frame.columns
    ]
    frame = frame.with_columns(
        pl.lit("netflow.log").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(biflow).then(pl.lit(["network", "session"])).otherwise(pl.lit(["network"]))
        .alias("event.category"),
        pl.when(pl.col("~denied")).then(pl.lit(["connection", "denied"]))
        .when(flow).then(pl.lit(["connection"])).otherwise(pl.lit(["info"])).alias("event.type"),
        *totals,
        *(
            pl.when(biflow).then(f"{end}.{what}").alias(f"{other}.{what}")
            for end, other in (("source", "client"), ("destination", "server"))
            for what in ("ip", "port", "bytes", "packets")
            if f"{end}.{what}" in frame.columns
        ),
    )  # fmt: skip
    if frame["~user"].null_count() < frame.height:
        frame = ecs.person(frame, "~user", "user", "source.user")
    frame = ecs.relations(
        frame,
        ip=("source.ip", "destination.ip"),
        user=("user.name",),
        hosts=("url.domain",),
    )
    return ecs.only(frame, "netflow").drop_nulls("event.dataset")


def _turned(frame: pl.DataFrame) -> pl.DataFrame:
    """Biflows whose exporter put the one who was asked first, turned round."""
    turned = frame["~biflow"] == _REVERSED
    if not turned.any():
        return frame
    flipped = pl.lit(turned.fill_null(value=False))
    pairs = [
        (f"source.{what}", f"destination.{what}")
        for what in ("ip", "port", "mac", "bytes", "packets", "nat.ip", "nat.port", "as.number")
        if f"source.{what}" in frame.columns or f"destination.{what}" in frame.columns
    ]
    missing = [name for pair in pairs for name in pair if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in missing)
    return frame.with_columns(
        pl.when(flipped).then(there).otherwise(here).alias(here)
        for one, two in pairs
        for here, there in ((one, two), (two, one))
    )

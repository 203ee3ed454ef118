"""Rows of the table of flows as events."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import cells, tcp
from sensors.capture.conversations import CLIENT
from sensors.capture.packet import ICMP, ICMP6, TCP, TUNNEL_NAMES, UDP
from sensors.schema import TIME
from sensors.values.connection import community_ids

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

PROTOCOLS: Final = {
    TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "ipv6-icmp", 2: "igmp", 4: "ipip", 41: "ipv6", 47: "gre",
    50: "esp", 51: "ah", 89: "ospf", 103: "pim", 112: "vrrp", 115: "l2tp", 132: "sctp",
}  # fmt: skip
_OCTETS: Final = {number: f"{number:02X}" for number in range(256)}
_UNCERTAIN: Final = (tcp.INACTIVE, tcp.PARTIAL)


def events(flows: Array, spoken: tuple[str, ...]) -> pl.DataFrame:
    """An event a flow, in the order in which they began.

    Args:
        flows: rows of the table of flows.
        spoken: the names of protocols that `SPOKEN` counts.
    """
    flows = flows[np.argsort(flows[:, cells.FIRST_FRAME], kind="stable")]
    client = flows[:, cells.SIDE]
    carries = flows[:, cells.CARRIES] > 0
    first, last = flows[:, cells.FIRST], flows[:, cells.LAST]
    return (
        endpoints(flows, np.full(len(flows), CLIENT))
        .with_columns(
            moments(first).alias("@timestamp"),
            moments(first).alias("event.start"),
            moments(last).alias("event.end"),
            pl.Series("event.duration", (last - first) * 1000),
            pl.Series("molehunt.frame.number", flows[:, cells.FIRST_FRAME]),
            pl.Series("molehunt.frame.last", flows[:, cells.LAST_FRAME]),
            *_counted(flows, client),
            *_told(flows, client),
            pl.select(
                pl.coalesce(
                    named(flows[:, cells.CARRIES], TUNNEL_NAMES),
                    named(flows[:, cells.SPOKEN], dict(enumerate(spoken, 1))),
                )
            )
            .to_series()
            .alias("network.protocol"),
            named(flows[:, cells.TUNNEL], TUNNEL_NAMES).alias("capture.flow.tunnel"),
            _only(flows[:, cells.VLAN] > 0, flows[:, cells.VLAN]).cast(pl.String).alias("network.vlan.id"),
            *_macs(flows, client),
            *constants("capture.flow", ["connection", "end"], "network_flow"),
        )
        .with_columns(  # what a tunnel carries is told by flows of its own, and would count twice
            pl.when(pl.Series(carries))
            .then(pl.lit("capture.tunnel"))
            .otherwise("event.dataset")
            .alias("event.dataset"),
            pl.when(pl.Series(carries))
            .then(pl.lit("network_tunnel"))
            .otherwise("event.action")
            .alias("event.action"),
        )
    )


def _macs(flows: Array, client: Array) -> list[pl.Series]:
    """Addresses of the link, as ECS writes them (RFC 7042); null where it had none."""
    every = np.arange(len(flows))
    found = []
    for name, side in (("source", client), ("destination", 1 - client)):
        number = flows[every, cells.MAC + side]
        octets = [pl.Series(number >> shift & 0xFF) for shift in range(40, -8, -8)]
        texts = pl.DataFrame(octets, [str(place) for place in range(6)]).select(
            pl.concat_str(pl.all().map_batches(_hex, pl.String), separator="-").alias(f"{name}.mac")
        )
        found.append(texts.to_series().set(pl.Series(number <= 0), None))
    return found


def _hex(octets: pl.Series) -> pl.Series:
    return octets.replace_strict(_OCTETS, return_dtype=pl.String)


def _counted(flows: Array, client: Array) -> list[pl.Series]:
    every = np.arange(len(flows))
    pairs = {
        "{}.packets": cells.PACKETS,
        "{}.bytes": cells.BYTES,
        "capture.flow.{}.wire_bytes": cells.WIRE,
        "capture.flow.{}.small_packets": cells.SMALL,
        "capture.flow.{}.large_packets": cells.LARGE,
        "capture.flow.{}.active_seconds": cells.SECONDS,
    }
    found = [
        pl.Series(name.format(end), flows[every, cell + side])
        for name, cell in pairs.items()
        for end, side in (("source", client), ("destination", 1 - client))
    ]
    for name, cell in (("packets", cells.PACKETS), ("bytes", cells.BYTES)):
        found.append(pl.Series(f"network.{name}", flows[:, cell : cell + 2].sum(axis=1)))
    return found


def _told(flows: Array, client: Array) -> list[pl.Series | pl.Expr]:
    """What Zeek's conn.log has besides."""
    every, server = np.arange(len(flows)), 1 - client
    over_tcp = flows[:, cells.KIND] >> 4 == TCP
    sizes = {
        name: np.where(over_tcp, _size(flows, side), flows[every, cells.PAYLOAD + side])
        for name, side in (("source", client), ("destination", server))
    }
    missed = flows[:, cells.MISSED : cells.MISSED + 2].sum(axis=1)
    again = [flows[every, cells.AGAIN + side] for side in (client, server)]
    asked, answered = flows[every, cells.SYN_AT + client], flows[every, cells.SYN_AT + server]
    thanked = flows[:, cells.ACK_AT]
    there, back = (asked > 0) & (answered >= asked), (answered > 0) & (thanked >= answered)
    return [
        *(pl.Series(f"capture.flow.{name}.payload_bytes", size) for name, size in sizes.items()),
        _texts(flows[:, cells.HISTORY : cells.HISTORY + 3]).alias("capture.flow.history"),
        _states(flows, client).alias("capture.flow.state"),
        _only(over_tcp, missed).alias("capture.flow.missed_bytes"),
        _only(over_tcp, again[0]).alias("capture.flow.source.retransmitted_packets"),
        _only(over_tcp, again[1]).alias("capture.flow.destination.retransmitted_packets"),
        _only(there, (answered - asked) * 1000).alias("capture.flow.destination.round_trip"),
        _only(back, (thanked - answered) * 1000).alias("capture.flow.source.round_trip"),
    ]  # fmt: skip


def _only(where: Array, numbers: Array) -> pl.Series:
    return pl.Series(numbers).set(pl.Series(~where), None)


def _size(flows: Array, side: Array) -> Array:
    """Bytes of payload by sequence numbers, without SYN and FIN; as Zeek's endpoints tell it."""
    every = np.arange(len(flows))
    mine = {name: flows[every, getattr(cells, name) + side] for name in ("STATE", "PREVIOUS", "SENT", "FINS")}
    other = flows[every, cells.STATE + 1 - side]
    size = np.maximum(mine["SENT"], flows[every, cells.ACKED + side])
    size = np.maximum(size - 1, 0)
    size = np.where((mine["FINS"] > 0) & (size > 0), size - 1, size)
    aborted = (mine["PREVIOUS"] == tcp.SYN_SENT) & (mine["STATE"] == tcp.RESET) & (other == tcp.INACTIVE)
    return np.where(aborted, 0, size)


def _states(flows: Array, client: Array) -> pl.Series:
    """`conn_state` of Zeek's conn.log."""
    every = np.arange(len(flows))
    one, two = flows[every, cells.STATE + client], flows[every, cells.STATE + 1 - client]
    quiet_one, quiet_two = np.isin(one, _UNCERTAIN), np.isin(two, _UNCERTAIN)
    empty = (_size(flows, client) == 0) & (_size(flows, 1 - client) == 0)
    refused = np.isin(one, (tcp.SYN_SENT, tcp.SYN_ACK_SENT)) | ((one == tcp.RESET) & empty)
    over_tcp = np.select(
        [
            (two == tcp.RESET) & refused,
            (two == tcp.RESET) & quiet_one,
            two == tcp.RESET,
            (one == tcp.RESET) & quiet_two,
            one == tcp.RESET,
            (one == tcp.SHUT) & (two == tcp.SHUT),
            (one == tcp.SHUT) & quiet_two,
            one == tcp.SHUT,
            (two == tcp.SHUT) & quiet_one,
            two == tcp.SHUT,
            (one == tcp.SYN_SENT) & (two == tcp.INACTIVE),
            (one == tcp.ESTABLISHED) & (two == tcp.ESTABLISHED),
        ],
        ["REJ", "RSTRH", "RSTR", "RSTOS0", "RSTO", "SF", "SH", "S2", "SHR", "S3", "S0", "S1"],
        "OTH",
    )
    asked, answered = (flows[every, cells.PACKETS + side] > 0 for side in (client, 1 - client))
    over_udp = np.select([asked & answered, asked, answered], ["SF", "S0", "SHR"], "OTH")
    protocol = flows[:, cells.KIND] >> 4
    return pl.Series(np.where(protocol == TCP, over_tcp, np.where(protocol == UDP, over_udp, "OTH")))


def _texts(letters: Array) -> pl.Series:
    """Texts of eight letters a cell, the first in the lowest byte; null where there is none."""
    rows = np.ascontiguousarray(letters.astype("<i8")).view(f"S{8 * letters.shape[1]}").ravel()
    found = pl.Series(rows.astype(str))
    return found.set(found == "", None)


def endpoints(flows: Array, speaker: Array) -> pl.DataFrame:
    """Addresses, ports and transport of flows.

    Args:
        flows: rows of the table of flows.
        speaker: who is `source` of each: `CLIENT` or `SERVER`.
    """
    kind, ports = flows[:, cells.KIND], flows[:, cells.PORTS]
    version, protocol = kind & 15, kind >> 4
    one = _addresses(flows[:, cells.ONE_HIGH], flows[:, cells.ONE_LOW], version)
    two = _addresses(flows[:, cells.TWO_HIGH], flows[:, cells.TWO_LOW], version)
    side = np.where(speaker == CLIENT, flows[:, cells.SIDE], 1 - flows[:, cells.SIDE])
    frame = pl.DataFrame({"one": one, "two": two, "p1": ports >> 16, "p2": ports & 0xFFFF, "side": side})
    turned = pl.col("side") == 1
    has_ports = pl.lit(pl.Series(np.isin(protocol, (TCP, UDP))))
    return frame.select(
        pl.when(turned).then("two").otherwise("one").alias("source.ip"),
        pl.when(turned).then("one").otherwise("two").alias("destination.ip"),
        pl.when(has_ports).then(pl.when(turned).then("p2").otherwise("p1")).alias("source.port"),
        pl.when(has_ports).then(pl.when(turned).then("p1").otherwise("p2")).alias("destination.port"),
        named(protocol, PROTOCOLS).alias("network.transport"),
        pl.Series("network.iana_number", protocol).cast(pl.String),
        named(version, {4: "ipv4", 6: "ipv6"}).alias("network.type"),
    ).pipe(lambda found: found.with_columns(community_ids(found).alias("network.community_id")))


def constants(dataset: str, types: list[str], action: str) -> list[pl.Expr]:
    """What all events of a dataset have."""
    return [
        pl.lit(dataset).alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(types).alias("event.type"),
        pl.lit(action).alias("event.action"),
    ]


def _addresses(high: Array, low: Array, version: Array) -> pl.Series:
    """Addresses as text; null where `version` is neither 4 nor 6."""
    number = pl.Series("low", low)
    octets = number.to_frame().select(
        (pl.col("low") // 256**place % 256).alias(str(place)) for place in range(4)
    )
    four = octets.select(pl.concat_str("3", "2", "1", "0", separator=".")).to_series()
    if (version == 4).all():  # noqa: PLR2004 - the version of IP
        return four
    whole = four.set(pl.Series(version != 4), None)  # noqa: PLR2004
    longer = np.flatnonzero(version == 6)  # noqa: PLR2004
    return whole.scatter(longer, _longer(high[longer], low[longer])) if len(longer) else whole


def _longer(high: Array, low: Array) -> pl.Series:
    """IPv6 addresses; each distinct one is written once."""
    frame = pl.DataFrame({"high": high, "low": low})
    distinct = frame.unique(maintain_order=True)
    mask = (1 << 64) - 1
    written = [
        str(ipaddress.IPv6Address((one & mask) << 64 | two & mask)) for one, two in distinct.iter_rows()
    ]
    known = distinct.with_columns(pl.Series("text", written, pl.String))
    return frame.join(known, on=["high", "low"], how="left", maintain_order="left")["text"]


def moments(microseconds: Array) -> pl.Series:
    """Moments since 1970; null where the capture has none (pcapng's Simple Packet Blocks say no time)."""
    counts = pl.Series(microseconds, dtype=pl.Int64)
    return pl.select(pl.from_epoch(counts.set(counts == 0, None), time_unit="us").cast(TIME)).to_series()


def named(numbers: Array, names: dict[int, str]) -> pl.Series:
    """Names of numbers; null where a number has none."""
    if not names:
        return pl.repeat(None, len(numbers), dtype=pl.String, eager=True)
    return pl.Series(numbers, dtype=pl.Int64).replace_strict(names, default=None, return_dtype=pl.String)

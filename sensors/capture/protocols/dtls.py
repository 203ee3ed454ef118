"""DTLS: TLS over datagrams (RFC 6347, RFC 9147), of VPNs, WebRTC and devices.

Handshake messages are put together from fragments that may come twice and in any order. A client whom the
server asks for a cookie says hello twice; its first hello is told. Cisco's and OpenSSL's version before the
standard, 0x0100, is read too. One event a flow, at the client's hello where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverUdp
from sensors.capture.protocols.tls import certificates, hello, names
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

_RECORD: Final = 13  # bytes of a record's header
_FRAGMENT: Final = 12  # bytes of a handshake fragment's header
_KINDS: Final = np.array([20, 21, 22, 23, 24, 25])  # to 25, records with a connection id (RFC 9146)
_VERSIONS: Final = np.array([0xFEFF, 0xFEFD, 0x0100])
_ALERT: Final = 21
_FATAL: Final = 2
HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_HELLO: Final = 2
_CERTIFICATE: Final = 11
_KEY_EXCHANGE: Final = 12
_TOLD: Final = (_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE, _KEY_EXCHANGE)
_NAMED_CURVE: Final = 3  # RFC 8422, section 5.4
_CHANGED: Final = 1  # bits of kinds of records: cipher changed, alert, data
_DATA: Final = 8
_MESSAGES: Final = np.array([0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 67])
_HEADER: Final = 4  # of a message put together: type and length, as TLS has them
_LONGEST: Final = 1 << 15
_CHAIN: Final = 12  # certificates of a message
_MAJORS: Final = (0xFE, 0x01)
_MOST: Final = 16  # fragments looked at in one datagram

# Columns of fragments.
_ROW: Final = 0
_KIND: Final = 1
_NUMBER: Final = 2  # of the message
_LENGTH: Final = 3  # of the whole message
_OFFSET: Final = 4
_START: Final = 5
_END: Final = 6
_WIDTH: Final = 7


def fits(datagrams: Datagrams) -> Array:
    """Datagrams that begin with a record: its kind, version and length, and whole messages' headers."""
    found = np.zeros(len(datagrams), np.bool_)
    kind = datagrams.byte(0)
    rows = np.flatnonzero((kind >= _KINDS[0]) & (kind <= _KINDS[-1]) & (datagrams.size() > _RECORD))
    some = datagrams.only(rows)
    version, kind = _two(some, 1), kind[rows]
    behind = _RECORD + _two(some, 11)
    fine = np.isin(version, _VERSIONS) & (behind > _RECORD) & (behind <= some.size())
    # The next record is of the same version; of the old one, whose bytes are common, also in kind and epoch.
    following = some.data[np.minimum(some.starts + behind, max(len(some.data) - 1, 0))]
    alone = behind == some.size()
    fine &= alone | ((following >= _KINDS[0]) & (following <= _KINDS[-1])) | ((following & 0xE0) == 0x20)  # noqa: PLR2004 - RFC 9147, 4
    fine &= (version != _VERSIONS[-1]) | ((_two(some, 3) <= 1) & (_two(some, 5) == 0))
    begun = (kind == HANDSHAKE) & (_two(some, 3) == 0)
    fine &= ~begun | np.isin(some.byte(_RECORD), _MESSAGES)
    found[rows] = fine
    return found


def events(datagrams: Datagrams) -> pl.DataFrame:
    """One event a flow: names, fingerprints, versions, certificates."""
    flows, first = np.unique(datagrams.flow, return_index=True)
    every = pl.DataFrame(
        {"~flow": flows, "~first": first, "~version": _two(datagrams.only(first), 1)},
        schema={"~flow": pl.Int64, "~first": pl.Int64, "~version": pl.Int64},
    )
    every = every.join(_handshakes(datagrams), on="~flow", how="left", maintain_order="left")
    name = pl.col("tls.client.server_name")
    return every.with_columns(
        pl.coalesce("row", "~first").alias("row"),
        pl.coalesce("tls.version", names.version("~version")).alias("tls.version"),
        pl.lit("tls").alias("tls.version_protocol"),
        pl.when("~refused")
        .then(pl.lit("failure"))
        .when("tls.established")
        .then(pl.lit("success"))
        .otherwise(pl.lit("unknown"))
        .alias("event.outcome"),
        pl.lit("capture.dtls").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.lit("handshake").alias("event.action"),
        pl.lit("dtls").alias("network.protocol"),
        pl.lit("udp").alias("network.transport"),
        name.alias("destination.domain"),
        pl.when(name.is_not_null()).then(pl.concat_list(name)).alias("related.hosts"),
    ).select(pl.exclude("^~.*$"))


PROTOCOL: Final = OverUdp("dtls", fits, events)


def _handshakes(datagrams: Datagrams) -> pl.DataFrame:
    """What the handshake of each flow says, with `row` and `~flow`."""
    found = np.empty((len(datagrams) * _MOST, _WIDTH), np.int64)
    kinds = np.zeros(len(datagrams), np.int64)
    found = found[: walk(datagrams.data, datagrams.starts, datagrams.ends, found, kinds)]
    found = found[np.isin(found[:, _KIND], _TOLD)]
    sender = datagrams.flow[found[:, _ROW]] * 2 + datagrams.side[found[:, _ROW]]
    which = (sender << 24) | (found[:, _KIND] << 16) | found[:, _NUMBER]
    _, first, message = np.unique(which, return_index=True, return_inverse=True)
    data, starts, ends = together(datagrams.data, found, message.astype(np.int64), len(first))
    head = found[first]
    client = _first(hello.client(data, starts, ends, "d"), datagrams, head)
    server = _first(hello.server(data, starts, ends), datagrams, head)
    both = client.join(server, on="~flow", how="full", coalesce=True, suffix=" of server")
    both = both.with_columns(
        pl.coalesce("row", "row of server").alias("row"),
        pl.coalesce("~side", 1 - pl.col("~side of server")).alias("~client"),
    ).select(pl.exclude("^.* of server$"))
    both = both.join(_curves(datagrams, head, data, starts, ends), on="~flow", how="left")
    both = both.join(_outcomes(datagrams, kinds), on="~flow", how="left")
    shown = _certificates(datagrams, head, data, starts, ends)
    for role, side in (("server", 1 - pl.col("~client")), ("client", pl.col("~client"))):
        facts = shown.rename({name: f"tls.{role}.{name}" for name in shown.columns if name[0] != "~"})
        facts = facts.rename({"~chain": f"capture.tls.{role}.certificate_chain"})
        both = both.with_columns(side.alias("~side")).join(facts, on=["~flow", "~side"], how="left")
    exchanged = pl.col("tls.cipher").str.contains("_ECDHE?_") & ~pl.col("tls.cipher").str.contains("_PSK_")
    curve = pl.coalesce("tls.curve", pl.when(exchanged).then(names.group("~curve")))
    return _with_alerts(both.with_columns(curve.alias("tls.curve")))


def _with_alerts(both: pl.DataFrame) -> pl.DataFrame:
    """What each side complained of in the open; after a fatal alert nothing is established."""
    own = pl.col("~client") == CLIENT
    alerts = {
        "client": pl.when(own).then("~alert 0").otherwise("~alert 1"),
        "server": pl.when(own).then("~alert 1").otherwise("~alert 0"),
    }
    refused = pl.any_horizontal((each // 256 == _FATAL).fill_null(value=False) for each in alerts.values())
    return both.with_columns(
        refused.alias("~refused"),
        pl.col("tls.established") & ~refused,
        *(
            pl.when(each.is_not_null()).then(names.alert(each % 256)).alias(f"capture.tls.{role}.alert")
            for role, each in alerts.items()
        ),
    )


def _curves(datagrams: Datagrams, head: Array, data: Array, starts: Array, ends: Array) -> pl.DataFrame:
    """The curve in each flow's first key exchange of a server, before DTLS 1.3."""
    rows = np.flatnonzero((head[:, _KIND] == _KEY_EXCHANGE) & (ends - starts >= _HEADER + 3))
    at = starts[rows] + _HEADER
    curve = np.where(data[at] == _NAMED_CURVE, data[at + 1].astype(np.int64) << 8 | data[at + 2], -1)
    table = pl.DataFrame({"~flow": datagrams.flow[head[rows, _ROW]], "~curve": curve})
    return table.cast(pl.Int64).unique("~flow", keep="first", maintain_order=True)


def _outcomes(datagrams: Datagrams, kinds: Array) -> pl.DataFrame:
    """Whether both sides changed to what was agreed, or one went on to send data; alerts in the open."""
    table = pl.DataFrame(
        {
            "~flow": pl.Series(datagrams.flow, dtype=pl.Int64),
            "~side": pl.Series(datagrams.side, dtype=pl.Int64),
            "changed": (kinds & _CHANGED) > 0,
            "data": (kinds & _DATA) > 0,
            "alert": pl.Series(kinds >> 8, dtype=pl.Int64),
        }
    )
    sides = table.group_by("~flow", "~side").agg(
        pl.col("changed", "data").any(), pl.col("alert").filter(pl.col("alert") > 0).first()
    )
    both = (pl.col("changed").sum() > 1) | (pl.col("changed") & pl.col("data")).any()
    told = (pl.col("alert").filter(pl.col("~side") == side).first() for side in (CLIENT, SERVER))
    return sides.group_by("~flow").agg(
        both.alias("tls.established"), *(alert.alias(f"~alert {side}") for side, alert in enumerate(told))
    )


def _certificates(datagrams: Datagrams, head: Array, data: Array, starts: Array, ends: Array) -> pl.DataFrame:
    """Facts of the first certificate of each sender, `~flow` and `~side`, and `~chain`: the hashes of all."""
    rows = np.flatnonzero(head[:, _KIND] == _CERTIFICATE)
    found = np.empty((len(rows) * _CHAIN, 3), np.int64)
    found = found[: chains(data, starts[rows], ends[rows], found)]
    row = head[rows[found[:, 0]], _ROW]
    shown = pl.DataFrame(
        {
            "~flow": pl.Series(datagrams.flow[row], dtype=pl.Int64),
            "~side": pl.Series(datagrams.side[row], dtype=pl.Int64),
            "~der": pl.Series(
                [data[start:end].tobytes() for _, start, end in found.tolist()], dtype=pl.Binary
            ),
        }
    )
    distinct = shown.select(pl.col("~der").unique(maintain_order=True))
    facts = pl.concat([distinct, certificates.read(distinct["~der"].to_list())], how="horizontal")
    chain = shown.join(facts.select("~der", "hash.sha256"), on="~der", how="left", maintain_order="left")
    chain = chain.group_by("~flow", "~side", maintain_order=True).agg(
        pl.col("hash.sha256").alias("~chain"), pl.col("~der").first()
    )
    return chain.join(facts, on="~der", how="left").drop("~der")


def _first(hellos: pl.DataFrame, datagrams: Datagrams, head: Array) -> pl.DataFrame:
    """The hello of each flow: a whole one before others, no question for another, the earliest."""
    retry = "~retry" if "~retry" in hellos.columns else pl.lit(value=False)
    return (
        hellos.with_columns(
            pl.Series("row", head[:, _ROW], pl.Int64),
            pl.Series("~flow", datagrams.flow[head[:, _ROW]], pl.Int64),
            pl.Series("~side", datagrams.side[head[:, _ROW]], pl.Int64),
            pl.Series("~number", head[:, _NUMBER], pl.Int64),
            pl.coalesce("^tls.(client.ja3|server.ja3s)$").is_null().alias("~part"),
            pl.when(retry).then(1).otherwise(0).alias("~again"),
        )
        .filter("fits")
        .sort("~flow", "~part", "~again", "~number", "row")
        .unique("~flow", keep="first", maintain_order=True)
        .drop("fits", "~number", "~part", "~again", "~session", "~ticket", "~retry", strict=False)
    )


def _two(datagrams: Datagrams, offset: int) -> Array:
    """Two bytes as a number; below 0 where there are fewer."""
    numbers: Array = datagrams.byte(offset) << 8 | datagrams.byte(offset + 1)
    return numbers


@kernel
def walk(data: Array, starts: Array, ends: Array, found: Array, kinds: Array) -> int:
    """Write a row for every handshake fragment in the open; how many, at most `_MOST` a datagram.

    `kinds` gets a bit for every kind of record in each datagram.
    """
    count = 0
    for row in range(len(starts)):
        at, end, most = starts[row], ends[row], count + _MOST
        while at + _RECORD <= end and data[at + 1] in _MAJORS:
            behind = at + _RECORD + (int(data[at + 11]) << 8 | int(data[at + 12]))
            kinds[row] |= 1 << (int(data[at]) - 20 & 7)
            if data[at] == _ALERT and data[at + 4] == 0 and behind == at + _RECORD + 2 and behind <= end:
                kinds[row] |= (int(data[behind - 2]) << 8 | int(data[behind - 1])) << 8
            if data[at] == HANDSHAKE and data[at + 3] == 0 and data[at + 4] == 0:
                place = at + _RECORD
                while place + _FRAGMENT <= min(behind, end) and count < most:
                    place = _fragment(data, place, min(behind, end), found[count])
                    found[count, _ROW] = row
                    count += found[count, _KIND] >= 0
            at = behind
    return count


@kernel
def chains(data: Array, starts: Array, ends: Array, found: Array) -> int:
    """Write message, start and end of each whole certificate; how many, at most `_CHAIN` a message."""
    count = 0
    for row in range(len(starts)):
        at, most = starts[row] + _HEADER + 3, count + _CHAIN
        while at + 3 <= ends[row] and count < most:
            size = int(data[at]) << 16 | int(data[at + 1]) << 8 | int(data[at + 2])
            at += 3
            if size == 0 or at + size > ends[row]:
                break
            found[count, 0], found[count, 1], found[count, 2] = row, at, at + size
            count += 1
            at += size
    return count


@kernel
def _fragment(data: Array, at: int, end: int, found: Array) -> int:
    """Write one fragment, its kind -1 if it contradicts itself; the place behind."""
    length = int(data[at + 1]) << 16 | int(data[at + 2]) << 8 | int(data[at + 3])
    offset = int(data[at + 6]) << 16 | int(data[at + 7]) << 8 | int(data[at + 8])
    size = int(data[at + 9]) << 16 | int(data[at + 10]) << 8 | int(data[at + 11])
    start = at + _FRAGMENT
    found[_KIND] = int(data[at]) if offset + size <= length else -1
    found[_NUMBER] = int(data[at + 4]) << 8 | int(data[at + 5])
    found[_LENGTH], found[_OFFSET] = length, offset
    found[_START], found[_END] = start, min(start + size, end)
    return start + size


@kernel
def together(data: Array, found: Array, messages: Array, count: int) -> tuple[Array, Array, Array]:
    """Each message with the header of TLS, up to the first gap.

    Args:
        data: bytes, UInt8.
        found: fragments.
        messages: which of `count` messages each is of.
        count: of messages.

    Returns:
        Bytes; where each message begins in them, and the place behind what is there of it.
    """
    sizes = np.zeros(count, np.int64)
    for part in range(len(found)):
        sizes[messages[part]] += found[part, _END] - found[part, _START]
    sizes = np.minimum(sizes, _LONGEST) + _HEADER
    behind = np.cumsum(sizes)
    begins = behind - sizes
    made = np.zeros(sizes.sum(), np.uint8)
    there = np.zeros(len(made), np.bool_)
    for part in range(len(found)):
        message = messages[part]
        begin, length = begins[message], found[part, _LENGTH]
        if not there[begin]:
            made[begin] = found[part, _KIND]
            made[begin + 1], made[begin + 2], made[begin + 3] = (
                length >> 16,
                (length >> 8) & 255,
                length & 255,
            )
            there[begin : begin + _HEADER] = True
        to = begin + _HEADER + found[part, _OFFSET]
        for place in range(found[part, _START], found[part, _END]):
            if to < behind[message] and not there[to]:
                made[to], there[to] = data[place], True
            to += 1
    for message in range(count):
        at = begins[message]
        while at < behind[message] and there[at]:
            at += 1
        behind[message] = at
    return made, begins, behind

"""STUN and TURN: who asks what its own public address is, and which relay carries its data.

RFC 8489 and 8656, and RFC 3489 before them; over UDP, and TURN over TCP with its channels. One event for what
a client asked and was told, however often it asks again: a mapped address that is public is the client's own
(`source.nat.ip`). Whether DTLS follows between the same ends says that it was WebRTC, of which remote control
in browsers is made.
"""
# ruff: noqa: PLR2004 - numbers are those of the RFCs; kernels have no objects

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols import dtls, texts
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams, Streams

_HEADER: Final = 20
_COOKIE: Final = bytes.fromhex("2112a442")
_PORTS: Final = np.array([3478, 3479, 3480, 3481, 5349, *range(19302, 19310)])
_CLASSIC: Final = (0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112)  # RFC 3489, section 11.1
_CHANNEL: Final = 1  # in the two highest bits: a channel's data (RFC 8656, section 12.4)
_MOST: Final = 64  # messages of one side of a stream

_METHODS: Final = {
    0x001: "binding", 0x002: "shared-secret", 0x003: "allocate", 0x004: "refresh", 0x006: "send",
    0x007: "data", 0x008: "create-permission", 0x009: "channel-bind", 0x00A: "connect",
    0x00B: "connection-bind", 0x00C: "connection-attempt", 0x080: "goog-ping",
}  # fmt: skip
_REQUEST: Final = 0
_SUCCESS: Final = 2
_FAILURE: Final = 3

# Attributes (RFC 8489, section 14; RFC 8656, section 18; RFC 8445, section 16.1).
_MAPPED: Final = (0x0001, 0x0020, 0x8020)
_RELAYED: Final = 0x0016
_PEER: Final = 0x0012
_USERNAME: Final = 0x0006
_ERROR: Final = 0x0009
_REALM: Final = 0x0014
_SOFTWARE: Final = 0x8022
_ICE: Final = (0x0024, 0x0025, 0x8029, 0x802A)
_KNOWN: Final = (*range(0x0001, 0x0026), 0x8020, 0x8021, 0x8022, 0x8023)

# Columns of what a message holds. Texts are spans; addresses a family (0: none), a port and four words.
_TYPE: Final = 0
_WITH_COOKIE: Final = 1
_FINE: Final = 2  # 1: attributes up to its end, 3: all of them known
_USES_ICE: Final = 3
_CODE: Final = 4
_TEXTS: Final = {"~username": 5, "capture.stun.realm": 7, "capture.stun.software": 9}
_ADDRESSES: Final = {"mapped": 11, "relayed": 17, "peer": 23}
_AT_USERNAME, _AT_REALM, _AT_SOFTWARE = _TEXTS.values()
_AT_MAPPED, _AT_RELAYED, _AT_PEER = _ADDRESSES.values()
_WIDTH: Final = 29
_OF_BOTH: Final = ("~message", "capture.stun.ice")  # told by question and answer
_FACTS: Final = (
    "capture.stun.method", "event.outcome", "error.code", "capture.stun.mapped.ip", "capture.stun.relayed.ip",
    "capture.stun.peer.ip", "capture.stun.software", "capture.stun.realm", "capture.stun.username",
)  # fmt: skip


def fits(datagrams: Datagrams) -> Array:
    """Messages, and the handshakes of DTLS between the same ends."""
    found = _messages(datagrams)
    behind = np.isin(datagrams.flow, datagrams.flow[found])
    rows = np.flatnonzero(behind & ~found & (datagrams.byte(0) == dtls.HANDSHAKE))
    found[rows] = dtls.fits(datagrams.only(rows))
    return found


def events(datagrams: Datagrams) -> pl.DataFrame:
    """What was asked and told in each flow, at the request where it was seen."""
    rows = np.flatnonzero(_messages(datagrams))
    some = datagrams.only(rows)
    others = np.setdiff1d(np.arange(len(datagrams)), rows)
    webrtc = np.isin(some.flow, datagrams.flow[others])
    told = _told(some.data, some.starts, some.ends, some.flow, some.side)
    which = told["~message"].to_numpy()
    return told.with_columns(
        pl.Series("capture.stun.webrtc", webrtc[which]),
        pl.Series("row", rows[which], pl.Int64),
        pl.lit("udp").alias("network.transport"),
    ).drop("~message", "~side")


def fits_streams(streams: Streams) -> Array:
    """Streams whose client begins with a message that has the cookie, or with its length and the message."""
    found = np.zeros(len(streams), np.bool_)
    for at in (0, 2):
        length = streams.byte(CLIENT, at + 2) << 8 | streams.byte(CLIENT, at + 3)
        fine = streams.begins(CLIENT, _COOKIE, at + 4) & (streams.byte(CLIENT, at) < 0x40) & (length & 3 == 0)
        framed = streams.byte(CLIENT, 0) << 8 | streams.byte(CLIENT, 1)
        found |= fine & ((at == 0) | (framed == length + _HEADER))
    return found


def events_of_streams(streams: Streams) -> pl.DataFrame:
    """As `events`; `at` is where the request begins, or the answer where it alone was seen."""
    found = np.empty((len(streams) * 2 * _MOST, 4), np.int64)
    found = found[: cut(streams.data, streams.starts, streams.ends, found)]
    row, side, start, end = found.T
    told = _told(streams.data, start, end, row, side)
    which = told["~message"].to_numpy()
    return told.with_columns(
        pl.Series("row", row[which], pl.Int64),
        pl.Series("side", side[which], pl.Int64),
        pl.Series("at", start[which] - streams.starts[row[which], side[which]], pl.Int64),
        (pl.col("~side") == SERVER).alias("~answers"),
        pl.lit("tcp").alias("network.transport"),
    ).drop("~message", "~side")


PROTOCOLS: Final = (OverUdp("stun", fits, events), OverTcp("stun", fits_streams, events_of_streams))


def _messages(datagrams: Datagrams) -> Array:
    """Which datagrams are a message, and nothing else: by the cookie, or by attributes all known."""
    found = np.zeros(len(datagrams), np.bool_)
    first = datagrams.byte(0)
    length = datagrams.byte(2) << 8 | datagrams.byte(3)
    sized = (first >= 0) & (first < 0x40) & (length & 3 == 0) & (length + _HEADER == datagrams.size())
    rows = np.flatnonzero(sized)
    some = datagrams.only(rows)
    cookie = some.begins(_COOKIE, 4)
    classic = ~cookie & np.isin(some.byte(0) << 8 | some.byte(1), _CLASSIC)
    told = _read(some.data, some.starts, some.ends)
    usual = np.isin(some.ports, _PORTS).any(axis=1)
    fine = np.where(usual, told[:, _FINE] > 0, (told[:, _FINE] > 1) & (length[rows] > 0))
    found[rows] = cookie | (classic & fine)
    return found


def _told(data: Array, starts: Array, ends: Array, flow: Array, side: Array) -> pl.DataFrame:
    """Events with `~message`, where they belong among those given, and `~side`, of the one who asked."""
    read = _read(data, starts, ends)
    kind = read[:, _TYPE]
    table = texts.columns(data, {name: _span(read, column) for name, column in _TEXTS.items()})
    table = table.with_columns(
        pl.Series("~message", np.arange(len(starts)), pl.Int64),
        pl.Series("~flow", flow, pl.Int64),
        pl.Series("~side", side, pl.Int64),
        pl.Series("~class", (kind >> 7 & 2) | (kind >> 4 & 1), pl.Int64),
        pl.Series("~method", (kind >> 2 & 0xF80) | (kind >> 1 & 0x70) | (kind & 0x0F), pl.Int64),
        pl.Series("~code", read[:, _CODE], pl.Int64),
        pl.Series("capture.stun.ice", read[:, _USES_ICE] > 0),
        *(column for name, at in _ADDRESSES.items() for column in _address(name, read[:, at : at + 6])),
        *(pl.Series(f"~transaction{k}", _word(data, starts + 4 + 4 * k), pl.Int64) for k in range(4)),
    )
    return _events(_together(table))


def _together(table: pl.DataFrame) -> pl.DataFrame:
    """Requests with their answers, and what has no partner here; an answer alone is at its own place."""
    key = ["~flow", "~side", "~method", *(f"~transaction{k}" for k in range(4))]
    answers = table.filter(pl.col("~class") >= _SUCCESS).with_columns((1 - pl.col("~side")).alias("~side"))
    answers = answers.unique(key, keep="first", maintain_order=True)
    asked = table.filter(pl.col("~class") < _SUCCESS).unique(
        [*key, "~class"], keep="first", maintain_order=True
    )
    both = asked.join(answers, on=key, how="full", suffix=" told")
    own = pl.col("~message").is_not_null()
    kept = [name for name in table.columns if name not in key]
    return both.select(
        *(pl.coalesce(name, f"{name} told").alias(name) for name in key),
        *(pl.coalesce(f"{name} told", name).alias(name) for name in kept if name not in _OF_BOTH),
        *(
            pl.any_horizontal(pl.col(name, f"{name} told").fill_null(value=False)).alias(name)
            for name in _OF_BOTH[1:]
        ),
        pl.coalesce("~message", "~message told").alias("~message"),
        own.alias("~asked"),
        pl.coalesce("~username", "~username told").alias("~user"),
        pl.col("~class told").alias("~answer"),
    )


def _events(table: pl.DataFrame) -> pl.DataFrame:
    """Each fact of a flow once."""
    method = pl.col("~method").replace_strict(_METHODS, default=None, return_dtype=pl.String)
    addresses = pl.concat_list(f"capture.stun.{name}.ip" for name in _ADDRESSES).list.drop_nulls()
    table = table.with_columns(
        pl.coalesce(method, pl.format("0x{}", "~method")).alias("capture.stun.method"),
        pl.col("~answer").replace_strict(
            {_SUCCESS: "success", _FAILURE: "failure"}, default=None, return_dtype=pl.String
        ).alias("event.outcome"),
        pl.when(pl.col("~code") > 0).then(pl.col("~code").cast(pl.String)).alias("error.code"),
        # ICE makes its names up; the names of TURN are accounts.
        pl.when(pl.col("capture.stun.realm").is_not_null()).then("~user").alias("capture.stun.username"),
        pl.when("~asked").then("~public mapped").alias("source.nat.ip"),
        pl.when(~pl.col("~asked")).then("~public mapped").alias("destination.nat.ip"),
        pl.when(addresses.list.len() > 0).then(addresses).alias("related.ip"),
    )  # fmt: skip
    table = table.sort("~message").unique(["~flow", "~side", *_FACTS], keep="first", maintain_order=True)
    return table.with_columns(
        pl.col("capture.stun.method").alias("event.action"),
        pl.lit("capture.stun").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.lit("stun").alias("network.protocol"),
    ).select("~message", "~side", pl.exclude("^~.*$"))


def _address(name: str, read: Array) -> list[pl.Series]:
    """An address as text, its port, and the address again if it is public."""
    words = pl.DataFrame(
        read[:, [0, 2, 3, 4, 5]], schema=["family", "one", "two", "three", "four"], orient="row"
    )
    distinct = words.unique()
    known = [_ip(*each) for each in distinct.iter_rows()]
    distinct = distinct.with_columns(
        pl.Series("ip", [str(each) if each else None for each in known], pl.String),
        pl.Series("public", [str(each) if each and each.is_global else None for each in known], pl.String),
    )
    told = words.join(distinct, on=words.columns, how="left", maintain_order="left")
    port = pl.Series(read[:, 1], dtype=pl.Int64)
    return [
        told["ip"].alias(f"capture.stun.{name}.ip"),
        told["public"].alias(f"~public {name}"),
        port.set(told["ip"].is_null(), None).alias(f"capture.stun.{name}.port"),
    ]


def _ip(
    family: int, one: int, two: int, three: int, four: int
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if family == 0:
        return None
    if family == 1:
        return ipaddress.IPv4Address(one)
    return ipaddress.IPv6Address(one << 96 | two << 64 | three << 32 | four)


def _span(read: Array, column: int) -> tuple[Array, Array]:
    return np.where(read[:, column + 1] > read[:, column], read[:, column], -1), read[:, column + 1]


def _word(data: Array, places: Array) -> Array:
    """Four bytes as a number."""
    words: Array = np.zeros(len(places), np.int64)
    for k in range(4):
        words = words << 8 | data[places + k]
    return words


def _read(data: Array, starts: Array, ends: Array) -> Array:
    read = np.zeros((len(starts), _WIDTH), np.int64)
    attributes(data, starts, ends, read)
    return read


@kernel
def attributes(data: Array, starts: Array, ends: Array, read: Array) -> None:
    """Write what each message holds; it has a header."""
    for row in range(len(starts)):
        start, at, end = starts[row], starts[row] + _HEADER, ends[row]
        mine = read[row]
        mine[_TYPE] = _two(data, start)
        mine[_WITH_COOKIE] = _two(data, start + 4) == 0x2112 and _two(data, start + 6) == 0xA442
        mine[_FINE] = 3
        while at + 4 <= end:
            kind, size = _two(data, at), _two(data, at + 2)
            at += 4
            if at + size > end:
                mine[_FINE] = 0
                break
            if kind not in _KNOWN:
                mine[_FINE] &= 1
            _attribute(data, at, size, start, kind, mine)
            at += (size + 3) & ~3
        if at != end:
            mine[_FINE] = 0


@kernel
def _attribute(data: Array, at: int, size: int, start: int, kind: int, mine: Array) -> None:
    if kind in _MAPPED:
        _put(data, at, size, start, kind, mine[_AT_MAPPED:_AT_RELAYED])
    elif kind == _RELAYED:
        _put(data, at, size, start, kind, mine[_AT_RELAYED:_AT_PEER])
    elif kind == _PEER:
        _put(data, at, size, start, kind, mine[_AT_PEER:_WIDTH])
    elif kind == _USERNAME:
        mine[_AT_USERNAME], mine[_AT_USERNAME + 1] = at, at + size
    elif kind == _REALM:
        mine[_AT_REALM], mine[_AT_REALM + 1] = at, at + size
    elif kind == _SOFTWARE:
        mine[_AT_SOFTWARE], mine[_AT_SOFTWARE + 1] = at, at + size
    elif kind == _ERROR and size >= 4:
        mine[_CODE] = int(data[at + 2] & 7) * 100 + int(data[at + 3])
    mine[_USES_ICE] |= kind in _ICE


@kernel
def _put(data: Array, at: int, size: int, start: int, kind: int, mine: Array) -> None:
    """Write an address, taken out of its mask (RFC 8489, section 14.2); what is masked goes first."""
    masked = kind != _MAPPED[0]
    family = data[at + 1] if size >= 8 else 0
    if family not in (1, 2) or (family == 2 and size < 20) or (mine[0] and not masked):
        return
    mine[0] = family
    mine[1] = _two(data, at + 2) ^ (0x2112 if masked else 0)
    for word in range(4 if family == 2 else 1):
        value, mask = 0, 0
        for k in range(4 * word, 4 * word + 4):
            value = value << 8 | int(data[at + 4 + k])
            mask = mask << 8 | int(data[start + 4 + k])
        mine[2 + word] = value ^ mask if masked else value


@kernel
def _two(data: Array, at: int) -> int:
    return int(data[at]) << 8 | int(data[at + 1])


@kernel
def cut(data: Array, starts: Array, ends: Array, found: Array) -> int:
    """Write row, side, start and end of each message in streams, without what is between them; how many.

    Between them are data of channels, or, where each piece stands behind its length (RFC 4571), other pieces.
    """
    count = 0
    for row in range(len(starts)):
        for side in range(2):
            at, end, most = starts[row, side], ends[row, side], count + _MOST
            framed = 2 if at + 2 + _HEADER <= end and not _begins(data, at) and _begins(data, at + 2) else 0
            while at + framed + _HEADER <= end and count < most:
                start = at + framed
                behind = start + _HEADER + _two(data, start + 2)
                if framed:
                    at = start + _two(data, at)
                elif data[at] >> 6 == _CHANNEL:
                    at += 4 + ((_two(data, at + 2) + 3) & ~3)
                    continue
                else:
                    at = behind
                if _begins(data, start):
                    found[count, 0], found[count, 1] = row, side
                    found[count, 2], found[count, 3] = start, min(behind, end)
                    count += 1
                elif not framed:
                    break
    return count


@kernel
def _begins(data: Array, at: int) -> bool:
    """Whether a message with the cookie begins here, where a header's bytes are."""
    return data[at] >> 6 == 0 and _two(data, at + 4) == 0x2112 and _two(data, at + 6) == 0xA442

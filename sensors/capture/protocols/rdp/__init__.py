"""RDP (MS-RDPBCGR): who asks, what security is agreed upon, and of standard security the client's machine.

What stands behind TLS is not seen: of such sessions there is the cookie, and what was chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import wide
from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.rdp import names, walk

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_COOKIE_CUT: Final = 9  # characters after which Microsoft's client cuts a name
_BEGINNINGS: Final = (b"Cookie: ", b"tsv://", b"mth://")
_CORE, _SECURITY, _NETWORK, _MONITORS = (walk.CLIENT_BLOCKS + 2 * number for number in (0, 1, 2, 4))
_SERVER_CORE, _SERVER_SECURITY = (walk.SERVER_BLOCKS + 2 * number for number in (0, 1))
_NUMBERS: Final = {  # column: block, offset and bytes
    "zeek.rdp.desktop.width": (_CORE, 8, 2),
    "zeek.rdp.desktop.height": (_CORE, 10, 2),
    "capture.rdp.keyboard.type": (_CORE, 56, 4),
    "capture.rdp.keyboard.subtype": (_CORE, 60, 4),
    "capture.rdp.keyboard.function_keys": (_CORE, 64, 4),
    "capture.rdp.client.monitors": (_MONITORS, 8, 4),
}
_NAMED: Final = {  # column: table, block, offset and bytes
    "zeek.rdp.client.build": ("builds", _CORE, 20, 4),
    "capture.rdp.client.version": ("versions", _CORE, 4, 4),
    "capture.rdp.server.version": ("versions", _SERVER_CORE, 4, 4),
    "zeek.rdp.encryption.method": ("encryption_methods", _SERVER_SECURITY, 4, 4),
    "zeek.rdp.encryption.level": ("encryption_levels", _SERVER_SECURITY, 8, 4),
}
_WIDE_32BIT: Final = 2  # of the early capability flags
_CHANNEL: Final = 12  # bytes, eight of them the name
_MOST_CHANNELS: Final = 31
_LONGEST_CHAIN: Final = 16  # certificates


def fits(streams: Streams) -> Array:
    """Where X.224 asks for, or grants, a connection as only RDP does it."""
    return _asks(streams) | _grants(streams)


def _asks(streams: Streams) -> Array:
    said: Array = streams.begins(CLIENT, b"\x03\x00") & streams.begins(CLIENT, b"\xe0\x00\x00", offset=5)
    length = streams.byte(CLIENT, 3)
    said &= (streams.byte(CLIENT, 2) == 0) & (streams.byte(CLIENT, 4) >= 6)  # noqa: PLR2004 - RFC 905, 13.3
    bare = length == 11  # noqa: PLR2004 - nothing follows
    negotiated = streams.begins(CLIENT, b"\x01", offset=11) & streams.begins(CLIENT, b"\x08\x00", offset=13)
    for text in _BEGINNINGS:
        negotiated |= streams.begins(CLIENT, text, offset=11)
    said &= bare | negotiated
    return said


def _grants(streams: Streams) -> Array:
    """A server heard alone, with its choice."""
    chose = streams.byte(SERVER, 11)
    said: Array = streams.begins(SERVER, b"\x03\x00\x00\x13\x0e\xd0\x00\x00")
    said &= streams.begins(SERVER, b"\x08\x00", offset=13) & (streams.byte(CLIENT, 0) < 0)
    said &= (chose == 2) | (chose == 3)  # noqa: PLR2004 - MS-RDPBCGR, 2.2.1.2
    return said


def events(streams: Streams) -> pl.DataFrame:
    """One event for each flow in which a connection was asked for, or granted."""
    found = np.full((len(streams), walk.WIDTH), -1, np.int64)
    walk.read(streams.data, streams.starts, streams.ends, found)
    rows = np.flatnonzero((found[:, [walk.REQUEST, walk.CONFIRM]] >= 0).any(axis=1))
    found = found[rows]
    side = np.where(found[:, walk.REQUEST] >= 0, CLIENT, SERVER)
    columns = [*_request(streams.data, found), *_machine(streams.data, found), *_outcome(streams.data, found)]
    return pl.DataFrame({"row": rows, "side": side}).with_columns(
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit("capture.rdp").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["protocol", "info"]).alias("event.type"),
        pl.lit("connection-request").alias("event.action"),
        pl.lit("rdp").alias("network.protocol"),
        *columns,
    )


def _field(data: Array, found: Array, cell: int, offset: int | Array, size: int) -> pl.Series:
    """Numbers at an offset of a block, little-endian; null where the block ends before."""
    places = found[:, cell] + offset
    there = (found[:, cell] >= 0) & (places + size <= found[:, cell + 1])
    value = np.zeros(len(found), np.int64)
    for k in range(size):
        value[there] |= data[places[there] + k].astype(np.int64) << 8 * k
    return pl.select(pl.when(pl.Series(there)).then(pl.Series(value))).to_series()


def _number(cells: Array) -> pl.Series:
    return pl.select(pl.when(pl.Series(cells) >= 0).then(pl.Series(cells))).to_series()


def _request(data: Array, found: Array) -> list[pl.Series]:
    r"""Who asks: the cookie is a user, with `DOMAIN\` before it perhaps, or how a farm knows its server."""
    said = texts.columns(
        data,
        {
            "zeek.rdp.cookie": (found[:, walk.COOKIE], found[:, walk.COOKIE + 1]),
            "capture.rdp.routing_token": (found[:, walk.TOKEN], found[:, walk.TOKEN + 1]),
        },
    ).select(pl.all().str.replace_all(r"\p{Cc}", "\ufffd"))
    cookie = said.get_column("zeek.rdp.cookie")
    whole = said.select(pl.when(cookie.str.len_chars() != _COOKIE_CUT).then(cookie)).to_series()
    user, domain = whole.str.extract(r"([^\\]+)$"), whole.str.extract(r"^([^\\]+)\\")
    return [
        *said,
        *(user.alias(name) for name in ("user.name", "source.user.name")),
        *(domain.alias(name) for name in ("user.domain", "source.user.domain")),
        names.protocols(_number(found[:, walk.ASKED])).alias("capture.rdp.requested_protocols"),
    ]


def _machine(data: Array, found: Array) -> list[pl.Series]:
    """What the client says of its machine, and the server of itself."""
    core, behind = found[:, _CORE], found[:, _CORE + 1]
    spans = [
        np.where((core >= 0) & (core + offset + size <= behind), core + offset, -1)
        for offset, size in ((24, 32), (146, 64))
    ]
    name, product = wide.column(data, spans[0], spans[0] + 32), wide.column(data, spans[1], spans[1] + 64)
    depth = names.of("colour_depths", _field(data, found, _CORE, 140, 2))
    full = _field(data, found, _CORE, 144, 2) & _WIDE_32BIT != 0
    hosts = pl.when(name.is_not_null()).then(pl.concat_list(name))
    return [
        *(name.alias(each) for each in ("zeek.rdp.client.client_name", "host.name", "source.domain")),
        pl.select(hosts).to_series().alias("related.hosts"),
        product.alias("zeek.rdp.client.product_id"),
        *(_field(data, found, *place).cast(pl.String).alias(one) for one, place in _NUMBERS.items()),
        *(names.of(table, _field(data, found, *place)).alias(one) for one, (table, *place) in _NAMED.items()),
        names.keyboards(_field(data, found, _CORE, 16, 4)).alias("zeek.rdp.keyboard_layout"),
        pl.select(pl.when(full).then(pl.lit("32bit")).otherwise(depth))
        .to_series()
        .alias("zeek.rdp.desktop.color_depth"),
        _channels(data, found),
    ]


def _channels(data: Array, found: Array) -> pl.Series:
    """Names of the virtual channels that the client wants, a list for each row."""
    start, end = found[:, _NETWORK], found[:, _NETWORK + 1]
    said = _field(data, found, _NETWORK, 4, 4).fill_null(0).to_numpy()
    counts = np.clip(np.minimum(said, (end - start - 8) // _CHANNEL), 0, _MOST_CHANNELS)
    row = np.repeat(np.arange(len(found)), counts)
    order = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = start[row] + 8 + _CHANNEL * order
    letters = data[places[:, None] + np.arange(8)]
    sizes = np.where((letters == 0).any(axis=1), (letters == 0).argmax(axis=1), 8)
    channel = texts.columns(data, {"name": (places, places + sizes)})
    lists = channel.with_columns(pl.Series("row", row)).group_by("row").agg("name")
    rows = pl.DataFrame({"row": np.arange(len(found))})
    joined = rows.join(lists, on="row", how="left", maintain_order="left")
    return joined.get_column("name").alias("zeek.rdp.client.channels")


def _outcome(data: Array, found: Array) -> list[pl.Series]:
    """What was agreed upon, in the words of Zeek's rdp.log, and the server's certificate."""
    chosen, failed = _number(found[:, walk.CHOSEN]), _number(found[:, walk.FAILED])
    method, level = (_field(data, found, _SERVER_SECURITY, at, 4) for at in (4, 8))
    standard = (method > 0) & (level > 0)
    result = pl.coalesce(
        names.of("failures", failed),
        names.of("results", _number(found[:, walk.RESULT])),
        pl.when(chosen > 0).then(pl.lit("encrypted")),
    )
    protocol = pl.coalesce(names.of("security_protocols", chosen), pl.when(standard).then(pl.lit("RDP")))
    size = _field(data, found, _SERVER_SECURITY, 12, 4).fill_null(0).clip(upper_bound=1 << 16).to_numpy()
    version = _field(data, found, _SERVER_SECURITY, size + 20, 4)
    kind = version & 0x7FFFFFFF
    chain = _field(data, found, _SERVER_SECURITY, size + 24, 4)
    count = pl.when(kind == 1).then(1).when((kind == 2) & (chain <= _LONGEST_CHAIN)).then(chain)  # noqa: PLR2004
    outcome = pl.when(failed.is_not_null()).then(pl.lit("failure"))
    agreed = (chosen.is_not_null() | (_number(found[:, walk.RESULT]) == 0)).fill_null(value=False)
    made = pl.DataFrame({"row": np.arange(len(found))}).select(
        result.alias("zeek.rdp.result"),
        protocol.alias("zeek.rdp.security_protocol"),
        names.of("failures", failed).alias("event.reason"),
        names.of("certificate_types", kind).alias("zeek.rdp.cert.type"),
        (version < 1 << 31).alias("zeek.rdp.cert.permanent"),
        count.otherwise(0).cast(pl.String).alias("zeek.rdp.cert.count"),
        outcome.when(agreed).then(pl.lit("success")).alias("event.outcome"),
    )
    return made.get_columns()


PROTOCOL: Final = OverTcp("rdp", fits, events)

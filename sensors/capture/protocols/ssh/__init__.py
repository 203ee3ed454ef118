"""SSH (RFC 4253): versions, what is offered and agreed upon, fingerprints of both sides, the host's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.ssh import algorithms, walk

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_SIDES: Final = {"client": CLIENT, "server": SERVER}
_SPANS: Final = {"banner": walk.BANNER} | {
    name: walk.LISTS + 2 * number for number, name in enumerate(algorithms.NAMES)
}


def fits(streams: Streams) -> Array:
    """Where a side begins with its version; a server may say something before it, if the client does not."""
    said = np.zeros(len(streams), np.bool_)
    for side in _SIDES.values():
        major = streams.byte(side, 4)
        said |= streams.begins(side, b"SSH-") & ((major == ord("1")) | (major == ord("2")))
    return said


def events(streams: Streams) -> pl.DataFrame:
    """One event for each flow in which a version was said."""
    found = np.full((len(streams), 2, walk.WIDTH), -1, np.int64)
    walk.read(streams.data, streams.starts, streams.ends, found)
    rows = np.flatnonzero((found[:, :, walk.BANNER] >= 0).any(axis=1))
    found = found[rows]
    spans = {
        f"{side}_{name}": (found[:, number, cell], found[:, number, cell + 1])
        for side, number in _SIDES.items()
        for name, cell in _SPANS.items()
    }
    said = texts.columns(streams.data, spans)
    server = found[:, SERVER]
    first = np.where(found[:, CLIENT, walk.BANNER] >= 0, CLIENT, SERVER)
    starts = streams.starts[rows, first]
    base = pl.DataFrame(
        {
            "row": rows,
            "side": first,
            "at": found[np.arange(len(rows)), first, walk.BANNER] - starts,
            "zeek.ssh.host_key_fingerprint": algorithms.keys(
                streams.data, server[:, walk.KEY], server[:, walk.KEY + 1]
            ),
            "zeek.ssh.host_key": algorithms.first_keys(streams.data, server[:, walk.EXPONENT : walk.SECOND]),
        }
    )
    frames = (base, _versions(said), algorithms.fingerprints(said), algorithms.agreed(said))
    return pl.concat(frames, how="horizontal").with_columns(
        pl.lit("capture.ssh").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.lit("handshake").alias("event.action"),
        pl.lit("ssh").alias("network.protocol"),
    )


def _versions(said: pl.DataFrame) -> pl.DataFrame:
    """What both sides say of themselves, and the version they speak together, as Zeek has it."""
    made = said.select(
        pl.col("client_banner").str.replace_all(r"\p{Cc}", "\ufffd").alias("zeek.ssh.client"),
        pl.col("server_banner").str.replace_all(r"\p{Cc}", "\ufffd").alias("zeek.ssh.server"),
    )
    client, server = (pl.col(f"zeek.ssh.{side}") for side in _SIDES)
    ones = [side.str.starts_with("SSH-1.") & ~side.str.starts_with("SSH-1.99") for side in (client, server)]
    twos = [side.str.starts_with("SSH-2.") for side in (client, server)]
    agreed = client.is_not_null() & server.is_not_null() & ~((ones[0] & twos[1]) | (twos[0] & ones[1]))
    spoken = pl.when(agreed).then(pl.when(ones[0] | ones[1]).then(pl.lit("1")).otherwise(pl.lit("2")))
    return made.with_columns(
        spoken.alias("zeek.ssh.version"),
        *(
            pl.col(f"zeek.ssh.{side}").str.extract(part).alias(f"capture.ssh.{side}.{name}")
            for side in _SIDES
            for name, part in (("proto_version", r"^SSH-([^-]*)-"), ("software_version", r"^SSH-[^-]*-(.*)$"))
        ),
    )


PROTOCOL: Final = OverTcp("ssh", fits, events)

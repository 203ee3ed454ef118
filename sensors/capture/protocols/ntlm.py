"""NTLM (MS-NLMP) in SMB, HTTP, LDAP, DCE-RPC, TDS, mail: who logs in from which computer to which server.

Whether it succeeded is what the protocol around it says, where that is SMB, HTTP, LDAP or DCE-RPC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import der, little, ntlmssp
from sensors.capture.conversations import SERVER, OverTcp, Streams
from sensors.capture.protocols import dce_rpc
from sensors.capture.protocols.dce_rpc import packets
from sensors.capture.protocols.smb import codes, framing, sessions

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_REFUSED: Final = (401, 407)
_BIND_RESULT: Final = 0x610A  # BindResponse, resultCode (RFC 4511, 4.2.2)
_GOES_ON: Final = 14  # saslBindInProgress
_SERVER: Final = (
    "target",
    "server.name.netbios",
    "server.name.dns",
    "server.name.tree",
    "server.domain.netbios",
    "server.domain.dns",
)


def _events(streams: Streams) -> pl.DataFrame:
    """An event for each answer to a challenge, and for each challenge that none is seen to."""
    said = ntlmssp.messages(streams).filter(pl.col("kind") != ntlmssp.NEGOTIATE)
    said = sessions.carried(said, framing.messages(streams))
    key = [pl.col("row"), pl.col("session").fill_null(0).alias("of")]
    said = said.with_columns(*key).with_columns(
        pl.int_range(pl.len()).over("row", "of", "kind").alias("number")
    )
    challenges = said.filter(pl.col("kind") == ntlmssp.CHALLENGE)
    challenges = _answered(challenges, streams).rename({"version": "server.version"})
    logins = said.filter(pl.col("kind") == ntlmssp.AUTHENTICATE)
    kept = ["row", "of", "number"]
    theirs = challenges.select(*kept, *_SERVER, "server.version", "code", "application")
    answered = logins.drop(_SERVER).join(theirs, on=kept, how="left", maintain_order="left")
    alone = challenges.drop("version", strict=False).join(logins, on=kept, how="anti", maintain_order="left")
    return _worded(pl.concat([answered, alone], how="diagonal"))


def _answered(challenges: pl.DataFrame, streams: Streams) -> pl.DataFrame:
    """Challenges with `code` and `application` of what the server said next."""
    starts = streams.starts[:, SERVER]
    said = _http(streams), _ldap(streams, starts), _rpc(streams)
    parts = [_none(), *(part for part in said if part.height)]
    place = pl.col("row") * (1 << 20) + pl.col("at")
    results = pl.concat(parts).with_columns(place.alias("place")).sort("place")
    next_one = challenges.with_columns(place.alias("place")).sort("place")
    joined = next_one.join_asof(results, on="place", strategy="forward", suffix=".next")
    same = (pl.col("row") == pl.col("row.next")) & (pl.col("side") == SERVER)
    return joined.with_columns(
        pl.when(same).then(pl.col(name)).alias(name) for name in ("code", "application")
    ).drop("place", "row.next", "at.next")


def _none() -> pl.DataFrame:
    return _results(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), "")


def _results(row: Array, at: Array, code: Array, application: str) -> pl.DataFrame:
    return pl.DataFrame({"row": row, "at": at, "code": code}).with_columns(application=pl.lit(application))


def _http(streams: Streams) -> pl.DataFrame:
    """The status codes."""
    rows = np.flatnonzero(streams.begins(SERVER, b"HTTP/1."))
    some = streams.only(rows)
    found, _ = ntlmssp.search(some.data, some.starts, some.ends, lines=True)
    found = found[found[:, ntlmssp.SIDE] == SERVER]
    code = np.zeros(len(found), np.int64)
    for k in range(3):
        code = code * 10 + streams.data[found[:, ntlmssp.START] + k].astype(np.int64) - ord("0")
    return _results(rows[found[:, ntlmssp.ROW]], found[:, ntlmssp.AT], code, "http")


def _ldap(streams: Streams, starts: Array) -> pl.DataFrame:
    """The results of binds."""
    rows = np.flatnonzero(streams.byte(SERVER, 0) == 0x30)  # noqa: PLR2004 - a sequence
    paths = np.array([_BIND_RESULT], np.int64)
    found = der.values(streams.data, starts[rows], streams.ends[rows, SERVER], paths)
    row, start = rows[found[:, der.MESSAGE]], found[:, der.START]
    code = der.integers(streams.data, start, found[:, der.END])
    return _results(row, start - starts[row], code, "ldap")


def _rpc(streams: Streams) -> pl.DataFrame:
    """The answers to calls: 0, or what a fault says."""
    rows = np.flatnonzero(streams.byte(SERVER, 0) == packets.VERSION)
    found = dce_rpc.framed(streams.only(rows)).filter(side=SERVER)
    start, end = found["start"].to_numpy(), found["end"].to_numpy()
    kind = streams.data[start + 2]
    code = np.where(kind == packets.FAULT, little.number(streams.data, start + 24, end, 4), 0)
    whole = _results(rows[found["row"].to_numpy()], found["at"].to_numpy(), code, "dce_rpc")
    return whole.filter(pl.Series(np.isin(kind, (packets.RESPONSE, packets.FAULT))))


def _worded(found: pl.DataFrame) -> pl.DataFrame:
    login = pl.col("kind") == ntlmssp.AUTHENTICATE
    code, status = pl.col("code"), pl.col("status")
    refused = pl.when(pl.col("application") == "http").then(code.is_in(_REFUSED)).otherwise(code != 0)
    outcome = (
        pl.when(~login | ((pl.col("application") == "ldap") & (code == _GOES_ON)))
        .then(pl.lit("unknown"))
        .when(status.is_not_null())
        .then(codes.outcome(status))
        .when(refused)
        .then(pl.lit("failure"))
        .when(~refused)
        .then(pl.lit("success"))
        .otherwise(pl.lit("unknown"))
    )
    own = {name: f"capture.ntlm.{name}" for name in (*_SERVER, "server.version", "version", "protocol")}
    return found.select(
        "row",
        "side",
        "at",
        pl.lit("capture.ntlm").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "authentication"]).alias("event.category"),
        pl.lit(["connection", "info"]).alias("event.type"),
        pl.lit("ntlm").alias("network.protocol"),
        pl.when(login).then(pl.lit("authenticate")).otherwise(pl.lit("challenge")).alias("event.action"),
        outcome.alias("event.outcome"),
        pl.when(login & (status > 0)).then(codes.named(status, "status")).alias("event.reason"),
        *(pl.col("user").alias(f"{root}user.name") for root in ("", "source.")),
        *(pl.col("domain").alias(f"{root}user.domain") for root in ("", "source.")),
        *(
            pl.col("workstation").alias(name)
            for name in ("host.name", "source.domain", "capture.ntlm.hostname")
        ),
        pl.coalesce("server.name.dns", "server.name.netbios").alias("destination.domain"),
        pl.when(status.is_not_null())
        .then(pl.lit("smb"))
        .otherwise(pl.col("application"))
        .alias("capture.ntlm.within"),
        *(pl.col(name).alias(column) for name, column in own.items()),
    )


PROTOCOL: Final = OverTcp("ntlm", ntlmssp.spoken, _events)

"""What a handshake said and what became of it, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.tls import hello, names, records
from sensors.reading import text_views

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_ROLES: Final = ("client", "server")
_CERTIFICATE: Final = 1 << 11
_KEY_EXCHANGE: Final = 1 << 12
_DONE: Final = 1 << 14
_FULL: Final = _CERTIFICATE | _KEY_EXCHANGE | _DONE  # what a server says only if no session goes on
_ENCRYPTED_ALERT: Final = 19  # of TLS 1.3: two bytes, one for its type, sixteen of authentication
_FATAL: Final = 512


def columns(data: Array, found: Array, chains: Array) -> pl.DataFrame:
    """Columns of the schema for each handshake, and `~spoken` (Boolean: a hello was read).

    Args:
        data: messages, as `records.messages` gives them.
        found: numbers of rows and roles, from there.
        chains: certificates, from there.
    """
    client = hello.client(data, found[:, 0, records.HELLO], found[:, 0, records.HELLO_END])
    server = hello.server(data, found[:, 1, records.HELLO], found[:, 1, records.HELLO_END])
    frame = pl.concat(
        [
            client.rename({"fits": "~client", "~session": "~asked"}),
            server.rename({"fits": "~server"}),
            pl.DataFrame(
                {
                    f"~{role}.{name}": found[:, number, column]
                    for number, role in enumerate(_ROLES)
                    for name, column in _NUMBERS.items()
                }
            ),
            *(_certificates(data, chains, role, len(found)) for role in np.unique(chains[:, 1]).tolist()),
        ],
        how="horizontal",
    )
    return frame.with_columns(_curve(), *_alerts(), _resumed(), _established()).select(
        (pl.col("~client") | pl.col("~server")).alias("~spoken"),
        pl.exclude(r"^~.*$"),
        _outcome(),
    )


_NUMBERS: Final = {
    "types": records.TYPES,
    "changed": records.CHANGED,
    "cut": records.CUT,
    "application": records.APPLICATION,
    "first": records.FIRST_SIZE,
    "alert": records.ALERT,
    "curve": records.CURVE,
}


def _curve() -> pl.Expr:
    """Of TLS 1.3 the hello says it; before, the server's key exchange, if its cipher has one of curves."""
    exchanged = pl.col("tls.cipher").str.contains("_ECDHE?_") & ~pl.col("tls.cipher").str.contains("_PSK_")
    return pl.coalesce("tls.curve", pl.when(exchanged).then(names.group("~server.curve"))).alias("tls.curve")


def _alerts() -> list[pl.Expr]:
    return [
        pl.when(pl.col(f"~{role}.alert") > 0)
        .then(names.alert((pl.col(f"~{role}.alert") - 1) & 0xFF))
        .alias(f"capture.tls.{role}.alert")
        for role in _ROLES
    ]


def _resumed() -> pl.Expr:
    """Before TLS 1.3: the server takes up the session asked for, or goes on without certificate and keys."""
    types = pl.col("~server.types")
    full = (types & _FULL) > 0
    same = (pl.col("~asked") == pl.col("~session")).fill_null(value=False)
    short = (pl.col("~server.changed") > 0) & ~full
    known = pl.when(full).then(pl.lit(value=False)).when(same | short).then(pl.lit(value=True))
    older = pl.col("~server") & (pl.col("tls.version") != "1.3")
    return pl.coalesce("tls.resumed", pl.when(older).then(known)).alias("tls.resumed")


def _established() -> pl.Expr:
    """Whether both sides changed to what was agreed, as far as it can be seen from outside."""
    newest = pl.col("tls.version") == "1.3"
    answered = pl.col("~client.application") > 0
    refused = pl.col("~client.first") == _ENCRYPTED_ALERT
    now = answered & ~refused & (pl.col("~server.application") > 0)
    changed = [pl.col(f"~{role}.changed") > 0 for role in _ROLES]
    # What is encrypted is only sent after the other side has changed, too: enough where that one is not seen.
    spoke = [changed[k] & (pl.col(f"~{role}.application") > 0) for k, role in enumerate(_ROLES)]
    unseen = [(pl.col(f"~{role}.types") == 0) | (pl.col(f"~{role}.cut") > 0) for role in _ROLES]
    older = (changed[0] & changed[1]) | (spoke[0] & unseen[1]) | (spoke[1] & unseen[0])
    seen = pl.when(newest).then(now).otherwise(older)
    return (seen & ~_failed()).fill_null(value=False).alias("tls.established")


def _failed() -> pl.Expr:
    return pl.any_horizontal(pl.col(f"~{role}.alert") > _FATAL for role in _ROLES)


def _outcome() -> pl.Expr:
    return (
        pl.when("tls.established")
        .then(pl.lit("success"))
        .when(_failed())
        .then(pl.lit("failure"))
        .otherwise(pl.lit("unknown"))
        .alias("event.outcome")
    )


def _certificates(data: Array, chains: Array, role: int, height: int) -> pl.DataFrame:
    """Facts of the first certificate of a side, and the hashes of all of them, for each row."""
    from sensors.capture.protocols.tls import certificates  # noqa: PLC0415 - most captures of today show none

    mine = chains[chains[:, 1] == role]
    bytes_of = text_views.over(data, mine[:, 2].copy(), mine[:, 3].copy()).cast(pl.Binary)
    shown = pl.DataFrame({"~row": mine[:, 0], "~der": bytes_of})
    distinct = shown.select(pl.col("~der").unique())
    facts = pl.concat([distinct, certificates.read(distinct["~der"].to_list())], how="horizontal")
    chain = (
        shown.join(facts.select("~der", "hash.sha256"), on="~der", how="left", maintain_order="left")
        .group_by("~row", maintain_order=True)
        .agg("hash.sha256", pl.col("~der").first())
        .rename({"hash.sha256": "~chain"})
        .join(facts, on="~der", how="left")
        .drop("~der")
    )
    rows = pl.DataFrame({"~row": np.arange(height)})
    named = rows.join(chain, on="~row", how="left", maintain_order="left").drop("~row")
    side = _ROLES[role]
    return named.rename(
        lambda name: f"capture.tls.{side}.certificate_chain" if name == "~chain" else f"tls.{side}.{name}"
    )

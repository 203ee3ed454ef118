"""IMAP and POP3 (RFC 9051, 1939, 5034): an event a login, or one a session in which there was none.

Of a login only the name is kept, whatever mechanism proves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER
from sensors.capture.protocols import lines
from sensors.capture.protocols.mail import logins

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_POP_FIRST: Final = [b"USER", b"CAPA", b"APOP", b"STLS", b"AUTH", b"QUIT", b"UTF8", b"LANG"]
_LOGIN: Final = r'(?i)^\S+ LOGIN (?:"((?:[^"\\]|\\.)*)"|([^\s{"]+))'
_LITERAL_LOGIN: Final = r"(?i)^\S+ LOGIN \{[0-9]+\+?\}$"
_SASL: Final = r"(?i)^(?:\S+ )?%s ([A-Z0-9_-]+)(?: (\S+))?\s*$"
_HOST: Final = r"((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})"
_TLS: Final = {"imap": r"(?i)^\S+ STARTTLS$", "pop3": r"(?i)^STLS$"}


def is_imap(streams: Streams) -> Array:
    """A server that greets as IMAP does: `* OK`, `* PREAUTH`, `* BYE`."""
    return (
        streams.begins(SERVER, b"* OK")
        | streams.begins(SERVER, b"* PREAUTH")
        | streams.begins(SERVER, b"* BYE")
    )


def is_pop(streams: Streams) -> Array:
    """A server that says `+OK` and a client that begins with a command of POP3."""
    known = np.isin(lines.first_words(streams, CLIENT), _POP_FIRST)
    fit: Array = (streams.begins(SERVER, b"+OK") | streams.begins(SERVER, b"-ERR")) & known
    return fit


def imap_events(streams: Streams) -> pl.DataFrame:
    """The events of `OverTcp`."""
    spoken = lines.lines(streams, lines.LITERALS)
    text = pl.col("text")
    tag = text.str.extract(r"^([^\s*+]\S*) ", 1)
    said = spoken.filter(pl.col("side") == CLIENT).with_columns(tag.alias("~tag"))
    answer = text.str.extract_groups(r"(?i)^(\S+) (OK|NO|BAD)").struct
    answers = spoken.filter((pl.col("side") == SERVER) & ~text.str.starts_with("* ")).select(
        "row", answer["1"].alias("~tag"), answer["2"].str.to_uppercase().alias("~answer"), text.alias("~said")
    )
    answers = answers.drop_nulls("~tag").unique(["row", "~tag"], keep="first", maintain_order=True)
    said = said.join(answers, on=["row", "~tag"], how="left", maintain_order="left")
    following = text.shift(-1).over("row")
    plain = (
        pl.when(text.str.contains(_LITERAL_LOGIN))
        .then(following)
        .otherwise(
            pl.coalesce(
                text.str.extract(_LOGIN, 1).str.replace_all(r"\\(.)", "$1"), text.str.extract(_LOGIN, 2)
            )
        )
    )
    asked = said.with_columns(plain.alias("~plain"), *_sasl(said, "AUTHENTICATE"))
    ok = pl.col("~answer").replace_strict({"OK": "success", "NO": "failure", "BAD": "failure"}, default=None)
    return _described(spoken, asked, ok, "imap")


def pop_events(streams: Streams) -> pl.DataFrame:
    """The events of `OverTcp`; every command has one answer, its further lines begin otherwise."""
    spoken = lines.lines(streams)
    text = pl.col("text")
    answers = spoken.filter((pl.col("side") == SERVER) & text.str.contains(r"^(?:\+OK|-ERR|\+ |\+$)"))
    answers = answers.select(
        "row", pl.int_range(pl.len()).over("row").sub(1).alias("~number"),
        text.str.extract(r"^(\S+)", 1).alias("~answer"), text.alias("~said"),
    )  # fmt: skip
    said = spoken.filter(pl.col("side") == CLIENT).with_columns(
        pl.int_range(pl.len()).over("row").alias("~number")
    )
    said = said.join(answers, on=["row", "~number"], how="left", maintain_order="left")
    # The password follows the name, and the answer to it counts.
    password = text.shift(-1).over("row").str.contains("(?i)^PASS ")
    user = pl.coalesce(
        text.str.extract(r"(?i)^USER +(\S.*?)\s*$", 1), text.str.extract(r"(?i)^APOP +(\S+) ", 1)
    )
    ends = pl.when(password.fill_null(value=False)).then(1).when(pl.col("~mechanism").is_null()).then(0)
    asked = said.with_columns(user.alias("~plain"), *_sasl(said, "AUTH"))
    later = pl.coalesce(
        pl.when(ends == 1).then(pl.col("~answer").shift(-1).over("row")),
        pl.when(ends == 0).then("~answer"),
        pl.col("~answer").replace("+", None).fill_null(strategy="backward").over("row"),
    )
    ok = later.replace_strict({"+OK": "success", "-ERR": "failure"}, default=None)
    return _described(spoken, asked, ok, "pop3")


def _sasl(said: pl.DataFrame, command: str) -> list[pl.Series]:
    """Mechanism and name of each command of SASL; what it carries stands there or in the next line."""
    parts = pl.col("text").str.extract_groups(_SASL % command).struct
    given = said.select(
        parts["1"].str.to_uppercase().alias("mechanism"),
        pl.when(parts["1"].is_not_null())
        .then(pl.coalesce(parts["2"].replace("=", ""), pl.col("text").shift(-1).over("row")))
        .alias("payload"),
    )
    return [
        given["mechanism"].alias("~mechanism"),
        logins.names(given["mechanism"], given["payload"]).alias("~sasl"),
    ]


def _described(spoken: pl.DataFrame, asked: pl.DataFrame, ok: pl.Expr, protocol: str) -> pl.DataFrame:
    text = pl.col("text")
    started = text.str.contains(_TLS[protocol]) & pl.col("~answer").is_in(["OK", "+OK"]).fill_null(
        value=False
    )
    asked = asked.with_columns(ok.alias("event.outcome"), started.any().over("row").alias("tls.established"))
    tried = asked.filter(pl.col("~plain").is_not_null() | pl.col("~mechanism").is_not_null())
    greeting = text.filter(pl.col("side") == SERVER).first()
    sessions = spoken.group_by("row", maintain_order=True).agg(
        greeting.alias(f"capture.{protocol}.banner"),
        greeting.str.extract(_HOST, 1).alias("destination.domain"),
    )
    quiet = sessions.select("row").filter(~pl.col("row").is_in(tried["row"].implode()))
    quiet = quiet.join(
        asked.select("row", "tls.established").unique("row"), on="row", how="left"
    ).with_columns(pl.lit(0, pl.Int64).alias("at"))
    every = pl.concat([tried, quiet], how="diagonal").join(
        sessions, on="row", how="left", maintain_order="left"
    )
    name = pl.coalesce("~plain", "~sasl").replace("", None)
    login = pl.col("text").is_not_null()
    return every.select(
        "row",
        pl.lit(CLIENT, pl.Int64).alias("side"),
        "at",
        pl.lit(f"capture.{protocol}").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(login).then(pl.lit(["network", "authentication"])).otherwise(pl.lit(["network"]))
        .alias("event.category"),
        pl.when(login).then(pl.lit(["connection", "start"])).otherwise(pl.lit(["connection", "protocol"]))
        .alias("event.type"),
        pl.when(login).then(pl.lit("login")).otherwise(pl.lit("session")).alias("event.action"),
        "event.outcome",
        pl.lit(protocol).alias("network.protocol"),
        name.alias("user.name"),
        name.alias("source.user.name"),
        pl.col("~mechanism").str.to_lowercase().alias(f"capture.{protocol}.auth"),
        f"capture.{protocol}.banner",
        "destination.domain",
        "tls.established",
    )  # fmt: skip

"""SMTP and LMTP (RFC 5321, 2033): an event a mail, or one a session in which there was none.

Names as those of Zeek's smtp.log. What proves a login (RFC 4954) is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER
from sensors.capture.protocols import lines
from sensors.capture.protocols.mail import heads, logins

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_GREETINGS: Final = (b"EHLO", b"HELO", b"LHLO")
_WORD: Final = r"^([A-Za-z0-9]+)"
_MAIL: Final = r"(?i)^MAIL\s+FROM:\s*<?([^>\s]*)>?"
_RECIPIENT: Final = r"(?i)^RCPT\s+TO:\s*<?([^>\s]*)>?"
_HOST: Final = r"^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)\.?$"
_REFUSED_FROM: Final = 400
_READY: Final = 220
_OUT_OF_TURN: Final = 503  # a second MAIL within a mail
_LEAVING: Final = ("QUIT", "RSET", "NOOP")


def fits(streams: Streams) -> Array:
    """A client that says hello or begins a mail, to a server of codes or none; a server named SMTP."""
    word = lines.first_words(streams, CLIENT)
    code = lines.first_words(streams, SERVER)
    silent = streams.starts[:, SERVER] == streams.ends[:, SERVER]
    coded = np.char.isdigit(code) & (np.char.str_len(code) == 3)  # noqa: PLR2004 - digits of a reply
    hello = np.isin(word, _GREETINGS) & (streams.begins(CLIENT, b" ", 4) | (code == b"220"))
    begun = (streams.begins(CLIENT, b"MAIL FROM:") | streams.begins(CLIENT, b"mail from:")) & coded
    mute = (streams.starts[:, CLIENT] == streams.ends[:, CLIENT]) & (code == b"220")
    fit: Array = (hello & (silent | coded)) | begun | (mute & _named(streams, mute))
    return fit


def _named(streams: Streams, rows: Array) -> Array:
    """Whose first line has SMTP in it."""
    mask = np.zeros(len(streams), np.bool_)
    for row in np.flatnonzero(rows).tolist():  # few: servers whose client is not at hand
        start, end = streams.starts[row, SERVER], streams.ends[row, SERVER]
        line = streams.data[start : min(end, start + 512)].tobytes().partition(b"\n")[0].upper()
        mask[row] = b"SMTP" in line or b"LMTP" in line
    return mask


def events(streams: Streams) -> pl.DataFrame:
    """The events of `OverTcp`."""
    spoken = lines.lines(streams, lines.MESSAGES)
    asked = _asked(spoken, lines.replies(spoken))
    keys = ["row", "~mail"]
    head = heads.fields(asked.filter(pl.col("kind") == lines.FIELD), keys)
    sessions = _sessions(spoken, asked)
    within = (pl.col("kind") != lines.FIELD) & ~(pl.col("~after") & (pl.col("~mail") > 0))
    mails = asked.filter(within).group_by(keys, maintain_order=True).agg(_mail())
    count = pl.col("~mail").max().over("row")
    mails = mails.filter((pl.col("~mail") > 0) | (count == 0))
    every = mails.join(head, on=keys, how="left", maintain_order="left")
    alone = sessions.filter(~pl.col("row").is_in(every["row"].implode()))
    every = pl.concat([every, alone.select("row")], how="diagonal")
    every = every.join(sessions, on="row", how="left", maintain_order="left")
    return _described(every)


def _asked(spoken: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """What clients said: commands with the reply to each, its mail (from 1), and the fields of mails."""
    said = spoken.filter(pl.col("side") == CLIENT)
    first = answers.group_by("row").agg((pl.col("code").first() == _READY).alias("~greeted"))
    numbered = answers.join(first, on="row", how="left", maintain_order="left").with_columns(
        pl.int_range(pl.len()).over("row").sub(pl.col("~greeted").cast(pl.Int64)).alias("~number")
    )
    speaks = (pl.col("kind") != lines.FIELD).cast(pl.Int64)
    said = said.with_columns(
        pl.when(speaks == 1).then(speaks.cum_sum().over("row") - 1).alias("~number"),
        pl.when(speaks == 1).then(pl.col("text").str.extract(_WORD, 1).str.to_uppercase()).alias("~word"),
    ).join(
        numbered.select("row", "~number", "code", "said", "~final"), on=["row", "~number"], how="left",
        maintain_order="left",
    )  # fmt: skip
    begins = (
        pl.col("text").str.contains(_MAIL)
        & (speaks == 1)
        & (pl.col("code") != _OUT_OF_TURN).fill_null(value=True)
    )
    said = said.with_columns(begins.cast(pl.Int64).cum_sum().over("row").alias("~mail"))
    done = (pl.col("kind") == lines.END) | pl.col("text").str.contains(r"(?i)^BDAT\s+[0-9]+\s+LAST")
    ends = (done & (speaks == 1)).cast(pl.Int64)
    said = said.with_columns((ends.cum_sum().over("row", "~mail") - ends > 0).alias("~after"))
    return said.with_columns(_logins(said))


def _logins(said: pl.DataFrame) -> list[pl.Series]:
    """Mechanism and name of each AUTH, beside its line."""
    parts = pl.col("text").str.extract_groups(r"(?i)^AUTH\s+([A-Za-z0-9_-]+)(?:\s+(\S+))?\s*$").struct
    following = pl.col("text").shift(-1).over("row")
    given = said.select(
        parts["1"].str.to_uppercase().alias("mechanism"),
        pl.when(parts["1"].is_not_null())
        .then(pl.coalesce(parts["2"].replace("=", ""), following))
        .alias("payload"),
    )
    return [
        given["mechanism"].alias("~mechanism"),
        logins.names(given["mechanism"], given["payload"]).alias("~user"),
    ]


def _mail() -> list[pl.Expr]:
    word, code, text = pl.col("~word"), pl.col("code"), pl.col("text")
    ended = pl.col("kind") == lines.END
    kept = ~word.is_in(_LEAVING).fill_null(value=False) & code.is_not_null()
    reply = pl.concat_str(code, pl.lit(" "), pl.col("~final"))
    recipients = text.str.extract(_RECIPIENT, 1).drop_nulls()
    chunk = word == "BDAT"
    return [
        pl.col("at").first(),
        text.str.extract(_MAIL, 1).drop_nulls().first().alias("email.sender.address"),
        recipients.alias("capture.smtp.rcpt_to"),
        pl.coalesce(
            reply.filter(ended & code.is_not_null()).last(),
            reply.filter(chunk & code.is_not_null()).last(),
            reply.filter(kept).last(),
        ).alias("capture.smtp.last_reply"),
        pl.coalesce(code.filter(ended).last(), code.filter(chunk).last(), code.filter(kept).last()).alias(
            "~code"
        ),
        ended.any().alias("~ended"),
    ]


def _sessions(spoken: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """What is the same for all mails of a session."""
    text, word, code = pl.col("text"), pl.col("~word"), pl.col("code")
    hello = word.is_in(["EHLO", "HELO", "LHLO"])
    tls = (word == "STARTTLS") & (code == _READY)
    clients = asked.group_by("row", maintain_order=True).agg(
        text.filter(hello).last().str.extract(r"^\S+\s+(\S+)", 1).alias("capture.smtp.helo"),
        (word == "LHLO").any().alias("~local"),
        tls.any().alias("tls.established"),
        pl.col("~mechanism").drop_nulls().last().str.to_lowercase().alias("capture.smtp.auth"),
        pl.col("~user").drop_nulls().last().alias("user.name"),
        code.filter(pl.col("~mechanism").is_not_null()).first().alias("~auth_first"),
        code.filter(code.is_in([235, 535, 534, 530])).last().alias("~auth"),
    )
    greeting = pl.col("text").filter(pl.col("side") == SERVER).first()
    servers = spoken.group_by("row", maintain_order=True).agg(
        greeting.str.extract(r"^220[ -](\S+)", 1).alias("~server"),
        greeting.str.slice(4).alias("capture.smtp.banner"),
    )
    return servers.join(clients, on="row", how="left", maintain_order="left")


def _described(every: pl.DataFrame) -> pl.DataFrame:
    helo, code = pl.col("capture.smtp.helo"), pl.col("~code")
    decided = pl.coalesce(pl.when(pl.col("~mail") > 0).then(code), pl.col("~auth"))
    host = helo.str.extract(_HOST, 1)
    host = pl.when(~host.str.contains(r"^[0-9.]+$")).then(host)
    recipients = pl.col("capture.smtp.rcpt_to")
    return every.with_columns(
        pl.lit(CLIENT, pl.Int64).alias("side"),
        pl.col("at").fill_null(0),
        pl.lit("capture.smtp").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "email"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        pl.when(pl.col("~mail") > 0).then(pl.lit("mail")).when(pl.col("capture.smtp.auth").is_not_null())
        .then(pl.lit("login")).otherwise(pl.lit("session")).alias("event.action"),
        (decided >= _REFUSED_FROM).replace_strict({True: "failure", False: "success"}, return_dtype=pl.String)
        .alias("event.outcome"),
        pl.when("~local").then(pl.lit("lmtp")).otherwise(pl.lit("smtp")).alias("network.protocol"),
        pl.when(pl.col("~mail") > 0).then("~mail").alias("capture.smtp.transaction"),
        pl.when(recipients.list.len() > 0).then(recipients).alias("capture.smtp.rcpt_to"),
        pl.col("email.sender.address").replace("", None),
        host.alias("source.domain"),
        host.alias("host.name"),
        pl.col("~server").str.extract(_HOST, 1).alias("destination.domain"),
        pl.col("user.name").alias("source.user.name"),
    ).select(pl.exclude(r"^~.*$"))  # fmt: skip

"""Fields of messages' heads: who writes to whom, of what (RFC 5322; encoded words, RFC 2047)."""

from __future__ import annotations

from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Final

import polars as pl

FIELDS: Final = {
    "subject": "email.subject",
    "from": "~from",
    "to": "~to",
    "cc": "~cc",
    "message-id": "email.message_id",
    "x-mailer": "~mailer",
    "user-agent": "~agent",
    "date": "capture.smtp.date",
    "received": "capture.smtp.first_received",
    "x-originating-ip": "capture.smtp.x_originating_ip",
    "reply-to": "capture.smtp.reply_to",
}
_ADDRESS: Final = r"[^\s<>,;:\"()\[\]]+@[^\s<>,;:\"()]+"


def fields(lines: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """A row a message with columns of what its head says; the first of fields that come twice.

    Args:
        lines: `text`, a row a field, and `keys`.
        keys: columns that say of which message a field is.
    """
    parted = lines.select(
        *keys,
        pl.col("text").str.extract(r"^([!-9;-~]+)\s*:", 1).str.to_lowercase().alias("~name"),
        pl.col("text")
        .str.extract(r"(?s)^[^:]*:\s*(.*)$", 1)
        .str.replace_all(r"\s*\r?\n\s*", " ")
        .alias("~value"),
    ).filter(pl.col("~name").is_in(list(FIELDS)))
    parted = parted.with_columns(_decoded(parted["~value"]))
    heads = parted.group_by(keys, maintain_order=True).agg(
        _one(name, pl.col("~value").filter(pl.col("~name") == name)).alias(column)
        for name, column in FIELDS.items()
    )
    return heads.with_columns(
        *(_addresses(f"~{name}").alias(f"email.{name}.address") for name in ("from", "to", "cc")),
        pl.coalesce("~mailer", "~agent").alias("user_agent.original"),
        pl.col("email.message_id").str.strip_chars("<> "),
    ).drop("~from", "~to", "~cc", "~mailer", "~agent")


def _one(name: str, values: pl.Expr) -> pl.Expr:
    """Every server on the way writes its `Received` above the others: the last one is of the first server."""
    return values.last() if name == "received" else values.first()


def _addresses(name: str) -> pl.Expr:
    found = pl.col(name).str.extract_all(_ADDRESS)
    return pl.when(found.list.len() > 0).then(found)


def _decoded(values: pl.Series) -> pl.Series:
    encoded = values.filter(values.str.contains("=?", literal=True)).unique().to_list()
    known = {text: _plain(text) for text in encoded}
    return values.replace(known) if known else values


def _plain(text: str) -> str:
    try:
        plain = str(make_header(decode_header(text)))
    except (MessageError, UnicodeError, LookupError, ValueError):
        return text
    return plain.encode("utf-8", "replace").decode("utf-8")  # a charset may hide half a character

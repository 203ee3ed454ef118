"""The `key=value` pairs of audit records: quoted, bare, or in hexadecimal where they hold odd characters."""

from __future__ import annotations

from typing import Final

import polars as pl

KEYS: Final = (
    "pid", "ppid", "uid", "auid", "euid", "suid", "fsuid", "gid", "egid", "ses", "arch", "syscall", "success",
    "exit", "tty", "subj", "op", "id", "addr", "hostname", "terminal", "res", "unit", "key", "user",
    "reason", "laddr", "lport", "rport", "cipher", "direction", "inode", "mode", "nametype", "table",
    "family", "saddr", "scontext", "tcontext", "tclass", "sig", "a0", "new_auid", "old_auid",
    "new_ses", "grp",
    "vm", "item", "objtype", "ouid", "ogid", "src", "dst",
)  # fmt: skip
# Untrusted text: what is not in quotes is hexadecimal.
TEXTS: Final = ("comm", "exe", "name", "cwd", "acct", "proctitle", "cmd", "data")
ENRICHED: Final = ("AUID", "UID", "SYSCALL", "ARCH", "EUID", "GID", "OUID", "ID")
_HEX: Final = r"^(?:[0-9A-Fa-f]{2}){2,}$"
_NOTHING: Final = ("?", "(null)", "(none)", '""', "")
_SEPARATOR: Final = "\x1d"


def parsed(frame: pl.DataFrame) -> pl.DataFrame:
    """The records with a column for every key in `KEYS`, `TEXTS`, and `ENRICHED` (in capitals)."""
    body = (
        pl.col("body")
        .str.replace(r"\bold (auid|ses)=", "old_${1}=")
        .str.replace(r"\bnew (auid|ses)=", "new_${1}=")
    )
    frame = frame.with_columns(body.alias("body"))
    parts = frame.select(
        raw=pl.col("body").str.splitn(_SEPARATOR, 2).struct.field("field_0"),
        more=pl.col("body").str.splitn(_SEPARATOR, 2).struct.field("field_1"),
    )
    raw, more = parts["raw"], parts["more"]
    columns = [_value(raw, key).alias(key) for key in KEYS]
    columns += [_text(raw, key).alias(key) for key in TEXTS]
    columns += [_value(more, key).alias(key) for key in ENRICHED]
    return frame.with_columns(raw.alias("raw"), *columns)


def _found(column: pl.Series, key: str) -> pl.Series:
    return column.str.extract(rf"""(?:^|[ '({{]){key}=("[^"]*"|[^\s'"]+)""", 1)


def _value(column: pl.Series, key: str) -> pl.Series:
    value = _found(column, key).str.strip_chars('"').str.strip_suffix(",")
    return value.set(value.is_in(list(_NOTHING)), None)


def _text(column: pl.Series, key: str) -> pl.Series:
    value = _found(column, key)
    return value.to_frame("v").select(decoded(pl.col("v"))).to_series()


def decoded(value: pl.Expr) -> pl.Expr:
    """Text in quotes as it is, text in hexadecimal decoded (a NUL between words is a blank)."""
    bare = value.str.strip_chars('"')
    coded = ~value.str.starts_with('"') & value.str.contains(_HEX)
    plain = pl.when(coded).then(value).str.decode("hex", strict=False).cast(pl.String, strict=False)
    read = pl.coalesce(plain.str.replace_all("\x00", " ", literal=True).str.strip_chars_end(" "), bare)
    return pl.when(~read.is_in(list(_NOTHING))).then(read)


def arguments(raw: pl.Expr) -> pl.Expr:
    """The arguments of an EXECVE record; a first element says how many an earlier record had."""
    pairs = raw.str.extract_all(r'(?:^| )a[0-9]+(?:\[[0-9]+\])?=(?:"[^"]*"|\S+)')
    first = pairs.list.first()
    torn = first.str.contains(
        r"a[0-9]+\[0*[1-9][0-9]*\]="
    )  # the rest of an argument whose beginning is elsewhere
    number = first.str.extract(r"a([0-9]+)", 1).cast(pl.Int64) + torn.cast(pl.Int64)
    pairs = pl.when(torn).then(pairs.list.slice(1)).otherwise(pairs)
    values = pairs.list.eval(_argument(pl.element().str.replace(r"^ ?a[0-9]+(?:\[[0-9]+\])?=", "")))
    gap = (
        pl.when(number > 0)
        .then(pl.concat_list(pl.format("[... {} truncated arguments ...]", number)))
        .otherwise(pl.lit([], pl.List(pl.String)))
    )
    return pl.when(pairs.list.len() > 0).then(pl.concat_list(gap, values))


def _argument(value: pl.Expr) -> pl.Expr:
    long = value.str.contains(r"^(?:[0-9A-F]{2}){3,}$")
    plain = pl.when(long).then(value).str.decode("hex", strict=False).cast(pl.String, strict=False)
    return pl.coalesce(plain, value.str.strip_chars('"'))


def address(saddr: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Address and port of a socket's address in hexadecimal (little-endian machines)."""
    port = saddr.str.slice(4, 4).str.to_integer(base=16, strict=False)
    four = pl.concat_str(
        [saddr.str.slice(8 + 2 * at, 2).str.to_integer(base=16, strict=False) for at in range(4)],
        separator=".",
    )
    six = pl.concat_str(
        [saddr.str.slice(16 + 4 * at, 4).str.to_lowercase() for at in range(8)], separator=":"
    )
    v4 = saddr.str.contains(r"^0200[0-9A-Fa-f]{12}")
    v6 = saddr.str.contains(r"^0A00[0-9A-Fa-f]{44}")
    return pl.when(v4).then(four).when(v6).then(six), pl.when(v4 | v6).then(port)

"""Tools by evidence: from a frame of events of any dataset to the tool each of them shows, if one does.

Every column is looked at by its distinct values, which are few; what is found goes back to the rows by a
join. Facts that a tool alone brings about (its own bytes, its ALPN, a certificate that only it issues) are a
handshake seen; names are a name seen, since a person can visit a page too; a port is the last word, and said
only where nothing else is known of the conversation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.tools.table import KINDS, Fact, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Match = Callable[[pl.Series, pl.DataFrame], pl.DataFrame]

COLUMNS: Final = (
    "molehunt.tool.name",
    "molehunt.tool.kind",
    "molehunt.tool.evidence",
    "molehunt.tool.confidence",
)
# By kind of fact, the columns it may stand in, whichever sensor wrote them.
WHERE: Final = {
    "alpn": ("capture.tls.client.next_protocols", "capture.quic.client.next_protocols", "tls.next_protocol"),
    "names": (
        "tls.client.server_name",
        "dns.question.name",
        "url.domain",
        "destination.domain",
        "capture.mdns.services",
    ),
    "http_titles": ("capture.http.title",),
    "user_agents": ("user_agent.original",),
    "host_names": (
        "host.hostname",
        "host.name",
        "source.domain",
        "zeek.dhcp.hostname",
        "zeek.dhcp.client_fqdn",
        "capture.dhcp.hostname",
        "capture.dhcp.client_fqdn",
    ),
    "mac_prefixes": ("source.mac", "host.mac", "client.mac", "destination.mac", "zeek.dhcp.address.mac"),
    "ja3": ("tls.client.ja3",),
    "ja4": ("capture.tls.ja4", "tls.client.ja4", "suricata.eve.tls.ja4", "zeek.ssl.ja4"),
}
CERTIFICATES: Final = (
    ("tls.server.subject", "tls.server.issuer"),
    ("tls.client.subject", "tls.client.issuer"),
    ("file.x509.subject.distinguished_name", "file.x509.issuer.distinguished_name"),
)
PROTOCOL: Final = "network.protocol"
TRANSPORT: Final = "network.transport"
PORTS: Final = ("destination.port", "server.port")
_ROW: Final = "~event"  # its number
_NOTHING: Final = pl.DataFrame(
    schema={_ROW: pl.UInt32, "order": pl.Int64, "detail": pl.Int64, "tool": pl.String, "evidence": pl.String}
)
_MOST_LABELS: Final = 16
_TEXT: Final = 4096  # of a value that is looked at


def named(events: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The tool that each event shows.

    Args:
        events: any sensor's; what columns it has is looked at.
        table: what tools are known by.

    Returns:
        `COLUMNS`, a row an event: its tool and what that is, the fact it is known by, how sure that is; null
        where there is none. Of several facts the one first in `KINDS` says, of names the longest.
    """
    rows = events.with_row_index(_ROW)
    found = [_NOTHING, *_said(rows, table.of("said")), *_certificates(rows, table.of("certificate"))]
    for kind, match in _MATCHES.items():
        known = table.flat(kind)
        for column in WHERE[kind] if known.height else ():
            found += _in_column(rows, column, kind, match, known)
    found += _ports(rows, table.flat("ports"))
    best = (
        pl.concat(found)
        .sort(_ROW, "order", "detail", "tool")
        .unique(_ROW, keep="first", maintain_order=True)
        .with_columns(
            pl.col("tool").replace_strict(table.tools, default=None, return_dtype=pl.String).alias("kind"),
            pl.col("order")
            .replace_strict(dict(enumerate(KINDS.values())), return_dtype=pl.String)
            .alias("confidence"),
        )
        .select(_ROW, *(pl.col(one).alias(name) for one, name in zip(_INNER, COLUMNS, strict=True)))
    )
    return rows.select(_ROW).join(best, on=_ROW, how="left", maintain_order="left").drop(_ROW)


_INNER: Final = ("tool", "kind", "evidence", "confidence")
_ORDER: Final = {kind: number for number, kind in enumerate(KINDS)}


def _as_found(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Rows with `tool`, `evidence` and perhaps `detail`, as `_NOTHING` has them."""
    if "detail" not in rows.columns:
        rows = rows.with_columns(pl.lit(0, pl.Int64).alias("detail"))
    return rows.with_columns(pl.lit(_ORDER[kind], pl.Int64).alias("order")).select(_NOTHING.columns)


def _in_column(
    rows: pl.DataFrame, column: str, kind: str, match: Match, known: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    """The rows whose value in a column (a list: any of it) is matched."""
    type_ = rows.schema.get(column)
    if type_ == pl.List(pl.String):
        said = rows.select(_ROW, pl.col(column).alias("said")).explode("said").drop_nulls()
    elif type_ == pl.String:
        said = rows.select(_ROW, pl.col(column).alias("said")).drop_nulls()
    else:
        return
    values = said["said"].unique()
    matched = match(values.filter(values.str.len_bytes() <= _TEXT), known)
    if matched.height:
        yield _as_found(said.join(matched, on="said"), kind)


def _told(matched: pl.DataFrame, words: str) -> pl.DataFrame:
    return matched.with_columns(pl.format(words + " {}", "value").alias("evidence"))


def _same(words: str) -> Match:
    def match(values: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
        return _told(
            values.to_frame("said").join(known, left_on="said", right_on="value", coalesce=False), words
        )

    return match


def _beginning(words: str) -> Match:
    """Values that begin with one of the table's; there are a handful of those."""

    def match(values: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
        frame = values.to_frame("said")
        hits = [
            frame.filter(pl.col("said").str.starts_with(value)).with_columns(
                pl.lit(value).alias("value"), pl.lit(tool).alias("tool")
            )
            for value, tool in known.rows()
        ]
        return _told(pl.concat(hits), words)

    return match


def _suffix(values: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    """Names that are a name of the table, or below it; the longest says."""
    clean = pl.col("said").str.to_lowercase().str.replace(r":\d+$", "").str.strip_chars(".").str.split(".")
    frame = values.to_frame("said").with_columns(clean.alias("labels"))
    lengths = known["value"].str.count_matches(".", literal=True) + 1
    hits = [
        frame.select("said", pl.col("labels").list.tail(count).list.join(".").alias("value")).join(
            known.filter(lengths == count), on="value"
        )
        for count in lengths.unique().sort(descending=True).head(_MOST_LABELS).to_list()
    ]
    found = pl.concat(hits).unique("said", keep="first", maintain_order=True)
    return _told(found, "name").with_columns(-pl.col("value").str.len_bytes().cast(pl.Int64).alias("detail"))


def _computer(values: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    """A computer's name: a word of the table, alone or with a number or a domain behind it."""
    word = pl.col("said").str.to_lowercase().str.extract(r"^([a-z0-9]+)(?:[.-]|$)")
    frame = values.to_frame("said").with_columns(word.alias("value"))
    return _told(frame.join(known, on="value"), "host name")


def _mac(values: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    digits = pl.col("said").str.replace_all(r"[^0-9A-Fa-f]", "").str.to_uppercase()
    lengths = known["value"].str.len_bytes()
    frame = values.to_frame("said")
    hits = [
        frame.with_columns(digits.str.slice(0, count).alias("value")).join(
            known.filter(lengths == count), on="value"
        )
        for count in lengths.unique().sort(descending=True).to_list()
    ]
    return _told(pl.concat(hits).unique("said", keep="first", maintain_order=True), "MAC prefix")


_MATCHES: Final[dict[str, Match]] = {
    "alpn": _beginning("ALPN"),
    "names": _suffix,
    "http_titles": _same("HTTP title"),
    "user_agents": _beginning("user agent"),
    "host_names": _computer,
    "mac_prefixes": _mac,
    "ja3": _same("JA3"),
    "ja4": _same("JA4"),
}


def _said(rows: pl.DataFrame, facts: list[Fact]) -> Iterator[pl.DataFrame]:
    """Events that say just what a fact wants: distinct combinations are looked at, then joined."""
    for columns in {tuple(sorted(value)): None for fact in facts for value in fact.values}:
        if any(rows.schema.get(column) != pl.String for column in columns):
            continue
        known = pl.DataFrame(
            [
                (*(value[column] for column in columns), fact.tool)
                for fact in facts
                for value in fact.values
                if tuple(sorted(value)) == columns
            ],
            [*columns, "tool"],
            orient="row",
        ).unique(columns, keep="first", maintain_order=True)
        words = pl.concat_str([pl.format(f"{column} {{}}", column) for column in columns], separator=", ")
        hits = rows.select(_ROW, *columns).join(known, on=columns).with_columns(words.alias("evidence"))
        # what says more is more particular: a form of a protocol before the protocol
        yield _as_found(hits.with_columns(pl.lit(-len(columns), pl.Int64).alias("detail")), "said")


def _certificates(rows: pl.DataFrame, facts: list[Fact]) -> Iterator[pl.DataFrame]:
    """Rows with a certificate that only a tool issues; distinct ones are looked at one by one."""
    wanted = [(fact.tool, value) for fact in facts for value in fact.values]
    for pair in CERTIFICATES:
        there = [column for column in pair if rows.schema.get(column) == pl.String]
        if not there or not wanted:
            continue
        both = [
            pl.col(column) if column in there else pl.lit(None, pl.String).alias(column) for column in pair
        ]
        frame = rows.select(_ROW, *both).filter(pl.any_horizontal(pl.col(pair).is_not_null()))
        hits = []
        for subject, issuer in frame.select(pair).unique(maintain_order=True).rows():
            tool = next((tool for tool, value in wanted if _issued(value, subject, issuer)), None)
            if tool is not None:
                hits.append((subject, issuer, tool, f"certificate {subject or ''} issued by {issuer or ''}"))
        if hits:
            schema = dict.fromkeys((*pair, "tool", "evidence"), pl.String)
            matched = pl.DataFrame(hits, schema, orient="row")
            yield _as_found(frame.join(matched, on=pair, nulls_equal=True), "certificate")


def _issued(wanted: dict[str, str], subject: str | None, issuer: str | None) -> bool:
    said = {"subject": subject or "", "issuer": issuer or ""}
    for key, value in wanted.items():
        text = said[key.removesuffix("_like")][:_TEXT]
        if key.endswith("_like"):
            if not re.search(value, text):
                return False
        elif not _parts(value) <= _parts(text):
            return False
    return True


def _parts(name: str) -> set[str]:
    """The parts of a distinguished name, in whichever order and by whichever mark they are written."""
    return {part.strip() for part in re.split(r"(?<!\\)[,/+](?=\s*[A-Za-z.0-9]+=)", name) if part.strip()}


def _ports(rows: pl.DataFrame, known: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Conversations of which nothing but the port is known."""
    port = next((column for column in PORTS if column in rows.columns), None)
    if not known.height or port is None or TRANSPORT not in rows.columns:
        return
    some = rows.filter(pl.col(PROTOCOL).is_null()) if PROTOCOL in rows.columns else rows
    said: dict[str, Any] = {"value": pl.concat_str(pl.col(TRANSPORT).str.to_lowercase(), port, separator="/")}
    yield _as_found(_told(some.select(_ROW, **said).join(known, on="value"), "port"), "ports")

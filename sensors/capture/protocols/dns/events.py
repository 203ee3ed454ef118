"""DNS messages as events: questions, answers and what else they say, by Elastic's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.capture.protocols.dns import codes, messages
from sensors.reading import text_views

if TYPE_CHECKING:
    from sensors.capture.protocols.dns.printable import Array

_SECTIONS: Final = {1: "dns.answers", 2: "capture.dns.authorities", 3: "capture.dns.additionals"}
_ADDRESSES: Final = ("A", "AAAA")
_TEXTS: Final = ("TXT", "SPF")
# Types whose data says it all; of the others `capture.dns.records` has the whole record.
_PLAIN: Final = (*_ADDRESSES, *_TEXTS, "NS", "CNAME", "DNAME", "PTR")
_CLASS: Final = 0x7FFF
_DO: Final = 0x8000


def frame(data: Array, starts: Array, ends: Array, protocol: str) -> pl.DataFrame:
    """What the messages from `starts` to `ends` say, a row each, but for those that are none.

    Args:
        data: bytes.
        starts: where each begins.
        ends: the place behind it.
        protocol: `dns`, or what else has this form; for mDNS, the class' upper bit is none of it (RFC 6762).

    Returns:
        `~message` (Int64, number of the span), and columns of the schema.
    """
    read, rows, text = messages.read(data, starts, ends, codes.layouts())
    said = records(rows, text, mask=_CLASS if protocol == "mdns" else 0xFFFF)
    base = _headers(read, text, protocol).filter(pl.Series(read[:, messages.READ]) == 1)
    for part in (_questions(said), *(_section(said, number) for number in _SECTIONS), _records(said)):
        if part.height:
            base = base.join(part, on="~message", how="left", maintain_order="left")
    resolved = said.filter(
        pl.col("section").is_in([1, 3] if protocol == "mdns" else [1])
        & pl.col("type").is_in(_ADDRESSES)
        & (pl.col("data") != "")
    )
    addresses = resolved.group_by("~message", maintain_order=True).agg(
        pl.col("data").unique(maintain_order=True).alias("dns.resolved_ip")
    )
    whole = base.join(addresses, on="~message", how="left", maintain_order="left")
    if protocol == "mdns":
        whole = whole.join(_services(said), on="~message", how="left", maintain_order="left")
    return whole


def records(rows: Array, text: Array, mask: int = 0xFFFF) -> pl.DataFrame:
    """Questions and records: `~message`, `section`, `type`, `class`, `ttl`, `name`, `data`, `whole`.

    `whole` is all of the data, `data` which the record is about: an exchange without its preference.
    """
    kind = codes.named(pl.col("type"), "types", "TYPE")

    def text_at(start: int, end: int) -> pl.Series:
        return text_views.over(text, rows[:, start].copy(), rows[:, end].copy())

    found = pl.DataFrame(
        {
            "~message": rows[:, messages.MESSAGE],
            "section": rows[:, messages.SECTION],
            "type": rows[:, messages.TYPE],
            "class": rows[:, messages.CLASS] & mask,
            "ttl": rows[:, messages.TTL],
            "name": text_at(messages.NAME, messages.NAME_END),
            "data": text_at(messages.MAIN, messages.MAIN_END),
            "whole": text_at(messages.DATA, messages.DATA_END),
        }
    ).with_columns(kind.alias("type"), codes.named(pl.col("class"), "classes", "CLASS").alias("class"))
    lines = pl.col("type").is_in(_TEXTS)
    return found.with_columns(
        pl.when(lines)
        .then(pl.col("data").str.replace_all("\n", " ", literal=True))
        .otherwise("data")
        .alias("data")
    )


def _headers(read: Array, text: Array, protocol: str) -> pl.DataFrame:
    """What the headers say, and EDNS."""
    flags, edns = read[:, messages.FLAGS], read[:, messages.EDNS_FLAGS]
    made = pl.DataFrame(
        {
            "~message": pl.int_range(len(read), dtype=pl.Int64, eager=True),
            "dns.id": read[:, messages.ID],
            "dns.header_flags": codes.flags(flags | ((edns & _DO) << 16)),
            "flags": flags,
            "code": (flags & 15) | ((edns >> 24) << 4),
            "edns": read[:, messages.EDNS],
            "size": read[:, messages.EDNS_SIZE],
            "broken": read[:, messages.BROKEN],
            "error": read[:, messages.ERROR] - 1,
            **{
                name: text_views.over(text, read[:, start].copy(), read[:, start + 1].copy())
                for name, start in (
                    ("subnet", messages.SUBNET),
                    ("why", messages.ERROR_TEXT),
                    ("server", messages.SERVER),
                )
            },
        }
    )
    answers = (pl.col("flags") & 0x8000) != 0
    word = pl.when(answers).then(pl.lit("answer")).otherwise(pl.lit("query"))
    good = pl.when(pl.col("code") == 0)
    return made.select(
        "~message",
        pl.lit(f"capture.{protocol}").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        (pl.lit("dns_") + word).alias("event.action"),
        pl.when(answers)
        .then(good.then(pl.lit("success")).otherwise(pl.lit("failure")))
        .alias("event.outcome"),
        pl.when(pl.col("broken") == 1)
        .then(pl.lit("the message ends, or contradicts itself, before its last record"))
        .alias("error.message"),
        pl.lit(protocol).alias("network.protocol"),
        word.alias("dns.type"),
        pl.col("dns.id").cast(pl.String),
        codes.named((pl.col("flags") // 2048) & 15, "opcodes").alias("dns.op_code"),
        "dns.header_flags",
        ((pl.col("flags") & 0x0200) != 0).alias("dns.header_truncated"),
        pl.when(answers).then(codes.named(pl.col("code"), "response_codes")).alias("dns.response_code"),
        pl.when(pl.col("edns") == 1).then("size").cast(pl.String).alias("capture.dns.edns.udp_size"),
        _unless_empty("subnet").alias("capture.dns.edns.client_subnet"),
        _unless_empty("server").alias("capture.dns.edns.nsid"),
        pl.when(pl.col("error") >= 0).then("error").cast(pl.String).alias("capture.dns.edns.error_code"),
        _unless_empty("why").alias("capture.dns.edns.error_text"),
    )


def _unless_empty(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(name)


def _questions(said: pl.DataFrame) -> pl.DataFrame:
    """The first question of each message; all of them where there are several."""
    several = pl.len() > 1
    return (
        said.filter(pl.col("section") == 0)
        .group_by("~message", maintain_order=True)
        .agg(
            *(pl.col(what).first().alias(f"dns.question.{what}") for what in ("name", "type", "class")),
            *(
                pl.when(several).then(pl.col(what).implode()).first().alias(f"capture.dns.questions.{what}")
                for what in ("name", "type")
            ),
        )
    )


def _section(said: pl.DataFrame, number: int) -> pl.DataFrame:
    """The records of a section, as lists of one length."""
    ttl = pl.col("ttl").cast(pl.String)
    parts = ("name", "type", "class", "data") if number == 1 else ("name", "type", "data")
    return (
        said.filter(pl.col("section") == number)
        .group_by("~message", maintain_order=True)
        .agg(
            *(pl.col(part).alias(f"{_SECTIONS[number]}.{part}") for part in parts),
            ttl.alias(f"{_SECTIONS[number]}.ttl"),
        )
    )


def _records(said: pl.DataFrame) -> pl.DataFrame:
    """The records of all sections whose data has more to it than one name or address."""
    line = pl.concat_str("name", "type", "whole", separator=" ")
    return (
        said.filter((pl.col("section") > 0) & ~pl.col("type").is_in(_PLAIN) & (pl.col("whole") != ""))
        .group_by("~message", maintain_order=True)
        .agg(line.alias("capture.dns.records"))
    )


def _services(said: pl.DataFrame) -> pl.DataFrame:
    """What a responder announces (RFC 6763): its name, instances of services, their strings."""
    told = said.filter(pl.col("section").is_in([1, 3]))
    is_instance = r"^(.+)\._[A-Za-z0-9-]+\._(?:tcp|udp)\.[A-Za-z]+$"
    pointed = pl.when(pl.col("type") == "PTR").then("data")
    owner = pl.when(pl.col("type").is_in(["SRV", "TXT"])).then("name")
    names = pl.when(pl.col("type").is_in(_ADDRESSES)).then("name")
    instances = pl.concat_list(pointed, owner).list.drop_nulls()
    texts = pl.when((pl.col("type") == "TXT") & (pl.col("whole") != "")).then(pl.col("whole").str.split("\n"))
    lists = told.select(
        "~message",
        instances=instances.list.filter(pl.element().str.contains(is_instance)),
        texts=texts,
        name=names,
    )
    found = lists.group_by("~message", maintain_order=True).agg(
        pl.col("instances")
        .explode(empty_as_null=False)
        .drop_nulls()
        .unique(maintain_order=True)
        .alias("capture.mdns.services"),
        pl.col("texts").explode().drop_nulls().unique(maintain_order=True).alias("capture.mdns.txt"),
        pl.col("name").drop_nulls().unique(maintain_order=True).alias("hosts"),
    )
    # One name only: a proxy that answers for computers that sleep (RFC 6762, 3) has several.
    name = pl.when(pl.col("hosts").list.len() == 1).then(pl.col("hosts").list.first())
    return found.select(
        "~message",
        *(
            pl.when(pl.col(column).list.len() > 0).then(column).alias(column)
            for column in ("capture.mdns.services", "capture.mdns.txt")
        ),
        name.alias("source.domain"),
        name.str.replace(r"(?i)\.local$", "").alias("host.name"),
    )

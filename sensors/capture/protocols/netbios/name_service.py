"""NetBIOS' name service (RFC 1002, 4.2): who asks for which name, who claims one, who has which addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.dns import codes, messages
from sensors.capture.protocols.dns.events import records
from sensors.capture.protocols.dns.printable import HEX, shown
from sensors.capture.protocols.netbios import spelling

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

PORT: Final = 137
_RESPONSE, _OPCODE, _CODE = 0x8000, 0x7800, 0x000F
_OPERATIONS: Final = {
    0: "query", 5: "registration", 6: "release", 7: "wait", 8: "refresh", 9: "refresh", 15: "registration",
}  # fmt: skip
_CLAIMS: Final = (5, 8, 9, 15)
_CODES: Final = {
    0: "NOERROR", 1: "FMT_ERR", 2: "SRV_ERR", 3: "NAM_ERR", 4: "IMP_ERR", 5: "RFS_ERR", 6: "ACT_ERR",
    7: "CFT_ERR",
}  # fmt: skip
_TYPES: Final = {"TYPE32": "NB", "SRV": "NBSTAT"}  # 33 is another thing in DNS
_GROUP: Final = 0x80  # of a name's flags
_NAMES: Final = 18  # bytes of a name in a node's status
_MAC: Final = 6


def fits(datagrams: Datagrams) -> Array:
    """By the port, and a first name in the 32 letters."""
    rows = np.flatnonzero((datagrams.ports == PORT).any(axis=1) & (datagrams.size() >= messages.HEADER))
    _, found, text = messages.read(
        datagrams.data, datagrams.starts[rows], datagrams.ends[rows], codes.layouts()
    )
    said = records(found, text).group_by("~message", maintain_order=True).first()
    good = said.filter(pl.col("name").str.contains(spelling.ENCODED), pl.col("class") == "IN")
    fits = np.zeros(len(datagrams), np.bool_)
    fits[rows[good["~message"].to_numpy()]] = True
    return fits


def events(datagrams: Datagrams) -> pl.DataFrame:
    """An event a message."""
    data, starts = datagrams.data, datagrams.starts
    read, found, text = messages.read(data, starts, datagrams.ends, codes.layouts())
    said = records(found, text)
    said = said.with_columns(
        pl.col("type").replace(_TYPES),
        *spelling.decoded(said["name"], "spelled", "suffix").get_columns(),
        shown(data, found[:, messages.AT], found[:, messages.STOP], HEX).alias("hex"),
    )
    flags = read[:, messages.FLAGS]
    base = pl.DataFrame(
        {
            "row": np.arange(len(read)),
            "operation": (flags & _OPCODE) >> 11,
            "answers": (flags & _RESPONSE) != 0,
            "code": flags & _CODE,
            "dns.id": read[:, messages.ID],
        }
    )
    for part in (_asked(said), _told(said)):
        base = base.join(part.rename({"~message": "row"}), on="row", how="left", maintain_order="left")
    return _named(base)


def _asked(said: pl.DataFrame) -> pl.DataFrame:
    """The name that a message is about: its question's, or its first record's."""
    return said.group_by("~message", maintain_order=True).agg(
        pl.col("spelled").first().alias("dns.question.name"),
        pl.col("type").first().alias("dns.question.type"),
        pl.col("class").first().alias("dns.question.class"),
        pl.col("suffix").first().alias("capture.netbios.suffix"),
    )


def _told(said: pl.DataFrame) -> pl.DataFrame:
    """Addresses, and the status of nodes, of the records; each distinct datum is read once."""
    given = said.filter((pl.col("section") > 0) & pl.col("hex").is_not_null())
    distinct = given.select("type", "hex").unique(maintain_order=True)
    table = pl.DataFrame(
        [_datum(kind, bytes.fromhex(digits)) for kind, digits in distinct.iter_rows()],
        {
            "addresses": pl.List(pl.String),
            "group": pl.Boolean,
            "names": pl.List(pl.String),
            "computer": pl.String,
            "card": pl.String,
        },
        orient="row",
    )
    read = given.join(
        distinct.hstack(table.get_columns()), on=["type", "hex"], how="left", maintain_order="left"
    )

    def flat(name: str) -> pl.Expr:
        return pl.col(name).explode(empty_as_null=False).drop_nulls().unique(maintain_order=True)

    return read.group_by("~message", maintain_order=True).agg(
        flat("addresses").alias("capture.netbios.addresses"),
        flat("names").alias("capture.netbios.names"),
        pl.col("group").drop_nulls().first(),
        pl.col("computer").drop_nulls().first(),
        pl.col("card").drop_nulls().first(),
    )


def _datum(kind: str, raw: bytes) -> tuple[list[str], bool | None, list[str], str | None, str | None]:
    """Addresses, and whether a group's (4.2.1.3); or names, the computer among them, its card (4.2.18)."""
    if kind == "NB":
        pairs = [raw[at : at + 6] for at in range(0, len(raw) - 5, 6)]
        group = bool(raw[0] & _GROUP) if pairs else None
        return [".".join(map(str, pair[2:])) for pair in pairs], group, [], None, None
    if kind != "NBSTAT":
        return [], None, [], None, None
    names = [raw[at : at + _NAMES] for at in range(1, 1 + _NAMES * raw[0], _NAMES)]
    names = [each for each in names if len(each) == _NAMES]
    computers = [spelling.shown(each) for each in names if each[15] == 0 and not each[16] & _GROUP]
    card = raw[1 + _NAMES * raw[0] :][:_MAC]
    known = len(card) == _MAC and any(card)
    return (
        [],
        None,
        [f"{spelling.shown(each)}<{each[15]:02X}>" for each in names],
        computers[0] if computers else None,
        card.hex("-").upper() if known else None,
    )


def _named(said: pl.DataFrame) -> pl.DataFrame:
    """With what the messages are, and who sent them, by the names of the schema."""
    answers, good = pl.col("answers"), pl.col("code") == 0
    what = pl.col("operation").replace_strict(_OPERATIONS, default="message", return_dtype=pl.String)
    suffix = pl.col("capture.netbios.suffix")
    own = suffix.is_in(spelling.COMPUTERS) & ~pl.col("group").fill_null(value=True)
    # A name that is refused to the sender may not be its name.
    claims = (pl.col("operation").is_in(_CLAIMS) & ~answers) | (answers & good & (pl.col("operation") == 0))
    name = pl.coalesce("computer", pl.when(own & claims).then("dns.question.name"))
    addresses = pl.col("capture.netbios.addresses")
    some = {
        column: pl.when(pl.col(column).list.len() > 0).then(column)
        for column in ("capture.netbios.addresses", "capture.netbios.names")
    }
    return said.with_columns(
        pl.lit("capture.netbios").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        (pl.lit("netbios_") + what + pl.when(answers).then(pl.lit("_answer")).otherwise(pl.lit(""))).alias(
            "event.action"
        ),
        pl.when(answers)
        .then(pl.when(good).then(pl.lit("success")).otherwise(pl.lit("failure")))
        .alias("event.outcome"),
        pl.lit("netbios-ns").alias("network.protocol"),
        pl.col("dns.id").cast(pl.String),
        pl.when(answers).then(pl.lit("answer")).otherwise(pl.lit("query")).alias("dns.type"),
        pl.when(answers)
        .then(
            pl.col("code").replace_strict(
                _CODES, default=pl.col("code").cast(pl.String), return_dtype=pl.String
            )
        )
        .alias("dns.response_code"),
        pl.when(answers & (addresses.list.len() > 0)).then(addresses).alias("dns.resolved_ip"),
        suffix.replace_strict(spelling.SERVICES, default=None, return_dtype=pl.String).alias(
            "capture.netbios.service"
        ),
        *(expression.alias(column) for column, expression in some.items()),
        name.alias("host.name"),
        name.alias("source.domain"),
        pl.when(pl.col("card").is_not_null()).then(pl.concat_list("card")).alias("host.mac"),
    ).drop("operation", "answers", "code", "group", "computer", "card")

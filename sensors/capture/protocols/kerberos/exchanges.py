"""Kerberos messages (RFC 4120, 5.4 and 5.9) to events: a question with its answer."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import der
from sensors.capture.protocols import texts

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_AS_REQ, _AS_REP, _TGS_REQ, _TGS_REP, _ERROR = 0x6A, 0x6B, 0x6C, 0x6D, 0x7E
_REQUESTS: Final = (_AS_REQ, _TGS_REQ)
_REPLIES: Final = (_AS_REP, _TGS_REP)
_STEPS: Final = (25, 52)  # errors that only say how to ask again: with preauthentication; over TCP
_NETBIOS: Final = 20  # a kind of address: the client's name (RFC 4120, 7.5.3)
_GENERAL, _INTEGER, _TIME, _BITS, _OCTETS = 0x1B, 0x02, 0x18, 0x03, 0x04
_FORWARDABLE: Final = 1 << 30  # of the first 32 options, bit 0 being the highest
_RENEWABLE: Final = 1 << 23
# By message: what a value is, and the tags that lead to it.
_TEXTS: Final[dict[tuple[int, ...], dict[str, tuple[int, ...]]]] = {
    _REQUESTS: {
        "client": (0xA4, 0xA1, 0xA1, _GENERAL),
        "realm": (0xA4, 0xA2, _GENERAL),
        "service": (0xA4, 0xA3, 0xA1, _GENERAL),
        "from": (0xA4, 0xA4, _TIME),
        "till": (0xA4, 0xA5, _TIME),
        "renew": (0xA4, 0xA6, _TIME),
        "address": (0xA4, 0xA9, 0xA1, _OCTETS),
    },
    _REPLIES: {
        "realm": (0xA3, _GENERAL),
        "client": (0xA4, 0xA1, _GENERAL),
        "service": (0xA5, 0x61, 0xA2, 0xA1, _GENERAL),
    },
    (_ERROR,): {
        "client_realm": (0xA7, _GENERAL),
        "client": (0xA8, 0xA1, _GENERAL),
        "realm": (0xA9, _GENERAL),
        "service": (0xAA, 0xA1, _GENERAL),
    },
}
_NUMBERS: Final[dict[tuple[int, ...], dict[str, tuple[int, ...]]]] = {
    _REQUESTS: {
        "options": (0xA4, 0xA0, _BITS),
        "ciphers": (0xA4, 0xA8, _INTEGER),
        "preauthentication": (0xA3, 0xA1, _INTEGER),
        "address_kind": (0xA4, 0xA9, 0xA0, _INTEGER),
    },
    _REPLIES: {"ticket_cipher": (0xA5, 0x61, 0xA3, 0xA0, _INTEGER), "cipher": (0xA6, 0xA0, _INTEGER)},
    (_ERROR,): {"error": (0xA6, _INTEGER)},
}


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages, a row each: row and side of what was given, place there, tag, and the span in `data`."""

    row: Array
    side: Array
    at: Array
    kind: Array
    start: Array
    end: Array


def by_number(found: Messages) -> Array:
    """For each message its answer's number, or -1: the n-th answer of a row is that of its n-th question."""
    frame = pl.DataFrame({"row": found.row, "asks": np.isin(found.kind, _REQUESTS)}).with_row_index("message")
    numbered = frame.with_columns(pl.int_range(pl.len()).over("row", "asks").alias("number"))
    asked, answered = (numbered.filter(pl.col("asks") == asks) for asks in (True, False))
    pairs = asked.join(answered, on=["row", "number"])
    return _pairs(len(found.row), pairs["message"].to_numpy(), pairs["message_right"].to_numpy())


def by_order(found: Messages, flow: Array) -> Array:
    """The same of messages in the order they came: an answer is to the question before it."""
    asks = np.isin(found.kind, _REQUESTS)
    before = np.maximum.accumulate(np.where(asks, np.arange(len(asks)), -1)) if len(asks) else np.arange(0)
    answers = np.flatnonzero(~asks & (before >= 0))
    answers = answers[flow[before[answers]] == flow[answers]]
    asked, first = np.unique(before[answers], return_index=True)
    return _pairs(len(asks), asked, answers[first])


def _pairs(number: int, asked: Array, answered: Array) -> Array:
    pairs = np.full(number, -1, np.int64)
    pairs[asked] = answered
    return pairs


def events(data: Array, found: Messages, pairs: Array, *, datagrams: bool = False) -> pl.DataFrame:
    """Events of all questions, and of the answers whose question was not seen.

    Args:
        data: bytes, UInt8.
        found: the messages.
        pairs: for each message the number of its answer, or -1.
        datagrams: the source of a row is who sent it, and there is no place in a stream.
    """
    told = _told(data, found)
    alone = np.ones(len(pairs), np.bool_)
    alone[pairs[pairs >= 0]] = False
    first = np.flatnonzero(alone)
    asks = np.isin(found.kind[first], _REQUESTS)
    answer = np.where(asks, pairs[first], first)
    both = pl.concat(
        [
            _taken(told, np.where(asks, first, -1)).rename(lambda name: f"asked.{name}"),
            _taken(told, answer).rename(lambda name: f"answered.{name}"),
            pl.DataFrame({"row": found.row[first], "side": found.side[first], "at": found.at[first]}),
        ],
        how="horizontal",
    )
    made = _worded(both, who=pl.lit(value=True) if not datagrams else pl.Series(asks))
    return made.drop("side", "at") if datagrams else made


def _taken(told: pl.DataFrame, messages: Array) -> pl.DataFrame:
    """The rows of `told`, of nulls for -1."""
    return told.select(pl.all().gather(pl.Series(messages).replace(-1, None).cast(pl.UInt32)))


def _told(data: Array, found: Messages) -> pl.DataFrame:
    """What each message says, a row a message."""
    names, paths = _wanted()
    cells = der.values(data, found.start, found.end, paths)
    frame = pl.DataFrame({"message": cells[:, der.MESSAGE], "path": cells[:, der.PATH]}).with_columns(
        pl.Series("name", names).gather(pl.Series(cells[:, der.PATH]))
        if len(cells)
        else pl.lit("").alias("name")
    )
    texted = {name for fields in _TEXTS.values() for name in fields}
    is_text = frame["name"].is_in(list(texted)).to_numpy()
    spans = cells[:, der.START], cells[:, der.END]
    words = frame.filter(is_text).with_columns(
        texts.columns(data, {"value": (spans[0][is_text], spans[1][is_text])})
    )
    skipped = np.array([name == "options" for name in names], np.bool_)[cells[:, der.PATH]]  # unused bits
    numbers = frame.with_columns(value=pl.Series(der.integers(data, spans[0] + skipped, spans[1]))).filter(
        ~is_text
    )
    whole = pl.DataFrame({"message": np.arange(len(found.row)), "kind": found.kind})
    parts = [
        *(_one(words, name, pl.col("value").str.join("/")) for name in sorted(texted - {"address"})),
        *(
            _one(numbers, name, pl.col("value").first())
            for name in ("options", "error", "cipher", "ticket_cipher")
        ),
        *(_one(numbers, name, pl.col("value")) for name in ("ciphers", "preauthentication", "address_kind")),
        _one(words, "address", pl.col("value")),
    ]
    for part in parts:
        whole = whole.join(part, on="message", how="left", maintain_order="left")
    return whole.drop("message")


def _one(values: pl.DataFrame, name: str, value: pl.Expr) -> pl.DataFrame:
    mine = values.filter(pl.col("name") == name)
    return mine.group_by("message", maintain_order=True).agg(value.alias(name))


@cache
def _wanted() -> tuple[list[str], Array]:
    """Names of values, and the paths that lead to them."""
    names, paths = [], []
    for table in (_TEXTS, _NUMBERS):
        for kinds, fields in table.items():
            for kind in kinds:
                names += list(fields)
                paths += [int.from_bytes((kind, *tags)) for tags in fields.values()]
    return names, np.array(paths, np.int64)


def _worded(both: pl.DataFrame, who: pl.Series | pl.Expr) -> pl.DataFrame:
    """Both messages as one event; `who` is false where the source is not the client."""
    code = pl.col("answered.error")
    kind = pl.coalesce("asked.kind", "answered.kind")
    name = pl.coalesce("answered.client", "asked.client")
    # The realm of a question is the service's; for a first ticket the client's is the same.
    asked_realm = pl.when(pl.col("asked.kind") == _AS_REQ).then(pl.col("asked.realm"))
    answered_realm = pl.when(pl.col("answered.kind").is_in(_REPLIES)).then(pl.col("answered.realm"))
    realm = pl.coalesce(answered_realm, "answered.client_realm", asked_realm)
    service = pl.coalesce("answered.service", "asked.service")
    request = kind.replace_strict(
        {_AS_REQ: "AS", _AS_REP: "AS", _TGS_REQ: "TGS", _TGS_REP: "TGS"}, default=None, return_dtype=pl.String
    )
    outcome = (
        pl.when(pl.col("answered.kind").is_in(_REPLIES)).then(pl.lit("success"))
        .when(code.is_in(_STEPS) | pl.col("answered.kind").is_null()).then(pl.lit("unknown"))
        .otherwise(pl.lit("failure"))
    )  # fmt: skip
    made = both.select(
        "row",
        "side",
        "at",
        pl.lit("capture.kerberos").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "authentication"]).alias("event.category"),
        pl.lit(["connection", "protocol", "access"]).alias("event.type"),
        pl.lit("kerberos").alias("network.protocol"),
        request.fill_null("error").alias("event.action"),
        outcome.alias("event.outcome"),
        name.alias("user.name"),
        realm.alias("user.domain"),
        request.alias("capture.kerberos.request_type"),
        pl.when(name.is_not_null() | realm.is_not_null())
        .then(pl.concat_str(name.fill_null(""), pl.lit("/"), realm.fill_null("")))
        .alias("capture.kerberos.client"),
        service.alias("capture.kerberos.service"),
        pl.coalesce("answered.realm", "asked.realm").alias("capture.kerberos.realm"),
        code.cast(pl.String).alias("capture.kerberos.error.code"),
        _named(code, "errors").alias("capture.kerberos.error.msg"),
        _named(pl.col("answered.ticket_cipher"), "ciphers").alias("capture.kerberos.cipher"),
        _named(pl.col("answered.cipher"), "ciphers").alias("capture.kerberos.reply.cipher"),
        _all_named("asked.ciphers", "ciphers").alias("capture.kerberos.request.ciphers"),
        _all_named("asked.preauthentication", "preauthentication").alias(
            "capture.kerberos.preauthentication"
        ),
        *(_flag("asked.options", bit).alias(f"capture.kerberos.{word}") for word, bit in _OPTIONS.items()),
        *(_moment(f"asked.{one}").alias(f"capture.kerberos.{word}") for one, word in _MOMENTS.items()),
        _computer().alias("~computer"),
    )
    computer = pl.coalesce(
        "~computer",
        pl.col("user.name").str.extract(r"^([^/$]+)\$$"),
        pl.col("user.name").str.extract(r"^host/([^/]+)$"),
    )
    return made.with_columns(
        pl.col("capture.kerberos.error.msg").alias("event.reason"),
        pl.when(who).then(pl.col("user.name")).alias("source.user.name"),
        pl.when(who).then(pl.col("user.domain")).alias("source.user.domain"),
        pl.when(who).then(computer).alias("host.name"),
        pl.when(who).then(computer).alias("source.domain"),
    ).drop("~computer")


_OPTIONS: Final = {"forwardable": _FORWARDABLE, "renewable": _RENEWABLE}
_MOMENTS: Final = {"from": "valid.from", "till": "valid.until", "renew": "renew_until"}


def _named(number: pl.Expr, table: str) -> pl.Expr:
    words = _codes(table)
    known = number.replace_strict(words, default=None, return_dtype=pl.String)
    return pl.coalesce(known, pl.lit("unknown-") + number.cast(pl.String))


def _all_named(column: str, table: str) -> pl.Expr:
    return pl.col(column).list.eval(_named(pl.element(), table))


@cache
def _codes(table: str) -> dict[int, str]:
    raw = tomllib.loads((files(__package__) / "codes.toml").read_text("utf-8"))
    return {int(number): name for number, name in raw[table].items()}


def _flag(column: str, bit: int) -> pl.Expr:
    return (pl.col(column) & bit) != 0


def _moment(column: str) -> pl.Expr:
    moment = pl.col(column).str.to_datetime("%Y%m%d%H%M%SZ", time_unit="us", time_zone="UTC", strict=False)
    return pl.when(moment.dt.year() > 1970).then(moment)  # noqa: PLR2004 - the epoch stands for no time


def _computer() -> pl.Expr:
    """The client's NetBIOS name among its addresses: 15 bytes and one that says of what kind it is."""
    at = pl.col("asked.address_kind").list.eval((pl.element() == _NETBIOS).arg_max()).list.first()
    there = pl.col("asked.address_kind").list.contains(_NETBIOS)
    address = pl.when(there).then(pl.col("asked.address").list.get(at, null_on_oob=True))
    name = address.str.head(15).str.strip_chars(" \0")
    return pl.when(name != "").then(name)

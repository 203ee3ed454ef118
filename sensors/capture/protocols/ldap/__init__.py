"""LDAP (RFC 4511): each request with its result; whom a bind names, whatever mechanism proves it.

Names as those of Zeek's ldap.log. Passwords and the tokens of mechanisms are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.addresses import octets
from sensors.capture.protocols.http.people import ntlm
from sensors.capture.protocols.ldap.messages import (
    AT,
    END,
    ID,
    OPERATION,
    ROW,
    SIDE,
    START,
    elements,
    found,
)
from sensors.capture.protocols.ldap.results import RESULTS

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_BIND, _SEARCH, _EXTENDED, _DELETE, _UNBIND = 0x60, 0x63, 0x77, 0x4A, 0x42
_REQUESTS: Final = {
    _BIND: "bind", _UNBIND: "unbind", _SEARCH: "search", 0x66: "modify", 0x68: "add", _DELETE: "delete",
    0x6C: "modify dn", 0x6E: "compare", 0x50: "abandon", _EXTENDED: "extended",
}  # fmt: skip
_ENTRY: Final = 0x64  # of what a search finds: many
_RESULTS: Final = (0x61, 0x65, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x78)
_TEXT, _NUMBER, _CHOICE = 0x04, 0x02, 0x0A
_SIMPLE, _SASL, _NAME = 0x80, 0xA3, 0x80
_SCOPES: Final = {0: "base", 1: "single", 2: "tree", 3: "subordinate"}
_START_TLS: Final = "1.3.6.1.4.1.1466.20037"
# The first component of a name by which people are told apart; else the whole name stands for the person.
_PERSON: Final = r"(?i)^\s*(?:uid|cn|samaccountname|userid|mail)\s*=\s*((?:\\.|[^,+\\])+)"
_SUCCEEDED: Final = (0, 5, 6, 10, 14)  # comparisons, referrals, and another step of a bind


def _fits(streams: Streams) -> Array:
    """By the first message of the client, or of the server where the client said nothing."""
    mask = np.zeros(len(streams), np.bool_)
    for side, operations in ((CLIENT, list(_REQUESTS)), (SERVER, [*_RESULTS, _ENTRY])):
        rows = np.flatnonzero(streams.byte(side, 0) == 0x30)  # noqa: PLR2004 - a sequence
        if side == SERVER:
            rows = rows[streams.starts[rows, CLIENT] == streams.ends[rows, CLIENT]]
        end = streams.ends[rows, side]
        _, inner, behind = elements(streams.data, streams.starts[rows, side], end)
        kind, start, after = elements(streams.data, inner, behind)
        operation, _, stop = elements(streams.data, after, behind)
        controls = octets(streams.data, stop, behind) == 0xA0  # noqa: PLR2004 - of RFC 4511, 4.1.11
        whole = (stop == behind) | controls
        sized = (after - start >= 1) & (after - start <= 4)  # noqa: PLR2004 - 31 bits
        mask[rows] = (kind == _NUMBER) & sized & np.isin(operation, operations) & whole
    return mask


def _events(streams: Streams) -> pl.DataFrame:
    messages = found(streams)
    asked = messages[(messages[:, SIDE] == CLIENT) & np.isin(messages[:, OPERATION], list(_REQUESTS))]
    replies = messages[(messages[:, SIDE] == SERVER) & np.isin(messages[:, OPERATION], _RESULTS)]
    entries = messages[messages[:, OPERATION] == _ENTRY]
    frame = _asked(streams.data, asked)
    keys = ["row", "capture.ldap.message_id"]
    counts = (
        pl.DataFrame(entries[:, [ROW, ID]], schema=keys, orient="row")
        .group_by(keys)
        .agg(pl.len().cast(pl.String).alias("capture.ldap.result_count"))
    )
    frame = _paired(frame, _results(streams.data, replies), keys)
    return _described(frame.join(counts, on=keys, how="left", maintain_order="left"))


def _paired(frame: pl.DataFrame, results: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """A number may be used again when it was answered: the n-th request has the n-th result of its number."""
    nth = pl.int_range(pl.len()).over(keys).alias("~nth")
    return frame.with_columns(nth).join(
        results.with_columns(nth), on=[*keys, "~nth"], how="left", maintain_order="left"
    )


def _asked(data: Array, asked: Array) -> pl.DataFrame:
    operation, start, end = asked[:, OPERATION], asked[:, START], asked[:, END]
    bind = operation == _BIND
    number, at, behind = elements(data, start, end)
    version = np.where(bind & (number == _NUMBER), octets(data, at, end), -1)
    first = np.where(bind, behind, start)  # behind the version
    kind, at, behind = elements(data, first, end)
    named = (kind == _TEXT) | ((operation == _EXTENDED) & (kind == _NAME))
    whole = (operation == _DELETE) & (end > start)
    name = np.where(whole, start, np.where(named, at, -1)), np.where(whole, end, behind)
    kind, at, behind = elements(data, np.where(named, behind, end), end)
    scope = np.where((operation == _SEARCH) & (kind == _CHOICE), octets(data, at, end), -1)
    simple, sasl = bind & (kind == _SIMPLE), bind & (kind == _SASL)
    kind, at, stop = elements(data, np.where(sasl, at, end), np.where(sasl, behind, end))
    mechanism = np.where(sasl & (kind == _TEXT), at, -1), stop
    token, at, stop = elements(data, np.where(sasl, stop, end), np.where(sasl, behind, end))
    text = texts.columns(data, {"~name": name, "~mechanism": mechanism})
    people = _people(data, np.where(token == _TEXT, at, -1), stop)
    return pl.DataFrame(
        {
            "row": asked[:, ROW], "side": asked[:, SIDE], "at": asked[:, AT],
            "capture.ldap.message_id": asked[:, ID],
            "~operation": operation, "~version": version, "~scope": scope, "~simple": simple, "~sasl": sasl,
        }
    ).hstack(text).hstack(people)  # fmt: skip


def _people(data: Array, starts: Array, ends: Array) -> pl.DataFrame:
    """Whom NTLM inside of SASL names; few binds have it."""
    found = [
        ntlm(data[start:end].tobytes()) if start >= 0 else (None, None, None)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    schema = dict.fromkeys(("~ntlm_user", "~ntlm_domain", "~ntlm_host"), pl.String)
    return pl.DataFrame(found, schema=schema, orient="row")


def _results(data: Array, replies: Array) -> pl.DataFrame:
    start, end = replies[:, START], replies[:, END]
    kind, at, behind = elements(data, start, end)
    code = np.where((kind == _CHOICE) & (behind - at == 1), octets(data, at, end), -1)
    _, _, behind = elements(data, behind, end)
    kind, at, stop = elements(data, behind, end)
    text = texts.columns(data, {"capture.ldap.diagnostic_message": (np.where(kind == _TEXT, at, -1), stop)})
    ids = pl.DataFrame(replies[:, [ROW, ID]], schema=["row", "capture.ldap.message_id"], orient="row")
    return ids.with_columns(pl.Series("~code", code)).hstack(text)


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    code, operation = pl.col("~code"), pl.col("~operation")
    bind = operation == _BIND
    name = pl.when(pl.col("~name") != "").then("~name")
    logon = name.str.extract(r"^(?:[^\\@=,]+\\)?([^\\@=,]+)(?:@[^\\=,]+)?$", 1)
    domain = pl.coalesce(
        name.str.extract(r"^([^\\@=,]+)\\", 1), name.str.extract(r"^[^\\@=,]+@([^\\=,]+)$", 1)
    )
    user = pl.when(bind).then(pl.coalesce("~ntlm_user", name.str.extract(_PERSON, 1), logon))
    realm = pl.when(bind).then(pl.coalesce("~ntlm_domain", domain))
    code = pl.when(code >= 0).then(code)
    return frame.with_columns(
        pl.lit("capture.ldap").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(bind).then(pl.lit(["network", "authentication"])).otherwise(pl.lit(["network"]))
        .alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.concat_str(
            operation.replace_strict(_REQUESTS, default=None, return_dtype=pl.String),
            pl.when("~simple").then(pl.lit(" simple")).when("~sasl").then(pl.lit(" SASL"))
            .otherwise(pl.lit("")),
        ).alias("event.action"),
        pl.when(code.is_in(_SUCCEEDED)).then(pl.lit("success")).when(code.is_not_null()).then(pl.lit("failure"))
        .alias("event.outcome"),
        pl.lit("ldap").alias("network.protocol"),
        pl.when(pl.col("~version") >= 0).then(pl.col("~version").cast(pl.String))
        .alias("capture.ldap.version"),
        pl.when(operation != _EXTENDED).then(name).alias("capture.ldap.object"),
        pl.when(operation == _EXTENDED).then(name).alias("capture.ldap.request_name"),
        pl.col("~mechanism").alias("capture.ldap.mechanism"),
        pl.col("~scope").replace_strict(_SCOPES, default=None, return_dtype=pl.String)
        .alias("capture.ldap.scope"),
        code.alias("capture.ldap.result_code"),
        code.replace_strict(RESULTS, default=None, return_dtype=pl.String).alias("capture.ldap.result"),
        pl.col("capture.ldap.diagnostic_message").str.strip_chars("\0").replace("", None),
        pl.when((operation == _EXTENDED) & (name == _START_TLS)).then(code == 0).alias("tls.established"),
        user.alias("user.name"), user.alias("source.user.name"),
        realm.alias("user.domain"), realm.alias("source.user.domain"),
        pl.col("~ntlm_host").alias("host.name"),
    ).select(pl.exclude(r"^~.*$"))  # fmt: skip


PROTOCOL: Final = OverTcp("ldap", _fits, _events)
